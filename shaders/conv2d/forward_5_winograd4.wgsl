// conv2d / forward / 5 winograd4: F(4x4, 3x3); the products at all points are one plain GEMM each.
{% include "common/gather_gemm" %}
