// conv2d / backward_data / 12 winograd2 staged: version 4 with operands in workgroup memory.
{% include "common/staged_gemm" %}
