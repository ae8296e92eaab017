// What the conversions of layouts share: where an element (a, b, y, x) of (da, db, dy, dx) lies, by `from` in the input and by
// `to` in the output: 0 row-major, 1 NC4HW4, 2 a convolution's weight in panels of a, [y][x][b/4][a] of four b, 3 a
// transposed convolution's in panels of b, [y][x][a/4][b] of four a.

{% include "common/weight_places" %}

struct Params {
    da: u32, db: u32, dy: u32, dx: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

struct Element { a: u32, b: u32, y: u32, x: u32 }

// The element at place i of the output, counted from the first of all; in a pad lane a or b is none.
fn element(i: u32) -> Element {
{% if to < 2 %}
    var rest = i;
{% endif %}
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
    let at = weight_element(i, p.dy * p.dx, p.db, p.da);
    let a = at.outer;
    let b = at.inner;
    let x = at.tap % p.dx;
    let y = at.tap / p.dx;
{% else %}
    let at = weight_element(i, p.dy * p.dx, p.da, p.db);
    let a = at.inner;
    let b = at.outer;
    let x = at.tap % p.dx;
    let y = at.tap / p.dx;
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
    return weight_place(WeightElement(at.y * p.dx + at.x, at.b, at.a), p.dy * p.dx, p.db, p.da);
{% else %}
    return weight_place(WeightElement(at.y * p.dx + at.x, at.a, at.b), p.dy * p.dx, p.da, p.db);
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
