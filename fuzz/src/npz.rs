//! NumPy's archives.

use chainrule::data::read_npz;

pub(crate) fn run(bytes: &[u8]) {
    for name in ["x", "y", "arr_0", ""] {
        let _ = read_npz::<f32>(bytes, name);
        let _ = read_npz::<f64>(bytes, name);
    }
}
