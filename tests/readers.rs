//! Readers of files: against files of NumPy, and of bytes that are none.

use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::rand::Rng;
use chainrule::{read_idx, read_npy, read_npz, write_npy};

/// Written by `reference/arrays.py`: format, shape, numbers in C order, file in hexadecimal.
const TABLE: &str = include_str!("reference/arrays.tsv");

struct File {
    format: &'static str,
    shape: Vec<usize>,
    numbers: Vec<f64>,
    bytes: Vec<u8>,
}

impl File {
    /// What a reader should make of it: the first axis as columns.
    fn matrix(&self) -> DMatrix<f64> {
        let samples = self.shape.first().copied().unwrap_or(1);
        let features: usize = self.shape.iter().skip(1).product();
        DMatrix::from_vec(features, samples, self.numbers.clone())
    }
}

fn table() -> Vec<File> {
    fn list<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
        text.split(' ').filter(|x| !x.is_empty()).map(|x| x.parse().expect("a number")).collect()
    }
    let file = |line: &'static str| {
        let [format, shape, numbers, hex] = *line.split('\t').collect::<Vec<_>>() else { panic!("{line}") };
        let bytes = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal")).collect();
        File { format, shape: list(shape), numbers: list(numbers), bytes }
    };
    TABLE.lines().skip(1).map(file).collect()
}

/// The same matrix to the bit, in shape as in numbers.
#[track_caller]
fn same(a: &DMatrix<f64>, b: &DMatrix<f64>) {
    assert_eq!(a.shape(), b.shape());
    assert!(a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()), "{a} is not {b}");
}

#[track_caller]
fn refused<R>(result: Result<R>, text: &str) {
    match result {
        Ok(_) => panic!("accepted what must be refused with “{text}”"),
        Err(error) => assert_eq!(error.to_string(), text),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// NumPy

#[test]
fn files_of_numpy() -> Result<()> {
    let files: Vec<File> = table().into_iter().filter(|file| file.format == "npy").collect();
    assert!(files.len() > 60);
    for file in files {
        same(&read_npy(&file.bytes)?, &file.matrix());
        let single = read_npy::<f32>(&file.bytes)?;
        let expected = file.matrix().map(|v| v as f32);
        assert_eq!(single.shape(), expected.shape());
        assert!(single.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    Ok(())
}

#[test]
fn archives_of_numpy() -> Result<()> {
    let file = table().into_iter().find(|file| file.format == "npz").expect("an archive");
    same(&read_npz(&file.bytes, "x")?, &file.matrix());
    same(&read_npz(&file.bytes, "y")?, &DMatrix::from_row_slice(1, 3, &[1.0, 0.0, 2.0]));
    refused(read_npz::<f64>(&file.bytes, "z"), "read_npz: got \"z\", expected one of the arrays x, y");
    let packed = table().into_iter().find(|file| file.format == "packed").expect("an archive");
    let text = "array \"x\" of read_npz: got compression method 8, deflate (np.savez_compressed), expected an entry without \
                compression, as np.savez writes it";
    refused(read_npz::<f64>(&packed.bytes, "x"), text);
    Ok(())
}

/// Byte for byte what NumPy writes, and what we read.
#[test]
fn written_arrays() -> Result<()> {
    let mut written = 0;
    for file in table().iter().filter(|file| file.format == "npy" && file.shape.len() == 2) {
        let text = String::from_utf8_lossy(&file.bytes);
        if !text.contains("'fortran_order': False") || file.bytes[6] != 1 {
            continue;
        }
        if text.contains("<f8") {
            assert_eq!(write_npy(&file.matrix()), file.bytes);
            written += 1;
        } else if text.contains("<f4") {
            assert_eq!(write_npy(&file.matrix().map(|v| v as f32)), file.bytes);
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
        assert!(back.iter().zip(&x).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
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
        let shown = format!("\"{}\"", header[..header.len().min(80)].replace('\'', "\\'"));
        refused(ok(header), &format!("read_npy: got {shown}, {form}"));
    }
    for descr in ["<f2", "|O", "<c8", "<U3", "=f8", "|f8", "|V2", "<b2", "", "<"] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,)}}");
        refused(ok(&header), &format!("read_npy: got \"{descr}\", expected numbers of type f4, f8, i1 to i8, u1 to u8 or b1"));
    }
    refused(
        read_npy::<f64>(b"PK\x03\x04 and more"),
        "read_npy: got \"PK\\x03\\x04 a\", expected a NumPy file, which starts with \\x93NUMPY",
    );
    refused(read_npy::<f64>(b"\x93NUMPY\x04\x00\x00\x00"), "read_npy: got 4.0, expected format version 1.0, 2.0 or 3.0");
}

/// What a header claims is not believed: nothing is allocated, and no product wraps around to what is there.
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
        refused(read_npy::<f64>(&npy(&header, &[1, 2])), &format!("read_npy: got 2 bytes of data, expected {claimed} numbers of 1 bytes"));
    }
    // None of the numbers is there, however many features there are of it.
    let header = "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 1099511627776)}";
    assert_eq!(read_npy::<f64>(&npy(header, &[])).expect("no samples").shape(), (1 << 40, 0));
}

