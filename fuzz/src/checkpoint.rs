//! Checkpoints: resumed as a whole and trained on, or left as it was. After an odd first byte the
//! others are the file, after an even one they change a sound file: two bytes say where, one says
//! what stands there.

use chainrule::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;

fn net() -> Sequential<f64> {
    Sequential::builder(1)
        .layer(Dense::new(2, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

fn data() -> Dataset<f64> {
    Dataset::from_rows(&[0.0, 1.0, 2.0], 1, &[1.0, 2.0, 3.0], 1).expect("sound data")
}

fn trainer() -> Trainer<'static, f64> {
    Trainer::new(MeanSquaredError, Adam::new())
        .epochs(2)
        .batch_size(2)
        .stop(Stop::early_stopping(Monitor::TrainingCost, 3))
        .restore_best(Monitor::TrainingCost)
}

/// A file of this process alone.
fn path() -> PathBuf {
    std::env::temp_dir().join(format!("chainrule-fuzz-{}.checkpoint", std::process::id()))
}

fn sound() -> Vec<u8> {
    let (mut net, mut trainer) = (net(), trainer());
    trainer.fit(&mut net, &data()).expect("a sound run");
    trainer.save(&net, path()).expect("a checkpoint");
    std::fs::read(path()).expect("a checkpoint")
}

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(sound);

pub(crate) fn run(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let mut file = if how % 2 == 0 {
        SOUND.clone()
    } else {
        bytes.to_vec()
    };
    if how % 2 == 0 {
        for change in bytes.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
            file[at] = change[2];
        }
        let cut = if how % 4 == 0 {
            0
        } else {
            usize::from(how / 4)
        };
        file.truncate(file.len().saturating_sub(cut));
    }
    std::fs::write(path(), &file).expect("a file of its own");
    let (mut resumed, mut trainer) = (net(), trainer());
    match trainer.resume(&mut resumed, path()) {
        // Saved weights may be anything, and training on them may diverge.
        Ok(()) => drop(trainer.fit(&mut resumed, &data())),
        Err(_) => assert_eq!((resumed, trainer.epoch()), (net(), 0)),
    }
    let _ = std::fs::remove_file(path());
}
