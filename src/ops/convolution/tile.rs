//! How a register tile is shared out, for an adapter, and where larger ones are expected to pay.

use crate::gpu::Caps;
use crate::ops::{Call, Launch, Worth};

use super::{Geometry, Side, flops};

/// How a register tile is shared out, for an adapter.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Invocations of a workgroup.
    pub lanes: usize,
    /// Output channels.
    pub channels: usize,
    /// Pixels of a lane.
    pub pixels: usize,
    /// Columns of a lane that sums a weight gradient.
    pub columns: usize,
    /// Fours of input channels in a turn of the loop that writes an image.
    pub fours: usize,
    /// Where the operands are while they are used.
    pub staging: Staging,
}

/// Where a workgroup keeps the operands that several of its lanes use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// Nowhere: every lane loads them.
    Registers,
    /// In the registers of a subgroup, whose weights are loaded by one lane and broadcast.
    Subgroup,
    /// In workgroup memory: `common/staged_gemm` and `common/staged_weight_gemm`.
    Workgroup,
    /// So, from where subgroups load them as matrices: `common/matrix_gemm`.
    Matrices {
        /// Rows of a matrix.
        rows: u32,
        /// Invocations of a workgroup.
        lanes: u32,
    },
}

impl Staging {
    /// [`Staging::Matrices`] as the adapter has them, by four of its largest subgroups.
    #[must_use]
    pub fn matrices(caps: &Caps) -> Self {
        let lanes = (4 * caps.adapter.subgroup.1).clamp(16, 256);
        Self::Matrices { rows: caps.matrix.unwrap_or(8), lanes }
    }
}

/// Pixels of a lane in turns of the GEMM's loop that only larger instruction caches hold: at 7 some 31 KiB of a software driver's
/// code beside 20 for 4 pixels. The second is for where the first would compute many pixels that are none.
const LONG: [usize; 2] = [7, 5];

/// The same of sixteen lanes, with no choice: for twice the channels 23 KiB beside 16 for 4 pixels, which common caches hold, and
/// longer turns gain nothing.
const LONG_OF_SIXTEEN: [usize; 2] = [3, 3];

/// The lanes of a subgroup that broadcasts, each with some pixels or columns.
#[derive(Debug, Clone, Copy)]
pub struct Lanes(usize);

impl Lanes {
    /// Those that weight gradients split their sums for, whatever an adapter has.
    pub(super) const SPLITTING: usize = 8;

    /// As the adapter has them, or as most have that have any.
    #[must_use]
    pub fn of(caps: &Caps) -> Self {
        Self(caps.broadcast_lanes().map_or(8, |lanes| lanes as usize))
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.0
    }

    /// What lanes with `each` compute where there are `count`: those of the last workgroup may not all exist.
    #[must_use]
    pub fn computed(self, count: usize, each: usize) -> usize {
        count.next_multiple_of(self.0 * each)
    }

    /// Pixels of a lane in long turns.
    fn long(self) -> [usize; 2] {
        if self.is_wide() { LONG_OF_SIXTEEN } else { LONG }
    }

    /// Whether they are sixteen: what comes with a turn then weighs half as much, and short turns are the faster.
    pub(super) fn is_wide(self) -> bool {
        self.0 > 8
    }

    /// Pixels of a lane in long turns over `count`.
    fn long_pixels(self, count: usize) -> usize {
        let [most, fewer] = self.long();
        if 20 * self.computed(count, fewer) <= 19 * self.computed(count, most) { fewer } else { most }
    }

    /// Whether lanes with `each` compute a tenth less than with `usual`.
    fn compute_less(self, count: usize, each: usize, usual: usize) -> bool {
        10 * self.computed(count, each) <= 9 * self.computed(count, usual)
    }

    /// Whether lanes with `each` compute at most a twentieth more than with `usual`.
    fn compute_hardly_more(self, count: usize, each: usize, usual: usize) -> bool {
        20 * self.computed(count, each) <= 21 * self.computed(count, usual)
    }

