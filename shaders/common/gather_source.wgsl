// Of common/gather_gemm and common/staged_gemm: where the pixels that common/gather_places has found lie on x.
{% for g in range(count) %}
{% set i = of ~ g %}
    let x{{ i }}_base = p.x_base + {{ "tap" if batched else "n" ~ i }} * p.x_stride;
{% if not (subpixel or batched) %}
    // The pixel's place on x, from which each tap lies dy, dx away.
    let y{{ i }} = i32(oy{{ i }} * p.scale_y);
    let x{{ i }} = i32(ox{{ i }} * p.scale_x);
    let x{{ i }}_pixel = x{{ i }}_base + u32(y{{ i }} * i32(p.w) + x{{ i }});
{% endif %}
{% endfor %}
