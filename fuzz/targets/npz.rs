//! NumPy's archives.
#![no_main]

use chainrule::read_npz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for name in ["x", "y", "arr_0", ""] {
        let _ = read_npz::<f32>(bytes, name);
        let _ = read_npz::<f64>(bytes, name);
    }
});
