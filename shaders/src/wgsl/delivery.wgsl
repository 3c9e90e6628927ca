
@compute @workgroup_size(DELIVERERS)
fn delivery_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let end = counters[params.range];
    let begin = counters[params.range + 1u];
    for (var i = begin + group.x; i < end; i += groups.x) {
        let source = spikes[i] & ((1u << LANE_BITS) - 1u);
        if (source < FIRST_SOURCE || source >= END_SOURCE) {
            continue;
        }
        let emitted = params.slot + (spikes[i] >> LANE_BITS) - params.offset;
        let last = rows[source - FIRST_SOURCE + 1u];
        let first = rows[source - FIRST_SOURCE] + group.y * DELIVERERS + lane;
        for (var k = first; k < last; k += DELIVERERS * groups.y) {
            let delay = synapses[k] >> TARGET_BITS;
            if (delay >= params.least_delay) {
                let slot = (emitted + delay) % RING;
                let target_lane = synapses[k] & TARGET_MASK;
                atomicAdd(&arrivals[slot * ARRIVALS + target_lane], amount(k));
            }
        }
    }
}
