//! Readers of files: against files of NumPy, and of bytes that are none.

use chainrule::ErrorKind;
use chainrule::data::{
    read_idx, read_idx_file, read_npy, read_npy_file, read_npz, read_npz_file, write_npy,
};
use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{Rng, SeedableRng};

/// Written by `reference/arrays.py`: format, shape, numbers in C order, file in hexadecimal.
const TABLE: &str = include_str!("../reference/arrays.tsv");

struct File {
    format: &'static str,
    shape: Vec<usize>,
    numbers: Vec<f64>,
    bytes: Vec<u8>,
}

impl File {
    /// What a reader should make of it: the first axis as columns.
    fn as_matrix(&self) -> DMatrix<f64> {
        let samples = self.shape.first().copied().unwrap_or(1);
        let features: usize = self.shape.iter().skip(1).product();
        DMatrix::from_vec(features, samples, self.numbers.clone())
    }
}

fn table() -> Vec<File> {
    fn list<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
        text.split(' ')
            .filter(|x| !x.is_empty())
            .map(|x| x.parse().expect("a number"))
            .collect()
    }
    let file = |line: &'static str| {
        let [format, shape, numbers, hex] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        let bytes = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
            .collect();
        File {
            format,
            shape: list(shape),
            numbers: list(numbers),
            bytes,
        }
    };
    TABLE.lines().skip(1).map(file).collect()
}

/// The same matrix to the bit, in shape as in numbers.
#[track_caller]
fn same(a: &DMatrix<f64>, b: &DMatrix<f64>) {
    assert_eq!(a.shape(), b.shape());
    assert!(
        a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
        "{a} is not {b}"
    );
}

#[track_caller]
fn refused<R>(result: Result<R>, text: &str) {
    match result {
        Ok(_) => panic!("accepted what must be refused with “{text}”"),
        Err(error) => assert_eq!(error.to_string(), text),
    }
}

// -------------------------------------------------------------------------------------------------
// NumPy

#[test]
fn files_of_numpy() -> Result<()> {
    let files: Vec<File> = table()
        .into_iter()
        .filter(|file| file.format == "npy")
        .collect();
    assert!(files.len() > 60);
    for file in files {
        same(&read_npy(&file.bytes)?, &file.as_matrix());
        let single = read_npy::<f32>(&file.bytes)?;
        let expected = file.as_matrix().map(|v| v as f32);
        assert_eq!(single.shape(), expected.shape());
        assert!(
            single
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
    }
    Ok(())
}

#[test]
fn archives_of_numpy() -> Result<()> {
    let file = table()
        .into_iter()
        .find(|file| file.format == "npz")
        .expect("an archive");
    same(&read_npz(&file.bytes, "x")?, &file.as_matrix());
    same(
        &read_npz(&file.bytes, "y")?,
        &DMatrix::from_row_slice(1, 3, &[1.0, 0.0, 2.0]),
    );
    refused(
        read_npz::<f64>(&file.bytes, "z"),
        "read_npz: got \"z\", expected one of the arrays x, y",
    );
    Ok(())
}

/// Archives as they are written where something in them is larger than 4 GiB.
#[test]
fn archives_of_64_bits() -> Result<()> {
    let is_large = |file: &File| {
        file.format == "npz" && file.bytes.windows(4).any(|four| four == b"PK\x06\x06")
    };
    let file = table().into_iter().find(is_large).expect("a large archive");
    same(&read_npz(&file.bytes, "x")?, &file.as_matrix());
    same(
        &read_npz(&file.bytes, "y")?,
        &DMatrix::from_row_slice(1, 3, &[1.0, 0.0, 2.0]),
    );
    Ok(())
}

/// Of several entries of one name NumPy takes the last.
#[test]
fn arrays_of_one_name() -> Result<()> {
    let mut bytes = table()
        .into_iter()
        .find(|file| file.format == "npz")
        .expect("an archive")
        .bytes;
    let at: Vec<usize> = (0..bytes.len() - 5)
        .filter(|at| bytes[*at..].starts_with(b"y.npy"))
        .collect();
    assert_eq!(at.len(), 2); // before the data, and in the directory
    for at in at {
        bytes[at] = b'x';
    }
    same(
        &read_npz(&bytes, "x")?,
        &DMatrix::from_row_slice(1, 3, &[1.0, 0.0, 2.0]),
    );
    Ok(())
}

/// `np.savez_compressed` and gzip.
#[cfg(feature = "deflate")]
mod compressed {
    use super::*;

    #[test]
    fn files_of_numpy() -> Result<()> {
        let mut read = 0;
        for file in table() {
            let x = match file.format {
                "packed" => read_npz(&file.bytes, "x")?,
                "gzip" => read_npy(&file.bytes)?,
                _ => continue,
            };
            same(&x, &file.as_matrix());
            read += 1;
        }
        assert_eq!(read, 5);
        Ok(())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
        let deflated = miniz_oxide::deflate::compress_to_vec(bytes, 9);
        let checksum = !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ ((crc & 1) * 0xedb8_8320)
            })
        });
        let length = bytes.len() as u32;
        [
            &header[..],
            &deflated,
            &checksum.to_le_bytes(),
            &length.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn gzipped_files() -> Result<()> {
        let pixels: Vec<u8> = (0..50_000_u32).map(|i| (i * i / 7) as u8).collect();
        let file = idx(8, &[50, 10, 100], &pixels);
        same(&read_idx(&gzip(&file))?, &read_idx(&file)?);
        #[cfg(feature = "csv")]
        {
            let text = "x,y\n1,2\n3,4\n";
            let csv = chainrule::data::Csv::new().targets(["y"]);
            assert_eq!(
                csv.read::<f64>(&gzip(text.as_bytes())[..])?,
                csv.read(text.as_bytes())?
            );
        }
        // All of the optional fields of the header.
        let plain = gzip(&file);
        let mut header = plain[..10].to_vec();
        header[3] = 2 | 4 | 8 | 16;
        let more = [
            &header[..],
            &[3, 0, 1, 2, 3],
            b"name\0",
            b"comment\0",
            &[0, 0],
            &plain[10..],
        ]
        .concat();
        same(&read_idx(&more)?, &read_idx(&file)?);
        Ok(())
    }

    /// RFC 1952, §2.2: gzip files one after the other are a gzip file of what they hold, one after
    /// the other.
    #[test]
    fn gzipped_files_of_several_members() -> Result<()> {
        let pixels: Vec<u8> = (0..50_000_u32).map(|i| (i * i / 7) as u8).collect();
        let file = idx(8, &[50, 10, 100], &pixels);
        let expected = read_idx::<f64>(&file)?;
        for size in [1, 7, 20_000, file.len()] {
            let mut members: Vec<_> = file.chunks(size).map(gzip).collect();
            members.insert(members.len() / 2, gzip(&[]));
            same(&read_idx(&members.concat())?, &expected);
            // Each has a checksum and a length of its own.
            let last = members.len() - 1;
            for (index, at, text) in [
                (0, 8, "expected data of checksum"),
                (0, 4, "or more or fewer"),
                (last, 8, "checksum"),
            ] {
                let mut damaged = members.clone();
                let at = damaged[index].len() - at;
                damaged[index][at] ^= 1;
                let error = read_idx::<f64>(&damaged.concat()).expect_err(text);
                assert!(error.to_string().contains(text), "{size}: {error}");
            }
        }
        // Two whole files are data and more.
        assert!(read_idx::<f64>(&[gzip(&file), gzip(&file)].concat()).is_err());
        let members = [gzip(&file[..9]), gzip(&file[9..])].concat();
        for end in 2..members.len() {
            assert!(read_idx::<f64>(&members[..end]).is_err(), "{end}");
        }
        Ok(())
    }

    /// Data that are not what the trailer says, or not all of the file.
    #[test]
    fn gzipped_files_that_are_wrong() {
        let file = idx(8, &[1000], &[7; 1000]);
        let plain = gzip(&file);
        let size = format!(
            "read_idx: got damaged data, or more or fewer, expected deflated data of {} bytes",
            file.len()
        );
        let changed = |at: usize| {
            let mut bytes = plain.clone();
            let at = plain.len() - at;
            bytes[at] ^= 1;
            read_idx::<f64>(&bytes)
        };
        assert!(
            changed(8)
                .expect_err("a checksum")
                .to_string()
                .contains("expected data of checksum")
        );
        refused(changed(4), &size.replace("1008", "1009"));
        let text = "read_idx: got 4 bytes that are neither, expected the end of a gzip file, or \
            another of its members";
        refused(read_idx::<f64>(&[&plain[..], b"more"].concat()), text);
        for end in 2..plain.len() {
            assert!(read_idx::<f64>(&plain[..end]).is_err(), "{end}");
        }
    }

    /// 8 MiB of zeros in 8 KiB that claim to be 1 byte, and 1 byte that claims to be 4 GiB less
    /// one.
    #[test]
    fn sizes_that_are_no_true_ones() {
        let zeros = gzip(&vec![0; 1 << 23]);
        let claim =
            |bytes: &[u8], size: u32| [&bytes[..bytes.len() - 4], &size.to_le_bytes()].concat();
        for (bytes, size) in [(&zeros, 1), (&gzip(&[0]), u32::MAX - 1)] {
            let text = format!(
                "read_idx: got damaged data, or more or fewer, expected deflated data of {size} \
                 bytes"
            );
            refused(read_idx::<f64>(&claim(bytes, size)), &text);
        }
        // In an archive the directory claims it.
        let file = table()
            .into_iter()
            .find(|file| file.format == "packed")
            .expect("an archive")
            .bytes;
        let directory = file
            .windows(4)
            .position(|four| four == b"PK\x01\x02")
            .expect("a directory");
        for size in [0_u32, 1, 151, 153, u32::MAX - 1] {
            let mut other = file.clone();
            other[directory + 24..directory + 28].copy_from_slice(&size.to_le_bytes());
            let text = format!(
                "array \"x\" of read_npz: got damaged data, or more or fewer, expected deflated \
                 data of {size} bytes"
            );
            refused(read_npz::<f64>(&other, "x"), &text);
        }
    }
}

