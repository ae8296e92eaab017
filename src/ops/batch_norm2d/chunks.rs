//! How an image's pixels are shared out: among workgroups that normalise, and in chunks that are summed and merged.

use crate::gpu::ParamBlock;
use crate::ops::flat::{self, WG, wide};
use crate::ops::{Binding, Call, Launch, ShaderInfo};

/// The sizes of x as the shaders want them.
pub(super) struct Sizes {
    pub n: usize,
    pub c: usize,
    pub c4: usize,
    pub h: usize,
    pub w: usize,
    pub plane: usize,
    /// Lanes of a workgroup that normalises.
    own: usize,
    /// Pixels that it takes.
    pub tile: usize,
}

impl Sizes {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let shape = &call.inputs[0].shape;
        let [n, c, h, w] = [shape[0], shape[1], shape[2], shape[3]];
        let plane = h * w;
        let own = flat::lanes(call);
        // Few lanes take many pixels each.
        let tile = own * if own < WG { 64 } else { 4 };
        Self { n, c, c4: c.div_ceil(4), h, w, plane, own, tile }
    }

    /// Tells a shader that normalises how large its workgroups are.
    pub(super) fn tiled(&self, launch: Launch) -> Launch {
        launch.var("lanes", self.own as i64).var("tile", self.tile as i64)
    }
}

/// How an image's pixels are summed in chunks.
pub(super) struct Chunks {
    /// The shader of parts is that of one subgroup.
    broadcast: bool,
    /// Chunks of a workgroup, each summed by some of its lanes.
    together: usize,
    /// Lanes of a chunk.
    lanes: usize,
    /// Pixels of a chunk.
    pub pixels: usize,
    /// Chunks of an image.
    pub count: usize,
}

impl Chunks {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let s = Sizes::of(call);
        // A small image would leave most of 64 lanes idle.
        let most = flat::summing_lanes(call);
        let lanes = if s.plane <= 128 { 8 } else { most };
        let pixels = lanes * if most < WG { 64 } else { 16 };
        Self { broadcast: false, together: 1, lanes, pixels, count: s.plane.div_ceil(pixels) }
    }

    /// The same by subgroups, where these have as many lanes as some chunks.
    pub(super) fn of_subgroups(call: &Call<'_>) -> Self {
        let usual = Self::of(call);
        let lanes = call.caps.broadcast_lanes().map(|lanes| lanes as usize);
        match lanes.filter(|lanes| lanes.is_multiple_of(usual.lanes)) {
            Some(lanes) => Self { broadcast: true, together: lanes / usual.lanes, ..usual },
            None => usual,
        }
    }

    /// Workgroups of an image's chunks.
    pub(super) fn groups(&self) -> usize {
        self.count.div_ceil(self.together)
    }

    /// Of the two shaders of a kernel, the one that sums such chunks.
    pub(super) fn summed<P: ParamBlock>(
        &self,
        call: &Call<'_>,
        [memory, subgroup]: [&ShaderInfo; 2],
        params: &P,
        bindings: Vec<Binding>,
        groups: [u32; 3],
    ) -> Launch {
        let shader = if self.broadcast { subgroup } else { memory };
        let launch = wide(Launch::new(shader.path, params, bindings, groups), call);
        let launch = launch.var("broadcast", self.broadcast).var("together", self.together as i64);
        launch.var("lanes", self.lanes as i64).var("chunk", self.pixels as i64)
    }
}

/// The launch that adds `parts` of every four channels of `c4`: by one lane where waiting for others costs more, and the sum
/// is the same to the bit.
pub(super) fn merged<P: ParamBlock>(
    call: &Call<'_>,
    shader: &ShaderInfo,
    params: &P,
    bindings: Vec<Binding>,
    [c4, parts]: [usize; 2],
) -> Launch {
    let lanes = flat::lanes(call);
    let serial = lanes < WG && parts <= WG;
    let (lanes, groups) = if serial { (lanes, c4.div_ceil(lanes)) } else { (WG, c4) };
    let launch = wide(Launch::new(shader.path, params, bindings, [groups as u32, 1, 1]), call);
    launch.var("serial", serial).var("lanes", lanes as i64)
}
