// conv_transpose2d / forward / 10 subpixel staged: version 4 with operands in workgroup memory.
{% include "common/staged_gemm" %}
