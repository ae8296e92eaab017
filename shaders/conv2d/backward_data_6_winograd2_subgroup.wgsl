// conv2d / backward_data / 6 winograd2 subgroup: F(2x2, 3x3) on one subgroup; a forward with the kernel turned by half a turn.
{% include "common/gather_gemm" %}