    /// Whether lanes that hold [`LONG_COLUMNS`] of `count` are hardly more idle than those of one, and gain by it.
    fn fill_long_columns(self, count: usize) -> bool {
        !self.is_wide() && 10 * self.computed(count, LONG_COLUMNS) <= 11 * self.computed(count, 1)
    }
}

/// Whether the processor behind a software driver holds such turns in its nearest cache. 32 KiB are common and too few.
#[must_use]
pub fn holds_long_turns(caps: &Caps) -> bool {
    caps.instruction_cache.is_some_and(|bytes| bytes >= 48 << 10)
}

/// Whether it holds those of an image's tiles.
fn holds_image_turns(caps: &Caps) -> bool {
    Lanes::of(caps).is_wide() || holds_long_turns(caps)
}

/// Channels of a tile of long turns where a workgroup's pixels are loaded for twice as many: at 7 pixels some 57 KiB of code.
const DOUBLE: usize = 64;
/// Floating-point operations of a sample below which compiling the code of larger tiles, up to some seconds, costs more than it
/// gains.
pub const LARGE_TILES_FROM: u64 = 100_000_000;
/// Workgroups that there should be for the threads of a software driver.
const DOUBLE_GROUPS: usize = 32;

/// How many phases the pixels of a sample that are written fall into, and pixels of each at most: those of a strided data
/// gradient `stride` apart meet the same taps.
pub(super) fn phases(g: &Geometry, writes: Side) -> [usize; 2] {
    match writes {
        Side::Y => [1, g.y[1] * g.y[2]],
        Side::X => [g.stride[0] * g.stride[1], g.x[1].div_ceil(g.stride[0]) * g.x[2].div_ceil(g.stride[1])],
    }
}

/// Columns of a lane in a turn of a weight gradient's loop that only larger instruction caches hold, of eight lanes.
pub(super) const LONG_COLUMNS: usize = 2;

/// Whether a weight gradient's long turns are expected to be faster.
#[must_use]
pub fn long_weight_worth(caps: &Caps, g: &Geometry) -> Worth {
    let columns = g.x[0].div_ceil(4) * g.kernel[0] * g.kernel[1];
    if holds_long_turns(caps) && Lanes::of(caps).fill_long_columns(columns) { Worth::Faster } else { Worth::Slower }
}

/// Whether long turns are expected to be faster than those of 4 pixels: where fewer lanes are idle, or where sums are longer
/// than what is written is wide.
#[must_use]
pub fn long_worth(caps: &Caps, g: &Geometry, writes: Side) -> Worth {
    let (from, to) = if writes == Side::Y { (g.x, g.y) } else { (g.y, g.x) };
    let [_, plane] = phases(g, writes);
    let pixels = g.n * plane;
    let tile = Tile::long(g, writes, caps);
    let (long, doubles) = (tile.pixels, tile.channels == DOUBLE);
    let sums = g.kernel[0] * g.kernel[1] * from[0] > to[0];
    let lanes = Lanes::of(caps);
    // With 16 lanes the pixels cost too little for what twice the channels of a data gradient's weight take, or of a 1×1 kernel's
    // that narrows.
    let gains = !lanes.is_wide() || writes == Side::Y && (g.kernel != [1, 1] || !sums);
    let better = lanes.compute_less(pixels, long, 4)
        || sums && long == LONG[0] && lanes.computed(pixels, long) <= lanes.computed(pixels, 4)
        || doubles && gains && lanes.compute_hardly_more(pixels, long, 4);
    if holds_image_turns(caps) && better { Worth::Faster } else { Worth::Slower }
}

/// The first of `tiles` that holds so many channels, or the last.
fn fitting(channels: usize, tiles: &[usize]) -> usize {
    tiles.iter().copied().find(|&tile| tile >= channels).unwrap_or(tiles[tiles.len() - 1])
}

