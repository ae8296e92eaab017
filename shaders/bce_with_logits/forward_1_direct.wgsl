// bce_with_logits / forward / 1 direct: a workgroup sums a chunk of 1024 elements; each lane every 64th of them.
//
//   parts[first + chunk] = sum over the chunk's i of |x[i]| d[i] + ln(1 + exp(-|x[i]|))
//   d = 1 - t where x >= 0, else t
//
// which is max(x, 0) - x t + ln(1 + exp(-|x|)) without its cancellation.
//
// logits, labels (len)   parts [chunks]

{% include "common/lanes" %}
{% include "common/log1p" %}

struct Params {
    len: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

const WG = 64u;
const CHUNK = 1024u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let chunk = wid.y * groups.x + wid.x;
    let end = min((chunk + 1u) * CHUNK, p.len);
    var sum = 0.0;
    for (var i = chunk * CHUNK + lane; i < end; i += WG) {
        let x = logits[i];
        let t = labels[i];
        sum += abs(x) * select(t, 1.0 - t, x >= 0.0) + log1p(exp(-abs(x)));
    }
    let total = sum_lanes(lane, sum);
    if lane == 0u && chunk < p.chunks {
        parts[p.first + chunk] = total;
    }
}
