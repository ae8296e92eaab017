//! A plan's memory on the device and its recorded dispatches.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::{Bind, Buffer, Dispatch, Gpu, Sequence, Uploader};
use crate::graph::{ParamTable, Slab};
use crate::ops::{Binding, Lowered, Slot};
use crate::tensor::Tensor;

use super::kept::Kept;
use super::lower::Home;
use super::precision::NOTE_BYTES;
use super::{Params, Pending, Places, Steps, shared};

const UPLOAD_SLOTS: u64 = 2;

/// Everything a plan holds on the device.
#[derive(Debug)]
pub(super) struct Resident {
    pools: Vec<Buffer>,
    /// Inputs, constants and what is derived from parameters, by item.
    own: HashMap<usize, Buffer>,
    /// Workspaces that keep their values, by step and number.
    kept: HashMap<(usize, usize), Buffer>,
    pub gradients: Option<Buffer>,
    /// Where the steps of a plan in 16 bits note values beyond their range.
    pub notes: Option<Buffer>,
    uploader: Option<Uploader>,
    /// One a set of parameters that the plan has run with.
    sequences: Vec<Recorded>,
    /// The parameters from which the derived values were computed, and their version then.
    derived_from: Option<(Params, u64)>,
}

/// The dispatches of a plan on one set of parameters.
#[derive(Debug)]
struct Recorded {
    params: Params,
    prelude: Sequence,
    run: Sequence,
}

fn no_notes() -> Error {
    Error::Plan { message: "has no notes of ranges".into(), hint: "this is a defect of the plan".into() }
}

fn input_bytes(steps: &Steps) -> u64 {
    let inputs = steps.items.iter().filter(|item| matches!(item.home, Home::Input(_)));
    inputs.map(|item| (item.shape.iter().product::<usize>() as u64 * 4).next_multiple_of(16)).sum()
}

/// Bytes of the staging ring.
pub(super) fn staging_bytes(steps: &Steps) -> u64 {
    input_bytes(steps) * UPLOAD_SLOTS
}

impl Resident {
    pub(super) fn new(
        gpu: &Gpu,
        steps: &Steps,
        lowered: &[Lowered],
        kept: &[Kept],
        places: &Places,
        table: &ParamTable,
    ) -> Result<Self> {
        let pools = places.pools.iter().map(|&bytes| gpu.buffer("pool", bytes)).collect::<Result<_>>()?;
        let mut own = HashMap::new();
        let mut gradients = None;
        for (at, item) in steps.items.iter().enumerate() {
            match &item.home {
                Home::Input(name) => {
                    own.insert(at, gpu.buffer(name, item.layout.floats(&item.shape) as u64 * 4)?);
                }
                Home::Constant(tensor) => {
                    let packed = item.layout.pack(&item.shape, tensor.data(), 0.0);
                    own.insert(at, gpu.buffer_with(&item.name, &packed)?);
                }
                Home::Derived => {
                    own.insert(at, gpu.buffer(&item.name, item.layout.floats(&item.shape) as u64 * 4)?);
                }
                Home::Slab(Slab::Gradients, _) if gradients.is_none() => {
                    gradients = Some(gpu.buffer("gradients", table.len() as u64 * 4)?);
                }
                Home::Pool | Home::Slab(..) => {}
            }
        }
        let mut workspaces = HashMap::new();
        for (at, (lowered, kept)) in lowered.iter().zip(kept).enumerate() {
            for (index, &floats) in lowered.workspaces[..kept.workspaces].iter().enumerate() {
                let bytes = (floats as u64 * 4).max(16);
                workspaces.insert((at, index), gpu.buffer(&steps.steps[at].name, bytes)?);
            }
        }
        let bindings = lowered.iter().flat_map(|lowered| &lowered.launches).flat_map(|launch| &launch.bindings);
        let notes = match bindings.into_iter().any(|binding| binding.slot == Slot::Guard) {
            true => Some(gpu.buffer("notes", steps.steps.len() as u64 * NOTE_BYTES)?),
            false => None,
        };
        let uploader = match input_bytes(steps) {
            0 => None,
            bytes => Some(Uploader::new(gpu, UPLOAD_SLOTS as usize, bytes)?),
        };
        let (sequences, derived_from) = (Vec::new(), None);
        Ok(Self { pools, own, kept: workspaces, gradients, notes, uploader, sequences, derived_from })
    }

    /// Records the dispatches for `params`, where that has not been done.
    pub(super) fn bind(
        &mut self,
        gpu: &Gpu,
        steps: &Steps,
        lowered: &[Lowered],
        kept: &[Kept],
        places: &Places,
        params: &Params,
    ) -> Result<()> {
        if self.sequences.iter().any(|known| known.params.same(params)) {
            return Ok(());
        }
        let (mut prelude, mut run) = (Vec::new(), Vec::new());
        for (at, (step, (lowered, kept))) in steps.steps.iter().zip(lowered.iter().zip(kept)).enumerate() {
            let own = lowered.launches.iter().map(|launch| (launch, at < steps.prelude));
            for (launch, before) in kept.launches.iter().map(|launch| (launch, true)).chain(own) {
                let bind = |binding: &Binding| -> Result<Bind> {
                    let (buffer, start) = match binding.slot {
                        Slot::Input(index) => self.place(steps, places, params, step.inputs[index])?,
                        Slot::Output(index) => self.place(steps, places, params, step.outputs[index])?,
                        Slot::Guard => (self.notes.clone().ok_or_else(no_notes)?, at as u64 * NOTE_BYTES),
                        Slot::Workspace(index) => match self.kept.get(&(at, index)) {
                            Some(buffer) => (buffer.clone(), 0),
                            None => {
                                let place = places.workspaces[at][index - kept.workspaces];
                                (self.pools[place.pool].clone(), place.offset)
                            }
                        },
                    };
                    let offset = start + binding.offset as u64 * 4;
                    Ok(Bind { buffer, offset, size: (binding.len as u64 * 4).max(16) })
                };
                let dispatches = if before { &mut prelude } else { &mut run };
                dispatches.push(Dispatch {
                    label: format!("{} {}", step.name, launch.shader),
                    shader: launch.shader,
                    vars: launch.vars.clone(),
                    params: launch.params.clone(),
                    binds: launch.bindings.iter().map(bind).collect::<Result<_>>()?,
                    workgroups: launch.workgroups,
                    work: launch.work,
                });
            }
        }
        let (prelude, run) = (Sequence::new(gpu, &prelude)?, Sequence::new(gpu, &run)?);
        self.sequences.push(Recorded { params: params.clone(), prelude, run });
        Ok(())
    }

