// Sixteen bytes in one load. Software drivers gather element by element, and two 64-bit elements cost them less than
// four of 32 bits.
{% if wide_u64 %}
alias Wide = vec2<u64>;

fn from_wide(q: Wide) -> vec4<f32> {
    return vec4<f32>(
        bitcast<f32>(u32(q.x)), bitcast<f32>(u32(q.x >> 32u)),
        bitcast<f32>(u32(q.y)), bitcast<f32>(u32(q.y >> 32u)),
    );
}

fn to_wide(v: vec4<f32>) -> Wide {
    let u = bitcast<vec4<u32>>(v);
    return vec2<u64>(u64(u.x) | (u64(u.y) << 32u), u64(u.z) | (u64(u.w) << 32u));
}
{% else %}
alias Wide = vec4<f32>;

fn from_wide(q: Wide) -> vec4<f32> {
    return q;
}

fn to_wide(v: vec4<f32>) -> Wide {
    return v;
}
{% endif %}
