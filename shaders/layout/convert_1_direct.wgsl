// layout / convert / 1 direct: one invocation a place of the output, pad lanes included.
//
//   out[place(a, b, y, x)] = input[place(a, b, y, x)], pad lanes 0
//
// input, out (da, db, dy, dx) in two layouts, chosen by `from` and `to`: 0 row-major, 1 NC4HW4,
// 2 a convolution's weight [y][x][b/4][a] of four b, 3 a transposed convolution's [y][x][a/4][b] of four a.

struct Params {
    da: u32, db: u32, dy: u32, dx: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

fn place(a: u32, b: u32, y: u32, x: u32) -> u32 {
{% if from == 0 %}
    return p.in_base + a * p.in_stride + (b * p.dy + y) * p.dx + x;
{% elif from == 1 %}
    return p.in_base + a * p.in_stride + ((b / 4u * p.dy + y) * p.dx + x) * 4u + b % 4u;
{% elif from == 2 %}
    return (((y * p.dx + x) * ((p.db + 3u) / 4u) + b / 4u) * p.da + a) * 4u + b % 4u;
{% else %}
    return (((y * p.dx + x) * ((p.da + 3u) / 4u) + a / 4u) * p.db + b) * 4u + a % 4u;
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    var rest = i;
{% if to == 0 %}
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let b = rest % p.db;
    let a = rest / p.db;
    let at = p.out_base + a * p.out_stride + (b * p.dy + y) * p.dx + x;
{% elif to == 1 %}
    let inner = rest % 4u; rest = rest / 4u;
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner;
    let a = rest / groups_of_b;
    let at = p.out_base + a * p.out_stride + ((b / 4u * p.dy + y) * p.dx + x) * 4u + inner;
{% elif to == 2 %}
    let inner = rest % 4u; rest = rest / 4u;
    let a = rest % p.da; rest = rest / p.da;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner; rest = rest / groups_of_b;
    let x = rest % p.dx;
    let y = rest / p.dx;
    let at = i;
{% else %}
    let inner = rest % 4u; rest = rest / 4u;
    let b = rest % p.db; rest = rest / p.db;
    let groups_of_a = (p.da + 3u) / 4u;
    let a = rest % groups_of_a * 4u + inner; rest = rest / groups_of_a;
    let x = rest % p.dx;
    let y = rest / p.dx;
    let at = i;
{% endif %}
    if a >= p.da || b >= p.db {
        out[at] = 0.0;
        return;
    }
    out[at] = input[place(a, b, y, x)];
}
