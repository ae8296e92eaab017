//! The one error type of the library: every variant says what was wrong, what was expected, what came, and, where
//! there is one, which knob to turn.

use std::path::{Path, PathBuf};

/// What the library's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Variants are grouped by the layer that raises them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- tensors, graphs and ops ------------------------------------------------------------------------------
    /// An operand's shape is not what the op takes.
    #[error("{op}: {what} is {got:?}, expected {expected}")]
    Shape {
        /// The op, or the function, that refused.
        op: String,
        /// Which operand or dimension.
        what: String,
        /// What would have been accepted.
        expected: String,
        /// What came.
        got: Vec<usize>,
    },
    /// A parameter of an op is out of range or not supported.
    #[error("{op}: {message}")]
    Parameter {
        /// The op that refused.
        op: String,
        /// What was wrong, expected and got.
        message: String,
    },
    /// A name that is used twice, or not known.
    #[error("{what} {name:?}: {message}")]
    Name {
        /// What kind of thing carries the name.
        what: &'static str,
        /// The name.
        name: String,
        /// Why it was refused.
        message: String,
    },
    /// A result differs from its reference.
    #[error("{0}")]
    Mismatch(String),

    // ---- gpu --------------------------------------------------------------------------------------------------
    /// No adapter answers, or none matches `--device`.
    #[error(
        "no GPU adapter {wanted}; found: {found} (hint: install a Vulkan driver, for a machine without a GPU Mesa's lavapipe: package mesa-vulkan-drivers)"
    )]
    NoAdapter {
        /// What was asked for.
        wanted: String,
        /// The adapters that are there.
        found: String,
    },
    /// The adapter lacks something.
    #[error("adapter {adapter}: {message}")]
    Adapter {
        /// The adapter's name.
        adapter: String,
        /// What it lacks.
        message: String,
    },
    /// A shader does not expand, parse, validate or compile.
    #[error("shader {shader}: {message}")]
    Shader {
        /// Path below `shaders/` without its ending.
        shader: String,
        /// The message, with the line of the source file where it is known.
        message: String,
    },
    /// The GPU refused a command: a defect of nevus or of the driver.
    #[error("{label}: the GPU refused a command: {message}")]
    Validation {
        /// The op or buffer at work.
        label: String,
        /// The driver's or wgpu's words.
        message: String,
    },
    /// Device memory ran out.
    #[error(
        "out of device memory: {label} needs {bytes} bytes (hint: a smaller --batch or --size; for a U-Net also more --micro-batch parts)"
    )]
    OutOfMemory {
        /// What was being allocated.
        label: String,
        /// How many bytes it asked for; 0 where the driver does not say.
        bytes: u64,
    },
    /// The device was lost: reset by a watchdog, unplugged or destroyed.
    #[error("the GPU device was lost: {0} (hint: training goes on with --resume)")]
    DeviceLost(String),

    // ---- plans ------------------------------------------------------------------------------------------------
    /// A value is beyond what 16 bits hold, or none at all.
    #[error("{name}: a value is beyond 65504, the most that 16 bits hold, or no number (hint: --precision f32)")]
    Range {
        /// The node that gave it.
        name: String,
    },
    /// A graph cannot be planned on this adapter.
    #[error("plan: {message} (hint: {hint})")]
    Plan {
        /// What does not fit or is not supported.
        message: String,
        /// What would make it fit.
        hint: String,
    },

    // ---- files ------------------------------------------------------------------------------------------------
    /// A weights file is truncated, hostile, or does not fit the model.
    #[error("{}: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// An image cannot be used.
    #[error("{}: {message}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A data set folder, a CSV or a run folder cannot be used.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The operating system refused a read or a write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A loss or a gradient became infinite or NaN.
    #[error("training stopped at step {step}: {message}")]
    NotFinite {
        /// The optimizer step, from 1.
        step: u64,
        /// Where the first value that is not finite appeared.
        message: String,
    },
    /// The caller asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl Error {
    /// An [`Error::Shape`].
    pub fn shape(op: impl Into<String>, what: impl Into<String>, expected: impl Into<String>, got: &[usize]) -> Self {
        Self::Shape { op: op.into(), what: what.into(), expected: expected.into(), got: got.to_vec() }
    }

    /// An [`Error::Parameter`].
    pub fn parameter(op: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Parameter { op: op.into(), message: message.into() }
    }

    /// An [`Error::Io`] that names the path.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// An [`Error::Data`].
    pub fn data(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Data { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// An [`Error::Image`].
    pub fn image(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Image { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// An [`Error::Weights`].
    pub fn weights(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Weights { path: path.as_ref().to_path_buf(), message: message.into() }
    }
}
