//! Parameters on the device: slabs that plans share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::graph::{Graph, ParamTable, Slab};
use crate::tensor::Tensor;

/// The parameters of a graph and the states that belong to them (moments, averages), resident on the device. Clones
/// share them, and so do plans for training, evaluation and other batch sizes of graphs with the same parameters.
#[derive(Debug, Clone)]
pub struct Params(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gpu: Gpu,
    table: ParamTable,
    slabs: Mutex<HashMap<Slab, Memory>>,
}

/// A slab's memory, and how often it was changed.
#[derive(Debug, Clone)]
struct Memory {
    buffer: Buffer,
    version: Arc<AtomicU64>,
}

impl Params {
    /// Room for the parameters of `graph`, all zero.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, graph: &Graph) -> Result<Self> {
        let params = Self(Arc::new(Inner { gpu: gpu.clone(), table: graph.param_table(), slabs: Mutex::default() }));
        params.slab(&Slab::Weights)?;
        Ok(params)
    }

    /// Where every parameter stands.
    #[must_use]
    pub fn table(&self) -> &ParamTable {
        &self.0.table
    }

    /// Bytes of one slab.
    #[must_use]
    pub fn slab_bytes(&self) -> u64 {
        self.0.table.len() as u64 * 4
    }

    /// The device's buffer of a slab, made (zero) where it is not there yet. Who writes to it says so by
    /// [`Params::changed`].
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn slab(&self, slab: &Slab) -> Result<Buffer> {
        self.memory(slab).map(|memory| memory.buffer)
    }

    /// Says that a slab was written to: plans compute anew what they keep from run to run and derived from it. The
    /// methods here and runs of plans say so themselves.
    ///
    /// # Errors
    /// As [`Params::slab`].
    pub fn changed(&self, slab: &Slab) -> Result<()> {
        self.memory(slab)?.version.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// How often a slab was changed.
    pub(super) fn version(&self, slab: &Slab) -> Result<u64> {
        Ok(self.memory(slab)?.version.load(Ordering::Acquire))
    }

    fn memory(&self, slab: &Slab) -> Result<Memory> {
        let mut slabs = self.slabs();
        if let Some(memory) = slabs.get(slab) {
            return Ok(memory.clone());
        }
        let buffer = self.0.gpu.buffer(&format!("{slab:?}").to_lowercase(), self.slab_bytes())?;
        let memory = Memory { buffer, version: Arc::default() };
        slabs.insert(slab.clone(), memory.clone());
        Ok(memory)
    }

    /// Sets one parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// [`Error::Name`] for an unknown name, [`Error::Shape`] for another shape.
    pub fn set(&self, name: &str, tensor: &Tensor) -> Result<()> {
        self.set_in(&Slab::Weights, name, tensor)
    }

    /// Sets the part of a slab that belongs to one parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// As [`Params::set`].
    pub fn set_in(&self, slab: &Slab, name: &str, tensor: &Tensor) -> Result<()> {
        let unknown = || Error::Name { what: "parameter", name: name.into(), message: "is not in the model".into() };
        let entry = self.0.table.entries().iter().find(|entry| entry.name == name).ok_or_else(unknown)?;
        if entry.shape != tensor.shape() {
            return Err(Error::shape(name, "shape", format!("{:?}", entry.shape), tensor.shape()));
        }
        let packed = entry.layout.pack(&entry.shape, tensor.data(), 0.0);
        self.0.gpu.write(&self.slab(slab)?, entry.offset as u64 * 4, bytemuck::cast_slice(&packed))?;
        self.changed(slab)
    }

    /// Every parameter's part of a slab, in PyTorch's layout and the graph's order.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn read(&self, slab: &Slab) -> Result<Vec<(String, Tensor)>> {
        let values = self.0.gpu.read(&self.slab(slab)?, 0, self.0.table.len())?;
        let tensors = self.0.table.entries().iter().map(|entry| {
            let packed = &values[entry.offset..entry.offset + entry.floats];
            let tensor = Tensor::new(entry.shape.clone(), entry.layout.unpack(&entry.shape, packed))?;
            Ok((entry.name.clone(), tensor))
        });
        tensors.collect()
    }

    /// Copies a whole slab into another on the device.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the other has to be made and does not fit.
    pub fn copy(&self, source: &Slab, destination: &Slab) -> Result<()> {
        let (a, b) = (self.slab(source)?, self.slab(destination)?);
        self.0.gpu.copy((&a, 0), (&b, 0), self.slab_bytes())?;
        self.changed(destination)
    }

    /// The same parameters, read from another slab: an average instead of the weights as they stand, say.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn view(&self, slab: &Slab) -> Result<Self> {
        let slabs = HashMap::from([(Slab::Weights, self.memory(slab)?)]);
        let (gpu, table) = (self.0.gpu.clone(), self.0.table.clone());
        Ok(Self(Arc::new(Inner { gpu, table, slabs: Mutex::new(slabs) })))
    }

    /// Whether both are the same buffers.
    pub(super) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn slabs(&self) -> MutexGuard<'_, HashMap<Slab, Memory>> {
        self.0.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
