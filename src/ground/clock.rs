//! How long something takes, where the machine can tell.

/// Whether there is a clock. `wasm32-unknown-unknown` has `std` without one: to ask for the time
/// traps.
#[cfg(feature = "std")]
pub(crate) const TICKS: bool = cfg!(not(all(target_family = "wasm", target_os = "unknown")));

/// A clock that runs from its start.
pub(crate) struct Clock {
    #[cfg(feature = "std")]
    start: Option<std::time::Instant>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "std")]
            start: TICKS.then(std::time::Instant::now),
        }
    }

    /// Seconds since the start; `None` without a clock.
    pub(crate) fn seconds(&self) -> Option<f64> {
        #[cfg(feature = "std")]
        return self.start.map(|start| start.elapsed().as_secs_f64());
        #[cfg(not(feature = "std"))]
        None
    }
}
