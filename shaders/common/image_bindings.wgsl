// Of the convolutions that write an image in one go: what they bind, after `Params`.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
{% if bias %}
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
{% endif %}
{% if residual %}
@group(0) @binding({{ 3 + bias }}) var<storage, read_write> residual: array<Wide>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 3 + bias + residual }}) var<storage, read_write> mask: array<Wide>;
{% endif %}
@group(0) @binding({{ 3 + bias + residual + mask }}) var<storage, read_write> out: array<Wide>;
