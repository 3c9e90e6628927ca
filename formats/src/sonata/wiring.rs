//! Edges onto projections: which nodes of the plan they join, through which port.

use std::sync::Arc;

use rheobase_engine::plan::{Edge as PlanEdge, EdgeKind, Synapses};
use rheobase_engine::port::Registry;
use rheobase_engine::rows::MAX_DELAY_STEPS;
use rheobase_engine::time::{steps_on_grid, steps_rounded};
use rheobase_engine::value::Value;

use super::SonataError;
use super::digest::Digest;
use super::edges::{Edge, EdgePopulation, Visitor};
use super::listed::{Filling, Survey};
use super::models::Template;
use super::network::{Part, Places};
use super::nodes::NodePopulation;

/// Collects the edges of files into projections.
pub(super) struct Wiring<'a> {
    dt_ms: f64,
    populations: &'a [NodePopulation],
    parts: &'a [Part],
    places: &'a [Places],
    registry: &'a Registry,
    current: Option<Current>,
    edges: Vec<PlanEdge>,
    warnings: Vec<String>,
    digest: Digest,
}

/// The population of edges that is being read.
struct Current {
    population: EdgePopulation,
    /// Populations of nodes.
    source: usize,
    target: usize,
    /// By source part, target part and sign of the weight.
    slots: Vec<Slot>,
    rounded: u64,
    raised: u64,
}

/// A projection in the making.
#[derive(Default)]
struct Slot {
    survey: Option<Survey>,
    filling: Option<Filling>,
}

/// An edge in terms of parts.
struct Placed {
    slot: usize,
    source: u32,
    target: u32,
    weight: f64,
    delay_steps: u32,
    rounded: bool,
    raised: bool,
}

impl<'a> Wiring<'a> {
    pub(super) fn new(
        dt_ms: f64,
        populations: &'a [NodePopulation],
        parts: &'a [Part],
        places: &'a [Places],
        registry: &'a Registry,
    ) -> Self {
        Self {
            dt_ms,
            populations,
            parts,
            places,
            registry,
            current: None,
            edges: Vec::new(),
            warnings: Vec::new(),
            digest: Digest::new(),
        }
    }

    /// Projections in the order of the files, what the user should know, a digest of all synapses.
    pub(super) fn finish(self) -> (Vec<PlanEdge>, Vec<String>, Digest) {
        (self.edges, self.warnings, self.digest)
    }

    fn population(&self, name: &str, place: &str) -> Result<usize, SonataError> {
        let found = self.populations.iter().position(|p| p.name == name);
        found.ok_or_else(|| {
            let message = format!("joins population `{name}`, of which there are no nodes");
            SonataError::wrong(place, message)
        })
    }

    /// Place of a node in the plan: part, place in it.
    fn node(&self, population: usize, id: u64, side: &str) -> Result<(usize, u32), String> {
        let nodes = &self.populations[population];
        match nodes.ids.index(id, nodes.n) {
            Some(place) => Ok(self.places[population].of(place)),
            None => Err(format!(
                "{side} node {id} is not in population {} of {} nodes",
                nodes.name, nodes.n
            )),
        }
    }

    fn place(&self, current: &Current, edge: Edge) -> Result<Placed, String> {
        let (source_part, source) = self.node(current.source, edge.source, "source")?;
        let (target_part, target) = self.node(current.target, edge.target, "target")?;
        let Some(template) = self.parts[target_part].template else {
            return Err(format!(
                "target node {} is virtual, and virtual nodes only send",
                edge.target
            ));
        };
        if !edge.weight.is_finite() {
            return Err(format!("the weight is {}", edge.weight));
        }
        let (delay_steps, rounded, raised) = delay(edge.delay_ms, self.dt_ms)?;
        let negative = edge.weight < 0.0 && template.inhibitory.0 != template.excitatory;
        let sign = if negative && template.inhibitory.1 {
            -1.0
        } else {
            1.0
        };
        Ok(Placed {
            slot: (source_part * self.parts.len() + target_part) * 2 + usize::from(negative),
            source,
            target,
            weight: sign * edge.weight,
            delay_steps,
            rounded,
            raised,
        })
    }

    fn projection(&self, slot: usize) -> (usize, usize, bool) {
        let pair = slot / 2;
        let n = self.parts.len();
        (pair / n, pair % n, slot % 2 == 1)
    }

    fn size(&self, part: usize) -> u32 {
        u32::try_from(self.parts[part].members.len()).unwrap_or(u32::MAX)
    }

