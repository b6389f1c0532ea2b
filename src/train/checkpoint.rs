//! Checkpoints: training that goes on exactly where it was.

use super::fingerprint::{DataMark, checksum};
use super::history::History;
use super::lbfgs::Lbfgs;
use super::levenberg_marquardt::LevenbergMarquardt;
use super::log::{INLINE, Log, Logbook, Part, read_epoch, write_epoch};
use super::record::{HEAD, Reader, Writer};
use super::run::{Method, Run};
use super::scaled_conjugate_gradient::ScaledConjugateGradient;
use super::state::{Best, Position, State};
use super::stop::{Monitor, Stop, Stopped, Watch};
use super::trainer::Trainer;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file::{self, Target};
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::in_files;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use crate::optim::plateau::ReduceOnPlateau;
use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::cell::RefCell;
use std::path::Path;

const MAGIC: [u8; 8] = *b"chainrul";
const VERSION: u32 = 1;

/// What a checkpoint holds beside the settings it was made with.
struct Saved<T> {
    params: Vec<T>,
    memory: OptimizerState<T>,
    state: State<T>,
    observers: Vec<Vec<f64>>,
}

impl<T: Real> Trainer<'_, T> {
    /// Writes all that is needed to go on exactly here. That is the network's parameters, the best
    /// and the latest, the state of the rule, the step, the epoch and the place within it, the
    /// history, and what schedules, stops and observers remember.
    ///
    /// The file is written beside `path` under another name, brought to the disk, and then renamed.
    /// Whenever the process or the machine stops, the old or the new checkpoint is there, whole. It
    /// begins with the version of its format and ends with a checksum; [`resume`](Self::resume)
    /// refuses a file that was cut off or changed by a single bit. Several processes may write to
    /// the same path: the last one wins.
    ///
    /// The first save to a path writes the whole history into the file. When later saves to the
    /// same path find more than 256 epochs there, these go to a second file beside it,
    /// `NAME.NUMBER.history`, to which later epochs are appended. So a save costs the same after
    /// ten epochs and after a million. The two belong together: copy and move both. To make a copy
    /// in one file, save to another path. A save that ends the need for the second file removes it.
    /// One that is killed between writing the two files may leave a `.history` that no checkpoint
    /// needs, and so does every resumed run on a file system without locks.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be written or `path` is something other than a
    /// regular file; the old one is then still there. [`ErrorKind::Incompatible`] for scalars other
    /// than `f32` and `f64`.
    pub fn save(&self, net: &Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
        compiled_here!(T: |trainer: &Trainer<'_, T>,
                           net: &Sequential<T>,
                           path: &Path| -> Result<()> {
            trainer.run.save(&trainer.method, net, path)
        })(self, net, path.as_ref())
    }

    /// Goes on where a checkpoint was written, in this process or another: trainer and network
    /// become what they were. The trainer must have been put together with the same settings, and
    /// the network built alike. The next call of [`fit`](Self::fit) continues the call that was
    /// interrupted, up to the number of [`epochs`](Self::epochs) counted from that call's
    /// beginning, and returns the history of all of it. The result has the same bits as without the
    /// interruption.
    ///
    /// The next call of `fit` takes only this network and the data of the interrupted call; to go
    /// on otherwise, see [`continue_with`](Self::continue_with) and [`reset`](Self::reset).
    ///
    /// What the settings' functions are (the metrics, a schedule, the numbers of a rule) is the
    /// program's affair: they may be changed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be read or is no regular one, or the long history
    /// that [`save`](Self::save) put beside it is not there; [`ErrorKind::Parse`] when one of the
    /// two is damaged or of another version; [`ErrorKind::Value`] for a running variance below 0,
    /// [`ErrorKind::Incompatible`] when it is of another network, loss, rule, batch size, seed or
    /// order, or of other metrics, stops or observers with a state; nothing is changed then.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::train::CheckpointEvery;
    /// # let path =
    /// #     std::env::temp_dir().join(format!("chainrule-doc-{}.checkpoint", std::process::id()));
    /// let data = Dataset::new(
    ///     DMatrix::from_fn(1, 50, |_, j| j as f64 / 50.0),
    ///     DMatrix::from_element(1, 50, 0.5),
    /// )?;
    /// let start = || {
    ///     let net = Sequential::builder(1)
    ///         .layer(Dense::new(8, Activation::Tanh))
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .seed(1)
    ///         .build()?;
    ///     Ok::<_, Error>((net, Trainer::new(MeanSquaredError, Adam::new()).epochs(10)))
    /// };
    /// // Without an interruption:
    /// let (mut net, mut trainer) = start()?;
    /// let history = trainer.fit(&mut net, &data)?;
    ///
    /// // Interrupted after four epochs, and in another process:
    /// let (mut interrupted, mut trainer) = start()?;
    /// trainer
    ///     .epochs(4)
    ///     .checkpoint(&path, CheckpointEvery::Epochs(1))
    ///     .fit(&mut interrupted, &data)?;
    /// let (mut resumed, mut trainer) = start()?;
    /// trainer.resume(&mut resumed, &path)?;
    /// assert_eq!(trainer.fit(&mut resumed, &data)?, history);
    /// assert_eq!(resumed, net);
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("load_checkpoint"))]
    pub fn resume(&mut self, net: &mut Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
        compiled_here!(T: |trainer: &mut Trainer<'_, T>,
                           net: &mut Sequential<T>,
                           path: &Path| -> Result<()> {
            trainer.run.resume(&mut trainer.method, net, path)
        })(self, net, path.as_ref())
    }
}

