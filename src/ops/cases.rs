//! Cases: a call of one kernel as data, used by tests, `nevus check` and the benchmarks.

use std::sync::Arc;

use crate::graph::Op;
use crate::tensor::Tensor;

/// How an input's values are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draw {
    /// Normal with this mean and deviation.
    Normal(f32, f32),
    /// Whole numbers from -3 to 3: sums of products stay exact in f32.
    Integers,
    /// Uniform between two numbers.
    Uniform(f32, f32),
    /// 0 or 1.
    Binary,
    /// Whole numbers from 0 to below this one: class indices.
    Classes(usize),
    /// Each row of the last dimension positive with sum 1.
    Probabilities,
}

/// An input of a case.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub draw: Draw,
}

impl Input {
    /// Standard normal values.
    #[must_use]
    pub fn normal(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), draw: Draw::Normal(0.0, 1.0) }
    }

    /// Values drawn otherwise.
    #[must_use]
    pub fn drawn(shape: impl Into<Vec<usize>>, draw: Draw) -> Self {
        Self { shape: shape.into(), draw }
    }

    /// The values of stream number `seed`.
    #[must_use]
    pub fn tensor(&self, seed: u64) -> Tensor {
        let mut random = Random(seed);
        let mut tensor = Tensor::zeros(self.shape.clone());
        for value in tensor.data_mut() {
            *value = match self.draw {
                Draw::Normal(mean, deviation) => mean + deviation * random.normal(),
                Draw::Integers => (random.below(7) as f32) - 3.0,
                Draw::Uniform(low, high) => low + (high - low) * random.unit(),
                Draw::Binary => random.below(2) as f32,
                Draw::Classes(count) => random.below(count as u64) as f32,
                Draw::Probabilities => 0.05 + random.unit(),
            };
        }
        if self.draw == Draw::Probabilities {
            let row = self.shape.last().copied().unwrap_or(1);
            for values in tensor.data_mut().chunks_mut(row) {
                let sum: f32 = values.iter().sum();
                values.iter_mut().for_each(|value| *value /= sum);
            }
        }
        tensor
    }
}

/// A call of one kernel.
#[derive(Debug, Clone)]
pub struct Case {
    /// The op with its parameters.
    pub op: Arc<dyn Op>,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// What it is there for.
    pub why: &'static str,
}

impl Case {
    /// A case.
    pub fn new(op: impl Op, inputs: Vec<Input>, why: &'static str) -> Self {
        Self { op: Arc::new(op), inputs, why }
    }

    /// The call in one line, by which it can be picked out: `conv2d.forward Conv2d { … } [2, 3, 7, 8] …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let shapes = self.inputs.iter().map(|input| format!(" {:?}", input.shape)).collect::<String>();
        format!("{} {:?}{shapes}", self.op.kernel(), self.op)
    }

    /// The inputs' values.
    #[must_use]
    pub fn tensors(&self) -> Vec<Tensor> {
        (1u64..).zip(&self.inputs).map(|(seed, input)| input.tensor(seed * 0x1_0001)).collect()
    }

    /// The same call on whole numbers, where every input is drawn from a normal distribution: a kernel of sums and
    /// products must then be exact.
    #[must_use]
    pub fn integers(&self) -> Option<Self> {
        let normal = |input: &Input| matches!(input.draw, Draw::Normal(..));
        self.inputs.iter().all(normal).then(|| {
            let inputs = self.inputs.iter().map(|input| Input::drawn(input.shape.clone(), Draw::Integers));
            Self { op: Arc::clone(&self.op), inputs: inputs.collect(), why: self.why }
        })
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for test values, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// Box and Muller's transform.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * f64::from(self.unit());
        (radius * angle.cos()) as f32
    }
}
