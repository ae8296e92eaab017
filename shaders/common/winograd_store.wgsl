// Of conv2d/winograd_output and common/fused_winograd: a tile goes from column `cJ` of its points, each taken back along y, to pixels, with
// bias and epilogue. Its first pixel is `y`, `left` of the four channels `group` of sample `n`; out is `height` by `width` pixels of
// `channels` channels, and the sample starts at `first`.
    let channel = vec4<u32>(group * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
{% if bias %}
    let from_bias = min(channel, vec4<u32>(channels - 1u));
    let start = vec4<f32>(bias[from_bias.x], bias[from_bias.y], bias[from_bias.z], bias[from_bias.w]);
{% endif %}
    let place = group * height * width + y * width + left;
    let to = first + place;
    let added = p.r_base + n * p.r_stride + place;
    let masked = p.m_base + n * p.m_stride + place;
{% for i in range(m) %}
    if y + {{ i }}u < height {
        let row = outputs({% for j in range(m + 2) %}c{{ j }}.p{{ i }}{% if not loop.last %}, {% endif %}{% endfor %});
{% for j in range(m) %}
        if left + {{ j }}u < width {
            let pixel = {{ i }}u * width + {{ j }}u;
            let v = finish(row.p{{ j }}{% if bias %} + start{% endif %}, added + pixel, masked + pixel);
            out[to + pixel] = to_wide(select(vec4<f32>(0.0), v, channel < vec4<u32>(channels)));
        }
{% endfor %}
    }
{% endfor %}
