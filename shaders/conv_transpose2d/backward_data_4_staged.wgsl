// conv_transpose2d / backward_data / 4 staged: the implicit GEMM with operands in workgroup memory.
{% include "common/staged_gemm" %}
