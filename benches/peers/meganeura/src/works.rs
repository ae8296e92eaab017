//! The works as meganeura's graphs: tensors are flat, in NCHW.

use meganeura::models::resnet;
use meganeura::{Graph, NodeId};
use peer_talk::{Convolution, Mode, Model, Network, Part, Refusal, Work};

/// A work as a graph.
pub struct Asked {
    pub graph: Graph,
    /// Names and lengths.
    pub parameters: Vec<(String, usize)>,
    /// Numbers of the photographs that a run brings; none where all operands stay on the device.
    pub image: Option<usize>,
    /// The result's shape.
    pub output: Vec<usize>,
}

/// The graph of a work, or why meganeura has none.
pub fn asked(work: Work) -> Result<Asked, Refusal> {
    let (mut graph, result, image, output) = match work {
        Work::Model(model) => network(&model)?,
        Work::Convolution(layer, _) if layer.transposed => {
            return Err(Refusal::Unsupported("meganeura has no transposed convolution".into()));
        }
        Work::Convolution(layer, part) => convolution(&layer, part)?,
    };
    graph.set_outputs(vec![result]);
    let parameters = graph.nodes().iter().filter_map(|node| match &node.op {
        meganeura::graph::Op::Parameter { name } => Some((name.clone(), node.ty.num_elements())),
        _ => None,
    });
    Ok(Asked { parameters: parameters.collect(), graph, image, output })
}

type Built = (Graph, NodeId, Option<usize>, Vec<usize>);

/// Batch norm is folded into the weights, as meganeura's own example has it.
fn network(model: &Model) -> Result<Built, Refusal> {
    match (model.model, model.mode) {
        (Network::Unet, _) => Err(Refusal::Unsupported("meganeura has no transposed convolution".into())),
        (Network::Resnet50, Mode::Train) => Err(Refusal::Unsupported("meganeura has no batch norm to train".into())),
        (Network::Resnet50, Mode::Forward) if model.size != [224, 224] => {
            Err(Refusal::Unsupported("meganeura's ResNet-50 takes 224×224".into()))
        }
        (Network::Resnet50, Mode::Forward) => {
            let mut graph = Graph::new();
            let logits = resnet::build_resnet50(&mut graph, number(model.batch)?);
            Ok((graph, logits, Some(model.batch * 3 * 224 * 224), vec![model.batch, 1000]))
        }
    }
}

fn convolution(layer: &Convolution, part: Part) -> Result<Built, Refusal> {
    let [h, w] = layer.size;
    let out = layer.size.map(|size| (size + 2 * layer.padding - layer.kernel) / layer.stride + 1);
    let (ci, co) = (number(layer.ci)?, number(layer.co)?);
    let (height, width) = (number(h)?, number(w)?);
    let (k, s, p) = (number(layer.kernel)?, number(layer.stride)?, number(layer.padding)?);
    let mut graph = Graph::new();
    let x = |graph: &mut Graph| graph.parameter("x", &[layer.ci * h * w]);
    let weight = |graph: &mut Graph| graph.parameter("weight", &[layer.co * layer.ci * layer.kernel * layer.kernel]);
    let grad = |graph: &mut Graph| graph.parameter("grad", &[layer.co * out[0] * out[1]]);
    let (result, output) = match part {
        Part::Forward => {
            let (x, weight) = (x(&mut graph), weight(&mut graph));
            let bias = graph.parameter("bias", &[layer.co]);
            let y = graph.conv2d(x, weight, 1, ci, height, width, co, k, k, s, p);
            let pixels = number(out[0] * out[1])?;
            (graph.add_per_channel(y, bias, co, pixels), vec![1, layer.co, out[0], out[1]])
        }
        Part::BackwardData => {
            let (grad, weight) = (grad(&mut graph), weight(&mut graph));
            let result = graph.conv2d_grad_input(grad, weight, 1, ci, height, width, co, k, k, s, p, p);
            (result, vec![1, layer.ci, h, w])
        }
        Part::BackwardWeight => {
            let (grad, x) = (grad(&mut graph), x(&mut graph));
            let result = graph.conv2d_grad_weight(grad, x, ci, height, width, co, k, k, s, p, p);
            (result, vec![layer.co, layer.ci, layer.kernel, layer.kernel])
        }
    };
    Ok((graph, result, None, output))
}

fn number(value: usize) -> Result<u32, String> {
    u32::try_from(value).map_err(|error| error.to_string())
}
