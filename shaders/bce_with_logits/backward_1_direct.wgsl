// bce_with_logits / backward / 1 direct: one invocation an element.
//
//   dx[i] = (sigmoid(x[i]) - t[i]) g / count
//   sigmoid(x) - t = (1 - t) - e / (1 + e) where x >= 0, else e / (1 + e) - t,  e = exp(-|x|)
//
// logits, labels, dx (len)   gradient g ()

struct Params {
    len: u32, count: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let x = logits[i];
    let t = labels[i];
    let e = exp(-abs(x));
    let small = e / (1.0 + e);
    dx[i] = select(small - t, (1.0 - t) - small, x >= 0.0) * (gradient[0] / p.count);
}
