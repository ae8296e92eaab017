// Of common/weight_gemm and common/staged_weight_gemm: a lane writes its sums, named and placed as in common/weight_continue.
{% for h in range(columns) %}
    if inside{{ h }} {
{% if transposed %}
{% for j in range(lane_quads) %}
        if b_lane + {{ j * 4 }}u < p.b {
            let row = at{{ h }} + (row{{ h }} + {{ j }}u) * width{{ h }};
            let keep = vec4<u32>(b_lane + {{ j * 4 }}u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.b);
{% for k in range(h * 4, h * 4 + 4) %}
            if group{{ h }} * 4u + {{ k % 4 }}u < p.s {
                let v = vec4<f32>(c{{ j * 4 }}_{{ k }}, c{{ j * 4 + 1 }}_{{ k }}, c{{ j * 4 + 2 }}_{{ k }}, c{{ j * 4 + 3 }}_{{ k }});
                out[row + {{ k % 4 }}u] = to_wide(select(vec4<f32>(0.0), v, keep));
            }
{% endfor %}
        }
{% endfor %}
{% else %}
        let keep = vec4<u32>(group{{ h }} * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.s);
{% for o in range(lane_quads * 4) %}
        if b_lane + {{ o }}u < p.b {
            let v = vec4<f32>(c{{ o }}_{{ h * 4 }}, c{{ o }}_{{ h * 4 + 1 }}, c{{ o }}_{{ h * 4 + 2 }}, c{{ o }}_{{ h * 4 + 3 }});
            out[at + column{{ h }} * width + {{ o }}u] = to_wide(select(vec4<f32>(0.0), v, keep));
        }
{% endfor %}
{% endif %}
    }
{% endfor %}
