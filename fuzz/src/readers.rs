//! Readers of data: a file format each.

use super::Target;
use chainrule::data::{Csv, read_idx, read_npy, read_npz, write_npy};

pub(crate) const TARGETS: [(&str, Target); 4] =
    [("csv", csv), ("idx", idx), ("npy", npy), ("npz", npz)];

/// Text tables; the first byte says how they are read.
fn csv(bytes: &[u8]) {
    let Some((how, text)) = bytes.split_first() else {
        return;
    };
    let csv = match how % 9 {
        0 => Csv::new().targets(["y"]),
        1 => Csv::new().labels("y"),
        2 => Csv::new().no_header().targets([0, 2]),
        3 => Csv::new()
            .no_header()
            .labels(1)
            .missing(["", "NA"])
            .drop_missing(),
        4 => Csv::new().delimiter(';').labels_among("y", ["0", "1"]),
        5 => Csv::new().whitespace_delimited().no_header().targets([1]),
        6 => Csv::new().delimiter(';').decimal_comma().targets(["y"]),
        7 => Csv::new().skip_lines(1).comment('#').labels("y"),
        _ => Csv::new()
            .delimiter('\t')
            .features(["a", "b"])
            .targets(["y"])
            .drop_missing(),
    };
    let double = csv.read::<f64>(text).ok();
    let single = csv
        .read::<f32>(text)
        .ok()
        .map(|_| csv.read::<f64>(text).expect("f64 holds more"));
    for table in [double, single].into_iter().flatten() {
        let data = &table.data;
        assert!(data.inputs().iter().all(|x| x.is_finite()));
        assert_eq!(table.features.len(), data.features());
        assert_eq!(table.outputs.len(), data.outputs());
    }
    table(how % 2 == 0, text);
}

/// Words and holes in text: what is read is written, and read back as it is.
fn table(header: bool, text: &[u8]) {
    let csv = Csv::new().missing([""]).categorical([0]);
    let read = match header {
        true => csv.clone().read_table(text),
        false => csv.clone().no_header().read_table(text),
    };
    // A mark of byte order at the front is none of the first name.
    let marked = |name: &str| name.starts_with('\u{feff}');
    if let Ok(table) = read
        && !table.columns().next().is_some_and(marked)
    {
        let again = csv.read_table(table.to_csv().as_bytes());
        assert_eq!(again.expect("what was written"), table);
    }
}

/// Files of MNIST's kind.
fn idx(bytes: &[u8]) {
    let single = read_idx::<f32>(bytes);
    let double = read_idx::<f64>(bytes);
    assert_eq!(single.map(|x| x.shape()), double.map(|x| x.shape()));
}

/// NumPy's arrays: what is read is written and read again, to the same bits.
fn npy(bytes: &[u8]) {
    let _ = read_npy::<f32>(bytes);
    if let Ok(x) = read_npy::<f64>(bytes) {
        let again = read_npy::<f64>(&write_npy(&x)).expect("what was written is read");
        assert_eq!(x.shape(), again.shape());
        assert!(
            x.iter()
                .zip(&again)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
    }
}

/// NumPy's archives.
fn npz(bytes: &[u8]) {
    for name in ["x", "y", "arr_0", ""] {
        let _ = read_npz::<f32>(bytes, name);
        let _ = read_npz::<f64>(bytes, name);
    }
}
