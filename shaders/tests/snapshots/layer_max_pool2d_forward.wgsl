// The largest input of each window.
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

fn is_number(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) <= 0x7f800000u;
}

// Place in its channel of the largest input of a window: the first of equal ones, line by line, and a
// NaN before any number. `first` is where the channel begins.
fn chosen(first: u32, window: vec2<u32>) -> u32 {
    let begin = window_begin(window);
    let end = window_end(window);
    var place = begin.x * INPUT.y + begin.y;
    var most = x[first + place];
    for (var i = begin.x; i < end.x; i++) {
        for (var j = begin.y; j < end.y; j++) {
            let value = x[first + i * INPUT.y + j];
            if (is_number(most) && (value > most || !is_number(value))) {
                most = value;
                place = i * INPUT.y + j;
            }
        }
    }
    return place;
}

fn max_pool2d_forward(i: u32) {
    let channel = params.x_first * CHANNELS + i / POSITIONS;
    let place = i % POSITIONS;
    let first = channel * PLANE;
    let window = vec2<u32>(place / OUTPUT.y, place % OUTPUT.y);
    y[params.y_first * CHANNELS * POSITIONS + i] = x[first + chosen(first, window)];
}

@compute @workgroup_size(64)
fn max_pool2d_forward_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if (i < params.rows * 3072u) {
        max_pool2d_forward(i);
    }
}
