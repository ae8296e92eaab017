// dice_loss / backward / 2 wide: four elements an invocation, 16 bytes a load. A quad may hold
// elements of several images.
//
//   dx[n, i] = (2 qt + added - 2 t u) / u^2 q (1 - q) g / count
//   u = q + t + added over the image, (qt, q, t, _) = sums[n]
//
// where q and t under the sums are the image's, those beside them the element's.
//
// logits, labels, dx: `floats` elements from element `base` of (n, len)   sums [n] of four   gradient g ()

{% include "common/wide" %}

struct Params {
    len: u32, base: u32, n: u32, floats: u32, added: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<Wide>;
@group(0) @binding(2) var<storage, read_write> labels: array<Wide>;
@group(0) @binding(3) var<storage, read_write> sums: array<Wide>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i * 4u >= p.floats {
        return;
    }
    var dice: vec4<f32>;
    var total: vec4<f32>;
    let first = (p.base + i * 4u) / p.len;
    let last = min((p.base + i * 4u + 3u) / p.len, p.n - 1u);
    {
        let s = from_wide(sums[first]);
        total = vec4<f32>(s.y + s.z + p.added);
        dice = (2.0 * s.x + p.added) / total;
    }
    for (var k = 1u; k < 4u && last != first; k++) {
        let s = from_wide(sums[min((p.base + i * 4u + k) / p.len, p.n - 1u)]);
        total[k] = s.y + s.z + p.added;
        dice[k] = (2.0 * s.x + p.added) / total[k];
    }
    let x = from_wide(logits[i]);
    let e = exp(-abs(x));
    let slope = e / ((1.0 + e) * (1.0 + e));
    let value = (dice - 2.0 * from_wide(labels[i])) / total * slope * (gradient[0] / f32(p.n));
    dx[i] = to_wide(value);
}
