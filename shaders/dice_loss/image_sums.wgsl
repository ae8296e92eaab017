// dice_loss / image_sums: a workgroup adds the chunks' sums of one image.
//
//   sums[n] = sum over chunks of parts[n][chunk]
//
// parts [n][chunks] of four   sums [n] of four

{% include "common/wide" %}
{% include "common/lanes4" %}

struct Params {
    chunks: u32, n: u32, added: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<Wide>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sum = vec4<f32>(0.0);
    for (var i = lane; i < p.chunks; i += WG) {
        sum += from_wide(parts[wid.x * p.chunks + i]);
    }
    let total = sum_lanes4(lane, sum);
    if lane < 4u {
        sums[wid.x * 4u + lane] = total;
    }
}
