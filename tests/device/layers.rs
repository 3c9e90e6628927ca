//! Layers on the device: what is emitted, and gradients, against the processor.

use crate::harness::device;
use crate::training::{
    BATCH, HEAD, STEPS, assert_near, compare, network, numbers, options, pass, plan_of,
};
use rheobase::engine::unrolled::{Sequence, UnrolledOptions};

/// Layers, and the shape of what arrives.
const LAYERS: [(&str, &str); 16] = [
    ("model = \"linear\"\nout_features = 3", "[7]"),
    ("model = \"linear\"\nout_features = 70", "[130]"),
    (
        "model = \"linear\"\nout_features = 10\nbias = false",
        "[65]",
    ),
    ("model = \"flatten\"", "[2, 3, 4]"),
    (
        "model = \"conv2d\"\nout_channels = 5\nkernel_size = 3\npadding = 1",
        "[2, 7, 6]",
    ),
    (
        "model = \"conv2d\"\nout_channels = 6\nkernel_size = [3, 2]\nstride = [2, 1]\npadding = [0, 1]\ndilation = [1, 2]\ngroups = 2",
        "[4, 9, 8]",
    ),
    ("model = \"max_pool2d\"\nkernel_size = 2", "[3, 6, 8]"),
    ("model = \"avg_pool2d\"\nkernel_size = 2", "[3, 6, 8]"),
    (
        "model = \"adaptive_avg_pool2d\"\noutput_size = [2, 3]",
        "[3, 5, 7]",
    ),
    (
        "model = \"max_pool2d\"\nkernel_size = 3\nstride = 2\npadding = 1",
        "[2, 7, 9]",
    ),
    (
        "model = \"avg_pool2d\"\nkernel_size = [3, 2]\nstride = [2, 1]\npadding = 1",
        "[2, 7, 9]",
    ),
    (
        "model = \"conv1d\"\nout_channels = 3\nkernel_size = 3",
        "[2, 11]",
    ),
    ("model = \"dropout\"\np = 0.4", "[17]"),
    ("model = \"sum\"", "[5]"),
    ("model = \"batch_norm\"", "[3, 4, 5]"),
    (
        "model = \"batch_norm\"\nvariant = \"td\"\nalpha = 0.7",
        "[6]",
    ),
];

/// A network with one layer between an input and neurons, and neurons and an output.
pub(crate) fn layered(layer: &str, shape: &str, spikes: bool) -> String {
    let kind = if spikes { "spikes" } else { "real" };
    format!(
        "{HEAD}[inputs.x]\nshape = {shape}\nkind = \"{kind}\"\n[layers.l]\n{layer}\n\
         [[edges]]\nsource = \"x\"\ntarget = \"l\"\n"
    )
}

#[test]
fn layers_have_the_gradients_of_the_processor() {
    let Some(device) = device() else { return };
    for (layer, shape) in LAYERS {
        for spikes in [false, true] {
            compare(
                layer,
                &layered(layer, shape, spikes),
                &options(),
                spikes,
                &device,
            );
        }
        println!("{layer}: the same");
    }
}

/// What one node emits goes to two of a kind: their parts of its gradient add up, whichever is first.
#[test]
fn gradients_of_all_targets_add_up() {
    let Some(device) = device() else { return };
    let edges = "[layers.s]\nmodel = \"sum\"\n[[edges]]\nsource = \"x\"\ntarget = \"a\"\n\
                 [[edges]]\nsource = \"x\"\ntarget = \"b\"\n[[edges]]\nsource = \"a\"\ntarget = \"s\"\n\
                 [[edges]]\nsource = \"b\"\ntarget = \"s\"\n";
    let only = UnrolledOptions {
        outputs: vec!["s".to_owned()],
        ..options()
    };
    for (layer, shape) in LAYERS {
        let text = format!(
            "{HEAD}[inputs.x]\nshape = {shape}\n[layers.a]\n{layer}\n[layers.b]\n{layer}\n{edges}"
        );
        compare(layer, &text, &only, false, &device);
    }
    let text = format!(
        "{HEAD}[inputs.x]\nshape = [6]\n[populations.a]\nmodel = \"lif\"\nsize = 6\n\
         [populations.b]\nmodel = \"plif\"\nsize = 6\n{edges}"
    );
    compare("populations", &text, &only, false, &device);
    // The same in every step: its gradient is a sum over the steps, too.
    let plan = plan_of(&text);
    let (mut cpu, mut gpu) = (network(&plan, &only), network(&plan, &only));
    gpu.run_on(&device).unwrap_or_else(|e| panic!("{e}"));
    let values: Vec<f32> = numbers(BATCH * 6, 4).iter().map(|x| 3.0 * x).collect();
    let inputs = [Sequence::Constant(&values)];
    let a = pass(&mut cpu, &inputs).unwrap_or_else(|e| panic!("{e}"));
    let b = pass(&mut gpu, &inputs).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(a.output.len(), STEPS * BATCH * 6);
    assert_near("output", &a.output, &b.output);
    for ((name, x), (_, y)) in a.gradients.iter().zip(&b.gradients) {
        assert_near(name, x, y);
    }
}
