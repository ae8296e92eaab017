// Tiles of {{ m }} by {{ m }} pixels, counted over rows of tiles and samples: `count` of them from `first` on.

struct Params {
    first: u32, count: u32, tiles_x: u32, tiles: u32, c: u32, h: u32, w: u32, pad_y: i32, pad_x: i32,
    base: u32, stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

const WG = 64u;

// One invocation a tile and four channels. Those past the last do the last again, as software drivers run what lies in a
// loop or under a condition lane by lane under a mask.
struct Place {
    tile: u32,
    group: u32,
    n: u32,
    y: u32,
    x: u32,
}

fn place(i: u32) -> Place {
    let group = i / p.count;
    let tile = i - group * p.count;
    let at = p.first + tile;
    let n = at / p.tiles;
    let in_image = at - n * p.tiles;
    let row = in_image / p.tiles_x;
    return Place(tile, group, n, row * {{ m }}u, (in_image - row * p.tiles_x) * {{ m }}u);
}