/// No part of a file is a file, and what comes after one is an error.
#[test]
fn truncated_files() {
    for file in table() {
        let read = |bytes: &[u8]| match file.format {
            "npy" => read_npy::<f64>(bytes),
            _ => read_npz::<f64>(bytes, "x"),
        };
        for end in 0..file.bytes.len() {
            assert!(read(&file.bytes[..end]).is_err(), "{} of {} bytes of {} {:?}", end, file.bytes.len(), file.format, file.shape);
        }
        if file.format == "npy" {
            assert!(read(&[&file.bytes[..], &[0]].concat()).is_err());
        }
    }
    let idx = [0, 0, 11, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 255, 255];
    assert_eq!(read_idx::<f64>(&idx).expect("whole").as_slice(), [1.0, 2.0, 3.0, 4.0, 5.0, -1.0]);
    for end in 0..idx.len() {
        assert!(read_idx::<f64>(&idx[..end]).is_err(), "{end} bytes");
    }
    assert!(read_idx::<f64>(&[&idx[..], &[0]].concat()).is_err());
}

/// Bytes changed at random, some of them to what is most likely to be believed: a matrix or an error, never a panic, and of an
/// archive never other numbers.
#[test]
fn damaged_files() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut refusals = 0;
    for file in table() {
        for _ in 0..200 {
            let mut bytes = file.bytes.clone();
            for _ in 0..1 + rng.next_u64() % 3 {
                let at = (rng.next_u64() % bytes.len() as u64) as usize;
                bytes[at] = [0, 255, 127, 128, b'0', b'9', b'\'', bytes[at] ^ (1 << (rng.next_u64() % 8))][(rng.next_u64() % 8) as usize];
            }
            match file.format {
                "npy" => refusals += usize::from(read_npy::<f32>(&bytes).is_err()),
                _ => match read_npz::<f64>(&bytes, "x") {
                    Ok(x) => same(&x, &file.matrix()),
                    Err(_) => refusals += 1,
                },
            }
            // A whole other format.
            let _ = (read_npz::<f64>(&bytes, "x").is_err(), read_idx::<f64>(&bytes).is_err());
        }
    }
    assert!(refusals > 1000, "{refusals}");
}

// ---------------------------------------------------------------------------------------------------------------------
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
    assert_eq!(read(file(8, &[0_u8, 1, 255].map(u8::to_be_bytes)))?, [0.0, 1.0, 255.0]);
    assert_eq!(read(file(9, &[-128_i8, 1, 127].map(i8::to_be_bytes)))?, [-128.0, 1.0, 127.0]);
    assert_eq!(read(file(11, &[i16::MIN, 258].map(i16::to_be_bytes)))?, [-32_768.0, 258.0]);
    assert_eq!(read(file(12, &[i32::MIN, 16_909_060].map(i32::to_be_bytes)))?, [-2_147_483_648.0, 16_909_060.0]);
    assert_eq!(read(file(13, &[0.1_f32, f32::MIN_POSITIVE].map(f32::to_be_bytes)))?, [f64::from(0.1_f32), f64::from(f32::MIN_POSITIVE)]);
    assert_eq!(read(file(14, &[0.1_f64, -f64::INFINITY].map(f64::to_be_bytes)))?, [0.1, f64::NEG_INFINITY]);
    Ok(())
}

