// The average of each window.
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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const DIVISOR = 0u;
const CHANNELS = 12u;
const PLANE = 992u;
const POSITIONS = 256u;
const INPUT = vec2<u32>(32u, 31u);
const OUTPUT = vec2<u32>(16u, 16u);

// Windows chosen so that the output has a given size; vectors are (y, x).

// First input that a window lies over, and the one behind the last.
fn window_begin(window: vec2<u32>) -> vec2<u32> {
    return window * INPUT / OUTPUT;
}

fn window_end(window: vec2<u32>) -> vec2<u32> {
    return ((window + 1u) * INPUT + OUTPUT - 1u) / OUTPUT;
}

// First window that lies over an input, and the one behind the last.
fn over_begin(at: vec2<u32>) -> vec2<u32> {
    return at * OUTPUT / INPUT;
}

fn over_end(at: vec2<u32>) -> vec2<u32> {
    return ((at + 1u) * OUTPUT + INPUT - 1u) / INPUT;
}

// What the sum of a window is divided by.
fn divisor(window: vec2<u32>) -> f32 {
    let size = window_end(window) - window_begin(window);
    return f32(select(DIVISOR, size.x * size.y, DIVISOR == 0u));
}

fn averages_forward(i: u32) {
    let first = (params.x_first * CHANNELS + i / POSITIONS) * PLANE;
    let place = i % POSITIONS;
    let window = vec2<u32>(place / OUTPUT.y, place % OUTPUT.y);
    let begin = window_begin(window);
    let end = window_end(window);
    var sum = 0.0;
    for (var line = begin.x; line < end.x; line++) {
        for (var column = begin.y; column < end.y; column++) {
            sum += x[first + line * INPUT.y + column];
        }
    }
    y[params.y_first * CHANNELS * POSITIONS + i] = sum / divisor(window);
}

@compute @workgroup_size(64)
fn averages_forward_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * 3072u) {
        averages_forward(i);
    }
}
