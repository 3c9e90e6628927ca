//! Trouble is a value: each of these calls returns an error and changes nothing.

use rheobase_engine::backend::gpu::{
    AdapterChoice, GpuDevice, GpuError, Kernel, ProgramKernel, StepKernel, Storage, Words,
};
use rheobase_equations::ir::{Builder, Program, Slot};
use rheobase_equations::native::{Derived, StepArgs};
use rheobase_shaders::{Contraction, Role, StepShape, Uniform, philox};

use crate::{device, or_skip};

/// v ← v·d + input; fires where v ≥ 1.
fn leak() -> (Program, StepShape) {
    let mut b = Builder::new();
    let v = b.load(Slot::State(0));
    let d = b.load(Slot::Derived(0));
    let product = b.mul(v, d);
    let input = b.load(Slot::Input(0));
    let sum = b.add(product, input);
    let one = b.constant(1.0);
    let above = b.ge(sum, one);
    let spike = b.unary(rheobase_equations::ir::Unary::Indicator, above);
    b.store(Slot::State(0), sum);
    b.store(Slot::Spike, spike);
    let shape = StepShape {
        states: vec!["v".to_owned()],
        inputs: vec!["ex".to_owned()],
        n_derived: 1,
        ..StepShape::default()
    };
    (b.finish(), shape)
}

struct Arrays {
    states: Vec<f32>,
    inputs: Vec<f32>,
    spikes: Vec<u32>,
}

impl Arrays {
    fn new() -> Self {
        let states = (0..128_u8).map(|i| f32::from(i) / 64.0).collect();
        Self {
            states,
            inputs: vec![0.25; 128],
            spikes: vec![],
        }
    }

    fn run(&mut self, kernel: &StepKernel, derived: &[Derived<f32>]) -> Result<(), GpuError> {
        kernel.run(&mut StepArgs {
            n: 100,
            stride: 128,
            states: &mut self.states,
            inputs: &mut self.inputs,
            input_stride: 128,
            derived,
            random: &[],
            time: 0.1,
            outputs: &mut [],
            spikes: &mut self.spikes,
            bits: None,
        })
    }
}

fn kernel(device: &GpuDevice) -> StepKernel {
    let (program, shape) = leak();
    StepKernel::from_program(device, "leak", &program, shape, Contraction::Prevent)
        .expect("compiles")
}

#[test]
fn a_step_updates_in_place_and_lists_spikes_ascending() {
    let Some(device) = device() else { return };
    let kernel = kernel(&device);
    let per_neuron = Derived::PerNeuron((0..128_u8).map(|i| f32::from(i % 2)).collect());
    for derived in [Derived::shared(0.5), per_neuron] {
        let mut arrays = Arrays::new();
        arrays
            .run(&kernel, std::slice::from_ref(&derived))
            .expect("runs");
        let mut expected = Arrays::new();
        for i in 0..100 {
            let d = derived.block(i / 64 * 64)[i % 64];
            expected.states[i] = expected.states[i] * d + 0.25;
            expected.inputs[i] = 0.0;
            if expected.states[i] >= 1.0 {
                expected.spikes.push(u32::try_from(i).expect("small"));
            }
        }
        assert_eq!(arrays.states, expected.states);
        assert_eq!(arrays.inputs, expected.inputs);
        assert_eq!(arrays.spikes, expected.spikes);
        assert!(!arrays.spikes.is_empty());
    }
}

#[test]
fn a_value_passed_through_reaches_the_results() {
    let Some(device) = device() else { return };
    let mut b = Builder::new();
    let x = b.load(Slot::StateCotangent(0));
    b.store(Slot::StateCotangent(0), x);
    let kernel =
        ProgramKernel::new(&device, &b.finish(), "pass", Contraction::Prevent).expect("compiles");
    let results = kernel.run(3, |_| &[1.0, 2.0, 3.0]).expect("runs");
    assert_eq!(results, [(Slot::StateCotangent(0), vec![1.0, 2.0, 3.0])]);
    let shared = kernel.run(2, |_| &[5.0]).expect("runs");
    assert_eq!(shared, [(Slot::StateCotangent(0), vec![5.0, 5.0])]);
    let wrong = kernel.run(3, |_| &[1.0, 2.0]);
    let what = "values of a slot";
    assert_eq!(
        wrong,
        Err(GpuError::Shape {
            what,
            expected: 3,
            got: 2
        })
    );
}

#[test]
fn wrong_lengths_are_named() {
    let Some(device) = device() else { return };
    let kernel = kernel(&device);
    let mut arrays = Arrays::new();
    arrays.inputs.pop();
    let error = arrays.run(&kernel, &[Derived::shared(0.5)]);
    assert_eq!(
        error,
        Err(GpuError::Shape {
            what: "inputs",
            expected: 128,
            got: 127
        })
    );
    let mut arrays = Arrays::new();
    let error = arrays.run(&kernel, &[]);
    assert_eq!(
        error,
        Err(GpuError::Shape {
            what: "derived quantities",
            expected: 1,
            got: 0
        })
    );
    let error = arrays.run(&kernel, &[Derived::PerNeuron(vec![0.5; 99])]);
    assert_eq!(
        error,
        Err(GpuError::Shape {
            what: "a derived quantity",
            expected: 100,
            got: 99
        })
    );
    assert_eq!(arrays.states, Arrays::new().states);
}

#[test]
fn a_population_of_none_is_no_work() {
    let Some(device) = device() else { return };
    let mut spikes = vec![];
    let mut empty = StepArgs {
        n: 0,
        stride: 0,
        states: &mut [],
        inputs: &mut [],
        input_stride: 0,
        derived: &[Derived::shared(0.5)],
        random: &[],
        time: 0.1,
        outputs: &mut [],
        spikes: &mut spikes,
        bits: None,
    };
    assert_eq!(kernel(&device).run(&mut empty), Ok(()));
}

