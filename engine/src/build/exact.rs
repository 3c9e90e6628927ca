//! Populations in continuous time: their synapses, their neurons, their actors.

use std::ops::Range;

use super::populations::recorders;
use super::rows::{sides, targets};
use super::shards::Shards;
use super::{BuildError, BuildReport, NodeContext, records_spikes, to_u32};
use crate::exact::actor::{ExactActor, ExactShape};
use crate::exact::flow::Flow;
use crate::exact::make;
use crate::exact::moment::Clock;
use crate::exact::neurons::Neurons;
use crate::exact::synapses::{DelayRange, Synapses};
use crate::plan::{EdgeKind, NodeId, NodeKind, Plan, Population};
use crate::random::{Construction, Purpose, construction_stream};
use crate::rows::{Part, RowsError};
use crate::schedule::{DelayedEdge, MAX_SLICE};

/// All that populations in continuous time are made of.
pub(super) struct Continuous {
    /// `[shards]`: edges onto them, ascending, with their synapses in the shard.
    synapses: Vec<Vec<(usize, Synapses)>>,
    populations: Vec<(NodeId, Quantities)>,
}

impl Continuous {
    /// Draws synapses, parameters and initial states.
    pub(super) fn draw(plan: &Plan, shards: &Shards) -> Result<Self, BuildError> {
        let draw_shard = |shard| {
            let edges = plan.edges.iter().enumerate();
            edges
                .filter(|(_, edge)| plan.is_continuous(edge.target))
                .map(|(index, _)| Ok((index, draw_edge(plan, shards, index, shard)?)))
                .collect()
        };
        let mut populations = Vec::new();
        for (id, node) in plan.nodes.iter().enumerate() {
            if let NodeKind::Population(p) = &node.kind
                && p.time.is_continuous()
            {
                populations.push((id, Quantities::draw(plan, id, p)?));
            }
        }
        Ok(Self {
            synapses: shards.in_parallel(draw_shard, BuildError::Panicked)?,
            populations,
        })
    }

    fn all_synapses(&self) -> impl Iterator<Item = &(usize, Synapses)> {
        self.synapses.iter().flatten()
    }

    /// The edges as the schedule sees them: delays in whole steps, the least counted down, the most
    /// counted up.
    pub(super) fn delays(&self, plan: &Plan) -> Vec<DelayedEdge> {
        let edge_delays = |index: usize| {
            let shards = self.all_synapses().filter(|(edge, _)| *edge == index);
            let ranges: Vec<DelayRange> = shards.filter_map(|(_, s)| s.delays()).collect();
            DelayedEdge {
                source: plan.edges[index].source,
                target: plan.edges[index].target,
                // As long as the longest slice: an edge without synapses asks for nothing else.
                min_delay: ranges.iter().map(|r| r.least).min().unwrap_or(MAX_SLICE),
                max_delay: ranges.iter().map(|r| r.most).max().unwrap_or(0),
            }
        };
        (0..plan.edges.len())
            .filter(|&index| plan.is_continuous(plan.edges[index].target))
            .map(edge_delays)
            .collect()
    }

    /// Numbers and bytes of synapses; how neurons are advanced.
    pub(super) fn report(&self, plan: &Plan, report: &mut BuildReport) {
        for (edge, synapses) in self.all_synapses() {
            if let EdgeKind::Synapses(_) = plan.edges[*edge].kind {
                report.synapses[*edge] += synapses.len() as u64;
            }
            report.synapse_bytes += synapses.bytes();
        }
        for (node, _) in &self.populations {
            let name = plan.nodes[*node].name.clone();
            report.kernels.push((name, "exact"));
        }
    }

    /// The actor of a population in a shard; takes the synapses.
    pub(super) fn actor(
        &mut self,
        context: &NodeContext<'_>,
        shard: usize,
        range: Range<u32>,
    ) -> Result<ExactActor, BuildError> {
        let (plan, id) = (context.plan, context.id);
        let mut own = Vec::new();
        let mut others = Vec::new();
        for (edge, synapses) in std::mem::take(&mut self.synapses[shard]) {
            if plan.edges[edge].target == id {
                own.push(synapses);
            } else {
                others.push((edge, synapses));
            }
        }
        self.synapses[shard] = others;
        let found = self.populations.iter().find(|(node, _)| *node == id);
        let (Some((_, quantities)), NodeKind::Population(population)) = (found, &context.node.kind)
        else {
            return Err(BuildError::Panicked("not in continuous time".to_owned()));
        };
        let flows = quantities.flows(context, population, &range)?;
        let n_states = flows.first().map_or(0, |f| f.n_states());
        let ports = population.neuron.ports();
        let names = ports.states.iter().take(n_states);
        let shape = ExactShape {
            node: id,
            name: context.node.name.clone(),
            state_names: names.map(|q| q.name.clone()).collect(),
            dt_ms: plan.dt_ms,
            record_spikes: records_spikes(plan, id),
            range: range.clone(),
        };
        let lanes = || range.clone().map(|lane| quantities.states(lane));
        let initial = lanes().flat_map(|states| states[..n_states].iter().copied());
        // The counter of a model with a refractory time comes after its states.
        let counter = |states: &[f64]| states.get(n_states).copied().unwrap_or(0.0);
        let refractory_ms: Vec<f64> = lanes().map(|s| counter(s) * plan.dt_ms).collect();
        let neurons = Neurons::new(
            Clock::new(plan.dt_ms),
            flows,
            population.time.tolerance().is_some(),
            initial.collect(),
            &refractory_ms,
        );
        let recorders = recorders(context, population, &range);
        Ok(ExactActor::new(shape, neurons, own, recorders))
    }
}

