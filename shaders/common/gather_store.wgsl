// Of common/gather_gemm and common/row_gather_gemm: a lane finishes and writes its pixels.
{% for g in range(pixels) %}
    if tile * {{ lanes * pixels }}u + {{ g * lanes }}u + lane <= last {
{% if subpixel %}
        let place = (oy{{ g }} * p.kh + ky) * p.ow + ox{{ g }} * p.kw + kx;
{% elif fractional %}
        let place = (oy{{ g }} * u32(p.div_y) + phase_y) * p.ow + ox{{ g }} * u32(p.div_x) + phase_x;
{% else %}
        let place = in_plane{{ g }};
{% endif %}
        let to = p.out_base + {{ "tap" if batched else "n" ~ g }} * p.out_stride + place;
        let added = p.r_base + n{{ g }} * p.r_stride + place;
        let masked = p.m_base + n{{ g }} * p.m_stride + place;
{% for j in range(tile // 4) %}
        if co0 + {{ j * 4 }}u < p.co {
            let group = (co0 / 4u + {{ j }}u) * out_plane;
            let v = vec4<f32>(c{{ j * 4 }}_{{ g }}, c{{ j * 4 + 1 }}_{{ g }}, c{{ j * 4 + 2 }}_{{ g }}, c{{ j * 4 + 3 }}_{{ g }});
            let co = vec4<u32>(co0 + {{ j * 4 }}u) + vec4<u32>(0u, 1u, 2u, 3u);
            let finished = finish(v, added + group, masked + group);
            out[to + group] = to_wide(select(vec4<f32>(0.0), finished, co < vec4<u32>(p.co)));
        }
{% endfor %}
    }
{% endfor %}