/// Without the feature that reads them, compressed files are called by their name.
#[cfg(not(feature = "deflate"))]
#[test]
fn compressed_files() {
    for file in table() {
        match file.format {
            "packed" => refused(
                read_npz::<f64>(&file.bytes, "x"),
                "array \"x\" of read_npz: got an entry with compression, expected one without \
                 (np.savez writes it; the feature `deflate` of chainrule reads both)",
            ),
            "gzip" => {
                let text = "got a gzip file, expected bytes that are not compressed (unpack them \
                    with gzip -d, or enable the feature `deflate` of chainrule)";
                refused(read_npy::<f64>(&file.bytes), &format!("read_npy: {text}"));
                refused(
                    read_npz::<f64>(&file.bytes, "x"),
                    &format!("read_npz: {text}"),
                );
                refused(read_idx::<f64>(&file.bytes), &format!("read_idx: {text}"));
            }
            _ => {}
        }
    }
}

/// What people hand to a reader that is another file.
#[test]
fn files_of_another_kind() {
    let torch = zip_start("net/data.pkl");
    let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec();
    let state_dict =
        "(in Python: safetensors.torch.save_file(net.state_dict(), \"net.safetensors\"))";
    for (bytes, given, next) in [
        (
            &torch,
            "a pickle of torch.save, a .pt or .pth file",
            state_dict,
        ),
        (
            &legacy,
            "a pickle of torch.save, a .pt or .pth file",
            state_dict,
        ),
        (
            &b"\x80\x04\x95 and so on".to_vec(),
            "a pickle of Python",
            "np.save writes arrays",
        ),
        (
            &b"\x89HDF\r\n\x1a\n".to_vec(),
            "an HDF5 file",
            "(np.savez writes its arrays)",
        ),
        (
            &zip_start("xl/workbook.xml"),
            "a workbook of Excel",
            "(save it as CSV)",
        ),
        (&zip_start("readme"), "a ZIP archive", "(unpack it)"),
    ] {
        let mut results = vec![read_npy::<f64>(bytes), read_idx(bytes)];
        if !bytes.starts_with(b"PK") {
            results.push(read_npz(bytes, "x"));
        }
        for result in results {
            let text = result.expect_err("another file").to_string();
            assert!(
                text.contains(&format!("got {given}")) && text.contains(next),
                "{text}"
            );
        }
    }
    // One of the others where it is not wanted.
    let file = |format| {
        table()
            .into_iter()
            .find(|file| file.format == format)
            .expect("a file")
            .bytes
    };
    let npz = file("npz");
    let archive = "read_npy: got a ZIP archive of NumPy's arrays, a .npz file, expected a NumPy \
        file, which starts with \\x93NUMPY (read_npz)";
    refused(read_npy::<f64>(&npz), archive);
    let array = "read_npz: got an array of np.save, a .npy file, expected a ZIP archive as \
        np.savez writes it (read_npy)";
    refused(read_npz::<f64>(&file("npy"), "x"), array);
    // An archive of torch.save, whole.
    let torch = zip("net/data.pkl", b"a pickle");
    refused(
        read_npz::<f64>(&torch, "weight"),
        &format!(
            "read_npz: got a pickle of torch.save, a .pt or .pth file, expected a ZIP archive as \
             np.savez writes it {state_dict}"
        ),
    );
}

/// An archive of one entry.
fn zip(name: &str, data: &[u8]) -> Vec<u8> {
    let (len, size) = (
        (name.len() as u16).to_le_bytes(),
        (data.len() as u32).to_le_bytes(),
    );
    let mut bytes = zip_start(name);
    bytes.extend(data);
    let directory = (bytes.len() as u32).to_le_bytes();
    let entry = [
        &b"PK\x01\x02"[..],
        &[0; 16],
        &size,
        &size,
        &len,
        &[0; 16],
        name.as_bytes(),
    ]
    .concat();
    let end = [
        &b"PK\x05\x06"[..],
        &[0; 4],
        &[1, 0, 1, 0],
        &(entry.len() as u32).to_le_bytes(),
        &directory,
        &[0; 2],
    ]
    .concat();
    [bytes, entry, end].concat()
}

/// The header of the first entry of an archive.
fn zip_start(name: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(26, 0);
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes
}

/// An integer or an exact text is rounded to `f32` once: by way of the nearest `f64` some would be
/// off by one.
#[cfg(feature = "csv")]
#[test]
fn a_header_that_may_be_a_sample() -> Result<()> {
    use chainrule::data::Csv;
    let csv = Csv::new().targets([1]);
    let read = |csv: &Csv, text: &str| csv.read::<f64>(text.as_bytes());
    let numbers = |csv: &Csv, text: &str, line: usize| {
        let error = format!(
            "CSV, line {line}: got nothing but numbers in the header, expected names of columns \
             (Csv::no_header, if these numbers are a sample; if they are names, leave them out by \
             skip_lines and no_header)"
        );
        refused(read(csv, text), &error);
    };
    for text in ["5.1,0\n4.9,1", "1,3\n2,4", "-1e3, 0\n1,2", "1,0\n3,4"] {
        numbers(&csv, text, 1);
    }
    let after_a_title = csv.clone().skip_lines(1);
    numbers(&after_a_title, "150,4,setosa\n5.1,0\n4.9,1", 2);
    let german = csv.clone().decimal_comma().delimiter(';');
    numbers(&german, "5,1;0\n4,9;1", 1);
    assert_eq!(
        read(&csv.clone().no_header(), "5.1,0\n4.9,1")?.data.len(),
        2
    );
    assert_eq!(
        read(&csv.clone().skip_lines(1).no_header(), "2019,2020\n4.9,1")?
            .data
            .len(),
        1
    );
    // Names that are numbers: those of the columns, in quotes, or beside others.
    for text in [
        "0,1\n4.9,1",
        "1,2\n4.9,1",
        "\"2019\",\"2020\"\n4.9,1",
        "2019,y\n4.9,1",
    ] {
        assert_eq!(read(&csv, text)?.data.len(), 1, "{text}");
    }
    Ok(())
}

#[test]
fn integers_are_rounded_once() -> Result<()> {
    let mut files = 0;
    let mut by_way = 0;
    for file in table().into_iter().filter(|file| file.format == "rounded") {
        let single = read_npy::<f32>(&file.bytes)?;
        assert!(
            single
                .iter()
                .zip(&file.numbers)
                .all(|(a, b)| f64::from(*a) == *b),
            "{single} is not {:?}",
            file.numbers
        );
        let double = read_npy::<f64>(&file.bytes)?;
        by_way += double
            .iter()
            .zip(&single)
            .filter(|(a, b)| **a as f32 != **b)
            .count();
        files += 1;
    }
    assert!(files == 4 && by_way >= 4, "{files} files, {by_way} numbers");
    let file = npy(
        "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }",
        &0x7fff_ff40_0000_0001_u64.to_le_bytes(),
    );
    assert_eq!(read_npy::<f32>(&file)?[0].to_bits(), 0x5eff_ffff);
    // Every integer around a number halfway between two of f32.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    for _ in 0..2000 {
        let low = rng.next_u64() >> 1 & !0 << (rng.next_u64() % 63);
        let halfway = low & !0 << 39 | 1 << 38;
        let numbers: Vec<i64> = [low, halfway - 1, halfway, halfway + 1]
            .iter()
            .flat_map(|n| [*n as i64, -(*n as i64)])
            .collect();
        let data: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let file = npy(
            &format!(
                "{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}",
                numbers.len()
            ),
            &data,
        );
        let single = read_npy::<f32>(&file)?;
        assert!(
            single.iter().zip(&numbers).all(|(a, b)| *a == *b as f32),
            "{numbers:?}"
        );
        assert!(
            read_npy::<f64>(&file)?
                .iter()
                .zip(&numbers)
                .all(|(a, b)| *a == *b as f64),
            "{numbers:?}"
        );
    }
    Ok(())
}

