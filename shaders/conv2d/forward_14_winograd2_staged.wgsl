// conv2d / forward / 14 winograd2 staged: version 4 with operands in workgroup memory.
{% include "common/staged_gemm" %}
