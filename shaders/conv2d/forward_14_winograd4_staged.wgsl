// conv2d / forward / 14 winograd4 staged: version 5 with operands in workgroup memory.
{% include "common/staged_gemm" %}
