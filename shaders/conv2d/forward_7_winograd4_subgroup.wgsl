// conv2d / forward / 7 winograd4 subgroup: F(4x4, 3x3) on one subgroup; the products at all points are one plain GEMM each.
{% include "common/gather_gemm" %}
