//! A trained ResNet at work: photographs to logits of classes.

use std::sync::Arc;

use crate::data::augment::Picture;
use crate::data::image::{GrayImage, RgbImage};
use crate::data::{Classes, Labelled, LoaderOptions, OnUnreadable, Source, Unreadable, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Value};
use crate::models::ResNet;
use crate::models::resnet::ResNetOutputs;
use crate::models::weights::Weights;
use crate::plan::{Params, Plan, PlanOptions, PlannedCall};
use crate::tensor::Tensor;

use super::classification::{Calibration, ClassificationMeter, Predicted};
use super::predict::Plans;
use super::step::Normalisation;

/// How many mirrored copies of a photograph a classifier is shown; their probabilities are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ways {
    /// The photograph alone.
    #[default]
    One,
    /// Also mirrored left to right.
    Two,
    /// Also mirrored top to bottom, and both.
    Four,
}

impl Ways {
    /// Whether to mirror (left to right, top to bottom), copy by copy.
    #[must_use]
    pub const fn flips(self) -> &'static [[bool; 2]] {
        const ALL: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];
        match self {
            Self::One => ALL.split_at(1).0,
            Self::Two => ALL.split_at(2).0,
            Self::Four => &ALL,
        }
    }
}

/// What tells one classifier from another besides its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierOptions {
    /// The network.
    pub net: ResNet,
    /// What it tells apart, in the order of its logits.
    pub classes: Classes,
    /// Mean and deviation that images are normalised with.
    pub normalisation: Normalisation,
    /// Height and width of its input.
    pub size: [usize; 2],
    /// What of a photograph it is shown.
    pub view: View,
    /// How its logits become probabilities, and these a class.
    pub calibration: Calibration,
}

/// A ResNet with its weights on a device, and the plans it has needed so far.
#[derive(Debug)]
pub struct Classifier {
    gpu: Gpu,
    options: ClassifierOptions,
    params: Params,
    plans: Plans,
}

impl Classifier {
    /// The classifier that a weights file describes in its metadata.
    ///
    /// # Errors
    /// [`Error::Weights`] where the metadata names no ResNet, classes or input size, or tensors are missing or of another
    /// shape.
    pub fn new(gpu: &Gpu, weights: &Weights) -> Result<Self> {
        let options = ClassifierOptions::of(weights)?;
        let graph = options.graph(1)?.0;
        let params = Params::upload(gpu, &graph, weights)?;
        Ok(Self::with_params(gpu, options, params))
    }

    /// A classifier whose parameters are on the device already, those of a training run for one.
    #[must_use]
    pub fn with_params(gpu: &Gpu, options: ClassifierOptions, params: Params) -> Self {
        Self { gpu: gpu.clone(), options, params, plans: Plans::default() }
    }

    /// The same with plans made in another way: one that avoids versions which are wrong on the adapter, say.
    #[must_use]
    pub fn planned(self, options: PlanOptions) -> Self {
        Self { plans: Plans::new(options), ..self }
    }

    /// The same shown another part of photographs.
    #[must_use]
    pub fn showing(mut self, view: View) -> Self {
        self.options.view = view;
        self
    }

    /// What it is.
    #[must_use]
    pub fn options(&self) -> &ClassifierOptions {
        &self.options
    }

