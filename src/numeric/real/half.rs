//! Numbers of 16 bits, which files hold and nothing computes with.

/// The number that IEEE 754's binary16 has of these bits.
pub(crate) fn half(bits: u16) -> f64 {
    let exponent = bits >> 10 & 31;
    let fraction = bits & 1023;
    let size = match exponent {
        0 => f64::from(fraction) / f64::from(1 << 24),
        31 if fraction == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => f64::from_bits(u64::from(exponent + 1023 - 15) << 52 | u64::from(fraction) << 42),
    };
    if bits >> 15 == 0 { size } else { -size }
}
