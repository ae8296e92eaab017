// Of common/weight_gemm and common/staged_weight_gemm: sums that go on from the samples before; `cO_K` belongs to channel O after
// `b_lane`, four times `lane_quads` of them, and channel K % 4 of column K / 4.
{% if transposed %}
{% for h in range(columns) %}
    // Of the four channels of the shifted operand that a column holds.
    let panel{{ h }} = panel_of(group{{ h }} * 4u);
    let width{{ h }} = panel_width(panel{{ h }}, p.s);
    let at{{ h }} = to + panel{{ h }} * p.kh * p.kw * b4 + group{{ h }} * 4u - panel{{ h }};
    let row{{ h }} = tap{{ h }} * b4 + b_lane / 4u;
{% endfor %}
{% else %}
    // Of a lane's channels of the other operand, which are of one panel.
    let panel = panel_of(min(b_lane, p.b - 1u));
    let width = panel_width(panel, p.b);
    let at = to + panel * all_columns + b_lane - panel;
{% endif %}
{% if continued %}
{% for h in range(columns) %}
    if inside{{ h }} {
{% for j in range(lane_quads) %}
{% if transposed %}
        if b_lane + {{ j * 4 }}u < p.b {
            let row = at{{ h }} + (row{{ h }} + {{ j }}u) * width{{ h }};
{% for k in range(4) %}
            if group{{ h }} * 4u + {{ k }}u < p.s {
                let v = from_wide(out[row + {{ k }}u]);
                c{{ j * 4 }}_{{ h * 4 + k }} = v.x;
                c{{ j * 4 + 1 }}_{{ h * 4 + k }} = v.y;
                c{{ j * 4 + 2 }}_{{ h * 4 + k }} = v.z;
                c{{ j * 4 + 3 }}_{{ h * 4 + k }} = v.w;
            }
{% endfor %}
        }
{% else %}
{% for o in range(j * 4, j * 4 + 4) %}
        if b_lane + {{ o }}u < p.b {
            let v = from_wide(out[at + column{{ h }} * width + {{ o }}u]);
            c{{ o }}_{{ h * 4 }} = v.x;
            c{{ o }}_{{ h * 4 + 1 }} = v.y;
            c{{ o }}_{{ h * 4 + 2 }} = v.z;
            c{{ o }}_{{ h * 4 + 3 }} = v.w;
        }
{% endfor %}
{% endif %}
{% endfor %}
    }
{% endfor %}
{% endif %}
