// pointwise / unary / 3 half: version 2 on images in 16 bits.
{% include "pointwise/unary_2_wide" %}