/// All 65,536 numbers of 16 bits, against their definition.
#[test]
fn halves() -> Result<()> {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (65536,), }";
    let data: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let file = npy(header, &data);
    let (single, double) = (read_npy::<f32>(&file)?, read_npy::<f64>(&file)?);
    for (index, bits) in bits.into_iter().enumerate() {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
        let size = match exponent {
            0 => fraction * 2.0_f64.powi(-14),
            31 => {
                if fraction == 0.0 {
                    f64::INFINITY
                } else {
                    f64::NAN
                }
            }
            _ => (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
        };
        let number = size.copysign(if bits < 0x8000 { 1.0 } else { -1.0 });
        assert!(
            double[index].to_bits() == number.to_bits()
                || double[index].is_nan() && number.is_nan(),
            "{bits:#06x}"
        );
        assert!(
            f64::from(single[index]).to_bits() == number.to_bits()
                || single[index].is_nan() && number.is_nan(),
            "{bits:#06x}"
        );
    }
    Ok(())
}

/// Byte for byte what NumPy writes, and what we read.
#[test]
fn written_arrays() -> Result<()> {
    let mut written = 0;
    for file in table()
        .iter()
        .filter(|file| file.format == "npy" && file.shape.len() == 2)
    {
        let text = String::from_utf8_lossy(&file.bytes);
        if !text.contains("'fortran_order': False") || file.bytes[6] != 1 {
            continue;
        }
        if text.contains("<f8") {
            assert_eq!(write_npy(&file.as_matrix()), file.bytes);
            written += 1;
        } else if text.contains("<f4") {
            assert_eq!(write_npy(&file.as_matrix().map(|v| v as f32)), file.bytes);
            written += 1;
        }
    }
    assert!(written >= 5, "{written}");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for (rows, cols) in [(1, 1), (1, 9), (9, 1), (17, 3), (0, 4), (4, 0)] {
        let x = DMatrix::from_fn(rows, cols, |_, _| f64::from_bits(rng.next_u64()));
        let back = read_npy::<f64>(&write_npy(&x))?;
        assert_eq!(back.shape(), x.shape());
        // A NaN stays one, if not the same.
        assert!(
            back.iter()
                .zip(&x)
                .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
        );
    }
    Ok(())
}

/// A file of `header`, which is filled up to `len` bytes, and `data`.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn headers_of_npy() {
    let ok = |header: &str| read_npy::<f64>(&npy(header, &[1, 2])).map(|x| x.as_slice().to_vec());
    // Any order, quotes and spaces, with or without the last commas.
    for header in [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n",
        "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<u1\"}",
        " { 'fortran_order' : True , 'shape' : ( 2 , 1 ) , 'descr' : '>u1' } ",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,1,)}",
        // Of Python 2.
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2L,), }",
        "{'shape': (2L, 1L), 'fortran_order': False, 'descr': '|u1'}",
    ] {
        assert_eq!(ok(header).expect(header), [1.0, 2.0], "{header}");
    }
    let form = "expected a header {'descr': '…', 'fortran_order': …, 'shape': (…)}";
    for header in [
        "",
        "{}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 2}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (L,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2LL,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
        "{'descr': '|u1', 'fortran_order': No, 'shape': (2,)}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} {",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)",
        "{'descr': '|u1, 'fortran_order': False, 'shape': (2,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
    ] {
        let shown = format!(
            "\"{}\"",
            header[..header.len().min(80)].replace('\'', "\\'")
        );
        refused(ok(header), &format!("read_npy: got {shown}, {form}"));
    }
    for descr in [
        "<f16", "|O", "<c8", "<U3", "=f8", "|f8", "|V2", "<b2", "", "<",
    ] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,)}}");
        refused(
            ok(&header),
            &format!(
                "read_npy: got \"{descr}\", expected numbers of type f2, f4, f8, i1 to i8, u1 to \
                 u8 or b1 (x.astype(np.float32) makes them)"
            ),
        );
    }
    refused(
        read_npy::<f64>(b"neither and more"),
        "read_npy: got \"neithe\", expected a NumPy file, which starts with \\x93NUMPY",
    );
    refused(
        read_npy::<f64>(b"\x93NUMPY\x04\x00\x00\x00"),
        "read_npy: got 4.0, expected format version 1.0, 2.0 or 3.0",
    );
}

/// What a header claims is not believed: nothing is allocated, and no product wraps around to what
/// is there.
#[test]
fn headers_that_claim_too_much() {
    for (shape, order) in [
        ("(1099511627776, 1099511627776)", "False"),
        ("(18446744073709551615,)", "False"),
        ("(4294967296, 4294967296, 0)", "True"),
        ("(0, 4294967296, 4294967296)", "False"),
        ("(1099511627776,)", "True"),
        ("(3, 6148914691236517206)", "False"), // 3 · this is 2⁶⁴ + 2
        ("(2, 0)", "False"),
        ("(1,)", "False"),
        ("(3,)", "False"),
    ] {
        let header = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': {shape}}}");
        let claimed = shape.trim_matches(['(', ')', ',']).replace(',', " ×");
        refused(
            read_npy::<f64>(&npy(&header, &[1, 2])),
            &format!("read_npy: got 2 bytes of data, expected {claimed} numbers of 1 bytes"),
        );
    }
    // None of the numbers is there, however many features there are of it.
    let header = "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 1099511627776)}";
    assert_eq!(
        read_npy::<f64>(&npy(header, &[]))
            .expect("no samples")
            .shape(),
        (1 << 40, 0)
    );
}

/// No part of a file is a file, and what comes after one is an error.
#[test]
fn truncated_files() {
    for file in table() {
        let read = |bytes: &[u8]| match file.format {
            "npy" | "rounded" | "gzip" => read_npy::<f64>(bytes),
            _ => read_npz::<f64>(bytes, "x"),
        };
        for end in 0..file.bytes.len() {
            assert!(
                read(&file.bytes[..end]).is_err(),
                "{} of {} bytes of {} {:?}",
                end,
                file.bytes.len(),
                file.format,
                file.shape
            );
        }
        if file.format == "npy" {
            assert!(read(&[&file.bytes[..], &[0]].concat()).is_err());
        }
    }
    let idx = [
        0, 0, 11, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 255, 255,
    ];
    assert_eq!(
        read_idx::<f64>(&idx).expect("whole").as_slice(),
        [1.0, 2.0, 3.0, 4.0, 5.0, -1.0]
    );
    for end in 0..idx.len() {
        assert!(read_idx::<f64>(&idx[..end]).is_err(), "{end} bytes");
    }
    assert!(read_idx::<f64>(&[&idx[..], &[0]].concat()).is_err());
}

/// Bytes changed at random, some of them to what is most likely to be believed: a matrix or an
/// error, never a panic, and of an archive never other numbers.
#[test]
fn damaged_files() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut refusals = 0;
    for file in table() {
        for _ in 0..200 {
            let mut bytes = file.bytes.clone();
            for _ in 0..1 + rng.next_u64() % 3 {
                let at = (rng.next_u64() % bytes.len() as u64) as usize;
                bytes[at] = [
                    0,
                    255,
                    127,
                    128,
                    b'0',
                    b'9',
                    b'\'',
                    bytes[at] ^ (1 << (rng.next_u64() % 8)),
                ][(rng.next_u64() % 8) as usize];
            }
            match file.format {
                "npy" | "rounded" => refusals += usize::from(read_npy::<f32>(&bytes).is_err()),
                "gzip" => match read_npy::<f64>(&bytes) {
                    Ok(x) => same(&x, &file.as_matrix()),
                    Err(_) => refusals += 1,
                },
                _ => match read_npz::<f64>(&bytes, "x") {
                    Ok(x) => same(&x, &file.as_matrix()),
                    Err(_) => refusals += 1,
                },
            }
            // A whole other format.
            let _ = (
                read_npz::<f64>(&bytes, "x").is_err(),
                read_idx::<f64>(&bytes).is_err(),
            );
        }
    }
    assert!(refusals > 1000, "{refusals}");
}

// -------------------------------------------------------------------------------------------------
// IDX

