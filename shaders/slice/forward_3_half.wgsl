// slice / forward / 3 half: version 2 on images in 16 bits.
{% include "slice/forward_2_wide" %}
