//! **Question**: what does one step of a population cost per neuron, compiled (`neuron!`) and
//! interpreted (block), in f32 and f64, at each instruction-set level of the machine? Above 0.6 ns
//! (AVX-512) or 0.9 ns (AVX2) for `iaf_psc_exp` in f32, the generated loop is no longer packed;
//! above 2.5 times that, the interpreter makes too many passes over memory.
//!
//! **Result**: see `LOG.md` beside this file.
//!
//! One thread, 10,000 neurons (or the first argument), dt 0.1 ms, driven to fire at some 16 Hz (the
//! rate is printed). All runners take turns within a round, so that a busy machine slows all of
//! them; medians of rounds, the first one discarded, with the ratio of the two medians.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::sync::Arc;
use std::time::Instant;

use rheobase::equations::block::BlockProgram;
use rheobase::equations::lower::{Component, lower};
use rheobase::equations::native::{
    Aligned, Derived, Level, NativeComponent, StepArgs, StepAtFn, padded,
};
use rheobase::equations::parse_one;
use rheobase::equations::real::Real;
use rheobase::neuron;

const DT_MS: f64 = 0.1;
const ROUNDS: usize = 201;
/// Short rounds: most of them are not interrupted on a busy machine.
const UPDATES_PER_ROUND: usize = 200_000;

/// A component, compiled, with the parameters that make it fire and the state to scatter.
struct Case {
    name: &'static str,
    native: NativeComponent,
    drive: &'static [(&'static str, f64)],
    scattered: (f64, f64),
}

const CASES: [Case; 3] = [
    Case {
        name: "iaf_psc_exp",
        native: neuron!(file = "components/src/neuron/iaf_psc_exp.rheo"),
        drive: &[("i_e", 376.0)],
        scattered: (-70.0, -55.1),
    },
    Case {
        name: "iaf_cond_exp",
        native: neuron!(file = "components/src/neuron/iaf_cond_exp.rheo"),
        drive: &[("i_e", 255.0)],
        scattered: (-65.0, -56.0),
    },
    Case {
        name: "izhikevich",
        native: neuron!(file = "components/src/neuron/izhikevich.rheo"),
        drive: &[],
        scattered: (-65.0, -50.0),
    },
];

fn main() {
    // `cargo bench` adds `--bench`.
    let n = std::env::args()
        .skip(1)
        .find_map(|a| a.parse().ok())
        .unwrap_or(10_000);
    println!("update kernel, {n} neurons, one thread, ns per neuron and step");
    println!(
        "{:<14} {:<4} {:<9} {:>8} {:>15} {:>8} {:>15} {:>6} {:>6}",
        "neuron", "", "level", "native", "", "block", "", "ratio", "Hz"
    );
    for case in &CASES {
        compare::<f32>(case, n, case.native.step_f32_at);
        compare::<f64>(case, n, case.native.step_f64_at);
    }
}

fn compare<R: Real>(case: &Case, n: usize, native: StepAtFn<R>) {
    let Ok(model) = parse_one(case.native.text, case.name) else {
        unreachable!("the text compiled")
    };
    let Ok(component) = lower(&Arc::new(model), None) else {
        unreachable!("the text compiled")
    };
    for level in Level::available() {
        let mut block = BlockProgram::<R>::new(&component).at_level(level);
        let mut of_native = Population::<R>::new(case, &component, n);
        let mut of_block = Population::<R>::new(case, &component, n);
        let (mut native_ns, mut block_ns) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let a = of_native.advance(|args| native(level, args));
            let b = of_block.advance(|args| block.step(args));
            if round > 0 {
                native_ns.push(a);
                block_ns.push(b);
            }
        }
        assert_eq!(
            of_native.n_spikes, of_block.n_spikes,
            "the runners disagree"
        );
        report::<R>(
            case.name,
            level,
            &mut native_ns,
            &mut block_ns,
            of_native.rate_hz(),
        );
    }
}

