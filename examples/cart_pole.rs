//! A pole on a cart, held up by spiking neurons: a user's own actor in a loop with a network.
//!
//! The plant is an actor. It moves by the equations of Barto, Sutton and Anderson (1983,
//! doi:10.1109/TSMC.1983.6313077), fires sensory neurons at rates that follow its position, speed,
//! angle and angular speed, and is pushed by the spikes of two populations of motor neurons. Weights
//! are set by hand; nothing is learnt. Every spike takes 5 ms from sensor to force.
//!
//! `cargo run --release --example cart_pole` prints when the pole falls with and without the network,
//! and writes both angles to `results/cart_pole.svg`.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::sync::Arc;

use rheobase::engine::arguments::{ArgumentError, ArgumentKind, ArgumentSpec, Arguments};
use rheobase::engine::network::Actor;
use rheobase::engine::port::{
    ActorContext, ActorError, ActorInputs, ActorOutput, ActorPort, ActorPorts, ActorType, UserActor,
};
use rheobase::prelude::*;
use rheobase::report::plot::{Series, TracePanel, TracePlot};

/// Sensory neurons of a channel. There are eight channels: each of the four quantities has one for
/// what is above zero and one for what is below.
const PER_CHANNEL: u32 = 10;
/// Motor neurons that push one way.
const MOTOR: usize = 40;

/// Position \[m\], speed \[m/s\], angle from upright \[rad\], angular speed \[rad/s\].
type State = [f64; 4];

/// Where the sensory neurons of a quantity fire at [`FULL_RATE`].
const FULL_SCALE: State = [2.4, 3.0, 0.2, 2.0];
/// Spikes of a sensory neuron per millisecond at full scale.
const FULL_RATE: f64 = 0.2;
/// Weight of a sensory spike \[pA\]: how hard the cart is pushed for each quantity.
const WEIGHTS: State = [60.0, 105.0, 70.0, 160.0];

/// Force that a motor spike adds, and how fast it fades.
const FORCE_PER_SPIKE: f64 = 0.45;
const FADE_MS: f64 = 10.0;
const MOST_FORCE: f64 = 10.0;

/// The pole has fallen beyond 12 degrees; the track ends at 2.4 m.
const MOST_ANGLE: f64 = 12.0 * std::f64::consts::PI / 180.0;
const TRACK: f64 = 2.4;

/// Makes plants.
struct PlantType;

impl ActorType for PlantType {
    fn arguments(&self) -> &'static [ArgumentSpec] {
        &[ArgumentSpec {
            name: "angle",
            kind: ArgumentKind::Number,
            default: Some("0.0175"),
            doc: "initial angle of the pole [rad]",
        }]
    }

    fn ports(&self, _: &Arguments) -> Result<ActorPorts, ArgumentError> {
        Ok(ActorPorts::emitting_spikes([8, u64::from(PER_CHANNEL)])
            .input(ActorPort::spikes("left", MOTOR))
            .input(ActorPort::spikes("right", MOTOR)))
    }

    // It only computes: no thread of its own.
    fn may_block(&self) -> bool {
        false
    }

    fn instantiate(&self, context: &ActorContext) -> Result<Box<dyn UserActor>, ActorError> {
        let angle = context.arguments.number("angle");
        let angle = angle.map_err(|e| ActorError::new(e.to_string()))?;
        // Neurons of a channel take turns.
        let turn = |k: u32| f64::from(k % PER_CHANNEL) / f64::from(PER_CHANNEL);
        Ok(Box::new(Plant {
            dt_ms: context.dt_ms,
            cart: [0.0, 0.0, angle, 0.0],
            force: 0.0,
            phases: (0..8 * PER_CHANNEL).map(turn).collect(),
            fell_ms: 0.0,
        }))
    }
}

