// pointwise / binary / 3 half: version 2 on images in 16 bits.
{% include "pointwise/binary_2_wide" %}
