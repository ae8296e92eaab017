// softmax / forward / 2 rows: a workgroup a row of contiguous values; each lane every 64th of them.
//
//   out[c] = exp(x[c] - m) / s, or x[c] - m - ln(s) where `log`
//   m = max over c of x[c],  s = sum over c of exp(x[c] - m)
//
// x, out (n, c) from `…_base` on   rows = n, inner = 1

struct Params {
    rows: u32, c: u32, inner: u32, a_base: u32, b_base: u32, out_base: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

var<workgroup> lane_most: array<f32, WG>;
var<workgroup> lane_sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    // A row too many repeats the last one, so that every lane of every workgroup meets the barriers.
    let start = min(wid.y * groups.x + wid.x, p.rows - 1u) * p.c;
    var most = x[p.a_base + start];
    for (var c = lane; c < p.c; c += WG) {
        most = max(most, x[p.a_base + start + c]);
    }
    lane_most[lane] = most;
    // Every lane's maximum has to be there before all read them.
    workgroupBarrier();
    for (var i = 0u; i < WG; i++) {
        most = max(most, lane_most[i]);
    }
    var sum = 0.0;
    for (var c = lane; c < p.c; c += WG) {
        sum += exp(x[p.a_base + start + c] - most);
    }
    lane_sums[lane] = sum;
    // Every lane's sum has to be there before all read them.
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < WG; i++) {
        sum += lane_sums[i];
    }
    for (var c = lane; c < p.c; c += WG) {
        let d = x[p.a_base + start + c] - most;
{% if log %}
        out[p.out_base + start + c] = d - log(sum);
{% else %}
        out[p.out_base + start + c] = exp(d) / sum;
{% endif %}
    }
}