fn report<R: Real>(name: &str, level: Level, native: &mut [f64], block: &mut [f64], rate_hz: f64) {
    let (a, b) = (Summary::new(native), Summary::new(block));
    println!(
        "{name:<14} {:<4} {:<9} {:>8.3} ({:.3}-{:.3}) {:>8.3} ({:.3}-{:.3}) {:>6.2} {rate_hz:>6.1}",
        std::any::type_name::<R>(),
        level.name(),
        a.median,
        a.low,
        a.high,
        b.median,
        b.low,
        b.high,
        b.median / a.median,
    );
}

/// Median and quartiles.
struct Summary {
    median: f64,
    low: f64,
    high: f64,
}

impl Summary {
    fn new(samples: &mut [f64]) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |quarter: usize| samples[quarter * (samples.len() - 1) / 4];
        Self {
            median: at(2),
            low: at(1),
            high: at(3),
        }
    }
}

struct Population<R: Real> {
    n: usize,
    stride: usize,
    states: Aligned<R>,
    inputs: Aligned<R>,
    outputs: Aligned<R>,
    derived: Vec<Derived<R>>,
    spikes: Vec<u32>,
    n_spikes: usize,
    steps: u32,
}

impl<R: Real> Population<R> {
    fn new(case: &Case, component: &Component, n: usize) -> Self {
        let stride = padded(n);
        let mut parameters = component.default_parameters();
        for (parameter, value) in component.model.parameters.iter().zip(&mut parameters) {
            if let Some((_, drive)) = case.drive.iter().find(|(name, _)| *name == parameter.name) {
                *value = *drive;
            }
        }
        let initial = component.initial_states(&parameters, DT_MS);
        let mut states = Aligned::zeroed(initial.len() * stride);
        for (values, x) in states.chunks_exact_mut(stride).zip(&initial) {
            values.fill(R::from_f64(*x));
        }
        let (low, high) = case.scattered;
        for (i, v) in states[..stride].iter_mut().enumerate() {
            // The golden ratio spreads phases evenly.
            #[allow(clippy::cast_precision_loss, reason = "few neurons")]
            let phase = (i as f64 * 0.618_033_988_749_894_8).fract();
            *v = R::from_f64(low + (high - low) * phase);
        }
        let derived = component.derive(&parameters, DT_MS);
        Self {
            n,
            stride,
            states,
            inputs: Aligned::zeroed(component.model.inputs.len() * stride),
            outputs: Aligned::zeroed(component.model.outputs.len() * stride),
            derived: derived
                .iter()
                .map(|x| Derived::shared(R::from_f64(*x)))
                .collect(),
            spikes: Vec::with_capacity(n),
            n_spikes: 0,
            steps: 0,
        }
    }

    /// Runs a round; nanoseconds per neuron and step.
    fn advance(&mut self, mut step: impl FnMut(&mut StepArgs<'_, R>)) -> f64 {
        let steps = (UPDATES_PER_ROUND / self.n).max(1);
        let start = Instant::now();
        for _ in 0..steps {
            self.steps += 1;
            step(&mut StepArgs {
                n: self.n,
                stride: self.stride,
                states: &mut self.states,
                inputs: &mut self.inputs,
                input_stride: self.stride,
                derived: &self.derived,
                random: &[],
                time: R::from_f64(f64::from(self.steps) * DT_MS),
                outputs: &mut self.outputs,
                spikes: &mut self.spikes,
                bits: None,
            });
            self.n_spikes += self.spikes.len();
            self.spikes.clear();
        }
        #[allow(clippy::cast_precision_loss, reason = "few neurons")]
        let updates = (self.n * steps) as f64;
        start.elapsed().as_secs_f64() * 1e9 / updates
    }

    fn rate_hz(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "few spikes")]
        let spikes_per_neuron = self.n_spikes as f64 / self.n as f64;
        spikes_per_neuron / (f64::from(self.steps) * DT_MS * 1e-3)
    }
}
