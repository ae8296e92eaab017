//! The works, as `../works.json` names them.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    pub name: String,
    pub model: Network,
    pub mode: Mode,
    pub batch: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// Of a U-Net, channels of the first level.
    pub base: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Resnet50,
    Unet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Forward,
    Train,
}

/// A layer of one image.
#[derive(Debug, Clone, Deserialize)]
pub struct Convolution {
    pub name: String,
    pub transposed: bool,
    pub ci: usize,
    pub co: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Forward,
    BackwardData,
    BackwardWeight,
}

#[derive(Debug, Clone)]
pub enum Work {
    Model(Model),
    Convolution(Convolution, Part),
}

#[derive(Deserialize)]
struct Listed {
    models: Vec<Model>,
    convolutions: Vec<Convolution>,
}

/// The work of this name; the error names those there are.
pub fn find(name: &str) -> Result<Work, String> {
    let listed: Listed = serde_json::from_str(include_str!("../../works.json")).map_err(|error| error.to_string())?;
    let parts =
        [("forward", Part::Forward), ("backward_data", Part::BackwardData), ("backward_weight", Part::BackwardWeight)];
    let layers = listed.convolutions.into_iter().flat_map(|layer| {
        parts.map(|(part, kind)| (format!("{}.{part}", layer.name), Work::Convolution(layer.clone(), kind)))
    });
    let models = listed.models.into_iter().map(|model| (model.name.clone(), Work::Model(model)));
    let mut known = Vec::new();
    for (other, work) in models.chain(layers) {
        if other == name {
            return Ok(work);
        }
        known.push(other);
    }
    Err(format!("no work is called {name:?}, expected one of {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_are_found_by_name() {
        assert!(matches!(find("unet.train"), Ok(Work::Model(Model { mode: Mode::Train, base: Some(16), .. }))));
        let Ok(Work::Convolution(layer, part)) = find("up2x2-128-56.backward_weight") else { panic!("not found") };
        assert!(layer.transposed && layer.ci == 128 && part == Part::BackwardWeight);
        assert!(find("unet").unwrap_err().contains("conv3x3-64-56.forward"));
    }
}
