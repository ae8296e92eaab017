// reduce / channel_sum / 2 split: a workgroup sums four channels of one sample in 64 parts; each lane keeps every
// {{ lanes }}th of them, so that memory is read from end to end however few lanes run at once.
//
//   out[n * 64 + part][c] = sum over i = part, part + 64, … of input[n, c, i]
//
// input (n, c, h, w) C4   out [parts][c/4] of four c

{% include "common/wide" %}

struct Params {
    n: u32, c: u32, plane: u32, x_base: u32, x_stride: u32, first: u32, parts: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const PARTS = 64u;

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = p.x_base + wid.y * p.x_stride + wid.x * p.plane;
    let whole = p.plane / PARTS * PARTS;
    let groups = (p.c + 3u) / 4u;
    let to = (wid.y * PARTS + lane) * groups + wid.x;
{% set each = 64 // lanes %}
{% set turn = 4 %}
{% for j in range(each) %}
    var sum{{ j }} = vec4<f32>(0.0);
{% endfor %}
    // Several of each part a turn: at every turn a software driver copies the sums.
    let most = whole / (PARTS * {{ turn }}u) * (PARTS * {{ turn }}u);
    for (var i = lane; i < most; i += PARTS * {{ turn }}u) {
{% for t in range(turn) %}
{% for j in range(each) %}
        sum{{ j }} += from_wide(input[start + i + {{ t }}u * PARTS + {{ j * lanes }}u]);
{% endfor %}
{% endfor %}
    }
    for (var i = most + lane; i < whole; i += PARTS) {
{% for j in range(each) %}
        sum{{ j }} += from_wide(input[start + i + {{ j * lanes }}u]);
{% endfor %}
    }
{% for j in range(each) %}
    if whole + {{ j * lanes }}u + lane < p.plane {
        sum{{ j }} += from_wide(input[start + whole + {{ j * lanes }}u + lane]);
    }
    out[to + {{ j * lanes }}u * groups] = to_wide(sum{{ j }});
{% endfor %}
}