/// The synapses of an edge in a shard.
fn draw_edge(
    plan: &Plan,
    shards: &Shards,
    index: usize,
    shard: usize,
) -> Result<Synapses, RowsError> {
    let edge = &plan.edges[index];
    let (port, range) = (to_u32(edge.port), targets(plan, shards, edge, shard));
    let sides = sides(plan, edge);
    match &edge.kind {
        EdgeKind::Identity { delay_steps } => Ok(Synapses::identity(
            edge.source,
            port,
            sides.n_source,
            &range,
            *delay_steps,
        )),
        EdgeKind::Synapses(synapses) => {
            let part = Part {
                projection: &edge.name,
                index: index as u64,
                synapses,
                sides,
                range,
                first_lane: 0,
                seed: plan.seed,
                dt_ms: plan.dt_ms,
            };
            Synapses::draw(edge.source, port, &part)
        }
    }
}

/// Parameters and initial states of a whole population.
struct Quantities {
    size: usize,
    /// One row for all neurons, or one per neuron.
    parameters: Vec<Vec<f64>>,
    /// States of a neuron, the refractory counter included.
    n_states: usize,
    /// `[neurons][states]`.
    initial: Vec<f64>,
}

impl Quantities {
    /// From the streams of a population on the grid, in the same order.
    fn draw(plan: &Plan, id: NodeId, population: &Population) -> Result<Self, BuildError> {
        let size = plan.nodes[id].size();
        let ports = population.neuron.ports();
        let stream = |k: usize| -> Construction {
            construction_stream(plan.seed, Purpose::Population, id as u64, k as u64)
        };
        let n_parameters = population.parameters.len();
        let mut streams: Vec<Construction> = (0..n_parameters).map(stream).collect();
        let shared = population.parameters.iter().all(|p| p.constant().is_some());
        let n_rows = if shared { 1.min(size) } else { size };
        let parameters: Vec<Vec<f64>> = (0..n_rows)
            .map(|neuron| {
                let values = population.parameters.iter().zip(&mut streams);
                values.map(|(p, stream)| p.get(neuron, stream)).collect()
            })
            .collect();
        let of_row = |row: &Vec<f64>| population.neuron.initial_states(row, plan.dt_ms);
        let mut initial: Vec<f64> = parameters.iter().flat_map(of_row).collect();
        let n_states = ports.states.len();
        if shared {
            initial = initial.repeat(size);
        }
        for (state, value) in &population.initial {
            let mut stream = stream(n_parameters + state);
            let values = initial.iter_mut().skip(*state).step_by(n_states);
            for (neuron, x) in values.enumerate() {
                *x = value.get(neuron, &mut stream);
            }
        }
        if let Some(k) = initial.iter().position(|x| !x.is_finite()) {
            return Err(BuildError::NotFinite {
                population: plan.nodes[id].name.clone(),
                what: format!("initial `{}`", ports.states[k % n_states].name),
                neuron: k / n_states,
                value: initial[k],
            });
        }
        Ok(Self {
            size,
            parameters,
            n_states,
            initial,
        })
    }

    /// Initial states of a lane.
    fn states(&self, lane: u32) -> &[f64] {
        let neuron = lane as usize % self.size;
        &self.initial[neuron * self.n_states..(neuron + 1) * self.n_states]
    }

    /// What moves the neurons of a range: one flow for all, or one for each.
    fn flows(
        &self,
        context: &NodeContext<'_>,
        population: &Population,
        range: &Range<u32>,
    ) -> Result<Vec<Box<dyn Flow>>, BuildError> {
        let Some(component) = population.neuron.component() else {
            return Err(BuildError::Panicked(
                "a neuron without equations".to_owned(),
            ));
        };
        let flow = |neuron: usize| {
            let parameters = &self.parameters[neuron];
            make::flow(component, parameters, population.time.tolerance()).map_err(|reason| {
                BuildError::NotExact {
                    population: context.node.name.clone(),
                    neuron,
                    reason,
                }
            })
        };
        if self.parameters.len() == 1 {
            return Ok(vec![flow(0)?]);
        }
        range
            .clone()
            .map(|lane| flow(lane as usize % self.size))
            .collect()
    }
}
