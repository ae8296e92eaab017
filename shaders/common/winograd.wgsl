// Winograd's convolution of {{ m }} outputs by a kernel of 3 in one direction, F({{ m }}, 3), by the points 0, 1, -1{% if m == 4 %}, 2, -2{% endif %}
// and infinity; two directions are one after the other. Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
// Networks": y = At ((G g) * (Bt d)), which takes {{ m + 2 }} multiplications instead of {{ m * 3 }}.

{% set points = m + 2 %}
struct Points {
{% for i in range(points) %}
    p{{ i }}: vec4<f32>,
{% endfor %}
}

struct Outputs {
{% for i in range(m) %}
    p{{ i }}: vec4<f32>,
{% endfor %}
}

struct Taps {
    p0: vec4<f32>,
    p1: vec4<f32>,
    p2: vec4<f32>,
}

{% if m == 4 %}
// Bt d
fn input_points(d0: vec4<f32>, d1: vec4<f32>, d2: vec4<f32>, d3: vec4<f32>, d4: vec4<f32>, d5: vec4<f32>) -> Points {
    let even = d4 - 4.0 * d2;
    let odd = d3 - 4.0 * d1;
    let near = d4 - d2;
    let far = 2.0 * (d3 - d1);
    return Points(4.0 * d0 - 5.0 * d2 + d4, even + odd, even - odd, near + far, near - far, 4.0 * d1 - 5.0 * d3 + d5);
}

// G g
fn weight_points(g0: vec4<f32>, g1: vec4<f32>, g2: vec4<f32>) -> Points {
    let outer = (g0 + g2) * (-1.0 / 6.0);
    let inner = g1 * (1.0 / 6.0);
    let wide = g0 * (1.0 / 24.0) + g2 * (1.0 / 6.0);
    let middle = g1 * (1.0 / 12.0);
    return Points(0.25 * g0, outer - inner, outer + inner, wide + middle, wide - middle, g2);
}

// At m
fn outputs(m0: vec4<f32>, m1: vec4<f32>, m2: vec4<f32>, m3: vec4<f32>, m4: vec4<f32>, m5: vec4<f32>) -> Outputs {
    let near = m1 + m2;
    let near_odd = m1 - m2;
    let far = m3 + m4;
    let far_odd = m3 - m4;
    return Outputs(m0 + near + far, near_odd + 2.0 * far_odd, near + 4.0 * far, near_odd + 8.0 * far_odd + m5);
}

// A y
fn output_points(y0: vec4<f32>, y1: vec4<f32>, y2: vec4<f32>, y3: vec4<f32>) -> Points {
    let near = y0 + y2;
    let near_odd = y1 + y3;
    let far = y0 + 4.0 * y2;
    let far_odd = 2.0 * y1 + 8.0 * y3;
    return Points(y0, near + near_odd, near - near_odd, far + far_odd, far - far_odd, y3);
}

// Gt u
fn taps(u0: vec4<f32>, u1: vec4<f32>, u2: vec4<f32>, u3: vec4<f32>, u4: vec4<f32>, u5: vec4<f32>) -> Taps {
    let near = (u1 + u2) * (-1.0 / 6.0);
    let near_odd = (u2 - u1) * (1.0 / 6.0);
    let far = u3 + u4;
    return Taps(0.25 * u0 + near + far * (1.0 / 24.0), near_odd + (u3 - u4) * (1.0 / 12.0), near + far * (1.0 / 6.0) + u5);
}
{% else %}
// Bt d
fn input_points(d0: vec4<f32>, d1: vec4<f32>, d2: vec4<f32>, d3: vec4<f32>) -> Points {
    return Points(d0 - d2, d1 + d2, d2 - d1, d1 - d3);
}

// G g
fn weight_points(g0: vec4<f32>, g1: vec4<f32>, g2: vec4<f32>) -> Points {
    let outer = 0.5 * (g0 + g2);
    let inner = 0.5 * g1;
    return Points(g0, outer + inner, outer - inner, g2);
}

// At m
fn outputs(m0: vec4<f32>, m1: vec4<f32>, m2: vec4<f32>, m3: vec4<f32>) -> Outputs {
    return Outputs(m0 + m1 + m2, m1 - m2 - m3);
}

// A y
fn output_points(y0: vec4<f32>, y1: vec4<f32>) -> Points {
    return Points(y0, y0 + y1, y0 - y1, -y1);
}

// Gt u
fn taps(u0: vec4<f32>, u1: vec4<f32>, u2: vec4<f32>, u3: vec4<f32>) -> Taps {
    let both = 0.5 * (u1 + u2);
    return Taps(u0 + both, 0.5 * (u1 - u2), both + u3);
}
{% endif %}
