// conv2d / backward_weight / 11 winograd2 staged: version 6 with operands in workgroup memory.
{% include "common/staged_weight_gemm" %}