/// A file of `code` with these sizes and data.
fn idx(code: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn all_types_of_idx() -> Result<()> {
    fn file<const N: usize>(code: u8, numbers: &[[u8; N]]) -> Vec<u8> {
        idx(code, &[numbers.len() as u32], &numbers.concat())
    }
    let read = |bytes: Vec<u8>| read_idx::<f64>(&bytes).map(|x| x.as_slice().to_vec());
    assert_eq!(
        read(file(8, &[0_u8, 1, 255].map(u8::to_be_bytes)))?,
        [0.0, 1.0, 255.0]
    );
    assert_eq!(
        read(file(9, &[-128_i8, 1, 127].map(i8::to_be_bytes)))?,
        [-128.0, 1.0, 127.0]
    );
    assert_eq!(
        read(file(11, &[i16::MIN, 258].map(i16::to_be_bytes)))?,
        [-32_768.0, 258.0]
    );
    assert_eq!(
        read(file(12, &[i32::MIN, 16_909_060].map(i32::to_be_bytes)))?,
        [-2_147_483_648.0, 16_909_060.0]
    );
    assert_eq!(
        read(file(
            13,
            &[0.1_f32, f32::MIN_POSITIVE].map(f32::to_be_bytes)
        ))?,
        [f64::from(0.1_f32), f64::from(f32::MIN_POSITIVE)]
    );
    assert_eq!(
        read(file(14, &[0.1_f64, -f64::INFINITY].map(f64::to_be_bytes)))?,
        [0.1, f64::NEG_INFINITY]
    );
    Ok(())
}

/// The first axis are the samples; of each, the last index runs fastest.
#[test]
fn axes_of_idx() -> Result<()> {
    let numbers: Vec<u8> = (0..24).collect();
    let x = read_idx::<f32>(&idx(8, &[2, 3, 4], &numbers))?;
    assert_eq!(x.shape(), (12, 2));
    assert!(x.iter().enumerate().all(|(i, v)| *v == i as f32));
    assert_eq!(
        read_idx::<f32>(&idx(8, &[0, 28, 28], &[]))?.shape(),
        (784, 0)
    );
    Ok(())
}

#[test]
fn bytes_that_are_no_idx() {
    let read = |bytes: &[u8]| read_idx::<f64>(bytes);
    refused(
        read(&[0, 0]),
        "read_idx: got the end after 2 bytes, expected an IDX file, which starts with 4 bytes",
    );
    let start = "expected an IDX file, which starts with 0, 0, the type and at least 1 axis";
    refused(
        read(&[0, 1, 8, 1, 0, 0, 0, 0]),
        &format!("read_idx: got [0, 1, 8, 1], {start}"),
    );
    refused(
        read(&[0, 0, 8, 0, 1]),
        &format!("read_idx: got [0, 0, 8, 0], {start}"),
    );
    refused(
        read(&[0, 0, 10, 1]),
        "read_idx: got 10, expected a type of number 8, 9, 11, 12, 13 or 14 in byte 2",
    );
    refused(
        read(&[0, 0, 8, 2, 0, 0, 0, 3, 0]),
        "read_idx: got the end after 1 bytes, expected the sizes of 2 axes",
    );
    refused(
        read(&idx(8, &[3], &[1, 2])),
        "read_idx: got 2 bytes of data, expected 3 numbers of 1 bytes",
    );
    refused(
        read(&idx(11, &[1], &[1])),
        "read_idx: got 1 bytes of data, expected 1 numbers of 2 bytes",
    );
    let huge = u32::MAX;
    refused(
        read(&idx(14, &[huge; 3], &[])),
        &format!(
            "read_idx: got 0 bytes of data, expected {huge} × {huge} × {huge} numbers of 8 bytes"
        ),
    );
}

/// What is no file of the format, and what says another size than it has.
#[test]
fn kinds_of_errors() {
    let npz = table()
        .into_iter()
        .find(|file| file.format == "npz")
        .expect("an archive")
        .bytes;
    let kind = |result: Result<DMatrix<f64>>| result.expect_err("a bad file").kind();
    for bytes in [&[][..], &[0, 0, 8, 1, 0], b"neither one nor the other"] {
        assert_eq!(
            (
                kind(read_idx(bytes)),
                kind(read_npy(bytes)),
                kind(read_npz(bytes, "x"))
            ),
            (ErrorKind::Parse, ErrorKind::Parse, ErrorKind::Parse)
        );
    }
    assert_eq!(kind(read_npz(&npz, "z")), ErrorKind::Parse);
    assert_eq!(kind(read_idx(&idx(8, &[3], &[1, 2]))), ErrorKind::Shape);
    assert_eq!(
        kind(read_npy(&npy(
            "{'descr': '|u1', 'fortran_order': True, 'shape': (3,)}",
            &[1, 2]
        ))),
        ErrorKind::Shape
    );
}

// -------------------------------------------------------------------------------------------------
// ZIP

#[test]
fn archives_that_are_none() {
    let file = table()
        .into_iter()
        .find(|file| file.format == "npz")
        .expect("an archive")
        .bytes;
    let read = |bytes: &[u8]| read_npz::<f64>(bytes, "x");
    let none = "expected a ZIP archive as np.savez writes it";
    refused(
        read(b""),
        &format!("read_npz: got 0 bytes without the end of a directory, {none}"),
    );
    refused(
        read(&[b'P'; 70_000]),
        &format!("read_npz: got 70000 bytes without the end of a directory, {none}"),
    );
    // A comment after the end is no harm, even one that looks like an end.
    let mut commented = file.clone();
    let comment = b"PK\x05\x06 and so on, for more than the length of an end";
    let end = commented.len();
    commented[end - 2] = comment.len() as u8;
    commented.extend(comment);
    assert!(read(&commented).is_ok());
    // The number of the first array, 0.0f32 at the end of its data, becomes another.
    let mut other = file.clone();
    let header = file
        .windows(6)
        .position(|six| six == b"\x93NUMPY")
        .expect("an array");
    other[header + 130] ^= 1;
    let error = read(&other).expect_err("damage").to_string();
    assert!(
        error.starts_with("array \"x\" of read_npz: got "),
        "{error}"
    );
    assert!(
        error.ends_with(", expected data of checksum bd9ccacc"),
        "{error}"
    );
    // An entry that claims to lie beyond the end, one of two sizes, and so on.
    let directory = file
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .expect("a directory");
    let archive = "a ZIP archive as np.savez writes it";
    let methods = "an entry that is stored or deflated, as NumPy writes it";
    for (at, value, given, expected) in [
        (
            42,
            0x7fff_ffff_u32,
            "array \"x\" of read_npz: got the end after ",
            "an entry within the archive",
        ),
        (
            42,
            4,
            "array \"x\" of read_npz: got ",
            "the header of an entry, PK\\x03\\x04",
        ),
        (
            20,
            77,
            "array \"x\" of read_npz: got 77 and 152 bytes",
            "one size, packed or not",
        ),
        (20, u32::MAX, "read_npz: got the end after 0 bytes", archive), // ZIP64 without its field
        (
            8,
            1,
            "array \"x\" of read_npz: got an encrypted one",
            methods,
        ),
        (28, 0xffff, "read_npz: got the end after ", archive),
    ] {
        let mut other = file.clone();
        other[directory + at..directory + at + 4].copy_from_slice(&value.to_le_bytes());
        let error = read(&other).expect_err(expected).to_string();
        assert!(
            error.starts_with(given) && error.ends_with(&format!(", expected {expected}")),
            "{error}"
        );
    }
}

// -------------------------------------------------------------------------------------------------
// CSV

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use chainrule::data::{Column, Csv, NamedDataset};
    use chainrule::rand::RngExt;

    fn read(csv: &Csv, text: &str) -> Result<NamedDataset<f64>> {
        csv.read(text.as_bytes())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn numbers() -> Result<()> {
        let text = "a,b,c,d\n1,2.5,-3e2,4\n5,6,7,8\n";
        let table = read(&Csv::new().targets(["c"]), text)?;
        assert_eq!(
            table.data.inputs(),
            &DMatrix::from_column_slice(3, 2, &[1.0, 2.5, 4.0, 5.0, 6.0, 8.0])
        );
        assert_eq!(
            table.data.targets(),
            &DMatrix::from_row_slice(1, 2, &[-300.0, 7.0])
        );
        assert_eq!(
            (table.features, table.outputs, table.dropped),
            (names(&["a", "b", "d"]), names(&["c"]), 0)
        );
        // Chosen by name and number, in the order asked for.
        let csv = Csv::new()
            .features([Column::from(3), "a".into()])
            .targets([Column::Index(1), Column::Name("c".into())]);
        let table = read(&csv, text)?;
        assert_eq!(
            table.data.inputs(),
            &DMatrix::from_column_slice(2, 2, &[4.0, 1.0, 8.0, 5.0])
        );
        assert_eq!(
            table.data.targets(),
            &DMatrix::from_column_slice(2, 2, &[2.5, -300.0, 6.0, 7.0])
        );
        assert_eq!(
            (table.features, table.outputs),
            (names(&["d", "a"]), names(&["b", "c"]))
        );
        // Columns that are neither may hold anything.
        let table = read(
            &Csv::new().features(["x"]).targets(["y"]),
            "id,x,y\nfirst,1,2\n,3,4",
        )?;
        assert_eq!(
            table.data,
            Dataset::from_rows(&[1.0, 3.0], 1, &[2.0, 4.0], 1)?
        );
        Ok(())
    }

    #[test]
    fn forms() -> Result<()> {
        let expected = Dataset::from_rows(&[1.0, 2.0, 4.0, 5.0], 2, &[3.0, 6.0], 1)?;
        let csv = Csv::new().targets([2]);
        for text in [
            "a,b,c\n1,2,3\n4,5,6",
            "a,b,c\r\n1,2,3\r\n4,5,6\r\n",
            "a,b,c\r1,2,3\r4,5,6\r",
            "\n\na,b,c\n\n1,2,3\n\n\n4,5,6\n\n",
            " a , b , c \n 1 , 2 ,3\n4,\t5,6 \n",
            "\u{feff}a,b,c\n1,2,3\n4,5,6",
            "\"a\",\"b\",\"c\"\n\"1\",2,3\n4,\" 5\",\"6\"",
            "\"a\nline\",b,\"say \"\"c\"\"\"\n1,2,3\n4,5,6",
        ] {
            assert_eq!(read(&csv, text)?.data, expected, "{text:?}");
            assert_eq!(
                read(
                    &csv.clone().delimiter('\t'),
                    &text.replace('\t', "").replace(',', "\t")
                )?
                .data,
                expected,
                "{text:?}"
            );
        }
        assert_eq!(read(&csv.no_header(), "1,2,3\n4,5,6")?.data, expected);
        assert_eq!(
            read(&Csv::new().targets(["b,c"]), "a,\"b,c\"\n1,2")?.outputs,
            names(&["b,c"])
        );
        Ok(())
    }

    #[test]
    fn classes() -> Result<()> {
        let labels = |text: &str| {
            let table = read(&Csv::new().labels("c"), text)?;
            Ok::<_, Error>((table.outputs, metrics::classes(table.data.targets())?))
        };
        assert_eq!(
            labels("x,c\n1,pear\n2,apple\n3,pear\n4,fig")?,
            (names(&["apple", "fig", "pear"]), vec![2, 0, 2, 1])
        );
        // Numbers in the order of numbers.
        assert_eq!(
            labels("x,c\n1,10\n2,9\n3,-1")?,
            (names(&["-1", "9", "10"]), vec![2, 1, 0])
        );
        assert_eq!(
            labels("x,c\n1,10\n2,9\n3,b")?,
            (names(&["10", "9", "b"]), vec![0, 1, 2])
        );
        let table = read(
            &Csv::new()
                .no_header()
                .labels_among(0, ["no", "yes", "perhaps"]),
            "yes,1\nno,2",
        )?;
        assert_eq!(
            (table.outputs, table.features),
            (names(&["no", "yes", "perhaps"]), names(&["1"]))
        );
        assert_eq!(
            table.data.targets().as_slice(),
            [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
        );
        Ok(())
    }

    #[test]
    fn missing_values() -> Result<()> {
        let text = "x,y,z,c\n1,2,,a\nNA,2,,b\n3,?,4,b\n5,6,,\n7,8,9,b";
        let csv = Csv::new().features(["x", "y"]).labels("c");
        refused(
            read(&csv, text),
            "CSV, line 3, column \"x\": got \"NA\", a missing value, expected a number \
             (Csv::drop_missing leaves out rows with missing values, \
             Csv::read_table keeps them as holes)",
        );
        let table = read(&csv.clone().drop_missing(), text)?;
        assert_eq!(
            (table.dropped, table.data.inputs().as_slice()),
            (3, &[1.0, 2.0, 7.0, 8.0][..])
        );
        // Other signs of it.
        let csv = csv.missing(["-9", ""]);
        refused(
            read(&csv.clone().drop_missing(), text),
            "CSV, line 3, column \"x\": got \"NA\", expected a number (Csv::features chooses \
             columns; a column of words is read by Csv::categorical and Csv::read_table)",
        );
        let table = read(&csv.drop_missing(), "x,y,c\n-9,1,a\n2,3,a\n4,5,b")?;
        assert_eq!((table.dropped, table.data.len()), (1, 2));
        let text = "CSV, line 3, column \"c\": got \"\", a missing value, expected a class \
            (Csv::drop_missing leaves out rows with missing values, \
             Csv::read_table keeps them as holes)";
        refused(read(&Csv::new().labels("c"), "x,c\n1,a\n2,\n"), text);
        refused(
            read(&Csv::new().targets(["y"]).drop_missing(), "x,y\n1,\n,2\n"),
            "CSV: got none (2 dropped), expected at least 1 row without a missing value",
        );
        Ok(())
    }

    #[test]
    fn bad_rows() {
        let csv = Csv::new().targets(["b"]);
        for (text, error) in [
            (
                "a,b\n1,2\n3\n",
                "CSV, line 3: got 1, expected 2 fields, as in the first line",
            ),
            (
                "a,b\n1,2,3\n",
                "CSV, line 2: got 3, expected 2 fields, as in the first line",
            ),
            (
                "a,b\n1,2\n\n\n3,x",
                "CSV, line 5, column \"b\": got \"x\", expected a number (Csv::labels reads names \
                 of classes)",
            ),
            (
                "a,b\r\n1,2\r\n\r\n3,x\r\n4,5",
                "CSV, line 4, column \"b\": got \"x\", expected a number (Csv::labels reads names \
                 of classes)",
            ),
            (
                "a,b\r1,2\r3,x",
                "CSV, line 3, column \"b\": got \"x\", expected a number (Csv::labels reads names \
                 of classes)",
            ),
            (
                "\"a\nc\",b\n\"1\",2\n1 2,3",
                "CSV, line 4, column \"a\\nc\": got \"1 2\", expected a number (Csv::features \
                 chooses columns; a column of words is read by Csv::categorical and \
                 Csv::read_table)",
            ),
            (
                "a,b\n1,inf",
                "CSV, line 2, column \"b\": got \"inf\", expected a finite number",
            ),
            (
                "a,b\n-1e999,1",
                "CSV, line 2, column \"a\": got \"-1e999\", expected a finite number",
            ),
            (
                "a,b\n1,NAN",
                "CSV, line 2, column \"b\": got \"NAN\", expected a finite number",
            ),
            (
                "a,b\n1,2\n3,\"4\n5,6\n",
                "CSV, line 3: got the end of the text, expected a quote that ends",
            ),
            (
                "a,\"b",
                "CSV, line 1: got the end of the text, expected a quote that ends",
            ),
            ("", "CSV: got 0, expected at least 1 line"),
            ("\n \n", "CSV: got \"b\", expected one of the columns "),
            (
                "a,b\n",
                "CSV: got none (0 dropped), expected at least 1 row without a missing value",
            ),
        ] {
            refused(read(&csv, text), error);
        }
        let single = csv.read::<f32>("a,b\n1e39,1".as_bytes());
        refused(
            single,
            "CSV, line 2, column \"a\": got \"1e39\", expected a finite number",
        );
        refused(
            csv.read::<f64>(&b"a,b\n1,2\n3,\xff\n"[..]),
            "CSV, line 3: got the byte 0xff, expected text in UTF-8",
        );
        refused(
            read(&Csv::new().no_header().targets([1]), "1,x"),
            "CSV, line 1, column 1: got \"x\", expected a number (Csv::labels reads names of \
             classes)",
        );
        let text = "CSV, line 2, column \"c\": got \"A\", expected one of the classes a, b";
        refused(
            read(&Csv::new().labels_among("c", ["a", "b"]), "x,c\n1,A"),
            text,
        );
    }

    #[test]
    fn bad_choices() {
        let text = "a,b,a,d\n1,2,3,4";
        let new = Csv::new;
        refused(
            read(&new(), text),
            "CSV: got 0, expected at least 1 column that is a target (Csv::targets names those of \
             numbers, Csv::labels that of classes)",
        );
        refused(
            read(&new().targets(["b"]).features::<usize>([]), text),
            "CSV: got 0, expected at least 1 column that is a feature",
        );
        refused(
            read(&new().targets([0, 1, 2, 3]), text),
            "CSV: got 0, expected at least 1 column that is a feature",
        );
        refused(
            read(&new().targets(["z"]), text),
            "CSV: got \"z\", expected one of the columns a, b, a, d",
        );
        refused(
            read(&new().targets(["a"]), text),
            "CSV: got several, expected one column \"a\"",
        );
        refused(
            read(&new().targets([4]), text),
            "CSV: got 4, expected a column below 4, as many as the first line has",
        );
        refused(
            read(&new().no_header().targets(["b"]), text),
            "CSV: got the name \"b\", expected columns by number, as there is no header",
        );
        refused(
            read(&new().targets([Column::from("b"), Column::from(1)]), text),
            "CSV: got column \"b\" twice, expected each column once",
        );
        let both = "CSV: got column \"d\" as both, expected columns that are features or targets";
        refused(read(&new().targets(["d"]).features([1, 3]), text), both);
        refused(
            read(&new().labels_among("d", ["4", "5", "4"]), text),
            "classes of CSV: got \"4\" and \"4\", expected each class once",
        );
        refused(
            read(&new().labels("d"), text),
            "CSV, column \"d\": got only 4, expected at least 2 classes",
        );
        for delimiter in ['"', '\n', '\r', 'é', '·'] {
            let error = format!(
                "delimiter of CSV: got {delimiter:?}, expected an ASCII character, no quote and no \
                 end of a line"
            );
            refused(read(&new().delimiter(delimiter).targets([0]), text), &error);
        }
    }

    #[test]
    fn files_and_sources() -> Result<()> {
        let error = Csv::new()
            .targets([0])
            .read_file::<f64>("no/such/file.csv")
            .expect_err("no file");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Io, "no/such/file.csv")
        );
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv");
        let table = Csv::new().no_header().labels(64).read_file::<f32>(path)?;
        assert_eq!(
            (
                table.data.len(),
                table.data.features(),
                table.data.outputs()
            ),
            (1797, 64, 10)
        );
        assert_eq!(
            table.outputs,
            (0..10).map(|digit| digit.to_string()).collect::<Vec<_>>()
        );
        assert!(
            Csv::new()
                .no_header()
                .targets([65])
                .read_file::<f32>(path)
                .expect_err("65 columns")
                .place()
                .starts_with(path)
        );

        // What has no end is not opened.
        #[cfg(unix)]
        for (path, given) in [
            ("/dev/null", "a device"),
            (env!("CARGO_MANIFEST_DIR"), "a folder"),
        ] {
            let error = Csv::new()
                .targets([0])
                .read_file::<f64>(path)
                .expect_err(given);
            assert_eq!(
                (error.kind(), error.place(), error.given()),
                (ErrorKind::Io, path, given)
            );
            assert!(error.expected().starts_with("a regular file"), "{error}");
        }

        struct Broken;
        impl std::io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("out of paper"))
            }
        }
        let error = Csv::new()
            .targets([0])
            .read::<f64>(Broken)
            .expect_err("no text");
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (
                ErrorKind::Io,
                "CSV: got out of paper, expected a source that can be read"
            )
        );
        Ok(())
    }

    /// Tables of random numbers, written with random ends of lines, blank lines, quotes and spaces,
    /// come back; and with one bad field the error has its line.
    #[test]
    fn what_is_written_is_read() -> Result<()> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        for _ in 0..300 {
            let (rows, cols) = (1 + rng.next_u64() % 6, 2 + rng.next_u64() % 4);
            let bad =
                (rng.random::<f64>() < 0.5).then(|| (rng.next_u64() % rows, rng.next_u64() % cols));
            let mut text = String::new();
            let mut line = 1;
            let mut bad_line = 0;
            let mut all = vec![];
            let end = ["\n", "\r\n"][(rng.next_u64() % 2) as usize];
            for row in 0..rows {
                for _ in 0..rng.next_u64() % 3 {
                    text += end;
                    line += 1;
                }
                for col in 0..cols {
                    let value = rng.random::<f64>()
                        * 10.0_f64.powi((rng.next_u64() % 40) as i32 - 20)
                        - 0.5;
                    all.push(value);
                    let mut field = format!("{value:?}");
                    if bad == Some((row, col)) {
                        field = "bad".into();
                        bad_line = line;
                    }
                    text += &match rng.next_u64() % 4 {
                        0 => format!("\"{field}\""),
                        1 => format!(" {field} "),
                        _ => field,
                    };
                    text += if col + 1 < cols { "," } else { end };
                }
                line += 1;
            }
            let result = read(&Csv::new().no_header().targets([0]), &text);
            match bad {
                Some((_, col)) => {
                    let next = if col == 0 {
                        "Csv::labels reads names of classes"
                    } else {
                        "Csv::features chooses columns; a column of words is read by \
                         Csv::categorical and Csv::read_table"
                    };
                    refused(
                        result,
                        &format!(
                            "CSV, line {bad_line}, column {col}: got \"bad\", expected a number \
                             ({next})"
                        ),
                    );
                }
                None => {
                    let read: Vec<f64> = result?.data.inputs().iter().copied().collect();
                    let expected: Vec<f64> = all
                        .chunks(cols as usize)
                        .flat_map(|row| row[1..].to_vec())
                        .collect();
                    assert_eq!(read, expected, "{text:?}");
                }
            }
        }
        Ok(())
    }

    /// A class whose name is a number is that number, however it is written.
    #[test]
    fn classes_that_are_numbers() -> Result<()> {
        let labels = |csv: Csv, text: &str| {
            let table = read(&csv, text)?;
            Ok::<_, Error>((table.outputs, metrics::classes(table.data.targets())?))
        };
        let csv = || Csv::new().labels("c");
        assert_eq!(
            labels(csv(), "x,c\n1,0\n2,1\n3,1.0\n4,0")?,
            (names(&["0", "1"]), vec![0, 1, 1, 0])
        );
        // The name is the shortest, whichever came first.
        let text = "x,c\n1,1e0\n2,+1\n3,01\n4,-0.0\n5,1.\n6,1.0\n7,0\n8,1\n9,10e-1\n10,.0";
        assert_eq!(
            labels(csv(), text)?,
            (names(&["0", "1"]), vec![1, 1, 1, 0, 1, 1, 0, 1, 1, 0])
        );
        assert_eq!(
            labels(csv(), "x,c\n1,1.50\n2,-2\n3,1.5\n4,-20e-1\n5,12")?,
            (names(&["-2", "1.5", "12"]), vec![1, 0, 1, 0, 2])
        );
        // Numbers that no f64 tells apart are two, in their order.
        let text = "x,c\n1,9007199254740993\n2,9007199254740992\n3,1e400\n4,-1e400\n5,2e400";
        let sorted = names(&[
            "-1e400",
            "9007199254740992",
            "9007199254740993",
            "1e400",
            "2e400",
        ]);
        assert_eq!(labels(csv(), text)?, (sorted, vec![2, 1, 3, 0, 4]));
        // Numbers beside words are the same ones.
        assert_eq!(
            labels(csv(), "x,c\n1,1\n2,b\n3,1.0")?,
            (names(&["1", "b"]), vec![0, 1, 0])
        );
        // Words are none.
        let words = [
            "inf", "0x1", "1_0", "1e", "e1", ".", "+", "-", "--1", "1 2", "١",
        ];
        let text: String = words.iter().flat_map(|word| ["\n1,", *word]).collect();
        assert_eq!(labels(csv(), &format!("x,c{text}"))?.0.len(), words.len());
        // Given ones keep their names.
        let among = |classes: &[&str]| Csv::new().labels_among("c", classes.iter().copied());
        assert_eq!(
            labels(among(&["1.0", "0"]), "x,c\n1,0.0\n2,1\n3,+01")?,
            (names(&["1.0", "0"]), vec![1, 0, 0])
        );
        refused(
            read(&among(&["0", "1", "1.0"]), "x,c\n1,0"),
            "classes of CSV: got \"1\" and \"1.0\", expected each class once",
        );
        refused(
            read(&among(&["0", "1"]), "x,c\n1,2.0"),
            "CSV, line 2, column \"c\": got \"2.0\", expected one of the classes 0, 1",
        );
        assert_eq!(
            labels(csv().delimiter(';').decimal_comma(), "x;c\n1;1,0\n2;0\n3;1")?,
            (names(&["0", "1"]), vec![1, 0, 1])
        );
        // A missing value, too.
        let csv = Csv::new()
            .targets(["y"])
            .missing(["-999", "none"])
            .drop_missing();
        assert_eq!(
            read(&csv, "x,y\n-999.0,1\n1,-9.99e2\nnone,1\n3,4\n999,5")?.data,
            Dataset::from_rows(&[3.0, 999.0], 1, &[4.0, 5.0], 1)?
        );
        Ok(())
    }

    /// Text becomes the nearest `f32`, not the nearest of the nearest `f64`.
    #[test]
    fn text_is_rounded_once() -> Result<()> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
        let mut texts: Vec<String> = [
            "9223371761976868865",
            "0.1",
            "-1e-46",
            "7.0064923216240853e-46",
            "3.4028235677973366e38",
            "-0",
            "1e-400",
        ]
        .map(Into::into)
        .into();
        for _ in 0..3000 {
            // Around the number halfway between two of f32, as far as the digits go.
            let bits = rng.next_u64() as u32 & 0x7fff_ffff;
            let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
            if high.is_finite() {
                let halfway = format!("{:.150}", f64::midpoint(low.into(), high.into()));
                texts.push(format!("{halfway}1"));
                texts.push(format!("-{halfway}"));
                let digits = halfway.trim_end_matches('0');
                let (rest, last) = digits.split_at(digits.len() - 1);
                if let Ok(last @ 1..) = last.parse::<u8>() {
                    texts.push(format!("{rest}{}99", last - 1));
                }
            }
        }
        let table: String = texts.iter().map(|text| format!("{text},1\n")).collect();
        let csv = Csv::new().no_header().targets([1]);
        let (single, double) = (
            csv.read::<f32>(table.as_bytes())?,
            csv.read::<f64>(table.as_bytes())?,
        );
        let mut by_way = 0;
        for (index, text) in texts.iter().enumerate() {
            let once: f32 = text.parse().expect("a number");
            let double: f64 = double.data.inputs()[index];
            assert_eq!(
                single.data.inputs()[index].to_bits(),
                once.to_bits(),
                "{text}"
            );
            assert_eq!(
                double.to_bits(),
                text.parse::<f64>().expect("a number").to_bits(),
                "{text}"
            );
            by_way += usize::from(double as f32 != once);
        }
        assert!(by_way > 1000, "{by_way}");
        // Just below what rounds to infinity, and just above.
        let read = |text: &str| csv.read::<f32>(format!("{text},1").as_bytes());
        assert_eq!(
            read("340282356779733661637539395458142568447")?
                .data
                .inputs()[0],
            f32::MAX
        );
        assert!(read("340282356779733661637539395458142568448").is_err());
        Ok(())
    }

    #[test]
    fn runs_of_spaces() -> Result<()> {
        let expected = Dataset::from_rows(&[1.0, 2.0, 4.0, 5.0], 2, &[3.0, 6.0], 1)?;
        let csv = Csv::new().whitespace_delimited().targets([2]);
        for text in [
            "a b c\n1 2 3\n4 5 6",
            "   a\t\tb  c  \r\n\r\n  \t\r\n 1   2\t3\t\r\n4 5 6\r\n   ",
            "\"a\"  \"b\"  \"two words\"\n\"1\" 2 3\n  4 5 \"6\"\n",
            // R's write.table.
            "\"a\" \"b\" \"c\"\n\"1\" 1 2 3\n\"2\" 4 5 6\n",
        ] {
            assert_eq!(read(&csv, text)?.data, expected, "{text:?}");
        }
        refused(
            read(&csv, "a b c\n1 2 3\n4 5\n"),
            "CSV, line 3: got 2, expected 3 fields, as in the first line",
        );
        refused(
            read(&csv, "a b c\n1 2 \"3\"4\n"),
            "CSV, line 2: got '4', expected the end of a field after its quote",
        );
        // Each space is a delimiter only where it is asked for.
        assert_eq!(
            read(
                &Csv::new().delimiter(' ').features([0]).targets([2]),
                "a b c\n1  3"
            )?
            .data,
            Dataset::from_rows(&[1.0], 1, &[3.0], 1)?
        );
        Ok(())
    }

    #[test]
    fn decimal_commas() -> Result<()> {
        let csv = Csv::new().delimiter(';').decimal_comma().targets(["y"]);
        assert_eq!(
            read(&csv, "x;y\n1,5;-2,25E-1\n3;,5\n\"7,\";+1,0")?.data,
            Dataset::from_rows(&[1.5, 3.0, 7.0], 1, &[-0.225, 0.5, 1.0], 1)?
        );
        let place = "CSV, line 2, column \"y\"";
        let text = "got \"2.5\", expected a number with a decimal comma (a point might separate \
            thousands)";
        refused(read(&csv, "x;y\n1,5;2.5"), &format!("{place}: {text}"));
        let text = "got \"1,2,5\", expected a number (Csv::labels reads names of classes)";
        refused(read(&csv, "x;y\n1,5;1,2,5"), &format!("{place}: {text}"));
        let points = Csv::new().delimiter(';').targets(["y"]);
        let text = "got \"2,5\", expected a number (Csv::decimal_comma reads decimal commas)";
        refused(read(&points, "x;y\n1;2,5"), &format!("{place}: {text}"));
        // Within quotes they may stand beside delimiters of their kind.
        assert_eq!(
            read(
                &Csv::new().decimal_comma().targets(["y"]),
                "x,y\n\"1,5\",\"2,5\""
            )?
            .data,
            Dataset::from_rows(&[1.5], 1, &[2.5], 1)?
        );
        Ok(())
    }

    #[test]
    fn truth_values() -> Result<()> {
        let text = "x,y\nTrue,FALSE\nfalse,true\nTRUE,False\n0,1";
        assert_eq!(
            read(&Csv::new().targets(["y"]), text)?.data,
            Dataset::from_rows(&[1.0, 0.0, 1.0, 0.0], 1, &[0.0, 1.0, 0.0, 1.0], 1)?
        );
        refused(
            read(&Csv::new().targets(["y"]), "x,y\n1,tRUE"),
            "CSV, line 2, column \"y\": got \"tRUE\", expected a number (Csv::labels reads names \
             of classes)",
        );
        // As classes they are names.
        assert_eq!(
            read(&Csv::new().labels("y"), "x,y\n1,True\n2,False")?.outputs,
            names(&["False", "True"])
        );
        Ok(())
    }

    #[test]
    fn a_delimiter_too_many() -> Result<()> {
        let expected = Dataset::from_rows(&[1.0, 2.0, 4.0, 5.0], 2, &[3.0, 6.0], 1)?;
        let csv = Csv::new().targets([2]);
        for text in [
            "a,b,c,\n1,2,3,\n4,5,6,\n",
            "a,b,c\n1,2,3,\n4,5,6, \n",
            "a,b,c\n1,2,3\n4,5,6,",
            "a,b,c,\n1,2,3\n4,5,6",
            "a,b,c,\n1,2,3,\n4,5,6",
        ] {
            let table = read(&csv, text)?;
            assert_eq!(
                (table.data, table.features),
                (expected.clone(), names(&["a", "b"])),
                "{text:?}"
            );
        }
        for text in ["1,2,3,\n4,5,6,\n", "1,2,3\n4,5,6,\n", "1,2,3,\r\n4,5,6"] {
            assert_eq!(
                read(&csv.clone().no_header(), text)?.data,
                expected,
                "{text:?}"
            );
        }
        // A missing value is none, nor is a field in quotes, nor two of them.
        refused(
            read(&csv, "a,b,c\n1,2,\n4,5,\n"),
            "CSV, line 2, column \"c\": got \"\", a missing value, expected a number \
             (Csv::drop_missing leaves out rows with missing values, \
             Csv::read_table keeps them as holes)",
        );
        refused(
            read(&csv, "a,b,c\n1,2,3,\"\"\n"),
            "CSV, line 2: got 4, expected 3 fields, as in the first line",
        );
        refused(
            read(&csv, "a,b,c\n1,2,3,,\n"),
            "CSV, line 2: got 5, expected 3 fields, as in the first line",
        );
        refused(
            read(&csv, "a,b,c\n1,2,3,\n4,5,6,7\n"),
            "CSV, line 2: got 4, expected 3 fields, as in the first line"
                .replace("line 2", "line 3")
                .as_str(),
        );
        // A column without a name is one where it has a value.
        let table = read(&Csv::new().targets(["b"]), "a,b,\n1,2,\n4,5,6\n");
        refused(
            table,
            "CSV, line 2, column \"\": got \"\", a missing value, expected a number \
             (Csv::drop_missing leaves out rows with missing values, \
             Csv::read_table keeps them as holes)",
        );
        Ok(())
    }

    /// `write.table(df, sep = ",", na = "")` of a last column in which all is missing looks like
    /// columns with a name less and a delimiter too many: either reading may be wrong.
    #[test]
    fn names_of_rows_or_a_delimiter_too_many() -> Result<()> {
        let csv = Csv::new().targets(["b"]);
        let expected = "CSV, line 2: got one field more than names in each row, the first in \
            quotes and the last empty, expected rows that the header tells how to read (begin it \
            with a name for their first field, or end it with the delimiter that ends them)";
        for rows in ["\"1\",5,\n\"2\",6,\n", "\"Mazda\",5,\n\"Fiat\",6, \n\n"] {
            refused(read(&csv, &format!("\"a\",\"b\"\n{rows}")), expected);
        }
        // R's names are in quotes; without, a delimiter is too many.
        let table = read(&Csv::new().labels("name"), "name,age\nBob,5,\nAnn,7,\n")?;
        assert_eq!(
            (table.data.inputs().as_slice(), table.outputs),
            (&[5.0, 7.0][..], names(&["Ann", "Bob"]))
        );
        // Both ways out, and what is not in doubt.
        let samples = Dataset::from_rows(&[1.0, 2.0], 1, &[5.0, 6.0], 1)?;
        for text in [
            "a,b,\n\"1\",5,\n\"2\",6,\n",
            "a,b\n1,5,\n2,6,\n",
            "a,b\n\"1\",5,\n2,6,\n",
            "a,b\n\"1\",5,\n\"2\",6\n",
            "b,a\nx,1,\ny,2,5\nz,2,6",
        ] {
            let table = read(&csv.clone().drop_missing(), text);
            if text.starts_with('a') {
                assert_eq!(table?.data, samples, "{text:?}");
            } else {
                assert_eq!(
                    table?.data,
                    Dataset::from_rows(&[5.0, 6.0], 1, &[2.0, 2.0], 1)?
                );
            }
        }
        let text = "\"\",\"a\",\"b\"\n\"1\",5,\n\"2\",6,\n";
        let place = "CSV, line 2, column \"b\"";
        let next = "(Csv::drop_missing leaves out rows with missing values, \
             Csv::read_table keeps them as holes)";
        refused(
            read(&csv, text),
            &format!("{place}: got \"\", a missing value, expected a number {next}"),
        );
        Ok(())
    }

    /// R writes the names of the rows, but none above them; pandas and other writers of R none, in
    /// quotes or not.
    #[test]
    fn names_of_rows() -> Result<()> {
        let expected = Dataset::from_rows(&[1.0, 2.0, 4.0, 5.0], 2, &[3.0, 6.0], 1)?;
        for text in [
            "a,b,c\nMazda,1,2,3\nFiat,4,5,6",
            "a,b,c\n\"1\",1,2,3\n\"2\",4,5,6",
            ",a,b,c\n0,1,2,3\n1,4,5,6",
            "\"\",a,b,c\nx,1,2,3\ny,4,5,6",
        ] {
            let table = read(&Csv::new().targets(["c"]), text)?;
            assert_eq!(
                (table.data, table.features),
                (expected.clone(), names(&["a", "b"])),
                "{text:?}"
            );
        }
        // The last value of a row may be missing, if not of all.
        let table = read(
            &Csv::new().targets(["a"]).drop_missing(),
            "a,b\nr,1,\ns,2,3\n",
        )?;
        assert_eq!(
            (table.data, table.dropped),
            (Dataset::from_rows(&[3.0], 1, &[2.0], 1)?, 1)
        );
        // Columns are counted as the header does.
        assert_eq!(
            read(&Csv::new().targets([2]), "a,b,c\nr,1,2,3\ns,4,5,6")?.data,
            expected
        );
        // A number without quotes may belong to a column whose name is lacking.
        refused(
            read(&Csv::new().targets(["a"]), "a,b\n1,2,3\n2,3,4"),
            "CSV, line 2: got 3, expected 2 fields, as in the first line",
        );
        refused(
            read(&Csv::new().targets(["a"]), "a,b\nr,2,3\n3,4"),
            "CSV, line 2: got 3, expected 2 fields, as in the first line",
        );
        // Where it is asked for, a column without a name is one.
        assert_eq!(
            read(&Csv::new().features([0]).targets([1]), ",a\n7,1\n8,2")?
                .data
                .inputs()
                .as_slice(),
            [7.0, 8.0]
        );
        Ok(())
    }

    #[test]
    fn lines_that_are_no_rows() -> Result<()> {
        let expected = Dataset::from_rows(&[1.0, 3.0], 1, &[2.0, 4.0], 1)?;
        let csv = Csv::new().targets(["b"]);
        for text in [
            "one \"quote\n\nx,y,z\na,b\n1,2\n3,4",
            "\u{feff}\r\n,,,\r\n\r\na,b\r\n1,2\r\n3,4",
            "\r\r\ra,b\r1,2\r3,4",
        ] {
            assert_eq!(
                read(&csv.clone().skip_lines(3), text)?.data,
                expected,
                "{text:?}"
            );
        }
        refused(
            read(&csv.clone().skip_lines(3), "1\n2\n3\na,b\n\n1,x"),
            "CSV, line 6, column \"b\": got \"x\", expected a number (Csv::labels reads names of \
             classes)",
        );
        refused(
            read(&csv.clone().skip_lines(9), "a,b\n1,2"),
            "CSV: got 0, expected at least 1 line",
        );
        let comments = csv.clone().comment('%');
        assert_eq!(
            read(&comments, "% a \"comment\na,b\n%\n1,2\n%,%\r\n\n3,4\n%")?.data,
            expected
        );
        refused(
            read(&comments, "a,b\n1,2\n3,4 % end"),
            "CSV, line 3, column \"b\": got \"4 % end\", expected a number (Csv::labels reads \
             names of classes)",
        );
        refused(
            read(&csv.clone().comment('é'), "a,b\n1,2"),
            "comment of CSV: got 'é', expected an ASCII character, no quote and no end of a line",
        );
        refused(
            read(&csv.comment(','), "a,b\n1,2"),
            "comment of CSV: got ',', expected another character than the delimiter",
        );
        Ok(())
    }

    #[test]
    fn quotes() -> Result<()> {
        let csv = Csv::new().features(["x"]).labels("c");
        let outputs = |text: &str| Ok::<_, Error>(read(&csv, text)?.outputs);
        assert_eq!(
            outputs("x,c\n1,\"a,\"\"b\"\"\nc\"\n2, \"d\" \n3,e\"f")?,
            names(&["a,\"b\"\nc", "d", "e\"f"])
        );
        assert_eq!(
            outputs("x,c\r\n\"1\",\"\"\"\"\r\n2,\"é\"\r\n")?,
            names(&["\"", "é"])
        );
        refused(
            read(&csv, "x,c\n1,\"a\"b\n2,c"),
            "CSV, line 2: got 'b', expected the end of a field after its quote",
        );
        Ok(())
    }

    #[test]
    fn files_that_are_no_text() {
        let csv = Csv::new().targets([0]);
        let text = |bytes: &[u8]| csv.read::<f64>(bytes).expect_err("no text").to_string();
        assert_eq!(
            text(b"\xff\xfea\0,\0b\0"),
            "CSV: got text in UTF-16, expected text in UTF-8 (save it as UTF-8)"
        );
        let workbook = [&zip_start("xl/workbook.xml")[..], b"\xff"].concat();
        assert_eq!(
            text(&workbook),
            "CSV: got a workbook of Excel, expected text in UTF-8 (save it as CSV)"
        );
        #[cfg(not(feature = "deflate"))]
        assert_eq!(
            text(b"\x1f\x8b\x08\0"),
            "CSV: got a gzip file, expected bytes that are not compressed (unpack them with gzip \
             -d, or enable the feature `deflate` of chainrule)"
        );
    }

    /// Any text is a table or an error.
    #[test]
    fn any_text() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
        let signs = [
            ",", ",", ",", "\n", "\n", "1", "1", "1", "2.5", "\"", "\r", " ", "-", "é", "\u{feff}",
            "NA",
        ];
        let mut read_some = 0;
        for _ in 0..20_000 {
            let text: String = (0..rng.next_u64() % 14)
                .map(|_| signs[(rng.next_u64() % 16) as usize])
                .collect();
            let csv = [
                Csv::new().targets([0]),
                Csv::new().no_header().targets([0]).drop_missing(),
                Csv::new().no_header().labels(1),
            ];
            read_some += csv.iter().filter(|csv| read(csv, &text).is_ok()).count();
        }
        assert!(read_some > 50, "{read_some}");
    }
}