struct Plant {
    dt_ms: f64,
    cart: State,
    /// \[N\], to the right.
    force: f64,
    /// Of each sensory neuron; it fires when its phase reaches 1.
    phases: Vec<f64>,
    /// When the pole fell, or the cart left its track; 0 before.
    fell_ms: f64,
}

impl UserActor for Plant {
    fn step(
        &mut self,
        inputs: &ActorInputs<'_>,
        output: &mut ActorOutput,
    ) -> Result<(), ActorError> {
        let spikes = |port: usize| inputs.spikes(port).len() as f64;
        self.force += FORCE_PER_SPIKE * (spikes(1) - spikes(0)) - self.force * self.dt_ms / FADE_MS;
        if self.fell_ms == 0.0 {
            self.cart = moved(
                self.cart,
                self.force.clamp(-MOST_FORCE, MOST_FORCE),
                self.dt_ms * 1e-3,
            );
            if self.cart[2].abs() > MOST_ANGLE || self.cart[0].abs() > TRACK {
                self.fell_ms = inputs.time_ms();
            }
        }
        self.sense(output);
        Ok(())
    }

    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [f64])) {
        visit("cart", &mut self.cart);
        visit("force", std::slice::from_mut(&mut self.force));
        visit("phases", &mut self.phases);
        visit("fell_ms", std::slice::from_mut(&mut self.fell_ms));
    }
}

impl Plant {
    /// Sensory neurons fire at rates in proportion to what they sense.
    fn sense(&mut self, output: &mut ActorOutput) {
        let values = self.cart.iter().zip(FULL_SCALE).map(|(x, full)| x / full);
        let channels = values.flat_map(|x| [x.max(0.0), (-x).max(0.0)]);
        let neurons = channels.flat_map(|x| std::iter::repeat_n(x.min(1.0), PER_CHANNEL as usize));
        for ((neuron, phase), x) in (0..).zip(&mut self.phases).zip(neurons) {
            *phase += FULL_RATE * x * self.dt_ms;
            if *phase >= 1.0 {
                *phase -= 1.0;
                output.spike(neuron);
            }
        }
    }
}

/// The cart after `dt` seconds under a force \[N\]: equations of the appendix of Barto, Sutton and
/// Anderson (1983), the speeds advanced first.
fn moved([x, v, angle, spin]: State, force: f64, dt: f64) -> State {
    const GRAVITY: f64 = 9.8;
    const CART: f64 = 1.0;
    const POLE: f64 = 0.1;
    const HALF_LENGTH: f64 = 0.5;
    const TRACK_FRICTION: f64 = 0.0005;
    const HINGE_FRICTION: f64 = 0.000_002;
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    let rub = if v == 0.0 {
        0.0
    } else {
        TRACK_FRICTION * v.signum()
    };
    let mass = CART + POLE;
    let pole = POLE * HALF_LENGTH;
    let push = (-force - pole * spin * spin * sin + rub) / mass;
    let turning = (GRAVITY * sin + cos * push - HINGE_FRICTION * spin / pole)
        / (HALF_LENGTH * (4.0 / 3.0 - POLE * cos * cos / mass));
    let pulling = (force + pole * (spin * spin * sin - turning * cos) - rub) / mass;
    let (v, spin) = (v + dt * pulling, spin + dt * turning);
    [x + dt * v, v, angle + dt * spin, spin]
}

