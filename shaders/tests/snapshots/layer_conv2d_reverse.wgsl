// Adds to dx what dy implies.
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
@group(0) @binding(2) var<storage, read> parameter_0: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

const TILE_LINES = 256u;
const TILE_COLUMNS = 16u;
const TILE_DEPTH = 8u;
const COLUMNS = 1u;
const SLICES = 2u;
const PARTS = 1u;
const A_BY_DEPTH = false;
const B_BY_DEPTH = true;
const SPARSE = false;
const SUMS_COLUMNS = false;
const CHANNELS = 2u;
const HEIGHT = 34u;
const WIDTH = 34u;
const OUT_HEIGHT = 34u;
const OUT_WIDTH = 16u;
const POSITIONS = 544u;
const KERNEL_X = 3u;
const TAPS = 15u;
const STRIDE_Y = 1u;
const STRIDE_X = 2u;
const PADDING_Y = 2u;
const PADDING_X = 1u;
const DILATION_Y = 1u;
const DILATION_X = 2u;
const SLICE_CHANNELS = 1u;
const SLICE_OUTPUTS = 6u;

// Lines are inputs of all rows, columns input channels of a group, the depth is (output channel, tap).
const PLANE = HEIGHT * WIDTH;

fn lines() -> u32 {
    return params.rows * PLANE;
}

fn depth() -> u32 {
    return SLICE_OUTPUTS * TAPS;
}

// The cotangent of the position whose tap lies over an input, 0 if none does.
fn left(slice: u32, line: u32, k: u32) -> f32 {
    let row = line / PLANE;
    let place = line % PLANE;
    let channel = slice * SLICE_OUTPUTS + k / TAPS;
    let tap = k % TAPS;
    let shift_y = tap / KERNEL_X * DILATION_Y;
    let shift_x = tap % KERNEL_X * DILATION_X;
    let from_y = place / WIDTH + PADDING_Y;
    let from_x = place % WIDTH + PADDING_X;
    if (from_y < shift_y || from_x < shift_x) {
        return 0.0;
    }
    let at_y = (from_y - shift_y) / STRIDE_Y;
    let at_x = (from_x - shift_x) / STRIDE_X;
    let between = (from_y - shift_y) % STRIDE_Y + (from_x - shift_x) % STRIDE_X;
    if (between != 0u || at_y >= OUT_HEIGHT || at_x >= OUT_WIDTH) {
        return 0.0;
    }
    let first = ((params.y_first + row) * SLICES * SLICE_OUTPUTS + channel) * POSITIONS;
    return dy[first + at_y * OUT_WIDTH + at_x];
}

fn right(slice: u32, k: u32, column: u32) -> f32 {
    let channel = slice * SLICE_OUTPUTS + k / TAPS;
    return parameter_0[(channel * COLUMNS + column) * TAPS + k % TAPS];
}

