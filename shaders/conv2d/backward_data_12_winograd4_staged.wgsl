// conv2d / backward_data / 12 winograd4 staged: version 5 with operands in workgroup memory.
{% include "common/staged_gemm" %}
