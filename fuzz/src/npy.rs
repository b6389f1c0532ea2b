//! NumPy's arrays: what is read is written and read again, to the same bits.

use chainrule::data::{read_npy, write_npy};

pub(crate) fn run(bytes: &[u8]) {
    let _ = read_npy::<f32>(bytes);
    if let Ok(x) = read_npy::<f64>(bytes) {
        let again = read_npy::<f64>(&write_npy(&x)).expect("what was written is read");
        assert_eq!(x.shape(), again.shape());
        assert!(x.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
