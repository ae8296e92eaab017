// Where elements of a convolution's weight lie, and which lies where: `inners` by `outers` channels of `taps` taps, in
// panels of outers as common/panels has them, four inners together.
{% include "common/panels" %}

struct PanelPlace { row: u32, outer: u32 }

struct WeightElement { tap: u32, inner: u32, outer: u32 }

// What lies at place i of four values, with `rows` a panel.
fn panel_place(i: u32, rows: u32, outers: u32) -> PanelPlace {
    let panel = panel_of(i / rows);
    let width = panel_width(panel, outers);
    let in_panel = i - panel * rows;
    return PanelPlace(in_panel / width, panel + in_panel % width);
}

// The element at place i; in a pad lane `inner` is none.
fn weight_element(i: u32, taps: u32, inners: u32, outers: u32) -> WeightElement {
    let groups = (inners + 3u) / 4u;
    let at = panel_place(i / 4u, taps * groups, outers);
    return WeightElement(at.row / groups, at.row % groups * 4u + i % 4u, at.outer);
}

fn weight_place(at: WeightElement, taps: u32, inners: u32, outers: u32) -> u32 {
    let groups = (inners + 3u) / 4u;
    let panel = panel_of(at.outer);
    let row = at.tap * groups + at.inner / 4u;
    return (panel * taps * groups + row * panel_width(panel, outers) + at.outer - panel) * 4u + at.inner % 4u;
}
