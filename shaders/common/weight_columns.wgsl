// Of common/weight_gemm and common/staged_weight_gemm: the `columns` of a lane, each a pair of a tap and four channels of the shifted
// operand, `step` apart from `first` on, of {{ group_columns }} of the workgroup.
    let all_columns = p.kh * p.kw * p.s4;
{% for h in range(columns) %}
    let column{{ h }} = wid.x * {{ group_columns }}u + {{ h * step }}u + {{ first }};
    let inside{{ h }} = column{{ h }} < all_columns;
    let tap{{ h }} = select(0u, column{{ h }} / p.s4, inside{{ h }});
    let group{{ h }} = select(0u, column{{ h }} - tap{{ h }} * p.s4, inside{{ h }});
{% endfor %}
