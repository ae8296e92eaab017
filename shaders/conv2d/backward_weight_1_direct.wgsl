// conv2d / backward_weight / 1 direct: one invocation an element of the weight's gradient.
//
//   out[co, ci, ky, kx] = sum over n, oy, ox of
//       input[n, ci, oy*stride + ky*dilation - pad, ox*stride + kx*dilation - pad] * gradient[n, co, oy, ox]
//
// input (n, ci, h, w) C4 is x, gradient (n, co, oh, ow) C4 is y; out in panels of co, [kh][kw][ci/4][co] of four ci

{% include "common/conv_direct" %}

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    // One invocation a place of the weight, pad lanes too.
    let da = p.cx;
    let db = p.cy;
    let at = weight_element(i, p.kh * p.kw, da, db);
    let a = at.inner;
    let b = at.outer;
    let kx = at.tap % p.kw;
    let ky = at.tap / p.kw;
{% if continued %}
    // The samples before are summed already.
    var sum = out[i];
{% else %}
    var sum = 0.0;
{% endif %}
    if a < da {
        for (var n = 0u; n < p.n; n++) {
            for (var oy = 0u; oy < p.yh; oy++) {
                let iy = i32(oy * p.stride_y + ky * p.dil_y) - i32(p.pad_y);
                if u32(iy) >= p.xh {
                    continue;
                }
                for (var ox = 0u; ox < p.yw; ox++) {
                    let ix = i32(ox * p.stride_x + kx * p.dil_x) - i32(p.pad_x);
                    if u32(ix) < p.xw {
                        sum += x[x_at(n, a, u32(iy), u32(ix))] * y[y_at(n, b, oy, ox)];
                    }
                }
            }
        }
    }
    out[i] = sum;
}
