//! What a training run says while it goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::Context;
use crate::error::Result;
use crate::train::MetricsTable;
use crate::train::event::{Ended, Event};

/// How a run ended, in words.
pub(super) fn how(ended: Ended) -> &'static str {
    match ended {
        Ended::Finished => "finished",
        Ended::Stopped => "stopped early",
        Ended::Paused => "paused; --resume goes on",
    }
}

/// How many photographs could not be read, in words; nothing for none.
pub(super) fn not_read(unreadable: usize) -> String {
    match unreadable {
        0 => String::new(),
        1 => "; 1 photograph could not be read, see the warning".into(),
        many => format!("; {many} photographs could not be read, see the warnings"),
    }
}

/// The highest figure that a run's table has in a column, after its epoch; `None` before the first epoch's end.
pub(super) fn highest(run: &Path, column: &str) -> Result<Option<(u64, f64)>> {
    let (columns, rows) = MetricsTable::read(run.join("metrics.csv"))?;
    let at = columns.iter().position(|known| known == column).unwrap_or(usize::MAX);
    let figures = rows.iter().filter_map(|row| Some((row.epoch, row.values.get(at).copied().flatten()?)));
    Ok(figures.max_by(|a, b| a.1.total_cmp(&b.1)))
}

/// A progress bar, and a line now and then where there is no terminal to draw one on.
pub(super) struct Progress<'a> {
    context: &'a Context,
    bar: ProgressBar,
    batch: usize,
    steps: u64,
    flops: u64,
    first: Option<Instant>,
    told: Option<Instant>,
    /// When a measure in progress began, or last said how far it is.
    measuring: Option<Instant>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(context: &'a Context, batch: usize) -> Self {
        let bar = context.progress("training", 0);
        Self { context, bar, batch, steps: 0, flops: 0, first: None, told: None, measuring: None }
    }

    /// Says what happens; `line` tells an epoch's figures.
    pub(super) fn tell<V>(&mut self, event: &Event<'_, V>, line: impl FnOnce(&V) -> String) {
        match *event {
            Event::Start { parameters, memory, flops, steps, from } => {
                (self.flops, self.steps) = (flops, steps);
                self.say(&format!(
                    "{parameters} parameters; a step is {:.1} GFLOP and takes {memory}; {steps} steps an epoch; from step {from}",
                    flops as f64 / 1e9
                ));
                self.bar.set_length(steps);
            }
            Event::Step { epoch, done, step, loss, norm, images_per_second } => {
                self.bar.set_length(self.steps);
                self.bar.set_position(done);
                self.bar.set_message(format!("epoch {epoch} loss {loss:.4} {images_per_second:.1} images/s"));
                let first = *self.first.get_or_insert_with(Instant::now);
                // The first figure early, so that the length of the run is known; then, without a terminal, now and
                // then.
                let early = self.told.is_none() && first.elapsed() > Duration::from_secs(10);
                let again = self.told.is_some_and(|told| told.elapsed() > Duration::from_secs(30));
                if early || (again && self.bar.is_hidden()) {
                    self.told = Some(Instant::now());
                    let rate = images_per_second / self.batch as f64;
                    self.say(&format!(
                        "epoch {epoch} step {step} ({done}/{}): loss {loss:.4}, norm {norm:.3}, \
                         {images_per_second:.1} images/s, {:.1} GFLOP/s, {:.1} min an epoch",
                        self.steps,
                        self.flops as f64 * rate / 1e9,
                        self.steps as f64 / rate / 60.0
                    ));
                }
            }
            Event::Validation { epoch, done, of } => {
                self.bar.set_length(of as u64);
                self.bar.set_position(done as u64);
                self.bar.set_message(format!("epoch {epoch} validation"));
                let since = self.measuring.filter(|_| done > 0).map(|since| since.elapsed());
                let long = since.is_some_and(|since| since > Duration::from_secs(30));
                if done == 0 || long {
                    self.measuring = Some(Instant::now());
                }
                if long && self.bar.is_hidden() {
                    self.say(&format!("epoch {epoch} validation: {done} of {of} images"));
                }
            }
            Event::Epoch { epoch, loss, val, improved } => {
                let mark = if improved { ", best so far" } else { "" };
                self.say(&format!("epoch {epoch}: loss {loss:.4}, {}{mark}", line(val)));
            }
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| self.context.say(line));
    }
}
