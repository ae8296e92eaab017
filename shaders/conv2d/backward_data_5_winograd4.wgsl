// conv2d / backward_data / 5 winograd4: F(4x4, 3x3); a forward with the kernel turned by half a turn.
{% include "common/gather_gemm" %}
