// batch_norm2d / backward / 2 parts: the sums over chunks, by workgroup memory.
{% include "common/batch_norm_backward_parts" %}
