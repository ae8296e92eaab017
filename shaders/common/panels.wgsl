// How a weight of convolutions lies: by panels of 32 outer channels, the last as wide as what is left. In a panel the
// outer channels of a row lie side by side, a row being a tap and four inner channels, so that a GEMM that takes one panel
// reads it from end to end.
const PANEL = 32u;

// The first channel of the panel that holds channel c; so many times the rows lie before the panel.
fn panel_of(c: u32) -> u32 {
    return c / PANEL * PANEL;
}

// Channels of the panel that begins at `panel`, of `all`.
fn panel_width(panel: u32, all: u32) -> u32 {
    return min(PANEL, all - panel);
}
