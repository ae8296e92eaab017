// Of common/gather_gemm and common/staged_gemm: where pixels lie, `nG` and so on of a lane's pixel G. `of` goes before G in
// the names, `count` says how many there are, `step` apart from `first` on.
{% for g in range(count) %}
{% set i = of ~ g %}
    let at{{ i }} = min(tile * {{ group_pixels }}u + {{ g * step }}u + {{ first }}, last);
{% if batched %}
    // One image in one row.
    let n{{ i }} = 0u;
    let in_plane{{ i }} = at{{ i }};
{% else %}
    let n{{ i }} = at{{ i }} / plane;
    let in_plane{{ i }} = at{{ i }} - n{{ i }} * plane;
    let oy{{ i }} = in_plane{{ i }} / row;
    let ox{{ i }} = in_plane{{ i }} - oy{{ i }} * row;
{% endif %}
{% endfor %}