impl Tile {
    /// The tile for `channels` channels, of the images that are written or of a weight gradient's operand that all lanes
    /// share.
    #[must_use]
    pub fn new(channels: usize, staging: Staging, caps: &Caps) -> Self {
        let (lanes, channels) = match staging {
            Staging::Registers => (64, fitting(channels, &[8, 16])),
            Staging::Subgroup => (Lanes::of(caps).count(), fitting(channels, &[8, 16, 32])),
            Staging::Workgroup => return Self::staged(channels),
            Staging::Matrices { lanes, .. } => (lanes as usize, 64),
        };
        let pixels = match (staging, channels) {
            (Staging::Subgroup, 32) | (Staging::Registers, _) => 4,
            (Staging::Matrices { .. }, _) => 64 / lanes.min(64),
            _ => 8,
        };
        Self { lanes, channels, pixels, columns: 1, fours: 1, staging }
    }

    /// The same for [`Staging::Workgroup`], which is the same on any adapter.
    #[must_use]
    pub fn staged(channels: usize) -> Self {
        let channels = fitting(channels, &[32, 64]);
        Self { lanes: 64, channels, pixels: 8, columns: 1, fours: 1, staging: Staging::Workgroup }
    }

    /// The tile for an image of `channels` channels that is written: of four where there are no more.
    #[must_use]
    pub fn image(channels: usize, staging: Staging, caps: &Caps) -> Self {
        let tile = Self::new(channels, staging, caps);
        if channels <= 4 && matches!(staging, Staging::Registers | Staging::Subgroup) {
            Self { channels: 4, ..tile }
        } else {
            tile
        }
    }

    /// The tile of lanes that hold the columns of a row of `taps`.
    #[must_use]
    pub fn row_columns(taps: usize, staging: Staging, caps: &Caps) -> Self {
        Self::new(if taps <= 3 { 16 } else { 8 }, staging, caps)
    }

    /// The same for no more than `count` pixels, so that the lanes compute few of them more than once.
    pub(super) fn fitting(self, count: usize, caps: &Caps) -> Self {
        if self.staging == Staging::Workgroup {
            return self;
        }
        let fewer = self.pixels.min(count.div_ceil(self.lanes).next_power_of_two());
        let lanes = Lanes::of(caps);
        let long = lanes.long_pixels(count);
        let holds = self.staging == Staging::Subgroup && self.channels == 32 && holds_image_turns(caps);
        Self { pixels: if holds && lanes.compute_less(count, long, fewer) { long } else { fewer }, ..self }
    }

    /// The tile of long turns.
    pub(super) fn long(g: &Geometry, writes: Side, caps: &Caps) -> Self {
        let channels = if writes == Side::Y { g.y[0] } else { g.x[0] };
        let [phases, plane] = phases(g, writes);
        let tile = Self::image(channels, Staging::Subgroup, caps);
        let tile = Self { pixels: Lanes::of(caps).long_pixels(g.n * plane), ..tile };
        tile.doubled(channels, [plane, phases], flops(g, 1), caps)
    }

    /// The same for twice the channels, where that many whole tiles of `channels` are still enough workgroups over `count`
    /// pixels of `points` GEMMs, and `work` is worth it.
    fn doubled(self, channels: usize, [count, points]: [usize; 2], work: u64, caps: &Caps) -> Self {
        let lanes = Lanes::of(caps);
        let long = self.staging == Staging::Subgroup && self.channels == 32 && lanes.long().contains(&self.pixels);
        let holds = lanes.is_wide() || caps.instruction_cache.is_some_and(|bytes| bytes >= 64 << 10);
        let groups = count.div_ceil(self.group_pixels()) * (channels / DOUBLE) * points;
        let doubles = long && holds && channels.is_multiple_of(DOUBLE) && groups >= DOUBLE_GROUPS;
        Self { channels: if doubles && work >= LARGE_TILES_FROM { DOUBLE } else { self.channels }, ..self }
    }

