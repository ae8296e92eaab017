// conv2d / forward / 12 staged: the implicit GEMM with operands in workgroup memory.
{% include "common/staged_gemm" %}
