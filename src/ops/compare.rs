//! The comparator: lengths, NaN and infinity first, then the error of the whole, and the place of the worst element.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// ‖got − expected‖ / ‖expected‖ over the whole tensor; where `expected` is all but zero against `scale` (the size of
/// the inputs) it is ‖got − expected‖ / (√len · scale) instead.
///
/// # Errors
/// [`Error::Mismatch`] for another shape, and for a NaN or an infinity in `got` where `expected` has none.
pub fn error(got: &Tensor, expected: &Tensor, scale: f64) -> Result<f64> {
    if got.shape() != expected.shape() {
        return Err(Error::Mismatch(format!("shape {:?}, expected {:?}", got.shape(), expected.shape())));
    }
    for (at, (&g, &e)) in got.data().iter().zip(expected.data()).enumerate() {
        if !g.is_finite() || !e.is_finite() {
            let place = place(got.shape(), at);
            return Err(Error::Mismatch(format!("not finite at {place}: expected {e}, got {g}")));
        }
    }
    let mut difference = 0f64;
    let mut norm = 0f64;
    for (&g, &e) in got.data().iter().zip(expected.data()) {
        difference += (f64::from(g) - f64::from(e)).powi(2);
        norm += f64::from(e).powi(2);
    }
    let floor = 1e-6 * scale * (got.len() as f64).sqrt();
    let (difference, norm) = (difference.sqrt(), norm.sqrt());
    Ok(match norm > floor {
        true => difference / norm,
        false if difference == 0.0 => 0.0,
        false => difference / ((got.len() as f64).sqrt() * scale.max(f64::MIN_POSITIVE)),
    })
}

/// Fails unless [`error`] is at most `bound`; the message names the worst element.
///
/// # Errors
/// [`Error::Mismatch`].
pub fn within(got: &Tensor, expected: &Tensor, scale: f64, bound: f64) -> Result<f64> {
    let error = error(got, expected, scale)?;
    if error <= bound {
        return Ok(error);
    }
    let pairs = got.data().iter().zip(expected.data());
    let distance = pairs.map(|(&g, &e)| (f64::from(g) - f64::from(e)).abs());
    let worst = distance.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at);
    let (g, e) = (got.data()[worst], expected.data()[worst]);
    let place = place(got.shape(), worst);
    Err(Error::Mismatch(format!("error {error:.3e} over {bound:.1e}, worst at {place}: expected {e:e}, got {g:e}")))
}

/// Fails unless both are equal to the bit (0 and -0 count as equal).
///
/// # Errors
/// [`Error::Mismatch`] that names the first element that differs.
pub fn exact(got: &Tensor, expected: &Tensor) -> Result<()> {
    error(got, expected, 1.0)?;
    let differs = |(g, e): (&f32, &f32)| g != e;
    match got.data().iter().zip(expected.data()).position(differs) {
        None => Ok(()),
        Some(at) => {
            let (g, e) = (got.data()[at], expected.data()[at]);
            Err(Error::Mismatch(format!("first at {}: expected exactly {e:e}, got {g:e}", place(got.shape(), at))))
        }
    }
}

/// A flat index as coordinates.
fn place(shape: &[usize], mut at: usize) -> String {
    let letters: &[&str] = if shape.len() == 4 { &["n", "c", "h", "w"] } else { &["i", "j", "k", "l", "m"] };
    let mut parts = vec![String::new(); shape.len()];
    for (dim, part) in parts.iter_mut().enumerate().rev() {
        *part = format!("{}={}", letters.get(dim).unwrap_or(&"_"), at % shape[dim].max(1));
        at /= shape[dim].max(1);
    }
    parts.join(" ")
}
