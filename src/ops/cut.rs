//! Calls cut along the channels of their images, where one sample alone passes the adapter's limit. A run of channels is
//! a call of its own on ranges, as plans make them of joined values.

use std::ops::Range;

use crate::error::Result;

use super::call::SLACK;
use super::{Call, Lowered, Operand, Slot};

impl Operand {
    /// The channels `channels` of an image, from a multiple of four on.
    #[must_use]
    pub fn channels(&self, channels: &Range<usize>) -> Self {
        let (all, first) = self.within.unwrap_or((self.shape[1], 0));
        let mut shape = self.shape.clone();
        shape[1] = channels.len();
        Self { shape, layout: self.layout, within: Some((all, first + channels.start)) }
    }

    fn image(&self) -> bool {
        self.layout.is_image() && self.shape.len() == 4
    }
}

impl Call<'_> {
    /// The channels of the images `slots`, all of one number, in runs of which one sample can be bound: multiples of
    /// `step` channels, but for the last.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) where not even one sample of `step` channels can be bound.
    pub fn channel_runs(&self, slots: &[Slot], step: usize) -> Result<Vec<Range<usize>>> {
        let limit = usize::try_from(self.caps.max_binding / 4).unwrap_or(usize::MAX);
        let channels = self.operand(slots[0]).shape[1];
        let mut most = channels;
        for operand in slots.iter().map(|&slot| self.operand(slot)) {
            if operand.floats() > limit && operand.span() > limit {
                let (plane, per_float) = (operand.shape[2] * operand.shape[3], operand.layout.per_float());
                self.check((step.min(channels.next_multiple_of(4)) * plane).div_ceil(per_float) + SLACK)?;
                most = most.min((limit / 4 * 4 - SLACK) * per_float / plane / step * step);
            }
        }
        Ok((0..channels).step_by(most.max(1)).map(|at| at..(at + most).min(channels)).collect())
    }

    /// Lowers `part`, the same call on some channels of the images `slots`.
    ///
    /// # Errors
    /// Those of `lower`.
    pub fn on_channels<T>(
        &self,
        slots: &[Slot],
        part: &Range<usize>,
        lower: impl FnOnce(&Call<'_>) -> Result<T>,
    ) -> Result<T> {
        let cut = |operands: &[Operand], slot: fn(usize) -> Slot| -> Vec<Operand> {
            let ranged = |(at, operand): (usize, &Operand)| match slots.contains(&slot(at)) {
                true => operand.channels(part),
                false => operand.clone(),
            };
            operands.iter().enumerate().map(ranged).collect()
        };
        let (inputs, outputs) = (cut(self.inputs, Slot::Input), cut(self.outputs, Slot::Output));
        lower(&Call { inputs: &inputs, outputs: &outputs, ..*self })
    }
}

/// Calls `visit` for every run of channels of the images `slots`, and of samples, that the adapter can bind at once: with
/// the call on those channels, the channels, and the samples.
///
/// # Errors
/// [`Error::Plan`](crate::Error::Plan) where one sample of four channels passes the adapter's limit; those of `visit`.
pub fn each_part(
    call: &Call<'_>,
    slots: &[Slot],
    mut visit: impl FnMut(&Call<'_>, &Range<usize>, &Range<usize>) -> Result<()>,
) -> Result<()> {
    for channels in call.channel_runs(slots, 4)? {
        call.on_channels(slots, &channels, |part| {
            part.batches(slots)?.iter().try_for_each(|batch| visit(part, &channels, batch))
        })?;
    }
    Ok(())
}

/// Lowers a kernel that treats every channel of its images alike and by itself.
///
/// # Errors
/// [`Error::Plan`](crate::Error::Plan) where one sample of four channels passes the adapter's limit; those of `lower`.
pub fn by_channels(call: &Call<'_>, lower: impl Fn(&Call<'_>) -> Result<Lowered>) -> Result<Lowered> {
    let inputs = (0..call.inputs.len()).map(Slot::Input);
    let slots: Vec<Slot> = inputs.chain((0..call.outputs.len()).map(Slot::Output)).collect();
    let images: Vec<Slot> = slots.into_iter().filter(|&slot| call.operand(slot).image()).collect();
    let Some(&first) = images.first() else { return lower(call) };
    if images.iter().any(|&slot| call.operand(slot).shape[1] != call.operand(first).shape[1]) {
        return lower(call);
    }
    by_channels_of(call, &images, lower)
}

/// [`by_channels`] for the images `images`, row-major ones too.
///
/// # Errors
/// As [`by_channels`].
pub fn by_channels_of(
    call: &Call<'_>,
    images: &[Slot],
    lower: impl Fn(&Call<'_>) -> Result<Lowered>,
) -> Result<Lowered> {
    let runs = call.channel_runs(images, 4)?;
    if let [_] = runs.as_slice() {
        return lower(call);
    }
    let mut all = Lowered::default();
    for run in &runs {
        let lowered = call.on_channels(images, run, &lower)?;
        all.launches.extend(lowered.launches);
        // The runs follow each other, so they can share their workspaces.
        all.workspaces.resize(all.workspaces.len().max(lowered.workspaces.len()), 0);
        for (own, floats) in all.workspaces.iter_mut().zip(lowered.workspaces) {
            *own = floats.max(*own);
        }
    }
    Ok(all)
}
