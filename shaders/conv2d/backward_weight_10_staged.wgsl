// conv2d / backward_weight / 10 staged: the GEMM over all pixels with operands in workgroup memory.
{% include "common/staged_weight_gemm" %}
