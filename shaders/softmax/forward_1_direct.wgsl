// softmax / forward / 1 direct: one invocation a row, the c values x[n, …, i].
//
//   out[c] = exp(x[c] - m) / s, or x[c] - m - ln(s) where `log`
//   m = max over c of x[c],  s = sum over c of exp(x[c] - m)
//
// x, out (n, c, inner) from `…_base` on; a row's values are `inner` apart   rows = n * inner

struct Params {
    rows: u32, c: u32, inner: u32, a_base: u32, b_base: u32, out_base: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let row = (wid.y * groups.x + wid.x) * WG + lane;
    if row >= p.rows {
        return;
    }
    let start = row / p.inner * p.c * p.inner + row % p.inner;
    var most = x[p.a_base + start];
    for (var c = 1u; c < p.c; c++) {
        most = max(most, x[p.a_base + start + c * p.inner]);
    }
    var sum = 0.0;
    for (var c = 0u; c < p.c; c++) {
        sum += exp(x[p.a_base + start + c * p.inner] - most);
    }
    for (var c = 0u; c < p.c; c++) {
        let d = x[p.a_base + start + c * p.inner] - most;
{% if log %}
        out[p.out_base + start + c * p.inner] = d - log(sum);
{% else %}
        out[p.out_base + start + c * p.inner] = exp(d) / sum;
{% endif %}
    }
}
