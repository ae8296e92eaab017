// Sums four values at once over the WG lanes of a workgroup, in the order of the lanes: lanes 0 to 3 add one component
// each. Every lane must call it, once; lanes 0 to 3 get component `lane` of the sum, the others 0.
var<workgroup> lane_values: array<f32, 4u * WG>;

fn sum_lanes4(lane: u32, value: vec4<f32>) -> f32 {
    for (var k = 0u; k < 4u; k++) {
        lane_values[k * WG + lane] = value[k];
    }
    // Every lane's values have to be there before the first four lanes read them.
    workgroupBarrier();
    var sum = 0.0;
    if lane < 4u {
        for (var i = 0u; i < WG; i++) {
            sum += lane_values[lane * WG + i];
        }
    }
    return sum;
}