/// The first axis are the samples; of each, the last index runs fastest.
#[test]
fn axes_of_idx() -> Result<()> {
    let numbers: Vec<u8> = (0..24).collect();
    let x = read_idx::<f32>(&idx(8, &[2, 3, 4], &numbers))?;
    assert_eq!(x.shape(), (12, 2));
    assert!(x.iter().enumerate().all(|(i, v)| *v == i as f32));
    assert_eq!(read_idx::<f32>(&idx(8, &[0, 28, 28], &[]))?.shape(), (784, 0));
    Ok(())
}

#[test]
fn bytes_that_are_no_idx() {
    let read = |bytes: &[u8]| read_idx::<f64>(bytes);
    refused(read(&[0, 0]), "read_idx: got the end after 2 bytes, expected an IDX file, which starts with 4 bytes");
    let start = "expected an IDX file, which starts with 0, 0, the type and at least 1 axis";
    refused(read(&[0, 1, 8, 1, 0, 0, 0, 0]), &format!("read_idx: got [0, 1, 8, 1], {start}"));
    refused(read(&[0, 0, 8, 0, 1]), &format!("read_idx: got [0, 0, 8, 0], {start}"));
    refused(read(&[0, 0, 10, 1]), "read_idx: got 10, expected a type of number 8, 9, 11, 12, 13 or 14 in byte 2");
    refused(read(&[0, 0, 8, 2, 0, 0, 0, 3, 0]), "read_idx: got the end after 1 bytes, expected the sizes of 2 axes");
    refused(read(&idx(8, &[3], &[1, 2])), "read_idx: got 2 bytes of data, expected 3 numbers of 1 bytes");
    refused(read(&idx(11, &[1], &[1])), "read_idx: got 1 bytes of data, expected 1 numbers of 2 bytes");
    let huge = u32::MAX;
    refused(
        read(&idx(14, &[huge; 3], &[])),
        &format!("read_idx: got 0 bytes of data, expected {huge} × {huge} × {huge} numbers of 8 bytes"),
    );
}

/// What is no file of the format, and what says another size than it has.
#[test]
fn kinds_of_errors() {
    let npz = table().into_iter().find(|file| file.format == "npz").expect("an archive").bytes;
    let kind = |result: Result<DMatrix<f64>>| result.expect_err("a bad file").kind();
    for bytes in [&[][..], &[0, 0, 8, 1, 0], b"neither one nor the other"] {
        assert_eq!(
            (kind(read_idx(bytes)), kind(read_npy(bytes)), kind(read_npz(bytes, "x"))),
            (ErrorKind::Parse, ErrorKind::Parse, ErrorKind::Parse)
        );
    }
    assert_eq!(kind(read_npz(&npz, "z")), ErrorKind::Parse);
    assert_eq!(kind(read_idx(&idx(8, &[3], &[1, 2]))), ErrorKind::Shape);
    assert_eq!(kind(read_npy(&npy("{'descr': '|u1', 'fortran_order': True, 'shape': (3,)}", &[1, 2]))), ErrorKind::Shape);
}

// ---------------------------------------------------------------------------------------------------------------------
// ZIP

