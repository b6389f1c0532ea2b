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
            self.run.watcher.metrics.push(Metric {
                name: name.into(),
                head: None,
                measure: Box::new(metric),
            });
            self
        }
    };
    ($(#[$docs:meta])* head_metric) => {
        $(#[$docs])*
        #[must_use]
        pub fn head_metric(
            mut self,
            head: impl Into<String>,
            name: impl core::fmt::Display,
            metric: impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a,
        ) -> Self {
            let head = head.into();
            self.run.watcher.metrics.push(Metric {
                name: alloc::format!("{head}_{name}"),
                head: Some(head),
                measure: Box::new(metric),
            });
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
    ($(#[$docs:meta])* tie) => {
        $(#[$docs])*
        #[must_use]
        pub fn tie(mut self, tie: Tie) -> Self {
            self.method.ties.push(tie);
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

/// All that trainers whose field `method` is a `FullBatch` have alike, with its docs.
macro_rules! full_batch_trainer {
    ($trainer:ident) => {
        impl<'a, T: Real> $trainer<'a, T> {
            settings! {
                /// How many epochs, which are steps, a call of [`fit`](Self::fit) runs at most.
                epochs;

                /// The run ends where no component of the gradient is larger: ‖∂C/∂w‖∞ ≤
                /// `tolerance`, the penalty's gradient included. Finite and ≥ 0; 10⁻⁵ without.
                gradient_tolerance;

                /// The run ends after a step that lowered the cost by no more than
                /// `tolerance`·max(|C before|, |C after|, 1). Finite and ≥ 0; 10⁷ ε of `f64`
                /// without. In `f32`, that is a step after which the cost is the same.
                decrease_tolerance;

                /// Adds a penalty on large weights to the cost. scikit-learn's `alpha` is an L2
                /// penalty of alpha divided by the number of samples.
                penalty;

                /// Freezes these layers, numbered from 0, and no others, as
                /// [`Trainer::freeze`](crate::Trainer::freeze) does.
                freeze;

                /// Lets two blocks share their numbers, as
                /// [`Trainer::tie`](crate::Trainer::tie) does: the function that is minimized is
                /// one of the free parameters alone.
                tie;

                /// Trains on `count` threads of the trainer's own, as
                /// [`Trainer::threads`](crate::Trainer::threads) does, to the same bits for any
                /// number.
                threads;

                /// Data on which the cost and the metrics are computed after each epoch, as in
                /// [`Trainer::validation_data`](crate::Trainer::validation_data).
                validation_data;

                /// A metric to compute after each epoch, as in
                /// [`Trainer::metric`](crate::Trainer::metric).
                metric;

                /// A metric of one of the heads of the loss, as in
                /// [`Trainer::head_metric`](crate::Trainer::head_metric).
                head_metric;

                /// A reason to end before the last epoch, as in
                /// [`Trainer::stop`](crate::Trainer::stop); all are looked at after each epoch.
                stop;

                /// The network ends with the parameters of the epoch that was best in what is
                /// watched, as in [`Trainer::restore_best`](crate::Trainer::restore_best).
                restore_best;

                /// Tells `observer` what happens, as in
                /// [`Trainer::observe`](crate::Trainer::observe). An epoch has one batch: all
                /// samples.
                observe;

                /// Calls back after each epoch; `Break` ends the run. As in
                /// [`Trainer::on_epoch`](crate::Trainer::on_epoch).
                on_epoch;

                /// Lets each call of [`fit`](Self::fit) bring other data, as in
                /// [`Trainer::changing_data`](crate::Trainer::changing_data).
                changing_data;

                /// Writes a checkpoint to `path` every so often and at the end of a run, as in
                /// [`Trainer::checkpoint`](crate::Trainer::checkpoint).
                checkpoint;

                /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
                epoch;

                /// Begins anew with the same settings, as [`Trainer::reset`](crate::Trainer::reset)
                /// does: the next [`fit`](Self::fit) takes any network and any data.
                reset;

                /// Goes on with `net` as it now is, as
                /// [`Trainer::continue_with`](crate::Trainer::continue_with) does.
                continue_with;

                /// Trains `net` on all samples of `data` together. Called again, it goes on, with
                /// the network and the data of the call before, as
                /// [`Trainer::fit`](crate::Trainer::fit) does.
                ///
                /// [`History::stopped`] says why it ended:
                /// [`SmallGradient`](crate::train::Stopped::SmallGradient),
                /// [`SmallDecrease`](crate::train::Stopped::SmallDecrease),
                /// [`SearchFailed`](crate::train::Stopped::SearchFailed), an observer, or one of
                /// the [stops](Self::stop); `None` after the last epoch.
                ///
                /// # Errors
                /// Those of [`Sequential::gradient`] on the data; [`ErrorKind::Empty`] for a
                /// network without parameters, and where all are frozen; [`ErrorKind::NotFinite`]
                /// where the cost or its gradient at the start is NaN or infinite;
                /// [`ErrorKind::Value`] for a setting out of range; [`ErrorKind::Incompatible`] for
                /// a stop that watches what is not measured, where the last layer reaches no
                /// target, and for another network or other data than in the call before. The
                /// network is then as it was.
                ///
                /// After [`ErrorKind::Io`], when a checkpoint cannot be written, and what a metric
                /// returns, it is as it was after the last epoch.
                ///
                /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
                /// [`ErrorKind::NotFinite`]: crate::ErrorKind::NotFinite
                /// [`ErrorKind::Value`]: crate::ErrorKind::Value
                /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
                /// [`ErrorKind::Io`]: crate::ErrorKind::Io
                fit;

                /// The cost of what `net` predicts for `data`, without the penalty, and the
                /// metrics, as [`Trainer::evaluate`](crate::Trainer::evaluate) gives them.
                ///
                /// # Errors
                /// As [`Trainer::evaluate`](crate::Trainer::evaluate).
                evaluate;
            }
        }

        fit_by_run!($trainer);

        impl<T: Real> fmt::Debug for $trainer<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($trainer))
                    .field("loss", &self.method.loss)
                    .field("epochs", &self.run.epochs)
                    .field("epoch", &self.epoch())
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(super) use {fit_by_run, full_batch_trainer, setting, settings};
