// Sums over the WG lanes of a workgroup, in the order of the lanes. Every lane must call them; lane 0 gets the sum, the
// others 0. A shader that calls one twice waits in between.
var<workgroup> lane_values: array<f32, WG>;

fn sum_lanes(lane: u32, value: f32) -> f32 {
    lane_values[lane] = value;
    // Every lane's value has to be there before lane 0 reads them.
    workgroupBarrier();
    var sum = 0.0;
    if lane == 0u {
        for (var i = 0u; i < WG; i++) {
            sum += lane_values[i];
        }
    }
    return sum;
}
