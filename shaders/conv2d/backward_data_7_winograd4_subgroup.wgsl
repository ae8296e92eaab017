// conv2d / backward_data / 7 winograd4 subgroup: F(4x4, 3x3) on one subgroup; a forward with the kernel turned by half a turn.
{% include "common/gather_gemm" %}
