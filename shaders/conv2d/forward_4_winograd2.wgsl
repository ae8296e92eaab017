// conv2d / forward / 4 winograd2: F(2x2, 3x3); the products at all points are one plain GEMM each.
{% include "common/gather_gemm" %}