#[test]
fn archives_that_are_none() {
    let file = table().into_iter().find(|file| file.format == "npz").expect("an archive").bytes;
    let read = |bytes: &[u8]| read_npz::<f64>(bytes, "x");
    let none = "expected a ZIP archive as np.savez writes it";
    refused(read(b""), &format!("read_npz: got 0 bytes without the end of a directory, {none}"));
    refused(read(&[b'P'; 70_000]), &format!("read_npz: got 70000 bytes without the end of a directory, {none}"));
    // A comment after the end is no harm, even one that looks like an end.
    let mut commented = file.clone();
    let comment = b"PK\x05\x06 and so on, for more than the length of an end";
    let end = commented.len();
    commented[end - 2] = comment.len() as u8;
    commented.extend(comment);
    assert!(read(&commented).is_ok());
    // The number of the first array, 0.0f32 at the end of its data, becomes another.
    let mut other = file.clone();
    let header = file.windows(6).position(|six| six == b"\x93NUMPY").expect("an array");
    other[header + 130] ^= 1;
    let error = read(&other).expect_err("damage").to_string();
    assert!(error.starts_with("array \"x\" of read_npz: got "), "{error}");
    assert!(error.ends_with(", expected data of checksum bd9ccacc"), "{error}");
    // An entry that claims to lie beyond the end, and one of 4 GiB.
    let directory = file.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
    for (at, value, given, expected) in [
        (42, 0x7fff_ffff_u32, "array \"x\" of read_npz: got the end after ", "an entry within the archive"),
        (42, 4, "array \"x\" of read_npz: got ", "the header of an entry, PK\\x03\\x04"),
        (20, 77, "array \"x\" of read_npz: got 77 and 152 bytes at 0", "one size below 4 GiB, packed or not"),
        (8, 1, "array \"x\" of read_npz: got an encrypted one", "an entry without compression, as np.savez writes it"),
        (28, 0xffff, "read_npz: got the end after ", "a ZIP archive as np.savez writes it"),
    ] {
        let mut other = file.clone();
        other[directory + at..directory + at + 4].copy_from_slice(&value.to_le_bytes());
        let error = read(&other).expect_err(expected).to_string();
        assert!(error.starts_with(given) && error.ends_with(&format!(", expected {expected}")), "{error}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// CSV

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use chainrule::rand::RngExt;
    use chainrule::{Column, Csv, Table};

    fn read(csv: &Csv, text: &str) -> Result<Table<f64>> {
        csv.read(text.as_bytes())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn numbers() -> Result<()> {
        let text = "a,b,c,d\n1,2.5,-3e2,4\n5,6,7,8\n";
        let table = read(&Csv::new().targets(["c"]), text)?;
        assert_eq!(table.data.inputs(), &DMatrix::from_column_slice(3, 2, &[1.0, 2.5, 4.0, 5.0, 6.0, 8.0]));
        assert_eq!(table.data.targets(), &DMatrix::from_row_slice(1, 2, &[-300.0, 7.0]));
        assert_eq!((table.features, table.outputs, table.dropped), (names(&["a", "b", "d"]), names(&["c"]), 0));
        // Chosen by name and number, in the order asked for.
        let csv = Csv::new().features([Column::from(3), "a".into()]).targets([Column::Index(1), Column::Name("c".into())]);
        let table = read(&csv, text)?;
        assert_eq!(table.data.inputs(), &DMatrix::from_column_slice(2, 2, &[4.0, 1.0, 8.0, 5.0]));
        assert_eq!(table.data.targets(), &DMatrix::from_column_slice(2, 2, &[2.5, -300.0, 6.0, 7.0]));
        assert_eq!((table.features, table.outputs), (names(&["d", "a"]), names(&["b", "c"])));
        // Columns that are neither may hold anything.
        let table = read(&Csv::new().features(["x"]).targets(["y"]), "id,x,y\nfirst,1,2\n,3,4")?;
        assert_eq!(table.data, Dataset::from_rows(&[1.0, 3.0], 1, &[2.0, 4.0], 1)?);
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
            assert_eq!(read(&csv.clone().delimiter('\t'), &text.replace('\t', "").replace(',', "\t"))?.data, expected, "{text:?}");
        }
        assert_eq!(read(&csv.no_header(), "1,2,3\n4,5,6")?.data, expected);
        assert_eq!(read(&Csv::new().targets(["b,c"]), "a,\"b,c\"\n1,2")?.outputs, names(&["b,c"]));
        Ok(())
    }

    #[test]
    fn classes() -> Result<()> {
        let labels = |text: &str| {
            let table = read(&Csv::new().labels("c"), text)?;
            Ok::<_, Error>((table.outputs, metrics::classes(table.data.targets())?))
        };
        assert_eq!(labels("x,c\n1,pear\n2,apple\n3,pear\n4,fig")?, (names(&["apple", "fig", "pear"]), vec![2, 0, 2, 1]));
        // Numbers in the order of numbers.
        assert_eq!(labels("x,c\n1,10\n2,9\n3,-1")?, (names(&["-1", "9", "10"]), vec![2, 1, 0]));
        assert_eq!(labels("x,c\n1,10\n2,9\n3,b")?, (names(&["10", "9", "b"]), vec![0, 1, 2]));
        let table = read(&Csv::new().no_header().labels_among(0, ["no", "yes", "perhaps"]), "yes,1\nno,2")?;
        assert_eq!((table.outputs, table.features), (names(&["no", "yes", "perhaps"]), names(&["1"])));
        assert_eq!(table.data.targets().as_slice(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn missing_values() -> Result<()> {
        let text = "x,y,z,c\n1,2,,a\nNA,2,,b\n3,?,4,b\n5,6,,\n7,8,9,b";
        let csv = Csv::new().features(["x", "y"]).labels("c");
        refused(read(&csv, text), "CSV, line 3, column \"x\": got \"NA\", a missing value, expected a number");
        let table = read(&csv.clone().drop_missing(), text)?;
        assert_eq!((table.dropped, table.data.inputs().as_slice()), (3, &[1.0, 2.0, 7.0, 8.0][..]));
        // Other signs of it.
        let csv = csv.missing(["-9", ""]);
        refused(read(&csv.clone().drop_missing(), text), "CSV, line 3, column \"x\": got \"NA\", expected a number");
        let table = read(&csv.drop_missing(), "x,y,c\n-9,1,a\n2,3,a\n4,5,b")?;
        assert_eq!((table.dropped, table.data.len()), (1, 2));
        refused(read(&Csv::new().labels("c"), "x,c\n1,a\n2,\n"), "CSV, line 3, column \"c\": got \"\", a missing value, expected a class");
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
            ("a,b\n1,2\n3\n", "CSV, line 3: got 1, expected 2 fields, as in the first line"),
            ("a,b\n1,2,3\n", "CSV, line 2: got 3, expected 2 fields, as in the first line"),
            ("a,b\n1,2\n\n\n3,x", "CSV, line 5, column \"b\": got \"x\", expected a number"),
            ("a,b\r\n1,2\r\n\r\n3,x\r\n4,5", "CSV, line 4, column \"b\": got \"x\", expected a number"),
            ("a,b\r1,2\r3,x", "CSV, line 3, column \"b\": got \"x\", expected a number"),
            ("\"a\nc\",b\n\"1\",2\n1 2,3", "CSV, line 4, column \"a\\nc\": got \"1 2\", expected a number"),
            ("a,b\n1,inf", "CSV, line 2, column \"b\": got \"inf\", expected a finite number"),
            ("a,b\n-1e999,1", "CSV, line 2, column \"a\": got \"-1e999\", expected a finite number"),
            ("a,b\n1,NAN", "CSV, line 2, column \"b\": got \"NAN\", expected a finite number"),
            ("a,b\n1,2\n3,\"4\n5,6\n", "CSV, line 3: got the end of the text, expected a quote that ends"),
            ("a,\"b", "CSV, line 1: got the end of the text, expected a quote that ends"),
            ("", "CSV: got 0, expected at least 1 line"),
            ("\n \n", "CSV: got \"b\", expected one of the columns "),
            ("a,b\n", "CSV: got none (0 dropped), expected at least 1 row without a missing value"),
        ] {
            refused(read(&csv, text), error);
        }
        let single = csv.read::<f32>("a,b\n1e39,1".as_bytes());
        refused(single, "CSV, line 2, column \"a\": got \"1e39\", expected a finite number");
        refused(csv.read::<f64>(&b"a,b\n1,2\n3,\xff\n"[..]), "CSV, line 3: got the byte 0xff, expected text in UTF-8");
        refused(read(&Csv::new().no_header().targets([1]), "1,x"), "CSV, line 1, column 1: got \"x\", expected a number");
        let text = "CSV, line 2, column \"c\": got \"A\", expected one of the classes a, b";
        refused(read(&Csv::new().labels_among("c", ["a", "b"]), "x,c\n1,A"), text);
    }

    #[test]
    fn bad_choices() {
        let text = "a,b,a,d\n1,2,3,4";
        let new = Csv::new;
        refused(read(&new(), text), "CSV: got 0, expected at least 1 column that is a target");
        refused(read(&new().targets(["b"]).features::<usize>([]), text), "CSV: got 0, expected at least 1 column that is a feature");
        refused(read(&new().targets([0, 1, 2, 3]), text), "CSV: got 0, expected at least 1 column that is a feature");
        refused(read(&new().targets(["z"]), text), "CSV: got \"z\", expected one of the columns a, b, a, d");
        refused(read(&new().targets(["a"]), text), "CSV: got several, expected one column \"a\"");
        refused(read(&new().targets([4]), text), "CSV: got 4, expected a column below 4");
        refused(
            read(&new().no_header().targets(["b"]), text),
            "CSV: got the name \"b\", expected columns by number, as there is no header",
        );
        refused(read(&new().targets([Column::from("b"), Column::from(1)]), text), "CSV: got column \"b\" twice, expected each column once");
        let both = "CSV: got column \"d\" as both, expected columns that are features or targets";
        refused(read(&new().targets(["d"]).features([1, 3]), text), both);
        refused(read(&new().labels_among("d", ["4", "5", "4"]), text), "classes of CSV: got 4, 5, 4, expected each class once");
        refused(read(&new().labels("d"), text), "CSV, column \"d\": got only 4, expected at least 2 classes");
        for delimiter in ['"', '\n', '\r', 'é', '·'] {
            let error = format!("delimiter of CSV: got {delimiter:?}, expected an ASCII character, no quote and no end of a line");
            refused(read(&new().delimiter(delimiter).targets([0]), text), &error);
        }
    }

    #[test]
    fn files_and_sources() -> Result<()> {
        let error = Csv::new().targets([0]).read_file::<f64>("no/such/file.csv").expect_err("no file");
        assert_eq!((error.kind(), error.place()), (ErrorKind::Io, "no/such/file.csv: CSV"));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/digits.csv");
        let table = Csv::new().no_header().labels(64).read_file::<f32>(path)?;
        assert_eq!((table.data.len(), table.data.features(), table.data.outputs()), (1797, 64, 10));
        assert_eq!(table.outputs, (0..10).map(|digit| digit.to_string()).collect::<Vec<_>>());
        assert!(Csv::new().no_header().targets([65]).read_file::<f32>(path).expect_err("65 columns").place().starts_with(path));

        struct Broken;
        impl std::io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("out of paper"))
            }
        }
        let error = Csv::new().targets([0]).read::<f64>(Broken).expect_err("no text");
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Io, "CSV: got out of paper, expected a source that can be read"));
        Ok(())
    }

    /// Tables of random numbers, written with random ends of lines, blank lines, quotes and spaces, come back; and with one bad
    /// field the error has its line.
    #[test]
    fn what_is_written_is_read() -> Result<()> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        for _ in 0..300 {
            let (rows, cols) = (1 + rng.next_u64() % 6, 2 + rng.next_u64() % 4);
            let bad = (rng.random::<f64>() < 0.5).then(|| (rng.next_u64() % rows, rng.next_u64() % cols));
            let (mut text, mut line, mut bad_line, mut all) = (String::new(), 1, 0, vec![]);
            let end = ["\n", "\r\n"][(rng.next_u64() % 2) as usize];
            for row in 0..rows {
                for _ in 0..rng.next_u64() % 3 {
                    text += end;
                    line += 1;
                }
                for col in 0..cols {
                    let value = rng.random::<f64>() * 10.0_f64.powi((rng.next_u64() % 40) as i32 - 20) - 0.5;
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
                Some((_, col)) => refused(result, &format!("CSV, line {bad_line}, column {col}: got \"bad\", expected a number")),
                None => {
                    let read: Vec<f64> = result?.data.inputs().iter().copied().collect();
                    let expected: Vec<f64> = all.chunks(cols as usize).flat_map(|row| row[1..].to_vec()).collect();
                    assert_eq!(read, expected, "{text:?}");
                }
            }
        }
        Ok(())
    }

    /// Any text is a table or an error.
    #[test]
    fn any_text() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
        let signs = [",", ",", ",", "\n", "\n", "1", "1", "1", "2.5", "\"", "\r", " ", "-", "é", "\u{feff}", "NA"];
        let mut read_some = 0;
        for _ in 0..20_000 {
            let text: String = (0..rng.next_u64() % 14).map(|_| signs[(rng.next_u64() % 16) as usize]).collect();
            let csv = [Csv::new().targets([0]), Csv::new().no_header().targets([0]).drop_missing(), Csv::new().no_header().labels(1)];
            read_some += csv.iter().filter(|csv| read(csv, &text).is_ok()).count();
        }
        assert!(read_some > 50, "{read_some}");
    }
}
