// max_pool2d / backward / 3 disjoint: for windows that do not overlap, one invocation a window and four channels; it
// writes the stride's whole cell of the image, and cells without a window are zeros. Each pixel is loaded once.
//
//   out[n, c, y, x] = gradient[n, c, oy, ox] where the window's first maximum in row-major order is (y, x), else 0
//
// input (n, c, h, w) C4 is x, gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is z;
// residual and mask as out is

{% include "common/wide" %}
{% include "common/pool" %}
{% include "common/pool_gradient" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

{% include "common/max_window" %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = (wid.y * groups.x + wid.x) * TILE;
    for (var i = tile + lane; i < min(tile + TILE, p.len); i += WG) {
        let tall = (p.h + p.pad_y + p.stride_y - 1u) / p.stride_y;
        let broad = (p.w + p.pad_x + p.stride_x - 1u) / p.stride_x;
        let cell = group_place(wid.z, i, tall, broad);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, cell.n, cell.c);
        var first = vec4<u32>(0u);
        var value = vec4<f32>(0.0);
        if cell.y < p.oh && cell.x < p.ow {
            first = winner(start, cell.y, cell.x);
            let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, cell.n, cell.c);
            value = keep(from_wide(gradient[pooled + cell.y * p.ow + cell.x]), cell.c, p.c);
        }
        let rows = vec2<u32>(max(cell.y * p.stride_y, p.pad_y), min((cell.y + 1u) * p.stride_y, p.h + p.pad_y)) - p.pad_y;
        let cols = vec2<u32>(max(cell.x * p.stride_x, p.pad_x), min((cell.x + 1u) * p.stride_x, p.w + p.pad_x)) - p.pad_x;
        let written = group_at(p.z_base, p.z_stride, p.h, p.w, cell.n, cell.c);
        let added = group_at(p.r_base, p.r_stride, p.h, p.w, cell.n, cell.c);
        let masked = group_at(p.m_base, p.m_stride, p.h, p.w, cell.n, cell.c);
        for (var y = rows.x; y < rows.y; y++) {
            for (var x = cols.x; x < cols.y; x++) {
                let ky = y + p.pad_y - cell.y * p.stride_y;
                let kx = x + p.pad_x - cell.x * p.stride_x;
                // Beyond the window's width the number would be that of the next row's tap.
                let mine = (first == vec4<u32>(ky * p.kw + kx)) & vec4<bool>(kx < p.kw);
                let pixel = y * p.w + x;
                out[written + pixel] = to_wide(finish(select(vec4<f32>(0.0), value, mine), added + pixel, masked + pixel));
            }
        }
    }
}
