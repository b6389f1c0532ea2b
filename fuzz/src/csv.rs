//! Text tables; the first byte says how they are read.

use chainrule::data::Csv;

pub(crate) fn run(bytes: &[u8]) {
    let Some((how, text)) = bytes.split_first() else { return };
    let csv = match how % 9 {
        0 => Csv::new().targets(["y"]),
        1 => Csv::new().labels("y"),
        2 => Csv::new().no_header().targets([0, 2]),
        3 => Csv::new().no_header().labels(1).missing(["", "NA"]).drop_missing(),
        4 => Csv::new().delimiter(';').labels_among("y", ["0", "1"]),
        5 => Csv::new().whitespace_delimited().no_header().targets([1]),
        6 => Csv::new().delimiter(';').decimal_comma().targets(["y"]),
        7 => Csv::new().skip_lines(1).comment('#').labels("y"),
        _ => Csv::new().delimiter('\t').features(["a", "b"]).targets(["y"]).drop_missing(),
    };
    let double = csv.read::<f64>(text).ok();
    let single = csv.read::<f32>(text).ok().map(|_| csv.read::<f64>(text).expect("f64 holds more"));
    for table in [double, single].into_iter().flatten() {
        assert!(table.data.inputs().iter().all(|x| x.is_finite()));
        assert_eq!((table.features.len(), table.outputs.len()), (table.data.features(), table.data.outputs()));
    }
}
