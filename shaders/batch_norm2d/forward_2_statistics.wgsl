// batch_norm2d / forward / 2 statistics: the parts of four channels are merged as lanes were merged into parts.
//
//   mean = pivot + offset,  inv_std = 1 / sqrt(square / count + eps)
//   new_mean = (1 - momentum) running_mean + momentum mean
//   new_var  = (1 - momentum) running_var + momentum square / (count - 1)
//
// parts [c/4][n][chunks] of three quads   means [c/4] of two quads (pivot, offset)   all others (c)
//
// `serial` 1: one lane has four channels, and adds their parts one by one; 0: a workgroup, whose lanes have every WG-th
// part each and are added one by one, which is the same where there are no more parts than lanes.

{% include "common/wide" %}

struct Params {
    c: u32, n: u32, chunks: u32, chunk: u32, plane: u32, momentum: f32, eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<Wide>;
@group(0) @binding(2) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(4) var<storage, read_write> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_mean: array<f32>;
@group(0) @binding(6) var<storage, read_write> new_var: array<f32>;
@group(0) @binding(7) var<storage, read_write> saved_mean: array<f32>;
@group(0) @binding(8) var<storage, read_write> saved_inv_std: array<f32>;

const WG = {{ lanes }}u;

{% if not serial %}
var<workgroup> lane_values: array<f32, 8u * WG>;

{% endif %}
fn finish(c: u32, pivot: f32, sum: f32, sum_of_squares: f32) {
    let all = f32(p.n * p.plane);
    let square = max(sum_of_squares - sum * sum / all, 0.0);
    let offset = sum / all;
    means[c / 4u * 8u + c % 4u] = pivot;
    means[c / 4u * 8u + 4u + c % 4u] = offset;
    if c < p.c {
        let mean = pivot + offset;
        saved_mean[c] = mean;
        saved_inv_std[c] = 1.0 / sqrt(square / all + p.eps);
        new_mean[c] = (1.0 - p.momentum) * running_mean[c] + p.momentum * mean;
        new_var[c] = (1.0 - p.momentum) * running_var[c] + p.momentum * (square / (all - 1.0));
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = p.n * p.chunks;
{% if serial %}
    let group = wid.x * WG + lane;
    if group * 4u >= p.c {
        return;
    }
{% else %}
    let group = wid.x;
{% endif %}
    let start = group * count * 3u;
    let pivot = from_wide(parts[start]) + from_wide(parts[start + 1u]);
    var offsets = vec4<f32>(0.0);
    var squares = vec4<f32>(0.0);
{% set first, step = ("0u", "1u") if serial else ("lane", "WG") %}
    for (var part = {{ first }}; part < count; part += {{ step }}) {
        let at = start + part * 3u;
        let pixels = f32(min(p.chunk, p.plane - part % p.chunks * p.chunk));
        let away = (from_wide(parts[at]) - pivot) + from_wide(parts[at + 1u]);
        offsets += pixels * away;
        squares += from_wide(parts[at + 2u]) + pixels * away * away;
    }
{% if serial %}
    for (var k = 0u; k < 4u; k++) {
        finish(group * 4u + k, pivot[k], offsets[k], squares[k]);
    }
{% else %}
    for (var k = 0u; k < 4u; k++) {
        lane_values[k * WG + lane] = offsets[k];
        lane_values[(k + 4u) * WG + lane] = squares[k];
    }
    // Every lane's values have to be there before they are added.
    workgroupBarrier();
    if lane >= 4u {
        return;
    }
    var offset = 0.0;
    var square = 0.0;
    for (var i = 0u; i < WG; i++) {
        offset += lane_values[lane * WG + i];
        square += lane_values[(lane + 4u) * WG + i];
    }
    finish(group * 4u + lane, pivot[lane], offset, square);
{% endif %}
}
