// conv2d / forward / 6 winograd2 subgroup: F(2x2, 3x3) on one subgroup; the products at all points are one plain GEMM each.
{% include "common/gather_gemm" %}