    /// What it tells apart.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.options.classes
    }

    /// The plan for `n` images, made at its first use.
    ///
    /// # Errors
    /// [`Error::Plan`] where the adapter cannot hold it.
    pub fn plan(&self, n: usize) -> Result<Arc<Plan>> {
        self.plans.get(&self.gpu, n, || self.options.graph(n).map(|(graph, logits)| (graph, vec![logits])))
    }

    /// Logits (n, classes) of images (n, 3, h, w) with values from 0 to 1, at the network's own size.
    ///
    /// # Errors
    /// [`Error::Shape`] for another size; [`Error::DeviceLost`], [`Error::OutOfMemory`].
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let n = images.shape().first().copied().unwrap_or(0);
        let mut outputs = self.plan(n)?.run(&self.params, &[("image", images)])?;
        outputs.pop().ok_or_else(|| Error::Mismatch("the plan gave no output".into()))
    }

    /// For each image (n, 3, h, w) the logits of every way in which it is shown.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub fn logits_of_ways(&self, images: &Tensor, ways: Ways) -> Result<Vec<Vec<Vec<f32>>>> {
        let n = images.shape().first().copied().unwrap_or(0);
        let mut all = vec![Vec::with_capacity(ways.flips().len()); n];
        for &flips in ways.flips() {
            let logits = self.logits(&mirrored(images, flips))?;
            for (of_image, row) in all.iter_mut().zip(logits.data().chunks(self.options.classes.len())) {
                of_image.push(row.to_vec());
            }
        }
        Ok(all)
    }

    /// A photograph as the network sees it: shape (1, 3, h, w). Views other than the whole need its mask.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the mask is missing or of other proportions.
    pub fn input(&self, photo: &RgbImage, mask: Option<&GrayImage>) -> Result<Tensor> {
        let [height, width] = self.options.size;
        Ok(self.shown(self.options.view, photo, mask)?.resized(height, width)?.tensor())
    }

    /// The part of a photograph that a view shows to this network, at the photograph's own resolution.
    ///
    /// # Errors
    /// As [`Classifier::input`].
    pub fn shown(&self, view: View, photo: &RgbImage, mask: Option<&GrayImage>) -> Result<Picture> {
        let [height, width] = self.options.size;
        if view.needs_mask() && mask.is_none() {
            return Err(Error::parameter("classify", format!("the view \"{}\" needs a mask", view.name())));
        }
        Ok(view.of(Picture::new(photo, mask)?, (height, width)))
    }

    /// Its parameters on the device.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The calibrated probability of every class for a photograph.
    ///
    /// # Errors
    /// As [`Classifier::input`] and [`Classifier::logits`].
    pub fn probabilities(&self, photo: &RgbImage, mask: Option<&GrayImage>, ways: Ways) -> Result<Vec<f64>> {
        let logits = self.logits_of_ways(&self.input(photo, mask)?, ways)?;
        Ok(self.options.calibration.probabilities(logits.first().map_or(&[], Vec::as_slice)))
    }

    /// Shows it `labelled` (whose classes are its own) in batches of at most `batch`. `progress` is told the images
    /// done; where it says `false` the work ends.
    ///
    /// # Errors
    /// [`Error::Image`] that names the file, [`Error::Data`] where a mask is needed and missing, [`Error::Cancelled`],
    /// errors of the device.
    pub fn measure(
        &self,
        labelled: &Labelled,
        view: View,
        ways: Ways,
        batch: usize,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<ClassificationMeter> {
        self.measured(labelled, view, ways, batch, OnUnreadable::Refuse, progress).map(|(meter, _)| meter)
    }

    /// As [`Classifier::measure`], but a photograph or mask that cannot be read is left out, and named beside the
    /// measure of the others.
    ///
    /// # Errors
    /// As [`Classifier::measure`], but for those files.
    pub fn measure_readable(
        &self,
        labelled: &Labelled,
        view: View,
        ways: Ways,
        batch: usize,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(ClassificationMeter, Vec<Unreadable>)> {
        self.measured(labelled, view, ways, batch, OnUnreadable::Skip, progress)
    }

    fn measured(
        &self,
        labelled: &Labelled,
        view: View,
        ways: Ways,
        batch: usize,
        on_unreadable: OnUnreadable,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(ClassificationMeter, Vec<Unreadable>)> {
        let [height, width] = self.options.size;
        let batch = batch.min(labelled.samples.len()).max(1);
        let options = LoaderOptions::evaluation(height, width, batch);
        let options = LoaderOptions { need_masks: false, cache_bytes: 0, on_unreadable, view, ..options };
        let source = Source::labelled(unmasked(labelled, view), options)?;
        let mut meter = ClassificationMeter::new(self.options.classes.clone());
        let mut unreadable = Vec::new();
        for loaded in source.epoch(0, 0)? {
            let loaded = loaded?;
            unreadable.extend(loaded.unreadable);
            if loaded.indices.is_empty() {
                continue;
            }
            let logits = self.logits_of_ways(&loaded.images, ways)?;
            for ((&index, &label), logits) in loaded.indices.iter().zip(&loaded.classes).zip(logits) {
                let sample = &labelled.samples[index];
                let lesion = sample.lesion.clone().unwrap_or_else(|| sample.id.clone());
                meter.add(Predicted { name: sample.id.clone(), lesion, label, logits })?;
            }
            if !progress(meter.images().len() + unreadable.len()) {
                return Err(Error::Cancelled);
            }
        }
        Ok((meter, unreadable))
    }
}

impl ClassifierOptions {
    /// What a weights file's metadata say.
    ///
    /// # Errors
    /// [`Error::Weights`] where they name no ResNet, classes or input size, or these contradict each other.
    pub fn of(weights: &Weights) -> Result<Self> {
        let meta = weights.meta()?;
        let calibration = Calibration::of(&meta);
        let net = ResNet::from_weights(weights)?;
        let none = |what: &str| weights.error(format!("its metadata has no {what}, so it is no trained classifier"));
        let (height, width) = meta.input_size.ok_or_else(|| none("input size (nevus.input_size)"))?;
        let names = meta.classes.ok_or_else(|| none("classes (nevus.classes)"))?;
        if names.len() != net.classes || net.input != 3 {
            let message =
                format!("it has {} classes and {} channels, expected {} and 3", net.classes, net.input, names.len());
            return Err(weights.error(message));
        }
        let classes = Classes::named(&names).map_err(|error| weights.error(error.to_string()))?;
        let view = meta.view.map(serde_json::from_value).transpose();
        let view: Option<View> = view.map_err(|error| weights.error(format!("metadata nevus.view: {error}")))?;
        let view = view.unwrap_or_default();
        view.validate().map_err(|error| weights.error(error.to_string()))?;
        calibration.check(classes.len()).map_err(|error| weights.error(error.to_string()))?;
        let normalisation = Normalisation::of(weights)?;
        Ok(Self { net, classes, normalisation, size: [height, width], view, calibration })
    }

    /// The calls of a plan for `n` images.
    ///
    /// # Errors
    /// [`Error::Plan`] where no version of a kernel runs on the adapter.
    pub fn calls(&self, gpu: &Gpu, n: usize, options: &PlanOptions) -> Result<Vec<PlannedCall>> {
        let (graph, logits) = self.graph(n)?;
        PlannedCall::all(&graph, &[logits], options, gpu.caps())
    }

    fn graph(&self, n: usize) -> Result<(Graph, Value)> {
        self.outputs(n).map(|(graph, outputs)| (graph, outputs.logits))
    }

    /// The network for `n` images (n, 3, h, w), its input `image`, with everything it gives.
    pub(super) fn outputs(&self, n: usize) -> Result<(Graph, ResNetOutputs)> {
        let [h, w] = self.size;
        let mut graph = Graph::new();
        let image = graph.input("image", [n, self.net.input, h, w])?;
        let normalised = graph.normalize(image, &self.normalisation.mean, &self.normalisation.std)?;
        let outputs = self.net.build_outputs(&mut graph, normalised)?;
        Ok((graph, outputs))
    }
}

/// Without the masks, where the view has no use for them: they would be read for nothing.
pub(super) fn unmasked(labelled: &Labelled, view: View) -> Labelled {
    let mut labelled = labelled.clone();
    if !view.needs_mask() {
        labelled.samples.iter_mut().for_each(|sample| sample.mask = None);
    }
    labelled
}

/// Images (n, c, h, w) mirrored left to right, top to bottom, or both.
fn mirrored(images: &Tensor, [across, down]: [bool; 2]) -> Tensor {
    let mut images = images.clone();
    let (h, w) = match *images.shape() {
        [.., h, w] => (h, w),
        _ => return images,
    };
    for plane in images.data_mut().chunks_exact_mut(h * w) {
        if across {
            plane.chunks_exact_mut(w).for_each(<[f32]>::reverse);
        }
        if down {
            for row in 0..h / 2 {
                let (above, below) = plane.split_at_mut((h - 1 - row) * w);
                above[row * w..(row + 1) * w].swap_with_slice(&mut below[..w]);
            }
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_by_hand() {
        let images = Tensor::new([1, 2, 3, 2], (1..=12u8).map(f32::from).collect()).unwrap();
        let flip = |flips| mirrored(&images, flips).into_data();
        assert_eq!(flip([false, false]), images.data());
        assert_eq!(flip([true, false])[..6], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
        assert_eq!(flip([false, true])[..6], [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
        assert_eq!(flip([true, true])[6..], [12.0, 11.0, 10.0, 9.0, 8.0, 7.0]);
        assert_eq!([Ways::One, Ways::Two, Ways::Four].map(|ways| ways.flips().len()), [1, 2, 4]);
    }
}
