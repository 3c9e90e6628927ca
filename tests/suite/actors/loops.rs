//! Loops of actors and populations: the same bits on any number of threads, cut in any way, after a
//! reset, and from a checkpoint.

use std::sync::Arc;

use rheobase::engine::Instantiate;
use rheobase::engine::arguments::{ArgumentError, Arguments};
use rheobase::engine::build::BuildOptions;
use rheobase::engine::port::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPort, ActorPorts, ActorType, UserActor,
};
use rheobase::engine::random::Philox;
use rheobase::engine::simulation::Simulation;

use super::{resolve, spikes_of};

const LOOP: &str = r#"
name = "loop"
seed = 5
dt = "0.1 ms"
duration = "200 ms"
[populations.E]
model = "iaf_psc_exp"
size = 500
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
[populations.I]
model = "iaf_psc_exp"
size = 130
[stimuli.background]
model = "poisson_background"
target = "E"
port = "ex"
rate = "9 kHz"
weight = "80 pA"
[actors.regulator]
model = "regulator"
[[edges]]
source = "E"
target = "regulator"
port = "e"
delay = "1.1 ms"
[[edges]]
source = "I"
target = "regulator"
port = "i"
delay = "0.7 ms"
[[projections]]
source = "E"
target = "I"
port = "ex"
rule = { fixed_indegree = { indegree = 60 } }
weight = "70 pA"
delay = "1.5 ms"
[[projections]]
source = "regulator"
target = "E"
port = "in"
rule = { pairwise_bernoulli = { p = 0.3 } }
weight = "-120 pA"
delay = "0.6 ms"
[[monitors]]
spikes = ["E", "I", "regulator"]
"#;

/// Follows the rates of E and I by leaky sums and fires its 40 neurons with a probability that grows
/// with them. The sums are no numbers of f32.
struct Regulator {
    may_block: bool,
}

impl ActorType for Regulator {
    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(ActorPorts::emitting_spikes([40])
            .input(ActorPort::spikes("e", 500))
            .input(ActorPort::spikes("i", 130)))
    }

    fn may_block(&self) -> bool {
        self.may_block
    }

    fn instantiate(&self, context: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        Ok(Box::new(Running {
            stream: context.stream,
            rates: [0.1, 0.2],
            fired: 0.0,
        }))
    }
}

struct Running {
    stream: Philox,
    rates: [f64; 2],
    fired: f64,
}

impl UserActor for Running {
    fn step(
        &mut self,
        inputs: &ActorInputs<'_>,
        output: &mut ActorOutput,
    ) -> Result<(), ActorError> {
        for (port, rate) in self.rates.iter_mut().enumerate() {
            *rate += (inputs.spikes(port).len() as f64 - *rate) / 30.0;
        }
        let probability = (0.01 * self.rates[0] + 0.02 * self.rates[1]).min(1.0);
        for neuron in 0..40 {
            let word = self.stream.word(neuron, inputs.step(), 0);
            if f64::from(word) < probability * 4_294_967_296.0 {
                output.spike(neuron);
                self.fired += 1.0;
            }
        }
        Ok(())
    }

    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        visit("rates", &mut self.rates);
        visit("fired", std::slice::from_mut(&mut self.fired));
    }
}

fn simulation<R: Instantiate>(threads: usize, may_block: bool) -> Simulation<R> {
    let make = || Arc::new(Regulator { may_block }) as Arc<dyn ActorType>;
    let plan = resolve(LOOP, &[("regulator", &make)]).unwrap_or_else(|e| panic!("{e}"));
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    Simulation::build(Arc::new(plan), options).unwrap()
}

const END: u64 = 2000;

/// Fingerprint, state of the actor, spikes of each node.
type Outcome = (u64, Vec<u64>, Vec<u64>);

fn outcome<R: Instantiate>(simulation: &mut Simulation<R>, cuts: &[u64]) -> Outcome {
    for &cut in cuts {
        simulation.advance_to(cut).unwrap();
    }
    let recording = simulation.take_recording();
    let mut state = Vec::new();
    simulation.visit_state_f64(|_, _, values| state.extend(values.iter().map(|x| x.to_bits())));
    (
        simulation.fingerprint(&recording),
        state,
        recording.n_spikes,
    )
}

