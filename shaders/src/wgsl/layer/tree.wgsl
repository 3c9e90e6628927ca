const INVOCATIONS = 256u;

var<workgroup> tree: array<vec2<f32>, INVOCATIONS>;

// Sum over the invocations of a workgroup, as a tree.
fn total(lane: u32, value: vec2<f32>) -> vec2<f32> {
    workgroupBarrier();
    tree[lane] = value;
    workgroupBarrier();
    for (var n = INVOCATIONS / 2u; n > 0u; n /= 2u) {
        if (lane < n) {
            tree[lane] += tree[lane + n];
        }
        workgroupBarrier();
    }
    return tree[0];
}

