// Four random words from four: pcg4d of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9 (3), 2020.
fn pcg4d(key: vec4<u32>) -> vec4<u32> {
    var v = key * 1664525u + 1013904223u;
    for (var turn = 0u; turn < 2u; turn++) {
        v.x += v.y * v.w;
        v.y += v.z * v.x;
        v.z += v.x * v.y;
        v.w += v.y * v.z;
        if turn == 0u {
            v ^= v >> vec4<u32>(16u);
        }
    }
    return v;
}
