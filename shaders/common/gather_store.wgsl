// Of common/gather_gemm, common/row_gather_gemm and common/staged_gemm: a lane finishes and writes its pixels, `count` of them as
// common/gather_places has them, and `lane_quads` times four channels from `co_lane` on.
{% for j in range(lane_quads) %}
{% if joined %}
    let tap{{ j }} = (co_lane / 4u + {{ j }}u) / (co_all / 4u);
    let quad{{ j }} = co_lane / 4u + {{ j }}u - tap{{ j }} * (co_all / 4u);
    let ky{{ j }} = tap{{ j }} / p.kw;
    let there{{ j }} = tap{{ j }} < all_taps;
    let group{{ j }} = quad{{ j }} * out_plane + ky{{ j }} * p.ow + tap{{ j }} - ky{{ j }} * p.kw;
{% else %}
    let quad{{ j }} = co_lane / 4u + {{ j }}u;
    let there{{ j }} = quad{{ j }} * 4u < p.co;
    let group{{ j }} = quad{{ j }} * out_plane;
{% endif %}
{% endfor %}
{% for g in range(count) %}
    if tile * {{ group_pixels }}u + {{ g * step }}u + {{ first }} <= last {
{% if joined %}
        let place = oy{{ g }} * p.kh * p.ow + ox{{ g }} * p.kw;
{% elif subpixel %}
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
        if there{{ j }} {
            let v = vec4<f32>(c{{ j * 4 }}_{{ g }}, c{{ j * 4 + 1 }}_{{ g }}, c{{ j * 4 + 2 }}_{{ g }}, c{{ j * 4 + 3 }}_{{ g }});
            let co = vec4<u32>(quad{{ j }} * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
            let finished = finish(v, added + group{{ j }}, masked + group{{ j }});
            out[to + group{{ j }}] = to_wide(select(vec4<f32>(0.0), finished, co < vec4<u32>(p.co)));
        }
{% endfor %}
    }
{% endfor %}
