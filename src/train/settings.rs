//! The settings that both trainers have.

/// The named settings as methods of a trainer whose field `run` is a [`Run`](super::run::Run), each
/// with the docs that the trainer gives it.
macro_rules! settings {
    ($($(#[$docs:meta])* $name:ident;)+) => {
        $($crate::train::settings::setting! { $(#[$docs])* $name })+
    };
}

macro_rules! setting {
    ($(#[$docs:meta])* epochs) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("max_iter", "n_iter", "MaxEpochs"))]
        pub fn epochs(mut self, epochs: usize) -> Self {
            self.run.epochs = epochs;
            self
        }
    };
    ($(#[$docs:meta])* validation_data) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("validation_split", "validation_fraction"))]
        pub fn validation_data(mut self, data: &'a Dataset<T>) -> Self {
            self.run.watcher.validation = Some(data);
            self
        }
    };
    ($(#[$docs:meta])* metric) => {
        $(#[$docs])*
        #[must_use]
        pub fn metric(
            mut self,
            name: impl Into<String>,
            metric: impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a,
        ) -> Self {
            self.run.watcher.metrics.push((name.into(), Box::new(metric)));
            self
        }
    };
    ($(#[$docs:meta])* stop) => {
        $(#[$docs])*
        #[must_use]
        pub fn stop(mut self, stop: Stop) -> Self {
            self.run.add_stop(stop);
            self
        }
    };
    ($(#[$docs:meta])* restore_best) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("restore_best_weights", "ModelCheckpoint"))]
        pub fn restore_best(mut self, monitor: Monitor) -> Self {
            self.run.watcher.best = Some(monitor);
            self
        }
    };
    ($(#[$docs:meta])* observe) => {
        $(#[$docs])*
        #[must_use]
        pub fn observe(mut self, observer: impl Observer<T> + Send + 'a) -> Self {
            self.run.watcher.observers.push(Box::new(observer));
            self
        }
    };
    ($(#[$docs:meta])* on_epoch) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("LambdaCallback", "on_epoch_end"))]
        pub fn on_epoch(
            mut self,
            callback: impl FnMut(&Epoch, &Sequential<T>) -> ControlFlow<()> + Send + 'a,
        ) -> Self {
            self.run.watcher.callbacks.push(Box::new(callback));
            self
        }
    };
    ($(#[$docs:meta])* changing_data) => {
        $(#[$docs])*
        #[must_use]
        pub fn changing_data(mut self) -> Self {
            self.run.changing_data = true;
            self
        }
    };
    ($(#[$docs:meta])* checkpoint) => {
        $(#[$docs])*
        #[cfg(feature = "std")]
        #[must_use]
        #[doc(alias("ModelCheckpoint", "save_checkpoint"))]
        pub fn checkpoint(
            mut self,
            path: impl Into<std::path::PathBuf>,
            every: CheckpointEvery,
        ) -> Self {
            self.run.checkpoint = Some((path.into(), every));
            self
        }
    };
}

pub(super) use {setting, settings};
