// conv_transpose2d / forward / 2 tiled: the data gradient of a convolution: an implicit GEMM that gathers.
{% include "common/gather_gemm" %}
