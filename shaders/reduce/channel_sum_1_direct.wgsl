// reduce / channel_sum / 1 direct: one invocation a channel.
//
//   out[c] = sum over n, y, x of input[n, c, y, x]
//
// input (n, c, h, w) C4   out (c)

struct Params {
    n: u32, c: u32, plane: u32, x_base: u32, x_stride: u32, first: u32, parts: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = wid.x * WG + lane;
    if c >= p.c {
        return;
    }
    // The samples before `first` are summed already.
    var total = 0.0;
    if p.first > 0u {
        total = out[c];
    }
    for (var n = 0u; n < p.n; n++) {
        var sum = 0.0;
        for (var i = 0u; i < p.plane; i++) {
            sum += input[p.x_base + n * p.x_stride + (c / 4u * p.plane + i) * 4u + c % 4u];
        }
        total += sum;
    }
    out[c] = total;
}
