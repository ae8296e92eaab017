// conv2d / backward_data / 4 winograd2: F(2x2, 3x3); a forward with the kernel turned by half a turn.
{% include "common/gather_gemm" %}
