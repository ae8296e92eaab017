//! The running statistics of a training graph's batch norms: who moves them, and when.

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::batch_norm2d::BatchNorm2d;

/// The norms of a training graph and what their running statistics become. A batch that is run in parts moves them by
/// every part, in order, as separate batches would.
#[derive(Debug, Default)]
pub struct RunningStatistics {
    norms: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    /// The parameters: mean and variance.
    kept: [Value; 2],
    /// What they become.
    new: [Value; 2],
}

impl RunningStatistics {
    /// No norm yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of norms whose statistics move.
    #[must_use]
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Whether no norm's statistics move.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.norms.is_empty()
    }

    /// Normalises x (n, c, h, w) by the batch's own statistics, with weight, bias, running mean and running variance (c),
    /// and remembers what the running ones become.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where the shapes do not go together or a channel has fewer than two values.
    pub fn batch_norm2d(&mut self, graph: &mut Graph, x: Value, of_channels: [Value; 4]) -> Result<Value> {
        let [weight, bias, mean, variance] = of_channels;
        let known = self.norms.iter().position(|norm| norm.kept == [mean, variance]);
        let [from_mean, from_variance] = known.map_or([mean, variance], |at| self.norms[at].new);
        let op = BatchNorm2d { training: true, ..BatchNorm2d::default() };
        let outputs = graph.batch_norm2d(op, x, [weight, bias, from_mean, from_variance])?;
        let new = [outputs[1], outputs[2]];
        match known {
            Some(at) => self.norms[at].new = new,
            None => self.norms.push(Running { kept: [mean, variance], new }),
        }
        Ok(outputs[0])
    }

    /// Appends the update of every norm's running statistics, which `control` \[4\] (see
    /// [`GradNorm`](crate::ops::clip_grad_norm::GradNorm)) calls off where the step is not finite.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for another control.
    pub fn update(&self, graph: &mut Graph, control: Value) -> Result<()> {
        self.norms.iter().try_for_each(|norm| graph.update_running(norm.kept, norm.new, control))
    }
}
