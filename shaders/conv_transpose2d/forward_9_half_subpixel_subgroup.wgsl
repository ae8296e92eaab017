// conv_transpose2d / forward / 9 half subpixel subgroup: version 8 on one subgroup.
{% include "common/gather_gemm" %}
