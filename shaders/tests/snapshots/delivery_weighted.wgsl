// Delivers the spikes of a chunk.
struct Params {
    first_low: u32,
    first_high: u32,
    len: u32,
    offset: u32,
    slot: u32,
    zero: u32,
    first_word: u32,
    end_word: u32,
    range: u32,
    least_delay: u32,
    check: u32,
    unused: u32,
    times: array<vec4<f32>, 16>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> spikes: array<u32>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<u32>;
@group(0) @binding(4) var<storage, read> synapses: array<u32>;
@group(0) @binding(5) var<storage, read_write> arrivals: array<atomic<i32>>;
@group(0) @binding(6) var<storage, read> weights: array<i32>;

const ARRIVALS = 4096u;
const RING = 83u;
const WORDS = 40u;
const LANE_BITS = 26u;
const FIRST_SOURCE = 100u;
const END_SOURCE = 900u;
const TARGET_BITS = 12u;
const TARGET_MASK = 4095u;
const DELIVERERS = 64u;

fn amount(k: u32) -> i32 {
    return weights[k];
}

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