/// The network; `weight` scales what the motor neurons receive.
fn network(weight: f64) -> Result<Network, Box<dyn Error>> {
    // Fires at about 60 Hz by itself, so that it can be driven both ways.
    let motor = || {
        Population::new("iaf_psc_exp", MOTOR as u64)
            .parameter("i_e", "500 pA")
            .initial(
                "v",
                rheobase::engine::network::values::uniform("-65 mV", "-51 mV"),
            )
    };
    let mut network = Network::builder("cart and pole")
        .dt("0.1 ms")
        .population("left", motor())
        .population("right", motor())
        .actor("plant", Actor::new("plant"))
        .edge(Edge::new("left", "plant").port("left").delay("3 ms"))
        .edge(Edge::new("right", "plant").port("right").delay("3 ms"));
    for (target, side) in [("left", -1.0), ("right", 1.0)] {
        let (mut sources, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for sensor in 0..8 * PER_CHANNEL {
            let channel = sensor / PER_CHANNEL;
            let sign = if channel.is_multiple_of(2) {
                side
            } else {
                -side
            };
            for neuron in 0..MOTOR {
                sources.push(sensor);
                targets.push(neuron);
                let size = WEIGHTS[channel as usize / 2] * weight;
                weights.push(format!("{} pA", sign * size));
            }
        }
        network = network.projection(
            Projection::new("plant", target)
                .port("ex")
                .rule("explicit")
                .argument("sources", sources)
                .argument("targets", targets)
                .argument("weights", weights)
                .argument("delays", vec!["2 ms"]),
        );
    }
    Ok(network.build()?)
}

/// What became of the pole.
pub(crate) struct Outcome {
    /// When it fell \[s\], if it did.
    pub(crate) fell_s: Option<f64>,
    /// Largest angle \[rad\] and distance \[m\].
    pub(crate) most: (f64, f64),
    /// Times \[ms\] and angles \[degrees\].
    pub(crate) angle: (Vec<f64>, Vec<f64>),
}

/// Runs for `seconds`, with weights as set by hand times `weight`.
///
/// # Errors
/// If the network cannot be built, or an actor stops it.
pub(crate) fn run(weight: f64, seconds: u32, threads: usize) -> Result<Outcome, Box<dyn Error>> {
    let mut registry = rheobase::registry();
    registry
        .actors
        .insert("plant".to_owned(), Arc::new(PlantType));
    let plan = network(weight)?.resolve(&registry)?;
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    let mut simulation = Simulation::<f32>::build(Arc::new(plan), options)?;
    let mut outcome = Outcome {
        fell_s: None,
        most: (0.0, 0.0),
        angle: (Vec::new(), Vec::new()),
    };
    // Looked at every 5 ms.
    for look in 1..=u64::from(seconds) * 200 {
        simulation.advance_to(look * 50)?;
        simulation.visit_state_f64(|_, name, values| match name {
            "cart" => {
                let (distance, angle) = (values[0].abs(), values[2]);
                outcome.most = (
                    outcome.most.0.max(angle.abs()),
                    outcome.most.1.max(distance),
                );
                outcome.angle.0.push(look as f64 * 5.0);
                outcome.angle.1.push(angle.to_degrees());
            }
            "fell_ms" if values[0] > 0.0 => outcome.fell_s = Some(values[0] * 1e-3),
            _ => {}
        });
        // The recording would grow.
        simulation.take_recording();
    }
    Ok(outcome)
}

fn main() -> Result<(), Box<dyn Error>> {
    const SECONDS: u32 = 20;
    let with = run(1.0, SECONDS, 1)?;
    let without = run(0.0, SECONDS, 1)?;
    for (name, outcome) in [("with the network", &with), ("without", &without)] {
        let (angle, distance) = outcome.most;
        match outcome.fell_s {
            None => println!(
                "{name}: up for {SECONDS} s, within {:.2} degrees and {distance:.2} m",
                angle.to_degrees()
            ),
            Some(s) => println!("{name}: fell after {s:.2} s"),
        }
    }
    let panel = |label, values| TracePanel {
        label: "angle (degrees)",
        series: vec![Series { label, values }],
    };
    let panels = [
        panel("with the network", &with.angle.1),
        panel("without", &without.angle.1),
    ];
    let plot = TracePlot {
        title: "A pole on a cart",
        time_ms: &with.angle.0,
        panels: &panels,
    };
    std::fs::create_dir_all("results")?;
    std::fs::write("results/cart_pole.svg", plot.draw()?.svg())?;
    println!("results/cart_pole.svg shows both angles");
    Ok(())
}
