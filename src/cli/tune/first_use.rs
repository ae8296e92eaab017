//! What nobody has measured on an adapter is measured at its first use, for a short time.

use std::sync::PoisonError;
use std::time::Instant;

use crate::cli::Context;
use crate::error::Result;
use crate::gpu::{DeviceType, Gpu};
use crate::plan::table::{Origin, file};
use crate::plan::{PlanOptions, PlannedCall, VersionTable};
use crate::tune::{Rejected, subjects, tune, usual};

use super::known;

/// Photographs of the batch that is measured.
const BATCH: usize = 4;

/// [`Context::plan_options`], after the classes of `calls` (of a batch, under options) that no table knows were measured,
/// as far as `--tune-limit` lets it. What was not reached is a matter for the next time.
///
/// # Errors
/// Those of `calls`, and [`Error::DeviceLost`](crate::Error::DeviceLost).
pub(in crate::cli) fn plan_options(
    gpu: &Gpu,
    context: &Context,
    calls: impl FnOnce(usize, &PlanOptions) -> Result<Vec<PlannedCall>>,
) -> Result<PlanOptions> {
    let options = context.plan_options(gpu);
    let mut spent = context.tuned_for.lock().unwrap_or_else(PoisonError::into_inner);
    let (limit, global) = (context.global.tune_limit.saturating_sub(*spent), context.gpu_options());
    let software = gpu.caps().adapter.device_type == DeviceType::Cpu;
    let measures = context.tunes && !software && global.shaders.is_none();
    let Some(folder) = global.cache.filter(|_| measures) else {
        return Ok(options);
    };
    let mut wanted = subjects(calls(BATCH, &usual(&options))?, &options.avoid, gpu.caps());
    let known_row =
        |kernel, class: &str| options.table.as_ref().is_some_and(|table| table.get(kernel, class).is_some());
    wanted.retain(|subject| !known_row(subject.kernel.name, &subject.class));
    if wanted.is_empty() || limit.is_zero() {
        return Ok(options);
    }
    context.say(format!("measuring which kernels are the fastest here, for {} s at most", limit.as_secs_f64()));
    let start = Instant::now();
    let tuned = tune(gpu, &wanted, Some(limit), &mut |_, _| !context.cancelled())?;
    *spent += start.elapsed();
    let mut table = known(gpu, context).unwrap_or_else(|| VersionTable::new(Origin::of(gpu)));
    table.update(&tuned.table);
    if let Err(error) = table.save(file(gpu, &folder)) {
        tracing::warn!(%error, "what was measured is not kept");
    }
    let mut options = context.plan_options(gpu);
    for Rejected { class, version, why, .. } in &tuned.rejected {
        tracing::warn!("{version} is not used: {class}: {why}");
        options.avoid.insert((*version).to_owned());
    }
    Ok(options)
}
