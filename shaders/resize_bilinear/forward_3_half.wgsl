// resize_bilinear / forward / 3 half: version 2 on images in 16 bits.
{% include "resize_bilinear/forward_2_wide" %}
