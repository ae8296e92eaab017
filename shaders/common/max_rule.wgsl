// PyTorch's maximum: the first of equal values, and a NaN goes before every number. A NaN is known by its bits, as
// compilers may take `v != v` for false.

fn beats(value: vec4<f32>, most: vec4<f32>) -> vec4<bool> {
    let bits = bitcast<vec4<u32>>(value) & vec4<u32>(0x7fffffffu);
    return (value > most) | (bits > vec4<u32>(0x7f800000u));
}
