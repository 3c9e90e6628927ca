//! Which arithmetic a population has: fixed when a network is built, from its description alone.

use rheobase_equations::linear_system::{LinearModel, LinearSystem, MAX_STATES};
use rheobase_equations::real::Precision;
use serde::{Deserialize, Serialize};

use super::regime::Split;
use crate::build::emits_real;
use crate::plan::{EdgeKind, Node, NodeId, NodeKind, Plan, Population, Time};
use crate::port::Sides;

/// How the state of a population is kept. It decides its bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// `anchored` where it is possible and little is going to happen in a step, else `stepwise`: a
    /// population of 1,024 neurons or more each of which receives fewer than 0.01 synaptic events a
    /// step if every source fires at 5 Hz.
    #[default]
    Auto,
    /// One propagator per step.
    Stepwise,
    /// Amplitudes of modes at the beginning of an epoch: the population can be advanced sparsely.
    Anchored,
}

/// Smallest population that `auto` anchors.
pub(crate) const LEAST_NEURONS: usize = 1024;
/// Most events a neuron and step, at …
const MOST_EVENTS: f64 = 0.01;
/// … this rate of every source.
const RATE_HZ: f64 = 5.0;
/// Shortest epoch worth its tables.
const SHORTEST_EPOCH: u64 = 8;

/// Longest refractory time in steps.
const LONGEST_REFRACTORY: f64 = 10_000.0;
/// How far from the threshold a neuron may rest in f32, relative to what a reset takes it away.
const FARTHEST: f64 = 250.0;

/// What was decided, and why.
#[allow(
    clippy::large_enum_variant,
    reason = "one for each population, soon taken apart"
)]
pub(crate) enum Decision {
    /// One propagator per step.
    Stepwise {
        /// Why not anchored.
        reason: String,
    },
    /// Anchored.
    Anchored {
        system: LinearSystem,
        /// Steps of an epoch.
        epoch: u64,
        refractory_steps: u64,
    },
}

/// What was decided for a population, for the report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ArithmeticReport {
    /// `Stepwise` or `Anchored`.
    pub arithmetic: Arithmetic,
    /// Why.
    pub reason: String,
}

impl ArithmeticReport {
    /// What the processor would decide for a population on the grid; nothing for other nodes and where
    /// what is asked for cannot be had.
    #[must_use]
    pub fn of(plan: &Plan, id: NodeId) -> Option<Self> {
        let node = plan.nodes.get(id)?;
        match &node.kind {
            NodeKind::Population(population) if population.time == Time::Grid => {
                let decision = decide(plan, id, node, population).ok()?;
                Some(decision.report())
            }
            _ => None,
        }
    }
}

impl Decision {
    /// For the report.
    pub(crate) fn report(&self) -> ArithmeticReport {
        match self {
            Self::Stepwise { reason } => ArithmeticReport {
                arithmetic: Arithmetic::Stepwise,
                reason: reason.clone(),
            },
            Self::Anchored { epoch, .. } => ArithmeticReport {
                arithmetic: Arithmetic::Anchored,
                reason: format!("linear between events; an epoch has {epoch} steps"),
            },
        }
    }
}

/// Decides for a population. The error is the reason why what was asked for cannot be had.
pub(crate) fn decide(
    plan: &Plan,
    id: NodeId,
    node: &Node,
    population: &Population,
) -> Result<Decision, String> {
    let stepwise = |reason: &str| {
        Ok(Decision::Stepwise {
            reason: reason.to_owned(),
        })
    };
    match population.arithmetic {
        Arithmetic::Stepwise => stepwise("asked for"),
        Arithmetic::Anchored => anchored(plan, id, population),
        Arithmetic::Auto if node.size() < LEAST_NEURONS => {
            stepwise("fewer than 1,024 neurons: nothing to gain")
        }
        Arithmetic::Auto => {
            let events = expected_events(plan, id, node);
            if events > MOST_EVENTS {
                let reason = format!(
                    "{events:.2} synaptic events a neuron and step are expected, more than {MOST_EVENTS}"
                );
                return Ok(Decision::Stepwise { reason });
            }
            let decided = anchored(plan, id, population);
            Ok(decided.unwrap_or_else(|reason| Decision::Stepwise { reason }))
        }
    }
}

