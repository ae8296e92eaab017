// `common/epilogue` for four channels of a pixel, 16 bytes a load.

fn finish(value: vec4<f32>, r: u32, m: u32) -> vec4<f32> {
    var v = value;
{% if residual %}
    v += from_wide(residual[r]);
{% endif %}
{% if relu %}
    v = select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
{% endif %}
{% if mask %}
    v = select(vec4<f32>(0.0), v, from_wide(mask[m]) > vec4<f32>(0.0));
{% endif %}
    return v;
}