impl<T: Real> LevenbergMarquardt<'_, T> {
    /// Writes a checkpoint, as [`Trainer::save`] does: of the rule, it holds the damping.
    ///
    /// # Errors
    /// As [`Trainer::save`].
    pub fn save(&self, net: &Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
        compiled_here!(T: |trainer: &LevenbergMarquardt<'_, T>,
                           net: &Sequential<T>,
                           path: &Path| -> Result<()> {
            trainer.run.save(&trainer.method, net, path)
        })(self, net, path.as_ref())
    }

    /// Goes on where a checkpoint was written, as [`Trainer::resume`] does. The first damping may
    /// be another one: it has been used.
    ///
    /// # Errors
    /// As [`Trainer::resume`]; [`ErrorKind::Incompatible`] for the checkpoint of a [`Trainer`].
    pub fn resume(&mut self, net: &mut Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
        compiled_here!(T: |trainer: &mut LevenbergMarquardt<'_, T>,
                           net: &mut Sequential<T>,
                           path: &Path| -> Result<()> {
            trainer.run.resume(&mut trainer.method, net, path)
        })(self, net, path.as_ref())
    }
}

/// `save` and `resume` of a trainer on all samples.
macro_rules! full_batch {
    ($trainer:ident, $holds:literal) => {
        impl<T: Real> $trainer<'_, T> {
            /// Writes a checkpoint, as [`Trainer::save`] does: of the method, it holds
            #[doc = concat!($holds, ".")]
            ///
            /// # Errors
            /// As [`Trainer::save`].
            pub fn save(&self, net: &Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
                compiled_here!(T: |trainer: &$trainer<'_, T>,
                                   net: &Sequential<T>,
                                   path: &Path| -> Result<()> {
                    trainer.run.save(&trainer.method, net, path)
                })(self, net, path.as_ref())
            }

            /// Goes on where a checkpoint was written, as [`Trainer::resume`] does: to the same
            /// bits as without an interruption. A run that had come to its end stays there.
            ///
            /// # Errors
            /// As [`Trainer::resume`]; [`ErrorKind::Incompatible`] for the checkpoint of another
            /// way of training.
            pub fn resume(&mut self, net: &mut Sequential<T>, path: impl AsRef<Path>) -> Result<()> {
                compiled_here!(T: |trainer: &mut $trainer<'_, T>,
                                   net: &mut Sequential<T>,
                                   path: &Path| -> Result<()> {
                    trainer.run.resume(&mut trainer.method, net, path)
                })(self, net, path.as_ref())
            }
        }
    };
}
full_batch!(Lbfgs, "the pairs of steps and changes of the gradient");
full_batch!(
    ScaledConjugateGradient,
    "the direction of the next step and λ"
);

