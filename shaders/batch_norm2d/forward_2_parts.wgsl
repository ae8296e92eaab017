// batch_norm2d / forward / 2 parts: the statistics of chunks, by workgroup memory.
{% include "common/batch_norm_parts" %}