fn four_start(slice: u32, column: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn store(slice: u32, part: u32, line: u32, column: u32, sum: f32) {
    let channel = slice * COLUMNS + column;
    let row = params.x_first + line / PLANE;
    dx[(row * SLICES * COLUMNS + channel) * PLANE + line % PLANE] += sum;
}

fn store_column(slice: u32, part: u32, column: u32, sum: f32) {}

// Lines × columns = Σ over a depth of `left(line, k) · right(k, column)`, in tiles. An invocation sums
// four lines of four columns, k ascending.

const A_PITCH = TILE_LINES / 4u + 1u;
const B_PITCH = TILE_COLUMNS / 4u + 1u;
const COLUMN_TILES = (COLUMNS + TILE_COLUMNS - 1u) / TILE_COLUMNS;

// One place more than a line of a tile has, so that writes down a column meet different banks.
var<workgroup> a_tile: array<vec4<f32>, TILE_DEPTH * A_PITCH>;
var<workgroup> b_tile: array<vec4<f32>, TILE_DEPTH * B_PITCH>;

// Four lines of the left factor, 0 where there are none.
fn four_left(slice: u32, line: u32, k: u32, end: u32) -> vec4<f32> {
    var a = vec4<f32>();
    if (k < end) {
        let n = lines();
        if (line < n) { a.x = left(slice, line, k); }
        if (line + 1u < n) { a.y = left(slice, line + 1u, k); }
        if (line + 2u < n) { a.z = left(slice, line + 2u, k); }
        if (line + 3u < n) { a.w = left(slice, line + 3u, k); }
    }
    return a;
}

// Four columns of the right factor, 0 where there are none.
fn four_right(slice: u32, k: u32, column: u32, end: u32) -> vec4<f32> {
    var b = vec4<f32>();
    if (k < end) {
        if (column < COLUMNS) { b.x = right(slice, k, column); }
        if (column + 1u < COLUMNS) { b.y = right(slice, k, column + 1u); }
        if (column + 2u < COLUMNS) { b.z = right(slice, k, column + 2u); }
        if (column + 3u < COLUMNS) { b.w = right(slice, k, column + 3u); }
    }
    return b;
}

fn store_line(slice: u32, part: u32, line: u32, column: u32, sum: vec4<f32>) {
    if (line >= lines()) {
        return;
    }
    if (column < COLUMNS) { store(slice, part, line, column, sum.x); }
    if (column + 1u < COLUMNS) { store(slice, part, line, column + 1u, sum.y); }
    if (column + 2u < COLUMNS) { store(slice, part, line, column + 2u, sum.z); }
    if (column + 3u < COLUMNS) { store(slice, part, line, column + 3u, sum.w); }
}

@compute @workgroup_size(256)
fn product_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var index = group.y * groups.x + group.x;
    let first_column = index % COLUMN_TILES * TILE_COLUMNS;
    index /= COLUMN_TILES;
    let slice = index % SLICES;
    index /= SLICES;
    let line_tiles = (lines() + TILE_LINES - 1u) / TILE_LINES;
    let first_line = index % line_tiles * TILE_LINES;
    let part = index / line_tiles;
    if (part >= PARTS) {
        return;
    }
    let across = lane % (TILE_COLUMNS / 4u);
    let down = lane / (TILE_COLUMNS / 4u);
    let column = first_column + 4u * across;
    let line = first_line + 4u * down;

    // Each part has whole tiles.
    let n = depth();
    let each = ((n + PARTS - 1u) / PARTS + TILE_DEPTH - 1u) / TILE_DEPTH * TILE_DEPTH;
    let begin = min(part * each, n);
    let end = min(begin + each, n);

    let sums_columns = SUMS_COLUMNS && first_line == 0u && down == 0u;
    var column_sums = vec4<f32>();
    var sum_0 = four_start(slice, column);
    var sum_1 = sum_0;
    var sum_2 = sum_0;
    var sum_3 = sum_0;
    for (var first = begin; first < end; first += TILE_DEPTH) {
        for (var i = lane; i < TILE_DEPTH * TILE_LINES / 4u; i += 256u) {
            let k = select(i / (TILE_LINES / 4u), i % TILE_DEPTH, A_BY_DEPTH);
            let at = select(i % (TILE_LINES / 4u), i / TILE_DEPTH, A_BY_DEPTH);
            a_tile[k * A_PITCH + at] = four_left(slice, first_line + 4u * at, first + k, end);
        }
        for (var i = lane; i < TILE_DEPTH * TILE_COLUMNS / 4u; i += 256u) {
            let k = select(i / (TILE_COLUMNS / 4u), i % TILE_DEPTH, B_BY_DEPTH);
            let at = select(i % (TILE_COLUMNS / 4u), i / TILE_DEPTH, B_BY_DEPTH);
            b_tile[k * B_PITCH + at] = four_right(slice, first + k, first_column + 4u * at, end);
        }
        workgroupBarrier();
        for (var k = 0u; k < TILE_DEPTH; k++) {
            let a = a_tile[k * A_PITCH + down];
            // Spikes are few: mostly, nothing is there to multiply.
            if (!SPARSE || any(a != vec4<f32>())) {
                let b = b_tile[k * B_PITCH + across];
                sum_0 = fma(vec4<f32>(a.x), b, sum_0);
                sum_1 = fma(vec4<f32>(a.y), b, sum_1);
                sum_2 = fma(vec4<f32>(a.z), b, sum_2);
                sum_3 = fma(vec4<f32>(a.w), b, sum_3);
            }
        }
        if (sums_columns) {
            for (var k = 0u; k < TILE_DEPTH; k++) {
                column_sums += b_tile[k * B_PITCH + across];
            }
        }
        workgroupBarrier();
    }
    store_line(slice, part, line, column, sum_0);
    store_line(slice, part, line + 1u, column, sum_1);
    store_line(slice, part, line + 2u, column, sum_2);
    store_line(slice, part, line + 3u, column, sum_3);
    if (sums_columns) {
        if (column < COLUMNS) { store_column(slice, part, column, column_sums.x); }
        if (column + 1u < COLUMNS) { store_column(slice, part, column + 1u, column_sums.y); }
        if (column + 2u < COLUMNS) { store_column(slice, part, column + 2u, column_sums.z); }
        if (column + 3u < COLUMNS) { store_column(slice, part, column + 3u, column_sums.w); }
    }
}
