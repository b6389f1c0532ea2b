//! IDX files.

use chainrule::data::read_idx;

pub(crate) fn run(bytes: &[u8]) {
    let single = read_idx::<f32>(bytes);
    let double = read_idx::<f64>(bytes);
    assert_eq!(single.map(|x| x.shape()), double.map(|x| x.shape()));
}
