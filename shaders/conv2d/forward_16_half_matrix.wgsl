// conv2d / forward / 16 half matrix: the implicit GEMM on matrix units, of images and weights in 16 bits; sums are f32.
enable f16;
enable wgpu_cooperative_matrix;

{% include "common/matrix_gemm" %}
