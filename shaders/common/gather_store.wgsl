// Of common/gather_gemm, common/row_gather_gemm and common/staged_gemm: a lane finishes and writes its pixels, `count` of them as
// common/gather_places has them, and `lane_quads` times four channels from `co_lane` on.
{% for g in range(count) %}
    if tile * {{ group_pixels }}u + {{ g * step }}u + {{ first }} <= last {
{% if subpixel %}
        let place = (oy{{ g }} * p.kh + ky) * p.ow + ox{{ g }} * p.kw + kx;
{% elif fractional %}
        let place = (oy{{ g }} * u32(p.div_y) + phase_y) * p.ow + ox{{ g }} * u32(p.div_x) + phase_x;
{% else %}
        let place = in_plane{{ g }};
{% endif %}
        let to = out_first + {{ "tap" if batched else "n" ~ g }} * p.out_stride + place;
        let added = p.r_base + n{{ g }} * p.r_stride + place;
        let masked = p.m_base + n{{ g }} * p.m_stride + place;
{% for j in range(lane_quads) %}
        if co_lane + {{ j * 4 }}u < p.co {
            let group = (co_lane / 4u + {{ j }}u) * out_plane;
            let v = vec4<f32>(c{{ j * 4 }}_{{ g }}, c{{ j * 4 + 1 }}_{{ g }}, c{{ j * 4 + 2 }}_{{ g }}, c{{ j * 4 + 3 }}_{{ g }});
            let co = vec4<u32>(co_lane + {{ j * 4 }}u) + vec4<u32>(0u, 1u, 2u, 3u);
            let finished = finish(v, added + group, masked + group);
            out[to + group] = to_wide(select(vec4<f32>(0.0), finished, co < vec4<u32>(p.co)));
        }
{% endfor %}
    }
{% endfor %}
