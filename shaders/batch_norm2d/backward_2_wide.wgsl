// batch_norm2d / backward / 2 wide: as 1; a workgroup has TILE pixels of four channels, 16 bytes a load.
//
//   dx = weight inv_std (g - dbias / count - (x - mean) inv_std dweight / count), pad lanes 0
//
// Where `running` says that the statistics do not come from x, dx = weight inv_std g, and the second statistic is a
// variance: inv_std = 1 / sqrt(it + eps).
//
// In runs of channels, images start at the group `group` of all.
//
// x, gradient g, dx (n, c, h, w) C4, a sample every `…_stride` quads   all others (c)

{% include "common/wide" %}

struct Params {
    c: u32, plane: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, dx_base: u32, dx_stride: u32,
    count: f32, eps: f32, group: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> mean: array<Wide>;
@group(0) @binding(4) var<storage, read_write> second: array<Wide>;
@group(0) @binding(5) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(6) var<storage, read_write> dweight: array<Wide>;
@group(0) @binding(7) var<storage, read_write> dbias: array<Wide>;
@group(0) @binding(8) var<storage, read_write> dx: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = p.group + wid.y;
{% if running %}
    let scale = from_wide(weight[group]) / sqrt(from_wide(second[group]) + p.eps);
{% else %}
    let inv_std = from_wide(second[group]);
    let scale = from_wide(weight[group]) * inv_std;
    let middle = from_wide(mean[group]);
    let of_all = from_wide(dbias[group]) / p.count;
    let slope = inv_std * from_wide(dweight[group]) / p.count;
    let x_start = p.x_base + wid.z * p.x_stride + wid.y * p.plane;
{% endif %}
    let inside = vec4<u32>(group * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.c);
    let g_start = p.g_base + wid.z * p.g_stride + wid.y * p.plane;
    let result = p.dx_base + wid.z * p.dx_stride + wid.y * p.plane;
    let end = min((wid.x + 1u) * TILE, p.plane);
    for (var i = wid.x * TILE + lane; i < end; i += WG) {
        var value = from_wide(gradient[g_start + i]);
{% if not running %}
        value = value - of_all - (from_wide(x[x_start + i]) - middle) * slope;
{% endif %}
        dx[result + i] = to_wide(select(vec4<f32>(0.0), value * scale, inside));
    }
}