    /// [`Tile::fitting`], or [`Tile::doubled`] where that computes hardly more pixels.
    pub(super) fn filling(self, channels: usize, [count, points]: [usize; 2], work: u64, caps: &Caps) -> Self {
        let (fitting, lanes) = (self.fitting(count, caps), Lanes::of(caps));
        let long = Self { pixels: lanes.long_pixels(count), ..self };
        let tile = if lanes.compute_hardly_more(count, long.pixels, fitting.pixels) { long } else { fitting };
        let doubled = tile.doubled(channels, [count, points], work, caps);
        if doubled.channels == DOUBLE { doubled } else { fitting }
    }

    /// The same with eight of `inner` input channels a turn in place of twice the channels, where loads by address of eight
    /// lanes leave room for their code and `work` of a sample is worth compiling it: sums are then copied and masked half as
    /// often.
    pub(super) fn paired(self, inner: usize, work: u64, caps: &Caps) -> Self {
        let leaves_room = caps.addresses && !Lanes::of(caps).is_wide();
        let pairs = leaves_room && self.staging == Staging::Subgroup && self.channels >= 32 && inner.is_multiple_of(8);
        if pairs && work >= LARGE_TILES_FROM { Self { channels: 32, fours: 2, ..self } } else { self }
    }

    /// Pixels of a workgroup that writes an image.
    #[must_use]
    pub fn group_pixels(self) -> usize {
        match self.staging {
            Staging::Matrices { .. } => 64,
            // In workgroup memory eight lanes share their pixels.
            Staging::Workgroup => self.lanes * self.pixels / 8,
            _ => self.lanes * self.pixels,
        }
    }

    /// The same with [`LONG_COLUMNS`], where larger caches hold what a turn then takes and few lanes have columns past the last
    /// of `count`.
    pub(super) fn with_long_columns(self, count: usize, caps: &Caps) -> Self {
        let takes = self.staging == Staging::Subgroup && self.channels == 32 && holds_long_turns(caps);
        Self {
            columns: if takes && Lanes::of(caps).fill_long_columns(count) { LONG_COLUMNS } else { self.columns },
            ..self
        }
    }

    /// Columns and channels of a workgroup that computes a weight gradient, or what `common/staged_weight_gemm` takes.
    #[must_use]
    pub fn weight_group(self) -> [usize; 2] {
        if self.staging == Staging::Workgroup { [16, 64] } else { [self.lanes * self.columns, self.channels] }
    }