impl<T: Real> Run<'_, T> {
    pub(super) fn save(
        &self,
        method: &dyn Method<T>,
        net: &Sequential<T>,
        path: &Path,
    ) -> Result<()> {
        in_files::<T>(format_args!("{}::save", method.name()))?;
        let target = Target::of(path)?;
        let checkpoint = target.path();
        let before = named(checkpoint);
        let epochs = &self.state.history.epochs;
        let mut known = self.state.log.0.borrow_mut();
        let again = known
            .as_ref()
            .is_some_and(|log| log.is_of(checkpoint) && log.epochs() <= epochs.len());
        let log = known
            .take()
            .filter(|_| again)
            .unwrap_or_else(|| Log::new(checkpoint));
        let log = known.insert(log);
        if !core::mem::replace(&mut log.swept, true) {
            target.sweep();
        }
        log.hold(before.as_ref());
        if again && epochs.len() - log.epochs() > INLINE {
            log.append(epochs, target.mode_beside())?;
        }
        target.replace(&self.record(method, net, log))?;
        if let Some(before) = before.filter(|part| !log.is_named(part)) {
            before.remove(checkpoint, || named(checkpoint));
        }
        Ok(())
    }

    /// The bytes of a checkpoint, whose first epochs are in `log`.
    fn record(&self, method: &dyn Method<T>, net: &Sequential<T>, log: &Log) -> Vec<u8> {
        let mut record = Writer::new(MAGIC, VERSION);
        record.option(log.part(), |record, part| part.write(record));
        record.list(
            self.settings(method, net).into_iter(),
            |record, (name, value)| {
                record.text(name);
                record.text(&value);
            },
        );
        record.numbers(net.params());
        let OptimizerState {
            rule,
            step,
            slots,
            numbers,
            averaged,
        } = method.memory();
        record.text(rule);
        record.u64(*step);
        record.list(slots.iter(), |record, slot| record.numbers(slot));
        record.numbers(numbers);
        record.option(*averaged, |record, averaged| record.u64(averaged.into()));
        self.write_state(&mut record);
        record.list(self.observer_states().into_iter(), |record, state| {
            record.numbers(&state)
        });
        record.list(
            self.state.history.epochs[log.epochs()..].iter(),
            write_epoch,
        );
        record.finish()
    }

    fn resume(
        &mut self,
        method: &mut dyn Method<T>,
        net: &mut Sequential<T>,
        path: &Path,
    ) -> Result<()> {
        let mut saved = self.load(method, net, path);
        for _ in 0..100 {
            // Another process may have replaced the checkpoint since it was read, and removed what
            // lay beside the old one.
            match saved {
                Err(Failed { ref beside, .. })
                    if beside.is_some() && named(path).as_ref() != beside.as_deref() =>
                {
                    saved = self.load(method, net, path)
                }
                _ => break,
            }
        }
        let saved = saved.map_err(|failed| failed.error)?;
        net.check_values(&saved.params)
            .map_err(|error| error.within(path.display()))?;
        let (memory, observers) = (method.memory().clone(), self.observer_states());
        if let Err(error) = self.restore(method, &saved.memory, &saved.observers) {
            // What they gave they take back.
            self.restore(method, &memory, &observers)?;
            return Err(error);
        }
        net.params_mut().copy_from_slice(&saved.params);
        self.state = State {
            left: Some(checksum(net.params())),
            ..saved.state
        };
        Ok(())
    }

    fn restore(
        &mut self,
        method: &mut dyn Method<T>,
        memory: &OptimizerState<T>,
        observers: &[Vec<f64>],
    ) -> Result<()> {
        method.remember(memory)?;
        let keeping = self
            .watcher
            .observers
            .iter_mut()
            .filter(|observer| !observer.state().is_empty());
        keeping
            .zip(observers)
            .try_for_each(|(observer, state)| observer.restore(state))
    }

    /// The states of the observers that have one: those that only show what happens may come and
    /// go.
    fn observer_states(&self) -> Vec<Vec<f64>> {
        self.watcher
            .observers
            .iter()
            .map(|observer| observer.state())
            .filter(|state| !state.is_empty())
            .collect()
    }

    /// What must be the same when training goes on.
    fn settings(&self, method: &dyn Method<T>, net: &Sequential<T>) -> Vec<(&'static str, String)> {
        let layers: Vec<String> = net.layers().iter().map(|layer| layer.describe()).collect();
        let stops: Vec<String> = self.watcher.stops.iter().map(describe).collect();
        let metrics: Vec<&str> = self
            .watcher
            .metrics
            .iter()
            .map(|metric| metric.name.as_str())
            .collect();
        let mut settings = alloc::vec![
            ("scalar", T::NAME.into()),
            (
                "layers",
                format!("{} inputs, {}", net.inputs(), layers.join(", "))
            ),
            ("loss", method.loss().describe()),
        ];
        settings.extend(method.settings());
        settings.extend([
            ("metrics", metrics.join(", ")),
            ("stops", stops.join(", ")),
            ("plateau", format!("{}", self.state.plateau.is_some())),
            (
                "observers",
                format!("{} with a state", self.observer_states().len()),
            ),
        ]);
        settings
    }

    fn write_state(&self, record: &mut Writer) {
        let State {
            position,
            start,
            watches,
            plateau,
            last_cost,
            best,
            latest,
            left: _,
            data,
            history,
            spent: _,
            resumed: _,
            log: _,
        } = &self.state;
        let Position {
            epoch,
            batch,
            samples,
            cost,
            penalty,
            rate,
            gradient_norm,
            seconds,
            step,
        } = *position;
        [epoch, batch, samples]
            .into_iter()
            .for_each(|count| record.count(count));
        [cost, penalty, rate, gradient_norm, seconds]
            .into_iter()
            .for_each(|number| record.f64(number));
        record.u64(step);
        record.count(*start);
        for watch in watches {
            record.f64(watch.best);
            record.u64(watch.waited);
        }
        if let Some(plateau) = plateau {
            record.f64(plateau.best);
            record.u64(plateau.bad);
            record.u64(plateau.cooling);
            record.f64(plateau.multiplier);
        }
        record.option(*last_cost, Writer::f64);
        record.option(best.as_ref(), |record, best| {
            record.f64(best.value);
            record.numbers(&best.params);
        });
        record.option(latest.as_ref(), |record, latest| record.numbers(latest));
        record.option(data.as_ref(), |record, data| {
            [data.samples, data.features, data.outputs]
                .into_iter()
                .for_each(|count| record.count(count));
            record.u64(data.ends);
        });
        record.option(history.stopped.as_ref(), |record, stopped| {
            // The stops are counted first, then what methods say; nothing is an observer.
            let stops = &self.watcher.stops;
            let own = || Stopped::OWN.iter().position(|own| own == stopped);
            let index = match stopped {
                Stopped::By(stop) => stops.iter().position(|known| known == stop),
                _ => own().map(|own| stops.len() + own),
            };
            record.option(index, Writer::count);
        });
    }

    /// Reads a checkpoint and what lies beside it.
    fn load(
        &self,
        method: &dyn Method<T>,
        net: &Sequential<T>,
        path: &Path,
    ) -> Result<Saved<T>, Failed> {
        let place = path.display().to_string();
        let failed = |error| Failed {
            error,
            beside: None,
        };
        let (mut file, len) = file::open(path).map_err(failed)?;
        let mut bytes = file::take(path, &mut file, len.min(HEAD as u64)).map_err(failed)?;
        // Before memory is taken for the rest.
        Reader::check_head(&place, &bytes, len, MAGIC, VERSION).map_err(failed)?;
        bytes.append(&mut file::take(path, &mut file, len - HEAD as u64).map_err(failed)?);
        let (mut saved, part) = self.read(method, net, &place, &bytes).map_err(failed)?;
        let checkpoint = file::behind_links(path)
            .map_err(|e| failed(file::error(path, "a file that can be read", e)))?;
        let log = match part {
            None => Log::new(&checkpoint),
            Some(part) => {
                let (log, mut epochs) =
                    Log::read(&checkpoint, part.clone()).map_err(|error| Failed {
                        error,
                        beside: Some(Box::new(part)),
                    })?;
                epochs.append(&mut saved.state.history.epochs);
                saved.state.history.epochs = epochs;
                log
            }
        };
        saved.state.spent = saved
            .state
            .history
            .epochs
            .iter()
            .filter_map(|epoch| epoch.seconds)
            .sum();
        saved.state.log = Logbook(RefCell::new(Some(log)));
        Ok(saved)
    }

    /// Takes a checkpoint apart, which must be one of this trainer and this network.
    fn read(
        &self,
        method: &dyn Method<T>,
        net: &Sequential<T>,
        place: &str,
        bytes: &[u8],
    ) -> Result<(Saved<T>, Option<Part>)> {
        let mut record = Reader::open(place, bytes, MAGIC, VERSION)?;
        let part = record.option(Part::read)?;
        let settings = record.list(|record| Ok((record.text()?, record.text()?)))?;
        let known = self.settings(method, net);
        for ((name, mine), (saved_name, saved)) in known.iter().zip(&settings) {
            if name != saved_name {
                let (place, expected) = (
                    format!("settings of {place}"),
                    format!("those of a {}", method.name()),
                );
                let given = format!("a {saved_name} in place of a {name}: another way of training");
                return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
            }
            if mine != saved {
                let expected = format!("{saved}, as when it was saved");
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("{name} of {place}"),
                    expected,
                    mine,
                ));
            }
        }
        let count = net.params().len();
        let params = record.numbers()?;
        let memory = OptimizerState {
            rule: record.text()?,
            step: record.u64()?,
            slots: record.list(Reader::numbers)?,
            numbers: record.numbers()?,
            averaged: record.option(Reader::flag)?,
        };
        let mut state = self.read_state(&mut record)?;
        let observers = record.list(Reader::numbers)?;
        state.history.epochs = record.list(read_epoch)?;
        let whole = |numbers: Option<&Vec<T>>| numbers.is_none_or(|numbers| numbers.len() == count);
        let fits = settings.len() == known.len()
            && whole(Some(&params))
            && method.fits(&memory, count)
            && whole(state.best.as_ref().map(|best| &best.params))
            && whole(state.latest.as_ref())
            && observers.len() == self.observer_states().len();
        if !fits {
            return Err(record.error(
                format!("numbers for {count} parameters, as the settings say"),
                "others",
            ));
        }
        record.finish()?;
        Ok((
            Saved {
                params,
                memory,
                state,
                observers,
            },
            part,
        ))
    }

    fn read_state(&self, record: &mut Reader<'_>) -> Result<State<T>> {
        let position = Position {
            epoch: record.count()?,
            batch: record.count()?,
            samples: record.count()?,
            cost: record.f64()?,
            penalty: record.f64()?,
            rate: record.f64()?,
            gradient_norm: record.f64()?,
            seconds: record.f64()?,
            step: record.u64()?,
        };
        let start = record.count()?;
        let watch = |_| {
            Ok(Watch {
                best: record.f64()?,
                waited: record.u64()?,
            })
        };
        let watches = self
            .watcher
            .stops
            .iter()
            .map(watch)
            .collect::<Result<_>>()?;
        let plateau = match &self.state.plateau {
            None => None,
            Some(mine) => Some(ReduceOnPlateau {
                best: record.f64()?,
                bad: record.u64()?,
                cooling: record.u64()?,
                multiplier: record.f64()?,
                ..mine.clone()
            }),
        };
        let last_cost = record.option(Reader::f64)?;
        let best = record.option(|record| {
            Ok(Best {
                value: record.f64()?,
                params: record.numbers()?,
            })
        })?;
        let latest = record.option(Reader::numbers)?;
        let data = record.option(|record| {
            let samples = record.count()?;
            let features = record.count()?;
            let outputs = record.count()?;
            Ok(DataMark {
                samples,
                features,
                outputs,
                ends: record.u64()?,
            })
        })?;
        let stopped = record.option(|record| {
            let Some(index) = record.option(Reader::count)? else {
                return Ok(Stopped::ByObserver);
            };
            let stops = &self.watcher.stops;
            let stop = stops.get(index).cloned().map(Stopped::By);
            let own = || Stopped::OWN.get(index.checked_sub(stops.len())?).cloned();
            let reasons = stops.len() + Stopped::OWN.len();
            stop.or_else(own)
                .ok_or_else(|| record.error(format!("one of {reasons} reasons to stop"), index))
        })?;
        let history = History {
            stopped,
            ..History::default()
        };
        let log = Logbook::default();
        Ok(State {
            position,
            start,
            watches,
            plateau,
            last_cost,
            best,
            latest,
            left: None,
            data,
            history,
            spent: 0.0,
            resumed: true,
            log,
        })
    }
}

