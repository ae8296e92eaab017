// Of common/gather_gemm and common/row_gather_gemm: where a lane finds its weights, and its accumulators, `cO_G` of output channel
// O and its pixel G, which start from the bias. `quads`: four channels each of the tile.
{% if swapped %}
    let co4 = (p.co + 3u) / 4u;
    let tap_len = co4 * p.ci;
{% if broadcast %}
    // Load j of a lane: four output channels, of one of the four input channels of a turn.
{% for j in range((quads * 4 + lanes - 1) // lanes) %}
    let w_row{{ j }} = min(co0 / 4u + ({{ j * lanes }}u + lane) % {{ quads }}u, co4 - 1u) * p.ci;
    let w_ci{{ j }} = ({{ j * lanes }}u + lane) / {{ quads }}u;
{% endfor %}
{% else %}
{% for q in range(quads) %}
    let w_row{{ q }} = min(co0 / 4u + {{ q }}u, co4 - 1u) * p.ci;
{% endfor %}
{% endif %}
{% else %}
    let tap_len = p.ci4 * p.co;
{% if broadcast %}
{% for j in range((tile + lanes - 1) // lanes) %}
    let w_at{{ j }} = min(co0 + {{ j * lanes }}u + lane, p.co - 1u);
{% endfor %}
{% endif %}
{% endif %}
{% if bias and broadcast %}
{% for j in range((tile + lanes - 1) // lanes) %}
    let bias{{ j }} = bias[min(co0 + {{ j * lanes }}u + lane, p.co - 1u)];
{% endfor %}
{% endif %}
{% for o in range(tile) %}
{% if bias and broadcast %}
    let start{{ o }} = subgroupBroadcast(bias{{ o // lanes }}, {{ o % lanes }}u);
{% elif bias %}
    let start{{ o }} = bias[min(co0 + {{ o }}u, p.co - 1u)];
{% else %}
    let start{{ o }} = 0.0;
{% endif %}
{% for g in range(pixels) %}
    var c{{ o }}_{{ g }} = start{{ o }};
{% endfor %}
{% endfor %}
