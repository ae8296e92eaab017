// peak / copy: how fast a device moves memory, where every lane copies 16 bytes {{ loads }} times, neighbours at once.
//
//   to[i] = from[i]
//
// from, to (len4) of four f32

{% include "common/wide" %}

struct Params { len4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> source: array<Wide>;
@group(0) @binding(2) var<storage, read_write> target_: array<Wide>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * {{ 64 * loads }}u + lane;
{% for i in range(loads) %}
    if first + {{ i * 64 }}u < p.len4 {
        target_[first + {{ i * 64 }}u] = source[first + {{ i * 64 }}u];
    }
{% endfor %}
}
