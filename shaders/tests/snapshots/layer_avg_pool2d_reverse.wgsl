// Adds to dx its share of the windows over it.
struct Params {
    rows: u32,
    x_first: u32,
    y_first: u32,
    batch: u32,
    first_step: u32,
    repeats: u32,
    training: u32,
    pass_number: u32,
    key_low: u32,
    key_high: u32,
    again: u32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

const DIVISOR = 9u;
const CHANNELS = 12u;
const PLANE = 992u;
const POSITIONS = 256u;
const INPUT = vec2<u32>(32u, 31u);
const OUTPUT = vec2<u32>(16u, 16u);
const KERNEL = vec2<u32>(3u, 3u);
const STRIDE = vec2<u32>(2u, 2u);
const PADDING = vec2<u32>(1u, 1u);

// Windows that slide; vectors are (y, x).

// First input that a window lies over, and the one behind the last.
fn window_begin(window: vec2<u32>) -> vec2<u32> {
    return max(window * STRIDE, PADDING) - PADDING;
}

fn window_end(window: vec2<u32>) -> vec2<u32> {
    return min(max(window * STRIDE + KERNEL, PADDING) - PADDING, INPUT);
}

// First window that lies over an input, and the one behind the last.
fn over_begin(at: vec2<u32>) -> vec2<u32> {
    return (max(at + PADDING + 1u, KERNEL) - KERNEL + STRIDE - 1u) / STRIDE;
}

fn over_end(at: vec2<u32>) -> vec2<u32> {
    return min((at + PADDING) / STRIDE + 1u, OUTPUT);
}

// What the sum of a window is divided by.
fn divisor(window: vec2<u32>) -> f32 {
    let size = window_end(window) - window_begin(window);
    return f32(select(DIVISOR, size.x * size.y, DIVISOR == 0u));
}

fn averages_reverse(i: u32) {
    let first = (params.y_first * CHANNELS + i / PLANE) * POSITIONS;
    let place = i % PLANE;
    let at = vec2<u32>(place / INPUT.y, place % INPUT.y);
    let begin = over_begin(at);
    let end = over_end(at);
    let to = params.x_first * CHANNELS * PLANE + i;
    var sum = dx[to];
    for (var line = begin.x; line < end.x; line++) {
        for (var column = begin.y; column < end.y; column++) {
            let window = vec2<u32>(line, column);
            sum += dy[first + line * OUTPUT.y + column] / divisor(window);
        }
    }
    dx[to] = sum;
}

@compute @workgroup_size(64)
fn averages_reverse_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * 11904u) {
        averages_reverse(i);
    }
}
