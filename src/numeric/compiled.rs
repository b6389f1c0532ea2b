//! Functions for `f32` and `f64` that are compiled in this crate, once, and not again in every
//! crate that uses it.

/// The function that is written like a closure, for a scalar `T`: for `f32` and `f64` one that has
/// been compiled with this crate, for any other number one that its user compiles.
///
/// ```text
/// compiled_here!(T: |net: &mut Sequential<T>, data: &Dataset<T>| -> Result<T> { … })(net, data)
/// ```
///
/// What is generic is compiled by the crate that says what its type parameters are, at that crate's
/// level of optimization. Functions without type parameters are not: here stands one of each of the
/// two scalars. The generic function beside them is not even looked at where the condition, a
/// constant, is false.
macro_rules! compiled_here {
    ($T:ident: |$($arg:ident: $type:ty),+ $(,)?| $(-> $result:ty)? $body:block) => {{
        fn generic<$T: $crate::numeric::real::Real>($($arg: $type),+) $(-> $result)? $body
        if const { <$T as $crate::numeric::real::Real>::COMPILED_HERE } {
            let single = {
                type $T = f32;
                fn single($($arg: $type),+) $(-> $result)? {
                    generic::<$T>($($arg),+)
                }
                single as fn($($type),+) $(-> $result)?
            };
            let double = {
                type $T = f64;
                fn double($($arg: $type),+) $(-> $result)? {
                    generic::<$T>($($arg),+)
                }
                double as fn($($type),+) $(-> $result)?
            };
            $crate::numeric::kernel::compiled::<fn($($type),+) $(-> $result)?>(single, double)
                .expect("a function for f32 or f64")
        } else {
            generic::<$T>
        }
    }};
}
pub(crate) use compiled_here;
