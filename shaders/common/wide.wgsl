// Four values in one load: 16 bytes, or 8 where `half` is set. Software drivers gather element by element, and elements
// of 64 bits cost them less than twice as many of 32.
{% if half is defined %}
{% if guard %}
@group(0) @binding({{ guard }}) var<storage, read_write> beyond: array<atomic<u32>>;
{% endif %}
{% if wide_u64 %}
alias Wide = u64;

fn from_wide(q: Wide) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(u32(q)), unpack2x16float(u32(q >> 32u)));
}
{% else %}
alias Wide = vec2<u32>;

fn from_wide(q: Wide) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y));
}
{% endif %}
{% if guard %}

// Rounded to the nearest, to the even of two as near: drivers may cut off. Integers tell what is beyond 65504, and NaN, as
// compilers may take NaN for impossible.
fn to_wide(v: vec4<f32>) -> Wide {
    let bits = bitcast<vec4<u32>>(v);
    let size = bits & vec4<u32>(0x7fffffffu);
    let even = size + vec4<u32>(0xfffu) + ((size >> vec4<u32>(13u)) & vec4<u32>(1u));
    let rounded = select(even & vec4<u32>(0xffffe000u), size, size < vec4<u32>(0x38800000u));
    let over = rounded > vec4<u32>(0x477fe000u);
    if any(over) {
        atomicStore(&beyond[0], 1u);
    }
    let safe = bitcast<vec4<f32>>(select((bits & vec4<u32>(0x80000000u)) | rounded, vec4<u32>(0u), over));
    let nan = select(vec4<u32>(0u), vec4<u32>(0x7e00u), over);
    let low = pack2x16float(safe.xy) | nan.x | (nan.y << 16u);
    let high = pack2x16float(safe.zw) | nan.z | (nan.w << 16u);
{% if wide_u64 %}
    return u64(low) | (u64(high) << 32u);
{% else %}
    return vec2<u32>(low, high);
{% endif %}
}
{% endif %}
{% elif wide_u64 %}
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
