// conv_transpose2d / backward_data / 1 direct: one invocation an element of the input's gradient.
//
//   out[n, ci, iy, ix] = sum over co, ky, kx of
//       gradient[n, co, iy*stride + ky - pad, ix*stride + kx - pad] * weight[ci, co, ky, kx]
//
// gradient (n, co, oh, ow) C4 is x and out (n, ci, h, w) C4 is y of the convolution that this is;
// weight in panels of co, [kh][kw][ci/4][co] of four ci

{% include "common/conv_direct" %}
{% include "common/epilogue" %}

@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
{% if bias %}
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
{% endif %}
{% if residual %}
@group(0) @binding({{ 3 + bias }}) var<storage, read_write> residual: array<f32>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 3 + bias + residual }}) var<storage, read_write> mask: array<f32>;
{% endif %}
@group(0) @binding({{ 3 + bias + residual + mask }}) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    // One invocation a place of the output, pad lanes too.
    let groups_of_c = (p.cy + 3u) / 4u;
    let ox = i / 4u % p.yw;
    let oy = i / 4u / p.yw % p.yh;
    let co = i / 4u / p.yw / p.yh % groups_of_c * 4u + i % 4u;
    let n = i / 4u / p.yw / p.yh / groups_of_c;
    var sum = 0.0;
    if co < p.cy {
{% if bias %}
        sum = bias[co];
{% endif %}
        for (var ky = 0u; ky < p.kh; ky++) {
            for (var kx = 0u; kx < p.kw; kx++) {
                let iy = i32(oy * p.stride_y + ky * p.dil_y) - i32(p.pad_y);
                let ix = i32(ox * p.stride_x + kx * p.dil_x) - i32(p.pad_x);
                if u32(iy) < p.xh && u32(ix) < p.xw {
                    for (var ci = 0u; ci < p.cx; ci++) {
                        sum += gradient[x_at(n, ci, u32(iy), u32(ix))] * weight[weight_at(ky, kx, co, ci, p.cy, p.cx)];
                    }
                }
            }
        }
        let inner = y_at(0u, co, oy, ox) - p.y_base;
        sum = finish(sum, p.r_base + n * p.r_stride + inner, p.m_base + n * p.m_stride + inner);
    }
    out[y_at(n, co, oy, ox)] = sum;
}