/// Synaptic events a neuron receives in a step if every source fires at [`RATE_HZ`].
fn expected_events(plan: &Plan, id: NodeId, node: &Node) -> f64 {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let onto = plan.edges.iter().filter(|e| e.target == id);
    let synapses: f64 = onto
        .map(|edge| match &edge.kind {
            EdgeKind::Identity { .. } => f64::from(count(node.size())),
            EdgeKind::Synapses(s) => s.rule.expected_synapses(Sides {
                n_source: count(plan.nodes[edge.source].size()),
                n_target: count(node.size()),
                same: edge.source == id,
            }),
        })
        .sum();
    synapses / f64::from(count(node.size()).max(1)) * RATE_HZ * plan.dt_ms / 1000.0
}

fn anchored(plan: &Plan, id: NodeId, population: &Population) -> Result<Decision, String> {
    if population.emits.is_some() {
        return Err("it emits real values, in every step".to_owned());
    }
    if let Some(drive) = plan.drives.iter().find(|d| d.target == id) {
        return Err(format!("the stimulus `{}` acts in every step", drive.name));
    }
    let real = |e: &&crate::plan::Edge| e.target == id && emits_real(&plan.nodes[e.source]);
    if let Some(edge) = plan.edges.iter().find(real) {
        return Err(format!(
            "`{}` carries real values, in every step",
            edge.name
        ));
    }
    let component = population
        .neuron
        .component()
        .ok_or("it is written by hand, not as equations")?;
    let names = &population.neuron.ports().parameters;
    let mut parameters = Vec::with_capacity(names.len());
    for (value, quantity) in population.parameters.iter().zip(names) {
        let constant = value.constant();
        let differs = || format!("`{}` differs between neurons", quantity.name);
        parameters.push(constant.ok_or_else(differs)?);
    }
    let system = LinearModel::analyse(component)
        .map_err(|e| e.to_string())?
        .at(&parameters);
    if system.n == 0 || system.n > MAX_STATES {
        return Err(format!("it has {} states, not 1 to {MAX_STATES}", system.n));
    }
    // The refractory counter comes after the states.
    if let Some((state, _)) = population.initial.iter().find(|(s, _)| *s >= system.n) {
        let name = &population.neuron.ports().states[*state].name;
        return Err(format!("it begins with `{name}` of its own"));
    }
    tabulated(system, plan.dt_ms, plan.precision)
}

/// Whether tables can be made.
fn tabulated(system: LinearSystem, dt_ms: f64, precision: Precision) -> Result<Decision, String> {
    if (0..system.n).any(|i| system.rates[i * system.n + i] > 0.0) {
        return Err("a state grows by itself".to_owned());
    }
    let grows = || "a constant drive makes a state grow ever faster".to_owned();
    let refractory = system.firing.as_ref().and_then(|f| f.refractory_ms);
    let ratio = refractory.unwrap_or(0.0) / dt_ms;
    if !(ratio.is_finite() && (0.0..LONGEST_REFRACTORY).contains(&ratio)) {
        return Err(format!(
            "the refractory time is not between 0 and {LONGEST_REFRACTORY} steps"
        ));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked"
    )]
    let refractory_steps = ratio.round_ties_even() as u64;
    let free = Split::of(&system).ok_or_else(grows)?;
    let held = Split::of(&system.while_refractory()).ok_or_else(grows)?;
    let finite = |s: &Split| {
        s.modes
            .basis
            .iter()
            .chain(&s.rest.constant)
            .all(|x| x.is_finite())
    };
    if !finite(&free) || !finite(&held) {
        return Err("its parameters give rates that are not finite".to_owned());
    }
    if precision == Precision::F32 && rests_far_away(&system, &free) {
        return Err(format!(
            "it would rest more than {FARTHEST} times as far from its threshold as a reset takes it: f32 would lose too much"
        ));
    }
    let epoch = free.epoch(dt_ms).min(held.epoch(dt_ms));
    if epoch < SHORTEST_EPOCH {
        return Err(format!(
            "a time constant is too short for steps of {dt_ms} ms: tables would last {epoch} steps"
        ));
    }
    Ok(Decision::Anchored {
        system,
        epoch,
        refractory_steps,
    })
}

/// Whether amplitudes are measured from a point so far away that f32 rounds what matters.
fn rests_far_away(system: &LinearSystem, free: &Split) -> bool {
    let Some(firing) = &system.firing else {
        return false;
    };
    let margin = |x: &[f64]| {
        let products = firing.margin.row.iter().zip(x).map(|(m, x)| m * x);
        (products.sum::<f64>() + firing.margin.constant).abs()
    };
    margin(&free.rest.constant) > FARTHEST * margin(&firing.reset.constant)
}
