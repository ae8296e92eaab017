// peak / fma: how many fused multiply-adds a device does, in {{ accumulators }} chains a lane that do not wait for each other, eight
// links of each a turn. A lane does turns * {{ accumulators * 8 }} of them.
//
//   c_i = c_i * a + b, turns * 8 times; out[lane] = sum of c_i
//
// out (invocations): a and b on the way in

struct Params { turns: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let a = out[id.x];
    let b = a * 0.5;
{% for i in range(accumulators) %}
    var c{{ i }} = b + {{ i }}.0;
{% endfor %}
    for (var turn = 0u; turn < p.turns; turn++) {
{% for i in range(accumulators) %}
{% for link in range(8) %}
        c{{ i }} = fma(c{{ i }}, a, b);
{% endfor %}
{% endfor %}
    }
    var sum = 0.0;
{% for i in range(accumulators) %}
    sum += c{{ i }};
{% endfor %}
    out[id.x] = sum;
}