fn equal_bits<R: Instantiate>() {
    let expected = outcome(&mut simulation::<R>(1, true), &[END]);
    let spikes = &expected.2;
    println!("fingerprint {:016x}, spikes {spikes:?}", expected.0);
    assert!(
        spikes.iter().all(|&n| n > 300),
        "{spikes:?}: too few to tell"
    );
    // A slice is as long as the shortest delay of the loop.
    assert_eq!(simulation::<R>(1, true).schedule().slice_len, 6);
    for may_block in [true, false] {
        for threads in [1, 2, 3, 8] {
            let found = outcome(&mut simulation::<R>(threads, may_block), &[END]);
            assert_eq!(found, expected, "{threads} threads, may block: {may_block}");
        }
        let cuts = [1, 2, 7, 8, 100, 101, 777, END];
        let found = outcome(&mut simulation::<R>(2, may_block), &cuts);
        assert_eq!(found, expected, "cut into calls, may block: {may_block}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits_in_f32() {
    equal_bits::<f32>();
}

#[test]
fn any_number_of_threads_gives_the_same_bits_in_f64() {
    equal_bits::<f64>();
}

/// Without the actor E is not held back: the loop is closed.
#[test]
fn the_actor_has_its_effect() {
    let mut with = simulation::<f32>(1, false);
    with.advance_to(END).unwrap();
    let with = spikes_of(&mut with, "E").len();
    let make = || Arc::new(Regulator { may_block: false }) as Arc<dyn ActorType>;
    let text = LOOP.replace("-120 pA", "0 pA");
    let plan = resolve(&text, &[("regulator", &make)]).unwrap_or_else(|e| panic!("{e}"));
    let mut without = Simulation::<f32>::build(Arc::new(plan), BuildOptions::default()).unwrap();
    without.advance_to(END).unwrap();
    let without = spikes_of(&mut without, "E").len();
    println!("spikes of E: {with} with the actor, {without} without");
    assert!(without > with + with / 5, "{with} {without}");
}

#[test]
fn a_reset_actor_is_a_new_one() {
    for (threads, may_block) in [(1, true), (1, false), (3, true)] {
        let mut simulation = simulation::<f32>(threads, may_block);
        let first = outcome(&mut simulation, &[END]);
        simulation.reset();
        assert_eq!(outcome(&mut simulation, &[END]), first);
    }
}

#[test]
fn a_checkpoint_holds_the_actor_in_full_precision() {
    let mut whole = simulation::<f32>(1, true);
    let expected = outcome(&mut whole, &[END]);
    let inexact = expected.1.iter().filter(|&&bits| {
        let x = f64::from_bits(bits);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "whether it is a number of f32"
        )]
        let rounded = f64::from(x as f32);
        rounded.to_bits() != bits
    });
    assert!(
        inexact.count() > 0,
        "the test needs a state that f32 has not"
    );
    for (cut, before, after) in [(1, 1, 2), (503, 3, 1), (1000, 1, 8), (1777, 2, 2)] {
        let mut first = simulation::<f32>(before, before == 1);
        first.advance_to(cut).unwrap();
        let counted = first.take_recording().n_spikes;
        let mut bytes = Vec::new();
        first.save(&mut bytes).unwrap();
        let mut second = simulation::<f32>(after, after != 1);
        second.advance_to(40).unwrap();
        second.load(&mut bytes.as_slice()).unwrap();
        let rest = outcome(&mut second, &[END]);
        assert_eq!(rest.1, expected.1, "cut {cut}");
        let sum: Vec<u64> = counted.iter().zip(&rest.2).map(|(a, b)| a + b).collect();
        assert_eq!(sum, expected.2, "cut {cut}");
        let (mut at_end, mut whole_bytes) = (Vec::new(), Vec::new());
        second.save(&mut at_end).unwrap();
        whole.save(&mut whole_bytes).unwrap();
        assert!(at_end == whole_bytes, "cut {cut}: other bytes at the end");
    }
}
