// Of common/gather_gemm and common/row_gather_gemm: where a lane finds its weights, and its accumulators, `cO_G` of output channel
// O and its pixel G, which start from the bias. `quads`: four channels each of the tile.
// `tap_len`: rows of a tap where `swapped`, else 16-byte values of it. What `panel` is taken from, a channel's number is added to.
{% if swapped %}
    let co4 = (p.co + 3u) / 4u;
    let tap_len = co4;
{% if batched %}
    let panel_rows = co4;
    let w_matrix = tap * co4 * p.ci;
{% else %}
    let panel_rows = p.kh * p.kw * co4;
    let w_matrix = 0u;
{% endif %}
{% if broadcast %}
    // Load j of a lane: four output channels, of one of the four input channels of a turn.
{% for j in range((quads * 4 + lanes - 1) // lanes) %}
    let w_row{{ j }} = min(co0 / 4u + ({{ j * lanes }}u + lane) % {{ quads }}u, co4 - 1u);
    let w_ci{{ j }} = ({{ j * lanes }}u + lane) / {{ quads }}u;
{% endfor %}
{% else %}
{% for q in range(quads) %}
    let w_row{{ q }} = min(co0 / 4u + {{ q }}u, co4 - 1u);
{% endfor %}
{% endif %}
{% elif joined %}
    // Channel c of tap t is number t * co_all + c.
    let co_all = (p.co + 3u) / 4u * 4u;
    let all_taps = p.kh * p.kw;
{% for j in range((tile + lanes - 1) // lanes) %}
    let number{{ j }} = co0 + {{ j * lanes }}u + lane;
    let w_co{{ j }} = min(number{{ j }} % co_all, p.co - 1u);
    let panel{{ j }} = panel_of(w_co{{ j }});
    let width{{ j }} = panel_width(panel{{ j }}, p.co);
    let w_row{{ j }} = panel{{ j }} * all_taps * p.ci4 + min(number{{ j }} / co_all, all_taps - 1u) * p.ci4 * width{{ j }};
    let w_at{{ j }} = w_row{{ j }} + w_co{{ j }} - panel{{ j }};
{% endfor %}
{% else %}
    // All of a tile lie in one panel, or in two that are whole.
    let panel = panel_of(co0);
    let width = panel_width(panel, p.co);
    let tap_len = p.ci4 * width;
{% if batched %}
    let w_panel = (tap * p.co + panel) * p.ci4 - panel;
    let panel_rows = p.ci4;
{% else %}
    let w_panel = p.kh * p.kw * panel * p.ci4 - panel;
    let panel_rows = p.kh * p.kw * p.ci4;
{% endif %}
{% if broadcast %}
{% for j in range((tile + lanes - 1) // lanes) %}
    let w_at{{ j }} = w_panel + min(co0 + {{ j * lanes }}u + lane, p.co - 1u){% if j * lanes >= 32 %} + (panel_rows - 1u) * PANEL{% endif %};
{% endfor %}
{% endif %}
{% endif %}
{% if bias and broadcast %}
{% for j in range((tile + lanes - 1) // lanes) %}
    let bias{{ j }} = bias[{% if joined %}w_co{{ j }}{% else %}min(co0 + {{ j * lanes }}u + lane, p.co - 1u){% endif %}];
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
