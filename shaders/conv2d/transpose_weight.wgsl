// conv2d / transpose_weight: the weight with its two channel dimensions exchanged; one invocation four values.
//
//   out[tap, b, a] = weight[tap, a, b]
//
// weight [taps][a/4][b] of four a   out [taps][b/4][a] of four b, pad lanes 0

struct Params {
    taps: u32, a: u32, b: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

const WG = 64u;

fn at(tap: u32, a: u32, b: u32) -> f32 {
    let inside = b < p.b;
    let place = ((tap * ((p.a + 3u) / 4u) + a / 4u) * p.b + select(0u, b, inside)) * 4u + a % 4u;
    return select(0.0, weight[place], inside);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    let b4 = (p.b + 3u) / 4u;
    if i >= p.taps * b4 * p.a {
        return;
    }
    let a = i % p.a;
    let b = i / p.a % b4 * 4u;
    let tap = i / p.a / b4;
    out[i] = vec4<f32>(at(tap, a, b), at(tap, a, b + 1u), at(tap, a, b + 2u), at(tap, a, b + 3u));
}
