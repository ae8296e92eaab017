// conv2d / forward / 2 tiled: an implicit GEMM on register tiles, 16-byte loads.
{% include "common/gather_gemm" %}