    fn plan_edge(
        &mut self,
        current: &Current,
        slot: usize,
        filling: Filling,
    ) -> Result<PlanEdge, SonataError> {
        let (source, target, negative) = self.projection(slot);
        let place = &current.population.place;
        let template: &Template = self.parts[target]
            .template
            .ok_or_else(|| SonataError::wrong(place, "leads to virtual nodes"))?;
        let port = template.ports(self.registry, place)?[usize::from(negative)];
        let port_name = if negative {
            template.inhibitory.0
        } else {
            template.excitatory
        };
        let listed = filling.finish();
        listed.digest(&mut self.digest);
        let name = |part: usize| {
            let name = &self.populations[self.parts[part].population].name;
            match self.parts[part].template {
                Some(t) => format!("{name}-{}", t.neuron),
                None => name.clone(),
            }
        };
        Ok(PlanEdge {
            name: format!(
                "{}: {} -> {}.{port_name}",
                current.population.name,
                name(source),
                name(target),
            ),
            source: self.parts[source].node,
            target: self.parts[target].node,
            port,
            kind: EdgeKind::Synapses(Synapses {
                rule: Arc::new(listed),
                // The list has its own.
                weight: Value::Constant(0.0),
                delay: Value::Constant(self.dt_ms),
                min_delay_steps: 1,
                round_delay: false,
                learnable: true,
            }),
        })
    }
}

/// A delay in whole steps, at least 1; whether it was rounded, and whether raised to 1.
fn delay(delay_ms: f64, dt_ms: f64) -> Result<(u32, bool, bool), String> {
    if delay_ms < 0.0 {
        return Err(format!("the delay of {delay_ms} ms is negative"));
    }
    let nearest = steps_rounded(delay_ms, dt_ms);
    let steps = u32::try_from(nearest.max(1)).ok();
    match steps.filter(|&s| u64::from(s) <= MAX_DELAY_STEPS) {
        Some(steps) => {
            let rounded = steps_on_grid(delay_ms, dt_ms) != Some(nearest);
            Ok((steps, rounded, nearest == 0))
        }
        None => Err(format!(
            "the delay of {delay_ms} ms is longer than {MAX_DELAY_STEPS} steps of {dt_ms} ms"
        )),
    }
}

impl Visitor for Wiring<'_> {
    fn begin(&mut self, population: &EdgePopulation) -> Result<(), SonataError> {
        let source = self.population(&population.source, &population.place)?;
        let target = self.population(&population.target, &population.place)?;
        let n_slots = self.parts.len() * self.parts.len() * 2;
        self.current = Some(Current {
            population: population.clone(),
            source,
            target,
            slots: std::iter::repeat_with(Slot::default)
                .take(n_slots)
                .collect(),
            rounded: 0,
            raised: 0,
        });
        Ok(())
    }

    fn survey(&mut self, edge: Edge) -> Result<(), String> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let placed = self.place(&current, edge)?;
        current.rounded += u64::from(placed.rounded);
        current.raised += u64::from(placed.raised);
        let (_, target, _) = self.projection(placed.slot);
        let n_target = self.size(target);
        current.slots[placed.slot]
            .survey
            .get_or_insert_with(|| Survey::new(n_target))
            .add(placed.target, placed.weight, placed.delay_steps);
        self.current = Some(current);
        Ok(())
    }

    fn surveyed(&mut self) -> Result<(), SonataError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        for (k, slot) in current.slots.iter_mut().enumerate() {
            if let Some(survey) = slot.survey.take() {
                let n_source = self.size(self.projection(k).0);
                slot.filling = Some(survey.allocate(n_source, self.dt_ms));
            }
        }
        for (n, what) in [
            (current.rounded, "rounded to the grid"),
            (current.raised, "raised to one step"),
        ] {
            if n > 0 {
                let place = &current.population.place;
                let dt_ms = self.dt_ms;
                self.warnings
                    .push(format!("{place}: {n} delays were {what} of {dt_ms} ms"));
            }
        }
        self.current = Some(current);
        Ok(())
    }

    fn store(&mut self, edge: Edge) -> Result<(), String> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let placed = self.place(&current, edge)?;
        if let Some(filling) = &mut current.slots[placed.slot].filling {
            filling.add(
                placed.source,
                placed.target,
                placed.weight,
                placed.delay_steps,
            );
        }
        self.current = Some(current);
        Ok(())
    }

    fn end(&mut self) -> Result<(), SonataError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let slots = std::mem::take(&mut current.slots);
        for (k, slot) in slots.into_iter().enumerate() {
            if let Some(filling) = slot.filling {
                let edge = self.plan_edge(&current, k, filling)?;
                self.edges.push(edge);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn delays_round_to_the_nearest_step_and_to_one_at_least() {
        assert_eq!(delay(2.0, 0.01), Ok((200, false, false)));
        assert_eq!(delay(2.004, 0.01), Ok((200, true, false)));
        assert_eq!(delay(2.006, 0.01), Ok((201, true, false)));
        assert_eq!(delay(0.004, 0.01), Ok((1, true, true)));
        assert_eq!(delay(0.0, 0.01), Ok((1, false, true)));
        assert!(delay(-1.0, 0.01).is_err());
        assert!(delay(1e9, 0.01).is_err());
        assert!(delay(1e300, 0.01).is_err());
    }
}