/// Mutated files and texts: an error or numbers, never a panic, and no more memory than the bytes
/// are good for. `FUZZ_SECONDS=600 cargo test --release --all-features --test data fuzz --
/// --ignored`
#[test]
#[ignore = "as long as FUZZ_SECONDS says, 60 by default"]
fn fuzz() {
    let seconds = std::env::var("FUZZ_SECONDS")
        .map_or(60, |seconds| seconds.parse().expect("a number of seconds"));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let mut corpus: Vec<Vec<u8>> = table().into_iter().map(|file| file.bytes).collect();
    corpus.push(idx(8, &[2, 3], &[1, 2, 3, 4, 5, 6]));
    for text in [
        "a,b,c\n1,2,x\n3,4,y\n",
        ",a,b\r\n0,1.5,True\r\n1,2,False,\r\n",
        "a b\n\"r\" 1 2\n\"s\"\"\" 3 4\n",
        "# c\nx;y\n1,5;2e0\n",
    ] {
        corpus.push(text.into());
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let (mut inputs, mut accepted) = (0_u64, 0_u64);
    while std::time::Instant::now() < end {
        let mut next = |bound: usize| (rng.next_u64() % bound as u64) as usize;
        let mut bytes = corpus[next(corpus.len())].clone();
        for _ in 0..1 + next(6) {
            let at = next(bytes.len().max(1)).min(bytes.len());
            let len = next(9).min(bytes.len() - at);
            match next(6) {
                0 => drop(bytes.splice(at..at + len, [])),
                1 => bytes.insert(at, next(256) as u8),
                2 => bytes.insert(at, b",;\"\n\r \t.e-+01#"[next(14)]),
                3 => {
                    let part = bytes[at..at + len].to_vec();
                    drop(bytes.splice(at..at, part));
                }
                4 => bytes[at..at + len].fill([0, 255][next(2)]),
                _ => bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << next(8)),
            }
        }
        accepted += u64::from(read_npy::<f32>(&bytes).is_ok());
        accepted += u64::from(read_npz::<f64>(&bytes, "x").is_ok());
        accepted += u64::from(read_idx::<f32>(&bytes).is_ok());
        #[cfg(feature = "csv")]
        for csv in [
            chainrule::data::Csv::new().targets([0]),
            chainrule::data::Csv::new()
                .no_header()
                .labels(1)
                .drop_missing()
                .missing(["1"]),
            chainrule::data::Csv::new()
                .whitespace_delimited()
                .targets([1]),
            chainrule::data::Csv::new()
                .delimiter(';')
                .decimal_comma()
                .comment('#')
                .labels_among(1, ["2", "0"]),
        ] {
            accepted += u64::from(csv.read::<f32>(&bytes[..]).is_ok());
        }
        inputs += 1;
    }
    println!("{inputs} inputs, {accepted} accepted");
    assert!(accepted > 0);
}

/// The readers of bytes read files as well, and then name the path.
#[test]
fn arrays_of_files() -> Result<()> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let (npy, idx) = (folder.join("x.npy"), folder.join("x.idx"));
    std::fs::write(&npy, write_npy(&x))?;
    assert_eq!(read_npy_file::<f64>(&npy)?, x);
    std::fs::write(&idx, [0, 0, 8, 1, 0, 0, 0, 2, 7, 9])?;
    assert_eq!(read_idx_file::<f64>(&idx)?.as_slice(), [7.0, 9.0]);

    let refused = |result: Result<DMatrix<f64>>, path: &std::path::Path| {
        let place = result.unwrap_err().place().to_string();
        assert!(place.starts_with(&*path.to_string_lossy()), "{place}");
    };
    refused(read_npy_file(&idx), &idx);
    refused(read_idx_file(&npy), &npy);
    refused(read_npz_file(&npy, "x"), &npy);
    let missing = folder.join("no such file");
    refused(read_npz_file(&missing, "x"), &missing);
    Ok(())
}