#[test]
fn more_than_a_dimension_of_workgroups_is_reached() {
    let Some(device) = device() else { return };
    // Two rows of workgroups, the second begun: 64 · 65,535 and a few.
    let n = 64 * device.info().max_workgroups as usize + 37;
    if n * 4 > usize::try_from(device.info().max_binding_bytes).unwrap_or(usize::MAX) {
        println!("SKIPPED: the device's bindings are too small for {n} elements");
        return;
    }
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let negated = b.neg(x);
    b.store(Slot::Output(0), negated);
    let kernel =
        ProgramKernel::new(&device, &b.finish(), "negate", Contraction::Prevent).expect("compiles");
    #[allow(clippy::cast_precision_loss, reason = "below 2²⁴")]
    let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let results = kernel.run(n, |_| &x).expect("runs");
    let wrong = results[0]
        .1
        .iter()
        .zip(&x)
        .filter(|(y, x)| **y != -**x)
        .count();
    assert_eq!(wrong, 0);
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let Some(device) = device() else { return };
    let kernel = Kernel::new(&device, philox::blocks()).expect("compiles");
    let mut results = [0; 4];
    let uniform = Uniform {
        n: u32::MAX,
        stride: u32::MAX,
        time_ms: 0.0,
        places: &[],
    };
    let ran = kernel.run(
        &uniform,
        &mut [
            Storage {
                role: Role::Results,
                words: Words::Write(&mut results),
            },
            Storage {
                role: Role::Sources,
                words: Words::Read(&[0; 6]),
            },
        ],
    );
    assert!(
        matches!(
            ran,
            Err(GpuError::Shape {
                what: "results" | "sources",
                ..
            })
        ),
        "{ran:?}"
    );
    // One element more than the device binds.
    let (mut b, limit) = (Builder::new(), device.info().max_binding_bytes);
    let n = usize::try_from(limit / 4 + 1).expect("a 64-bit machine");
    let x = b.load(Slot::Argument(0));
    b.store(Slot::Output(0), x);
    let copy =
        ProgramKernel::new(&device, &b.finish(), "copy", Contraction::Prevent).expect("compiles");
    let ran = copy.run(n, |_| &[1.0]).map(|_| ());
    assert!(
        matches!(ran, Err(GpuError::Limit { limit: l, .. }) if l <= limit),
        "{ran:?}"
    );
    let missing = kernel.run(
        &Uniform {
            n: 1,
            stride: 1,
            time_ms: 0.0,
            places: &[],
        },
        &mut [Storage {
            role: Role::Sources,
            words: Words::Read(&[0; 6]),
        }],
    );
    let shape = GpuError::Shape {
        what: "storage buffers",
        expected: 2,
        got: 1,
    };
    assert_eq!(missing, Err(shape));
}

#[test]
fn a_shader_the_device_rejects_is_an_error() {
    let Some(device) = device() else { return };
    let mut module = philox::blocks();
    module.source.push_str("fn broken( {");
    let error = Kernel::new(&device, module).expect_err("broken text");
    assert!(matches!(error, GpuError::Validation { .. }), "{error:?}");
    let mut module = philox::blocks();
    module.entry_point = "nowhere".to_owned();
    let error = Kernel::new(&device, module).expect_err("no such entry point");
    assert!(matches!(error, GpuError::Validation { .. }), "{error:?}");
    // The device works on.
    Kernel::new(&device, philox::blocks()).expect("compiles");
}

#[test]
fn a_lost_device_is_an_error_from_then_on() {
    let Some(_) = device() else { return };
    let Some(device) = or_skip(GpuDevice::request(&AdapterChoice::Any)) else {
        return;
    };
    let kernel = kernel(&device);
    let mut arrays = Arrays::new();
    arrays.run(&kernel, &[Derived::shared(0.5)]).expect("runs");
    let kept = arrays.states.clone();
    device.destroy();
    for _ in 0..2 {
        let error = arrays.run(&kernel, &[Derived::shared(0.5)]);
        assert!(matches!(error, Err(GpuError::Lost { .. })), "{error:?}");
        assert_eq!(arrays.states, kept, "the copy of the last step survives");
    }
    let error = Kernel::new(&device, philox::blocks()).map(|_| ());
    assert!(matches!(error, Err(GpuError::Lost { .. })), "{error:?}");
}

#[test]
fn a_choice_nothing_fits_names_what_there_is() {
    let choice = AdapterChoice::Named("no such adapter".to_owned());
    let error = GpuDevice::request(&choice).expect_err("nothing fits");
    assert!(error.to_string().contains("no such adapter"), "{error}");
    assert!(matches!(error, GpuError::NoAdapter { .. }));
}

/// Threads share a device: one may run the callbacks of another's work.
#[test]
fn threads_that_share_a_device_get_their_own_results() {
    let Some(device) = device() else { return };
    let run = &|thread: u8| {
        let mut b = Builder::new();
        let x = b.load(Slot::Argument(0));
        let offset = b.constant(f64::from(thread));
        let sum = b.add(x, offset);
        b.store(Slot::Output(0), sum);
        let kernel = ProgramKernel::new(&device, &b.finish(), "offset", Contraction::Prevent)
            .expect("compiles");
        for k in 0..200_u8 {
            let results = kernel.run(70, |_| &[1.0]).expect("runs");
            let expected = vec![1.0 + f32::from(thread); 70];
            assert_eq!(results[0].1, expected, "thread {thread}, run {k}");
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || run(thread));
        }
    });
}
