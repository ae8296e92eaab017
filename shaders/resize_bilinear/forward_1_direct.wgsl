// resize_bilinear / forward / 1 direct: one invocation an output element. The one to read first.
//
//   out[n, c, oy, ox] = (1 - fy) ((1 - fx) input[y0, x0] + fx input[y0, x1])
//                     +      fy  ((1 - fx) input[y1, x0] + fx input[y1, x1])
//   y0 + fy = max(0, (oy + 1/2) h / oh - 1/2), y1 = min(y0 + 1, h - 1); x likewise
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y

{% include "common/resize" %}

@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

fn input_at(o: Place, y: u32, x: u32) -> f32 {
    return input[float_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c, y, x)];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let o = place(wid.z, i, p.oh, p.ow);
    var value = 0.0;
    if o.c < p.c {
        let y = mix_of(o.y, p.h, p.oh);
        let x = mix_of(o.x, p.w, p.ow);
        let above = (1.0 - x.share) * input_at(o, y.low, x.low) + x.share * input_at(o, y.low, x.high);
        let below = (1.0 - x.share) * input_at(o, y.high, x.low) + x.share * input_at(o, y.high, x.high);
        value = (1.0 - y.share) * above + y.share * below;
    }
    out[float_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c, o.y, o.x)] = value;
}
