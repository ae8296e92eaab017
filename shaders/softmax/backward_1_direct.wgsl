// softmax / backward / 1 direct: one invocation a row, from softmax's output y.
//
//   dx[c] = y[c] (g[c] - sum over c of g[c] y[c]),  or g[c] - exp(y[c]) sum over c of g[c] where `log`
//
// gradient g, y, dx (n, c, inner) from `…_base` on; a row's values are `inner` apart   rows = n * inner

struct Params {
    rows: u32, c: u32, inner: u32, a_base: u32, b_base: u32, out_base: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let row = (wid.y * groups.x + wid.x) * WG + lane;
    if row >= p.rows {
        return;
    }
    let start = row / p.inner * p.c * p.inner + row % p.inner;
    var sum = 0.0;
    for (var c = 0u; c < p.c; c++) {
        let at = start + c * p.inner;
{% if log %}
        sum += gradient[p.a_base + at];
{% else %}
        sum += gradient[p.a_base + at] * y[p.b_base + at];
{% endif %}
    }
    for (var c = 0u; c < p.c; c++) {
        let at = start + c * p.inner;
{% if log %}
        dx[p.out_base + at] = gradient[p.a_base + at] - exp(y[p.b_base + at]) * sum;
{% else %}
        dx[p.out_base + at] = y[p.b_base + at] * (gradient[p.a_base + at] - sum);
{% endif %}
    }
}
