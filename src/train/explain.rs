//! Where a classifier looked: Grad-CAM (Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM, ICCV 2017).
//!
//! Of a layer's activations A (c, h, w) and a class's logit y, every channel weighs as much as its gradient's mean,
//! α_c = 1/(h·w) · Σ over y, x of ∂y/∂A\[c, y, x\], and the map is max(0, Σ over c of α_c · A_c): the places that speak
//! for the class. The gradient is the engine's own, appended to the graph of the forward pass, so that one plan gives
//! the logits and the map.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Op, Value};
use crate::ops::conv2d::Conv2d;
use crate::ops::pointwise::Add;
use crate::plan::{Params, Plan, PlanOptions, Precision};
use crate::tensor::Tensor;

use super::Classifier;

/// What the layer's plan is given besides the image: 1 at the class, 0 elsewhere.
const CLASS: &str = "class";

/// The layers of a graph whose activations are images and on which `logits` may depend, in the order of the data.
#[must_use]
pub fn layers(graph: &Graph) -> Vec<String> {
    let images = graph.nodes().iter().filter(|node| node.outputs.iter().any(|&value| graph.shape(value).len() == 4));
    let mut names: Vec<String> = Vec::new();
    for node in images {
        // A block is a layer as are its parts: `layer4.2.conv1` also counts for `layer4.2` and `layer4`.
        for (end, _) in node.name.match_indices('.').chain([(node.name.len(), "")]) {
            let name = &node.name[..end];
            if !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The activation of a layer: what the last node gives whose name is `layer` or begins with it, as `layer4` or
/// `layer4.2.conv1`.
///
/// # Errors
/// [`Error::Name`] where there is none, with the names that there are.
pub fn activation(graph: &Graph, layer: &str) -> Result<Value> {
    let within = |name: &str| name.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let nodes = graph.nodes().iter().rev().filter(|node| within(&node.name));
    let mut images = nodes.filter_map(|node| node.outputs.first()).filter(|&&value| graph.shape(value).len() == 4);
    images.next().copied().ok_or_else(|| Error::Name {
        what: "layer",
        name: layer.into(),
        message: format!("the network has no such layer of images; it has {}", layers(graph).join(", ")),
    })
}

/// Appends Grad-CAM to a graph: the map (1, 1, h, w) of a layer's `activation` (1, c, h, w) for the class whose place in
/// `class`, of the shape of `logits`, is 1.
///
/// # Errors
/// [`Error::Shape`] for another batch than one image or a class of another shape, [`Error::Parameter`] where the logits
/// do not depend on the activation.
pub fn grad_cam(graph: &mut Graph, logits: Value, activation: Value, class: Value) -> Result<Value> {
    let shape = graph.shape(activation).to_vec();
    if !matches!(shape.as_slice(), [1, _, _, _]) {
        return Err(Error::shape("grad_cam", "activation", "(1, c, h, w)", &shape));
    }
    let gradients = graph.gradients_from(&[(logits, class)], &[activation], &(Arc::new(Add) as Arc<dyn Op>))?;
    let gradient = gradients.into_iter().flatten().next();
    let gradient = gradient
        .ok_or_else(|| Error::parameter("grad_cam", "the logits do not depend on this layer (hint: an earlier one)"))?;
    graph.scoped("grad_cam", |graph| {
        let weights = graph.global_avg_pool2d(gradient)?;
        // (1, c, 1, 1) is also the shape of a 1×1 convolution's weight from c channels to one: their weighted sum.
        let sum = graph.conv2d(Conv2d::padded(0), activation, weights, None)?;
        graph.relu(sum)
    })
}

/// A network's plan that gives logits, features and a map.
#[derive(Debug)]
pub struct GradCam {
    plan: Plan,
    layer: String,
    logits: Vec<usize>,
}

/// What one run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The map (1, 1, h, w), at the layer's size, 0 and up.
    pub map: Tensor,
    /// The logits.
    pub logits: Tensor,
    /// The features.
    pub features: Tensor,
}

impl GradCam {
    /// Plans Grad-CAM for one layer of a network for inference on one image, its input being `image`.
    ///
    /// # Errors
    /// [`Error::Name`] where it has no such layer, [`Error::Plan`] where the adapter cannot hold it; as [`grad_cam`].
    pub fn new(
        gpu: &Gpu,
        mut graph: Graph,
        (logits, features): (Value, Value),
        layer: &str,
        options: &PlanOptions,
    ) -> Result<Self> {
        let activation = activation(&graph, layer)?;
        let shape = graph.shape(logits).to_vec();
        let class = graph.input(CLASS, shape.clone())?;
        let map = grad_cam(&mut graph, logits, activation, class)?;
        // A gradient is lost in 16 bits.
        let options = PlanOptions { precision: Precision::F32, ..options.clone() };
        let plan = Plan::new(gpu, &graph, &[map, logits, features], &options)?;
        Ok(Self { plan, layer: layer.into(), logits: shape })
    }

    /// Plans Grad-CAM for one layer of a classifier; [`GradCam::run`] takes the classifier's own parameters.
    ///
    /// # Errors
    /// As [`GradCam::new`].
    pub fn of(gpu: &Gpu, classifier: &Classifier, layer: &str, options: &PlanOptions) -> Result<Self> {
        let (graph, outputs) = classifier.options().outputs(1)?;
        Self::new(gpu, graph, (outputs.logits, outputs.features), layer, options)
    }

    /// The layer.
    #[must_use]
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// The map of an image for a class, given as the place of its logit.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a class that is not there; those of [`Plan::run`].
    pub fn run(&self, params: &Params, image: &Tensor, class: usize) -> Result<Explained> {
        let mut chosen = Tensor::zeros(self.logits.clone());
        let count = chosen.len();
        let Some(place) = chosen.data_mut().get_mut(class) else {
            return Err(Error::parameter("grad_cam", format!("class {class}, expected one of {count}")));
        };
        *place = 1.0;
        let outputs = self.plan.run(params, &[("image", image), (CLASS, &chosen)])?;
        let [map, logits, features] = <[Tensor; 3]>::try_from(outputs)
            .map_err(|outputs| Error::Mismatch(format!("the plan gave {} outputs, expected 3", outputs.len())))?;
        Ok(Explained { map, logits, features })
    }
}
