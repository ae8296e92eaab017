// conv_transpose2d / backward_weight / 4 staged: the GEMM over all pixels with operands in workgroup memory.
{% include "common/staged_weight_gemm" %}
