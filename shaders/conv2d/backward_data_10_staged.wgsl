// conv2d / backward_data / 10 staged: the implicit GEMM with operands in workgroup memory.
{% include "common/staged_gemm" %}