    /// The buffer of an item and the byte at which its range starts.
    fn place(&self, steps: &Steps, places: &Places, params: &Params, item: usize) -> Result<(Buffer, u64)> {
        let (root, _) = steps.root(item);
        let lost = || Error::Plan {
            message: format!("{} has no place in memory", steps.items[root].name),
            hint: "this is a defect of the plan".into(),
        };
        match &steps.items[root].home {
            Home::Pool => {
                let place = places.items[root].ok_or_else(lost)?;
                Ok((self.pools[place.pool].clone(), place.offset))
            }
            Home::Input(_) | Home::Constant(_) | Home::Derived => {
                Ok((self.own.get(&root).cloned().ok_or_else(lost)?, 0))
            }
            Home::Slab(slab, offset) if shared(slab) => Ok((params.slab(slab)?, *offset as u64 * 4)),
            Home::Slab(_, offset) => Ok((self.gradients.clone().ok_or_else(lost)?, *offset as u64 * 4)),
        }
    }

    /// Copies the inputs of a run to the device.
    pub(super) fn upload(&self, steps: &Steps, inputs: &[(&str, &Tensor)]) -> Result<()> {
        let known = |name: &str| steps.items.iter().any(|item| matches!(&item.home, Home::Input(own) if own == name));
        if let Some((name, _)) = inputs.iter().find(|(name, _)| !known(name)) {
            let message = "is given, but the plan reads no such input".into();
            return Err(Error::Name { what: "input", name: (*name).into(), message });
        }
        let mut pieces = Vec::new();
        for (at, item) in steps.items.iter().enumerate() {
            let Home::Input(name) = &item.home else { continue };
            let absent = || Error::Name { what: "input", name: name.clone(), message: "is not given".into() };
            let (_, tensor) = inputs.iter().find(|(given, _)| given == name).ok_or_else(absent)?;
            if tensor.shape() != item.shape {
                return Err(Error::shape(name.clone(), "input", format!("{:?}", item.shape), tensor.shape()));
            }
            let buffer = self.own.get(&at).ok_or_else(absent)?;
            pieces.push((buffer, 0, bytemuck::cast_slice::<f32, u8>(tensor.data())));
        }
        self.uploader.as_ref().map_or(Ok(()), |uploader| uploader.upload(&pieces))
    }

    /// Takes back what the run before noted. What the prelude noted stays, as what it computed does.
    pub(super) fn clear_notes(&self, gpu: &Gpu, steps: &Steps) -> Result<()> {
        self.clear(gpu, steps.prelude..steps.steps.len())
    }

    fn clear(&self, gpu: &Gpu, steps: Range<usize>) -> Result<()> {
        let Some(notes) = &self.notes else { return Ok(()) };
        gpu.write(notes, steps.start as u64 * NOTE_BYTES, &vec![0; steps.len() * NOTE_BYTES as usize])
    }

    /// The dispatches of a run, after what is derived from the parameters was brought up to date.
    pub(super) fn sequence(&mut self, gpu: &Gpu, steps: &Steps, params: &Params) -> Result<&Sequence> {
        let found = self.sequences.iter().find(|known| known.params.same(params));
        let none = || Error::Plan { message: "is not recorded".into(), hint: "this is a defect of the plan".into() };
        let recorded = found.ok_or_else(none)?;
        // Read before the prelude is submitted: a change that comes in between is seen by the next run.
        let version = params.version(&Slab::Weights)?;
        let current = |(known, at): &(Params, u64)| known.same(params) && *at == version;
        if !recorded.prelude.is_empty() && !self.derived_from.as_ref().is_some_and(current) {
            self.derived_from = None;
            self.clear(gpu, 0..steps.prelude)?;
            recorded.prelude.submit()?;
            self.derived_from = Some((params.clone(), version));
        }
        Ok(&recorded.run)
    }

    /// Starts to bring the outputs to the host.
    pub(super) fn download(&self, gpu: &Gpu, steps: &Steps, places: &Places, params: &Params) -> Result<Pending> {
        let mut parts = Vec::with_capacity(steps.outputs.len());
        let mut shapes = Vec::with_capacity(steps.outputs.len());
        for &item in &steps.outputs {
            let (buffer, offset) = self.place(steps, places, params, item)?;
            let shape = steps.items[item].shape.clone();
            parts.push((buffer, offset, shape.iter().product::<usize>()));
            shapes.push(shape);
        }
        let mut parts: Vec<_> = parts.iter().map(|(buffer, offset, len)| (buffer, *offset, *len)).collect();
        let notes = self.notes.as_ref().map(|notes| (notes, 0, steps.steps.len() * NOTE_BYTES as usize / 4));
        parts.extend(notes);
        Ok(Pending { download: gpu.download(&parts)?, shapes, guarded: None })
    }
}
