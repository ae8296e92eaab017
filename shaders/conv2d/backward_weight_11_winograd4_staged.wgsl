// conv2d / backward_weight / 11 winograd4 staged: version 7 with operands in workgroup memory.
{% include "common/staged_weight_gemm" %}
