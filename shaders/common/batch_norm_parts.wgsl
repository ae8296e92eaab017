// A workgroup takes the statistics of four channels over a chunk of one sample's pixels, 16 bytes a load; each lane every
// WG-th of them.
//
//   part = (pivot, offset, square): pivot + offset is the chunk's mean, square its sum of (x - mean)^2
//
// A lane sums differences from its own first pixel. The lanes' means and squares are merged around lane 0's mean (Chan,
// Golub, LeVeque 1983), so that a large mean costs no precision.
//
// In runs of channels, images start at the group `group` of all.
// `broadcast` 1: the lanes are one subgroup, and what they have is added without a barrier, in the same order. They sum `together`
// chunks, each by WG lanes.
//
// x (n, c, h, w) C4, a sample every `x_stride` quads   parts [c/4][n][chunks] of three quads

{% include "common/wide" %}

struct Params {
    plane: u32, x_base: u32, x_stride: u32, first: u32, n: u32, chunks: u32, group: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> parts: array<{{ "Wide" if broadcast else "f32" }}>;

const WG = {{ lanes }}u;
const CHUNK = {{ chunk }}u;

{% if not broadcast %}
var<workgroup> shared_mean: vec4<f32>;
var<workgroup> lane_values: array<f32, 8u * WG>;
{% endif %}

@compute @workgroup_size({{ lanes * together }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let start = p.x_base + wid.z * p.x_stride + wid.y * p.plane;
    let lane = index % WG;
    let number = wid.x * {{ together }}u + index / WG;
    let chunk = number * CHUNK;
    let end = min(chunk + CHUNK, p.plane);
    var own = vec4<f32>(0.0);
    var sum = vec4<f32>(0.0);
    var square = vec4<f32>(0.0);
    var count = 0.0;
    if chunk + lane < end {
        own = from_wide(x[start + chunk + lane]);
        for (var i = chunk + lane; i < end; i += WG) {
            let d = from_wide(x[start + i]) - own;
            sum += d;
            square += d * d;
            count += 1.0;
        }
        sum /= count;
        square = max(square - count * sum * sum, vec4<f32>(0.0));
    }
{% if broadcast %}
{% set other = (together - 1) * lanes %}
    let second = index >= WG;
    let pivot = select(subgroupBroadcast(own + sum, 0u), subgroupBroadcast(own + sum, {{ other }}u), second);
{% else %}
    if lane == 0u {
        shared_mean = own + sum;
    }
    // Lane 0's mean has to be there before the others refer to it.
    workgroupBarrier();
    let pivot = shared_mean;
{% endif %}
    let away = (own - pivot) + sum;
    let offsets = count * away;
    let squares = square + count * away * away;
{% if broadcast %}
    var offset = vec4<f32>(0.0);
    var total = vec4<f32>(0.0);
{% for i in range(lanes) %}
    offset += select(subgroupBroadcast(offsets, {{ i }}u), subgroupBroadcast(offsets, {{ i + other }}u), second);
    total += select(subgroupBroadcast(squares, {{ i }}u), subgroupBroadcast(squares, {{ i + other }}u), second);
{% endfor %}
    let all = f32(end - chunk);
    let part = (((p.group + wid.y) * p.n + p.first + wid.z) * p.chunks + number) * 3u;
    if lane == 0u && number < p.chunks {
        parts[part] = to_wide(pivot);
        parts[part + 1u] = to_wide(offset / all);
        parts[part + 2u] = to_wide(max(total - offset * offset / all, vec4<f32>(0.0)));
    }
{% else %}
    for (var k = 0u; k < 4u; k++) {
        lane_values[k * WG + lane] = offsets[k];
        lane_values[(k + 4u) * WG + lane] = squares[k];
    }
    // Every lane's values have to be there before they are added.
    workgroupBarrier();
    if lane < 4u {
        var offset = 0.0;
        var total = 0.0;
        for (var i = 0u; i < WG; i++) {
            offset += lane_values[lane * WG + i];
            total += lane_values[(lane + 4u) * WG + i];
        }
        let all = f32(end - chunk);
        let part = (((p.group + wid.y) * p.n + p.first + wid.z) * p.chunks + wid.x) * 12u + lane;
        parts[part] = pivot[lane];
        parts[part + 4u] = offset / all;
        parts[part + 8u] = max(total - offset * offset / all, 0.0);
    }
{% endif %}
}
