// Of a max pool's gradients, 16 bytes a load: what they bind after binding 1, and what they do to out before it is written.

{% include "common/epilogue4" %}

@group(0) @binding(2) var<storage, read_write> gradient: array<Wide>;
{% if residual %}
@group(0) @binding(3) var<storage, read_write> residual: array<Wide>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 3 + residual }}) var<storage, read_write> mask: array<Wide>;
{% endif %}
@group(0) @binding({{ 3 + residual + mask }}) var<storage, read_write> out: array<Wide>;
