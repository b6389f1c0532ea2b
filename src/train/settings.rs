//! What several trainers have alike: settings, and calls of what they share.

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

    // Of trainers on all samples, whose field `method` is a `FullBatch`.
    ($(#[$docs:meta])* gradient_tolerance) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("gtol", "pgtol", "tol", "tolerance_grad", "min_grad"))]
        pub fn gradient_tolerance(mut self, tolerance: f64) -> Self {
            self.method.gradient_tolerance = tolerance;
            self
        }
    };
    ($(#[$docs:meta])* decrease_tolerance) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("ftol", "factr", "tolerance_change"))]
        pub fn decrease_tolerance(mut self, tolerance: f64) -> Self {
            self.method.decrease_tolerance = tolerance;
            self
        }
    };
    ($(#[$docs:meta])* penalty) => {
        $(#[$docs])*
        #[must_use]
        pub fn penalty(mut self, penalty: Penalty) -> Self {
            self.method.penalty = Some(penalty);
            self
        }
    };
    ($(#[$docs:meta])* freeze) => {
        $(#[$docs])*
        #[must_use]
        #[doc(alias("requires_grad", "trainable"))]
        pub fn freeze(mut self, layers: impl IntoIterator<Item = usize>) -> Self {
            self.method.frozen = Frozen::new(layers);
            self
        }
    };
    ($(#[$docs:meta])* threads) => {
        $(#[$docs])*
        #[cfg(feature = "parallel")]
        #[must_use]
        pub fn threads(mut self, count: usize) -> Self {
            self.method.threads = count;
            self
        }
    };

    // What is no setting.
    ($(#[$docs:meta])* epoch) => {
        $(#[$docs])*
        pub fn epoch(&self) -> usize {
            self.run.state.position.epoch
        }
    };
    ($(#[$docs:meta])* continue_with) => {
        $(#[$docs])*
        pub fn continue_with(&mut self, net: &Sequential<T>) {
            self.run.state.adopt(net);
        }
    };
    ($(#[$docs:meta])* reset) => {
        $(#[$docs])*
        pub fn reset(&mut self) {
            self.method.reset();
            self.run.reset();
        }
    };
    ($(#[$docs:meta])* fit) => {
        $(#[$docs])*
        pub fn fit(&mut self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
            self.fit_in(Units::NETWORK, net, data)
        }
    };
    ($(#[$docs:meta])* evaluate) => {
        $(#[$docs])*
        pub fn evaluate(&mut self, net: &Sequential<T>, data: &Dataset<T>) -> Result<Evaluation> {
            self.evaluate_in(Units::NETWORK, net, data)
        }
    };
}

/// [`Fit`](super::run::Fit) of a trainer that does nothing beside its run.
macro_rules! fit_by_run {
    ($trainer:ident) => {
        impl<T: Real> Fit<T> for $trainer<'_, T> {
            fn output_function(&self) -> OutputFunction {
                self.method.loss().output_function()
            }

            fn fit_in(
                &mut self,
                units: Units<'_, T>,
                net: &mut Sequential<T>,
                data: &Dataset<T>,
            ) -> Result<History> {
                compiled_here!(T: |trainer: &mut $trainer<'_, T>,
                                   units: Units<'_, T>,
                                   net: &mut Sequential<T>,
                                   data: &Dataset<T>| -> Result<History> {
                    trainer.run.fit(&mut trainer.method, units, net, data)
                })(self, units, net, data)
            }

            fn evaluate_in(
                &mut self,
                units: Units<'_, T>,
                net: &Sequential<T>,
                data: &Dataset<T>,
            ) -> Result<Evaluation> {
                compiled_here!(T: |trainer: &mut $trainer<'_, T>,
                                   units: Units<'_, T>,
                                   net: &Sequential<T>,
                                   data: &Dataset<T>| -> Result<Evaluation> {
                    trainer.run.evaluate(&mut trainer.method, units, net, data)
                })(self, units, net, data)
            }

            fn has_trained(&self, net: &Sequential<T>) -> bool {
                self.run.has_trained(net)
            }
        }
    };
}

pub(super) use {fit_by_run, setting, settings};
