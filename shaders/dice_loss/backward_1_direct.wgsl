// dice_loss / backward / 1 direct: one invocation an element.
//
//   dx[n, i] = (2 qt + added - 2 t u) / u^2 q (1 - q) g / count
//   u = q + t + added over the image, (qt, q, t, _) = sums[n]
//
// where q and t under the sums are the image's, those beside them the element's.
//
// logits, labels, dx: `floats` elements from element `base` of (n, len)   sums [n] of four   gradient g ()

struct Params {
    len: u32, base: u32, n: u32, floats: u32, added: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.floats {
        return;
    }
    let image = (p.base + i) / p.len * 4u;
    let total = sums[image + 1u] + sums[image + 2u] + p.added;
    let x = logits[i];
    let e = exp(-abs(x));
    let slope = e / ((1.0 + e) * (1.0 + e));
    let of_q = (2.0 * sums[image] + p.added) / total - 2.0 * labels[i];
    dx[i] = of_q / total * slope * (gradient[0] / f32(p.n));
}