/// A checkpoint that could not be read, and the history beside it that it named, if it was sound
/// itself.
struct Failed {
    error: Error,
    beside: Option<Box<Part>>,
}

/// The history beside the checkpoint that is there now, by the beginning of the file.
fn named(path: &Path) -> Option<Part> {
    let (mut file, len) = file::open(path).ok()?;
    let head = file::take(path, &mut file, len.min(512)).ok()?;
    Reader::check_head("", &head, len, MAGIC, VERSION).ok()?;
    Reader::plain("", &head[HEAD..]).option(Part::read).ok()?
}

/// A stop as checkpoints describe it: what must be the same when training goes on.
fn describe(stop: &Stop) -> String {
    let monitored = |monitor: &Monitor| match monitor {
        Monitor::TrainingCost => String::from("cost"),
        Monitor::ValidationCost => String::from("validation"),
        Monitor::Highest(name) => format!("highest {name}"),
        Monitor::Lowest(name) => format!("lowest {name}"),
    };
    match stop {
        Stop::CostConverged { change } => format!("cost(change={change})"),
        Stop::WeightsConverged { change } => format!("weights(change={change})"),
        Stop::Target { monitor, value } => format!("target({}, value={value})", monitored(monitor)),
        Stop::EarlyStopping {
            monitor,
            patience,
            min_change,
        } => {
            format!(
                "patience({}, patience={patience}, min_change={min_change})",
                monitored(monitor)
            )
        }
        Stop::Time(time) => format!("time(seconds={})", time.as_secs_f64()),
    }
}
