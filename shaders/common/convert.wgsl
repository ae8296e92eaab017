// What the conversions of layouts share: where an element (a, b, y, x) of (da, db, dy, dx) lies, by `from` in the input and by
// `to` in the output: 0 row-major, 1 NC4HW4, 2 a convolution's weight [y][x][b/4][a] of four b, 3 a transposed convolution's
// [y][x][a/4][b] of four a.

struct Params {
    da: u32, db: u32, dy: u32, dx: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

struct Element { a: u32, b: u32, y: u32, x: u32 }

// The element at place i of the output, counted from the first of all; in a pad lane a or b is none.
fn element(i: u32) -> Element {
    var rest = i;
{% if to == 0 %}
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let b = rest % p.db;
    let a = rest / p.db;
{% elif to == 1 %}
    let inner = rest % 4u; rest = rest / 4u;
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner;
    let a = rest / groups_of_b;
{% elif to == 2 %}
    let inner = rest % 4u; rest = rest / 4u;
    let a = rest % p.da; rest = rest / p.da;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner; rest = rest / groups_of_b;
    let x = rest % p.dx;
    let y = rest / p.dx;
{% else %}
    let inner = rest % 4u; rest = rest / 4u;
    let b = rest % p.db; rest = rest / p.db;
    let groups_of_a = (p.da + 3u) / 4u;
    let a = rest % groups_of_a * 4u + inner; rest = rest / groups_of_a;
    let x = rest % p.dx;
    let y = rest / p.dx;
{% endif %}
    return Element(a, b, y, x);
}

// Where an element lies in the input's binding.
fn place(at: Element) -> u32 {
{% if from == 0 %}
    return p.in_base + at.a * p.in_stride + (at.b * p.dy + at.y) * p.dx + at.x;
{% elif from == 1 %}
    return p.in_base + at.a * p.in_stride + ((at.b / 4u * p.dy + at.y) * p.dx + at.x) * 4u + at.b % 4u;
{% elif from == 2 %}
    return (((at.y * p.dx + at.x) * ((p.db + 3u) / 4u) + at.b / 4u) * p.da + at.a) * 4u + at.b % 4u;
{% else %}
    return (((at.y * p.dx + at.x) * ((p.da + 3u) / 4u) + at.a / 4u) * p.db + at.b) * 4u + at.a % 4u;
{% endif %}
}

// Where place i of the output, counted from the first of all, lies in its binding; it belongs to sample a, where there are any.
fn written(i: u32, a: u32) -> u32 {
{% if to == 0 %}
    return p.out_base + a * p.out_stride + i - a * (p.db * p.dy * p.dx);
{% elif to == 1 %}
    return p.out_base + a * p.out_stride + i - a * ((p.db + 3u) / 4u * p.dy * p.dx * 4u);
{% else %}
    return i;
{% endif %}
}
