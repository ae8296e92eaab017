// conv_transpose2d / forward / 1 direct: one invocation an output element. The one to read first.
//
//   out[n, co, oy, ox] = bias[co] + sum over ci, ky, kx, and the iy, ix with iy*stride + ky - pad = oy (ox alike), of
//       input[n, ci, iy, ix] * weight[ci, co, ky, kx]
//
// input (n, ci, h, w) C4 is y and out (n, co, oh, ow) C4 is x of the convolution whose data gradient this is;
// weight in panels of co, [kh][kw][ci/4][co] of four ci; bias (co)

{% include "common/conv_direct" %}

@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
{% if bias %}
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
{% else %}
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
{% endif %}

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    // One invocation a place of the output, pad lanes too.
    let groups_of_c = (p.cx + 3u) / 4u;
    let ix = i / 4u % p.xw;
    let iy = i / 4u / p.xw % p.xh;
    let ci = i / 4u / p.xw / p.xh % groups_of_c * 4u + i % 4u;
    let n = i / 4u / p.xw / p.xh / groups_of_c;
    var sum = 0.0;
    if ci < p.cx {
{% if bias %}
        sum = bias[ci];
{% endif %}
        for (var ky = 0u; ky < p.kh; ky++) {
            for (var kx = 0u; kx < p.kw; kx++) {
                // The taps that reach this pixel: oy * stride - pad + ky * dilation = iy.
                let ty = i32(iy + p.pad_y) - i32(ky * p.dil_y);
                let tx = i32(ix + p.pad_x) - i32(kx * p.dil_x);
                let oy = ty / i32(p.stride_y);
                let ox = tx / i32(p.stride_x);
                if ty >= 0 && tx >= 0 && oy * i32(p.stride_y) == ty && ox * i32(p.stride_x) == tx
                    && u32(oy) < p.yh && u32(ox) < p.yw {
                    for (var co = 0u; co < p.cy; co++) {
                        sum += input[y_at(n, co, u32(oy), u32(ox))] * weight[weight_at(ky, kx, co, ci, p.cy, p.cx)];
                    }
                }
            }
        }
{% if relu %}
        sum = select(sum, 0.0, sum < 0.0);
{% endif %}
    }
    out[x_at(n, ci, iy, ix)] = sum;
}
