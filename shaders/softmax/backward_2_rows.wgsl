// softmax / backward / 2 rows: a workgroup a row of contiguous values; each lane every 64th of them.
//
//   dx[c] = y[c] (g[c] - sum over c of g[c] y[c]),  or g[c] - exp(y[c]) sum over c of g[c] where `log`
//
// gradient g, y, dx (n, c) from `…_base` on   rows = n, inner = 1

struct Params {
    rows: u32, c: u32, inner: u32, a_base: u32, b_base: u32, out_base: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

const WG = 64u;

var<workgroup> lane_sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    // A row too many repeats the last one, so that every lane of every workgroup meets the barrier.
    let start = min(wid.y * groups.x + wid.x, p.rows - 1u) * p.c;
    var sum = 0.0;
    for (var c = lane; c < p.c; c += WG) {
{% if log %}
        sum += gradient[p.a_base + start + c];
{% else %}
        sum += gradient[p.a_base + start + c] * y[p.b_base + start + c];
{% endif %}
    }
    lane_sums[lane] = sum;
    // Every lane's sum has to be there before all read them.
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < WG; i++) {
        sum += lane_sums[i];
    }
    for (var c = lane; c < p.c; c += WG) {
        let at = start + c;
{% if log %}
        dx[p.out_base + at] = gradient[p.a_base + at] - exp(y[p.b_base + at]) * sum;
{% else %}
        dx[p.out_base + at] = y[p.b_base + at] * (gradient[p.a_base + at] - sum);
{% endif %}
    }
}
