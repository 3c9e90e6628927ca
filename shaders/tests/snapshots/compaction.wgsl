// Lists the spikes of a chunk, ascending by step and lane.
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
@group(0) @binding(1) var<storage, read_write> fired: array<u32>;
@group(0) @binding(2) var<storage, read_write> spikes: array<u32>;
@group(0) @binding(3) var<storage, read_write> counters: array<u32>;

const ARRIVALS = 4096u;
const RING = 83u;
const WORDS = 40u;
const LANE_BITS = 26u;
const PIECES = 4u;

const THREADS = 256u;
// Words one invocation takes at a time.
const EACH = 8u;

// Invocations whose numbers one of them sums up.
const GROUP = 16u;

var<workgroup> sums: array<u32, THREADS>;
// Sums of the groups before each, and of all.
var<workgroup> parts: array<u32, THREADS / GROUP + 1u>;

// Sum of `n` over the invocations up to this one. Few barriers count for more than short loops.
fn sum_up_to(t: u32, n: u32) -> u32 {
    workgroupBarrier();
    sums[t] = n;
    workgroupBarrier();
    if (t % GROUP == 0u) {
        var sum = 0u;
        for (var k = t; k < t + GROUP; k++) {
            sum += sums[k];
            sums[k] = sum;
        }
    }
    workgroupBarrier();
    if (t == 0u) {
        var sum = 0u;
        for (var k = 0u; k < THREADS / GROUP; k++) {
            parts[k] = sum;
            sum += sums[(k + 1u) * GROUP - 1u];
        }
        parts[THREADS / GROUP] = sum;
    }
    workgroupBarrier();
    return sums[t] + parts[t / GROUP];
}

@compute @workgroup_size(256)
fn compaction_kernel(@builtin(local_invocation_index) t: u32) {
    let begin = counters[0];
    var end = begin;
    for (var k = 0u; k < params.len; k++) {
        let step = (params.offset + k) << LANE_BITS;
        for (var tile = params.first_word; tile < params.end_word; tile += THREADS * EACH) {
            let first = tile + t * EACH;
            var words: array<u32, EACH>;
            var n = 0u;
            for (var j = 0u; j < EACH; j++) {
                if (first + j < params.end_word) {
                    let at = k * WORDS + first + j;
                    words[j] = fired[at];
                    if (words[j] != 0u) {
                        fired[at] = 0u;
                        n += countOneBits(words[j]);
                    }
                }
            }
            let sum = sum_up_to(t, n);
            var at = end + sum - n;
            end += parts[THREADS / GROUP];
            if (n > 0u) {
                for (var j = 0u; j < EACH; j++) {
                    var bits = words[j];
                    while (bits != 0u) {
                        let lane = (first + j) * 32u + firstTrailingBit(bits);
                        spikes[at] = step | lane;
                        at += 1u;
                        bits &= bits - 1u;
                    }
                }
            }
        }
    }
    // Everyone has read what is about to change.
    workgroupBarrier();
    storageBarrier();
    if (t == 0u) {
        counters[0] = end;
        counters[1] = begin;
        counters[2] = min(end - begin, 65535u);
        counters[3] = PIECES;
        counters[4] = 1u;
    }
}
