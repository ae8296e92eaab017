//! A trained U-Net at work: photographs to probability maps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::data::image::{GrayImage, RgbImage};
use crate::data::measure::region;
use crate::data::resize::{photo_tensor, resize_maps, within};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Value};
use crate::models::UNet;
use crate::models::weights::Weights;
use crate::plan::{Params, Plan, PlanOptions, PlannedCall};
use crate::tensor::Tensor;

use super::step::Normalisation;

/// The plans that a network has needed so far, by the number of images.
#[derive(Debug, Default)]
pub(super) struct Plans {
    options: PlanOptions,
    made: Mutex<HashMap<usize, Arc<Plan>>>,
}

impl Plans {
    pub(super) fn new(options: PlanOptions) -> Self {
        Self { options, made: Mutex::default() }
    }

    /// The plan for `n` images; `build` gives its graph and outputs at its first use.
    pub(super) fn get(
        &self,
        gpu: &Gpu,
        n: usize,
        build: impl FnOnce() -> Result<(Graph, Vec<Value>)>,
    ) -> Result<Arc<Plan>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = made.get(&n) {
            return Ok(Arc::clone(plan));
        }
        let (graph, outputs) = build()?;
        let plan = Arc::new(Plan::new(gpu, &graph, &outputs, &self.options)?);
        made.insert(n, Arc::clone(&plan));
        Ok(plan)
    }
}

/// The longer side, in pixels, of the pictures that lesions are outlined and measured on.
pub const WORKING_SIDE: u32 = 1600;

/// A U-Net with its weights on a device, and the plans it has needed so far.
#[derive(Debug)]
pub struct Segmenter {
    gpu: Gpu,
    net: UNet,
    normalisation: Normalisation,
    size: [usize; 2],
    threshold: f32,
    params: Params,
    plans: Plans,
}

impl Segmenter {
    /// The U-Net that a weights file describes in its metadata.
    ///
    /// # Errors
    /// [`Error::Weights`] where the metadata names no U-Net, or tensors are missing or of another shape.
    pub fn new(gpu: &Gpu, weights: &Weights) -> Result<Self> {
        let net = UNet::from_weights(weights)?;
        let meta = weights.meta()?;
        let none = || weights.error("its metadata has no input size (nevus.input_size)");
        let (height, width) = meta.input_size.ok_or_else(none)?;
        let normalisation = Normalisation::of(weights)?;
        let graph = Self::graph(&net, &normalisation, [height, width], 1)?.0;
        let params = Params::upload(gpu, &graph, weights)?;
        let threshold = meta.threshold.unwrap_or(0.5);
        Ok(Self::with_params(gpu, net, normalisation, [height, width], params, threshold))
    }

    /// A U-Net whose parameters are on the device already, those of a training run for one.
    #[must_use]
    pub fn with_params(
        gpu: &Gpu,
        net: UNet,
        normalisation: Normalisation,
        size: [usize; 2],
        params: Params,
        threshold: f32,
    ) -> Self {
        Self { gpu: gpu.clone(), net, normalisation, size, threshold, params, plans: Plans::default() }
    }

    /// The same with plans made in another way: one that avoids versions which are wrong on the adapter, say.
    #[must_use]
    pub fn planned(self, options: PlanOptions) -> Self {
        Self { plans: Plans::new(options), ..self }
    }

    fn graph(net: &UNet, normalisation: &Normalisation, [h, w]: [usize; 2], n: usize) -> Result<(Graph, Value)> {
        let mut graph = Graph::new();
        let image = graph.input("image", [n, net.input, h, w])?;
        let normalised = graph.normalize(image, &normalisation.mean, &normalisation.std)?;
        let logits = net.build(&mut graph, normalised)?;
        Ok((graph, logits))
    }

    /// Height and width that photographs are resized to.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The probability from which a pixel counts as lesion, as the weights say; else 0.5.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &UNet {
        &self.net
    }

    /// The plan for `n` images, made at its first use.
    ///
    /// # Errors
    /// [`Error::Plan`] where the adapter cannot hold it.
    pub fn plan(&self, n: usize) -> Result<Arc<Plan>> {
        let build = || Self::graph(&self.net, &self.normalisation, self.size, n).map(|(graph, out)| (graph, vec![out]));
        self.plans.get(&self.gpu, n, build)
    }

    /// The calls of a plan for `n` images.
    ///
    /// # Errors
    /// [`Error::Plan`] where no version of a kernel runs on the adapter.
    pub fn calls(&self, n: usize, options: &PlanOptions) -> Result<Vec<PlannedCall>> {
        let (graph, logits) = Self::graph(&self.net, &self.normalisation, self.size, n)?;
        PlannedCall::all(&graph, &[logits], options, self.gpu.caps())
    }

    /// Logits (n, 1, h, w) of images (n, 3, h, w) with values from 0 to 1, at the network's own size.
    ///
    /// # Errors
    /// [`Error::Shape`] for another size; [`Error::DeviceLost`], [`Error::OutOfMemory`].
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let n = images.shape().first().copied().unwrap_or(0);
        let mut outputs = self.plan(n)?.run(&self.params, &[("image", images)])?;
        outputs.pop().ok_or_else(|| Error::Mismatch("the plan gave no output".into()))
    }

    /// Probabilities (1, 1, H, W) at a photograph's own size: its logits are enlarged, then taken through the sigmoid.
    ///
    /// # Errors
    /// As [`Segmenter::logits`].
    pub fn probabilities(&self, photo: &RgbImage) -> Result<Tensor> {
        let [h, w] = self.size;
        let logits = self.logits(&photo_tensor(photo, h, w)?)?;
        let mut map = resize_maps(&logits, photo.height() as usize, photo.width() as usize)?;
        for value in map.data_mut() {
            *value = 1.0 / (1.0 + (-*value).exp());
        }
        Ok(map)
    }

    /// The mask (0, and 255 for the lesion) of a photograph at its own size and at the weights' threshold.
    ///
    /// # Errors
    /// As [`Segmenter::logits`].
    pub fn mask(&self, photo: &RgbImage) -> Result<GrayImage> {
        let probabilities = self.probabilities(photo)?;
        Ok(mask_at(probabilities.data().iter().copied(), photo.dimensions(), self.threshold))
    }

    /// The mask of the lesion alone, by which a classifier's crop is cut: the largest region of [`Segmenter::mask`], its
    /// holes filled; empty where there is none. A photograph beyond [`WORKING_SIDE`] is outlined on a smaller copy, and
    /// the mask has that copy's size.
    ///
    /// # Errors
    /// As [`Segmenter::logits`].
    pub fn lesion(&self, photo: &RgbImage) -> Result<GrayImage> {
        let working = within(photo, WORKING_SIDE)?;
        let empty = || GrayImage::new(working.width(), working.height());
        Ok(region(&self.mask(&working)?).map_or_else(empty, |found| found.mask))
    }
}

/// The mask (0, and 255 from `threshold` up) of a width's and height's probabilities, row by row.
#[must_use]
pub fn mask_at(probabilities: impl IntoIterator<Item = f32>, (width, height): (u32, u32), threshold: f32) -> GrayImage {
    let mut mask = GrayImage::new(width, height);
    for (pixel, p) in mask.iter_mut().zip(probabilities) {
        *pixel = if p >= threshold { 255 } else { 0 };
    }
    mask
}