    pub(super) fn vars(self, launch: Launch, call: &Call<'_>) -> Launch {
        let number = |v: usize| i64::try_from(v).unwrap_or(i64::MAX);
        launch
            .var("lanes", number(self.lanes))
            .var("tile", number(self.channels))
            .var("broadcast", self.staging == Staging::Subgroup)
            .var("wide_u64", call.caps.wide_as_u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::PANEL;

    fn caps(instruction_cache: Option<u32>) -> Caps {
        let mut caps = Caps::for_tests(Some(8), true);
        caps.instruction_cache = instruction_cache;
        caps
    }

    fn geometry(x: [usize; 3], channels: usize, kernel: usize) -> Geometry {
        let same = [kernel / 2; 2];
        Geometry {
            n: 1,
            x,
            y: [channels, x[1], x[2]],
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: same,
            dilation: [1; 2],
            weight_outer_y: false,
        }
    }

    #[test]
    fn tiles_leave_few_lanes_idle() {
        let pixels = |channels, count, cache| {
            let caps = caps(cache);
            Tile::new(channels, Staging::Subgroup, &caps).fitting(count, &caps).pixels
        };
        let large = Some(65_536);
        assert_eq!([1, 9, 16, 17, 49].map(|count| pixels(64, count, None)), [1, 2, 2, 4, 4]);
        assert_eq!([9, 16, 49, 100, 196, 200].map(|count| pixels(64, count, large)), [2, 2, 7, 7, 5, 5]);
        assert_eq!(pixels(64, 49, Some(32_768)), 4);
        assert_eq!(pixels(16, 49, large), 8, "a tile of 16 channels");
        let staged = Tile::new(64, Staging::Workgroup, &caps(large));
        assert_eq!(staged.fitting(49, &caps(large)).pixels, staged.pixels);
    }

    #[test]
    fn long_turns_take_twice_the_channels_where_code_fits_and_pays() {
        let channels = |of, count, work, cache| {
            let caps = caps(cache);
            let tile = Tile::new(of, Staging::Subgroup, &caps);
            let tile = Tile { pixels: Lanes::of(&caps).long_pixels(count), ..tile };
            tile.doubled(of, [count, 1], work, &caps).channels
        };
        let (large, work) = (Some(65_536), LARGE_TILES_FROM);
        assert_eq!([64, 96, 128, 256].map(|of| channels(of, 3136, work, large)), [64, 32, 64, 64]);
        assert_eq!(channels(256, 3136, work, Some(49_152)), 32, "a smaller cache");
        assert_eq!(channels(256, 3136, work - 1, large), 32, "little work");
        assert_eq!(channels(512, 49, work, large), 32, "few workgroups");
        let short = Tile::new(64, Staging::Subgroup, &caps(large));
        assert_eq!(short.doubled(64, [3136, 1], work, &caps(large)).channels, 32, "short turns");
    }

    #[test]
    fn turns_take_eight_channels_by_addresses() {
        let mut caps = caps(Some(65_536));
        caps.addresses = true;
        let paired = |tile: Tile, inner, work| {
            let tile = tile.paired(inner, work, &caps);
            [tile.channels, tile.fours]
        };
        let (tile, work) = (Tile::new(64, Staging::Subgroup, &caps), LARGE_TILES_FROM);
        let double = Tile { channels: DOUBLE, ..tile };
        assert_eq!([64, 60].map(|inner| paired(double, inner, work)), [[32, 2], [64, 1]]);
        assert_eq!(paired(tile, 64, work), [32, 2]);
        assert_eq!(paired(tile, 64, work - 1), [32, 1], "little work");
        assert_eq!(paired(Tile::new(16, Staging::Subgroup, &caps), 64, work), [16, 1], "a tile of 16 channels");
        assert_eq!(paired(Tile::new(64, Staging::Workgroup, &caps), 64, work), [64, 1]);
        caps.addresses = false;
        assert_eq!(double.paired(64, work, &caps).fours, 1);
    }

    #[test]
    fn wider_subgroups_have_tiles_of_their_own() {
        let mut caps = Caps::for_tests(Some(16), true);
        assert_eq!(caps.broadcast_lanes(), None, "a driver that asks every lane");
        caps.addresses = true;
        caps.instruction_cache = Some(65_536);
        let tile = Tile::new(64, Staging::Subgroup, &caps);
        assert_eq!([tile.lanes, tile.group_pixels()], [16, 64]);
        assert_eq!([9, 16, 17, 49, 48].map(|count| tile.fitting(count, &caps).pixels), [1, 1, 2, 4, 3]);
        assert_eq!(tile.weight_group(), [16, 32]);
        assert_eq!(tile.with_long_columns(64, &caps).columns, 1);
        caps.instruction_cache = None;
        let double = |count, work| tile.filling(64, [count, 36], work, &caps).paired(64, work, &caps);
        let shape = |tile: Tile| [tile.channels, tile.pixels, tile.fours];
        assert_eq!(shape(double(3136, LARGE_TILES_FROM)), [64, 3, 1], "whatever the cache");
        assert_eq!(shape(double(3136, LARGE_TILES_FROM - 1)), [32, 4, 1], "little work");
        let worth = |g: &Geometry, side| long_worth(&caps, g, side);
        let pointwise = |channels, side| geometry([64, side, side], channels, 1);
        assert_eq!(worth(&pointwise(256, 112), Side::Y), Worth::Faster, "by twice the channels");
        assert_eq!(worth(&pointwise(256, 112), Side::X), Worth::Slower, "its data gradient");
        assert_eq!(worth(&geometry([256, 112, 112], 64, 1), Side::Y), Worth::Slower, "it narrows");
        assert_eq!(worth(&pointwise(80, 112), Side::Y), Worth::Slower, "no whole tiles of 64");
        assert_eq!(long_weight_worth(&caps, &pointwise(64, 112)), Worth::Slower);
    }

    #[test]
    fn a_tile_lies_in_one_panel() {
        for (channels, staging) in (1..200).flat_map(|c| [Staging::Registers, Staging::Subgroup].map(|s| (c, s))) {
            let caps = caps(None);
            let rows = Tile::row_columns(channels % 7 + 1, staging, &caps);
            for tile in [Tile::new(channels, staging, &caps), Tile::image(channels, staging, &caps), rows] {
                assert!(PANEL.is_multiple_of(tile.channels), "{tile:?}");
            }
        }
        let shader = crate::gpu::ShaderLibrary::new(None).unwrap().source("common/panels").unwrap();
        assert!(shader.contains(&format!("const PANEL = {PANEL}u;")));
    }

    #[test]
    fn columns_are_two_where_both_are_there() {
        let columns = |channels, count, cache| {
            let caps = caps(cache);
            Tile::new(channels, Staging::Subgroup, &caps).with_long_columns(count, &caps).weight_group()
        };
        let large = Some(65_536);
        assert_eq!([8, 16, 24, 96].map(|count| columns(64, count, large)), [[8, 32], [16, 32], [8, 32], [16, 32]]);
        assert_eq!(columns(64, 16, Some(32_768)), [8, 32]);
        assert_eq!(columns(16, 16, large), [8, 16], "a tile of 16 channels");
        let g = geometry([64, 8, 8], 64, 1);
        assert_eq!(long_weight_worth(&caps(large), &g), Worth::Faster);
        assert_eq!(long_weight_worth(&caps(None), &g), Worth::Slower);
    }

    #[test]
    fn long_turns_are_for_large_caches_and_long_sums() {
        let worth = |cache, g: &Geometry, side| long_worth(&caps(cache), g, side);
        let (narrows, widens) = (geometry([256, 56, 56], 64, 1), geometry([64, 56, 56], 256, 1));
        let large = Some(65_536);
        assert_eq!(worth(large, &narrows, Side::Y), Worth::Faster);
        assert_eq!(worth(Some(49_152), &widens, Side::Y), Worth::Slower);
        assert_eq!(worth(large, &widens, Side::Y), Worth::Faster, "by twice the channels");
        assert_eq!(worth(large, &widens, Side::X), Worth::Faster, "its data gradient narrows");
        assert_eq!(worth(large, &geometry([512, 7, 7], 2048, 1), Side::Y), Worth::Faster, "56 of 49 pixels, not 64");
        assert_eq!(
            worth(large, &geometry([256, 14, 14], 1024, 1), Side::Y),
            Worth::Faster,
            "200 of 196 pixels, not 224"
        );
        assert_eq!(
            [49, 196, 392, 784, 1000, 3136, 4800].map(|count| Lanes(8).long_pixels(count)),
            [7, 5, 7, 7, 7, 7, 7]
        );
        let strided = Geometry { y: [512, 7, 7], stride: [2, 2], ..geometry([256, 14, 14], 512, 1) };
        assert_eq!(worth(large, &strided, Side::X), Worth::Faster, "56 of 49 pixels a phase, not 64");
        for cache in [None, Some(32_768)] {
            assert_eq!(worth(cache, &narrows, Side::Y), Worth::Slower);
        }
    }
}
