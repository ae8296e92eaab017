// conv_transpose2d / forward / 4 subpixel: where the kernel is as large as the stride no two taps meet, so each is a
// plain GEMM whose pixels are scattered; no multiplication by zero is left.
{% include "common/gather_gemm" %}
