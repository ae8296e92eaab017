// What a kernel does to a value before it is written, in place of the ops that follow it; each where it is told to:
//
//   value + residual[r],   then max(it, 0), or it where mask[m] > 0 and else 0
//
// The file that includes this one binds `residual` and `mask`.

fn finish(value: f32, r: u32, m: u32) -> f32 {
    var v = value;
{% if residual %}
    v += residual[r];
{% endif %}
{% if relu %}
    v = select(v, 0.0, v < 0.0);
{% endif %}
{% if mask %}
    v = select(0.0, v, mask[m] > 0.0);
{% endif %}
    return v;
}
