//! Projections and identity edges.

use rheobase_equations::unit::{Dimension, Unit};
use serde_json::Value as Json;

use super::clock::read_time_at;
use super::time::Grid;
use super::{Emission, Resolver};
use crate::arguments::Arguments;
use crate::exact::moment;
use crate::network::describe::{Edge, Projection, Rule};
use crate::network::error::{ErrorKind, Path};
use crate::network::values::{mass_below, read_value};
use crate::plan::{self, EdgeKind, NodeId, NodeKind, Synapses};
use crate::port::{ConnectivityRule, Sides};
use crate::rows::MAX_DELAY_STEPS;
use crate::suggest;
use crate::time::{steps_on_grid, steps_rounded};
use crate::value::Value;
use std::sync::Arc;

/// Projections at most, pairs of lists counted singly.
const MAX_EDGES: usize = 1 << 16;

/// Share of delays drawn below zero that is worth a warning.
const WORTH_A_WARNING: f64 = 1e-3;

/// The shortest delay of an edge, for the check of cycles.
#[derive(Clone, Debug)]
pub(super) struct EdgeDelay {
    /// Where it stands in the description.
    pub(super) path: Path,
    /// Steps, where delays are given; drawn ones are raised where needed.
    pub(super) steps: Option<u64>,
}

impl Resolver<'_> {
    /// Projections, then identity edges, in the order of the description.
    pub(super) fn edges(&mut self) {
        let network = self.network;
        for (i, projection) in network.projections.iter().enumerate() {
            let path = Path::root().key("projections").index(i);
            for source in projection.source.as_slice() {
                for target in projection.target.as_slice() {
                    if self.edges.len() >= MAX_EDGES {
                        let message = format!("there are more than {MAX_EDGES} edges");
                        self.errors.push(ErrorKind::Entry, &path, message);
                        return;
                    }
                    if let Some(ends) = self.ends(source, target, &path) {
                        self.projection(projection, ends, &path);
                    }
                }
            }
        }
        for (i, edge) in network.edges.iter().enumerate() {
            let path = Path::root().key("edges").index(i);
            if let Some(ends) = self.ends(&edge.source, &edge.target, &path) {
                self.identity(edge, ends, &path);
            }
        }
    }

    fn ends(&mut self, source: &str, target: &str, path: &Path) -> Option<(NodeId, NodeId)> {
        let source = self.node(source, &path.key("source"));
        let target = self.node(target, &path.key("target"));
        Some((source?, target?))
    }

    fn edge_name(&self, (source, target): (NodeId, NodeId), path: &Path) -> String {
        format!(
            "{} -> {} ({path})",
            self.nodes[source].name, self.nodes[target].name
        )
    }

    fn projection(&mut self, p: &Projection, ends: (NodeId, NodeId), path: &Path) -> Option<()> {
        let (source, target) = ends;
        if self.emission(source) != Emission::Spikes {
            let message = format!(
                "`{}` emits real values; a projection carries spikes (use [[edges]], or a layer)",
                self.nodes[source].name
            );
            return self.error(ErrorKind::Wiring, &path.key("source"), message);
        }
        if !matches!(self.nodes[target].kind, NodeKind::Population(_)) {
            let message = format!(
                "`{}` is no population; only populations have synapses",
                self.nodes[target].name
            );
            return self.error(ErrorKind::Wiring, &path.key("target"), message);
        }
        let (port, unit) = self.port(target, p.port.as_deref(), path)?;
        let rule = self.rule(&p.rule, ends, &unit, &path.key("rule"));
        let fixes = rule.as_ref().is_some_and(|r| r.fixes_weights());
        let weight = if rule.is_some() {
            self.weight(p, &unit, fixes, path)
        } else {
            None
        };
        let grid = self.grid_of(target, p.round_delay);
        let delay = self.delay(p, fixes, grid, path);
        let (rule, weight, (delay, steps)) = (rule?, weight?, delay?);
        let given = if fixes {
            self.listed_delays(rule.as_ref(), p, grid, path)?
        } else {
            EdgeDelay {
                path: path.clone(),
                steps,
            }
        };
        let name = self.edge_name(ends, path);
        let kind = EdgeKind::Synapses(Synapses {
            rule,
            weight,
            delay,
            // Raised to 1 when cycles are known.
            min_delay_steps: 0,
            round_delay: p.round_delay,
            learnable: p.learnable,
        });
        self.edges.push(plan::Edge {
            name,
            source,
            target,
            port,
            kind,
        });
        self.delays.push(given);
        Some(())
    }

    fn rule(
        &mut self,
        rule: &Rule,
        (source, target): (NodeId, NodeId),
        unit: &Unit,
        path: &Path,
    ) -> Option<Arc<dyn ConnectivityRule>> {
        let Some((name, arguments)) = rule.parts() else {
            let message = "expected the name of a rule, or { name = { arguments } }";
            return self.error(ErrorKind::Entry, path, message);
        };
        let Some(entry) = self.registry.rules.get(name) else {
            let known: Vec<&str> = self.registry.rules.keys().map(String::as_str).collect();
            let message = suggest::unknown("connectivity rule", name, &known);
            return self.error(ErrorKind::Name, path, message);
        };
        let path = path.key(name);
        let made =
            Arguments::check_in(&arguments, entry.arguments, Some(unit.clone()), &self.scope)
                .and_then(|arguments| (entry.make)(&arguments));
        let rule = match made {
            Ok(rule) => rule,
            Err(e) => return self.argument_error(&e, &path),
        };
        let count = |node: NodeId| u32::try_from(self.nodes[node].size()).unwrap_or(u32::MAX);
        let sides = Sides {
            n_source: count(source),
            n_target: count(target),
            same: source == target,
        };
        match rule.check(sides) {
            Ok(()) => Some(rule),
            Err(message) => {
                let ends = format!("{} -> {}", self.nodes[source].name, self.nodes[target].name);
                self.error(ErrorKind::Wiring, &path, format!("{message} ({ends})"))
            }
        }
    }

    fn weight(&mut self, p: &Projection, unit: &Unit, fixes: bool, path: &Path) -> Option<Value> {
        let Some(json) = &p.weight else {
            if fixes || unit.dimension.is_none() {
                return Some(Value::Constant(1.0));
            }
            let message = format!("`weight` is missing: a quantity in {}", unit.name);
            return self.error(ErrorKind::Entry, path, message);
        };
        let path = path.key("weight");
        if fixes {
            let message = "the rule carries weights and delays of its own; leave this out";
            return self.error(ErrorKind::Entry, &path, message);
        }
        if json.is_array() {
            let message = "a list of weights belongs to a list of synapses: \
                           rule = { explicit = { sources = […], targets = […], weights = […], \
                           delays = […] } }";
            return self.error(ErrorKind::Value, &path, message);
        }
        read_value(json, unit, &self.scope, &path, &mut self.errors)
    }

    /// Delay in ms, and in steps where it is constant.
    fn delay(
        &mut self,
        p: &Projection,
        fixes: bool,
        grid: Grid,
        path: &Path,
    ) -> Option<(Value, Option<u64>)> {
        let zero = Value::Constant(0.0);
        let Some(json) = &p.delay else {
            return Some((zero, if fixes { None } else { Some(0) }));
        };
        let path = path.key("delay");
        if fixes {
            let message = "the rule carries weights and delays of its own; leave this out";
            return self.error(ErrorKind::Entry, &path, message);
        }
        if json.is_array() {
            let message = "a list of delays belongs to a list of synapses: \
                           rule = { explicit = { sources = […], targets = […], weights = […], \
                           delays = […] } }";
            return self.error(ErrorKind::Value, &path, message);
        }
        let ms = Unit::base(Dimension::TIME);
        match read_value(json, &ms, &self.scope, &path, &mut self.errors)? {
            Value::Constant(x) => {
                let steps = self.constant_delay(x, json, grid, &path)?;
                Some((Value::Constant(x), Some(steps)))
            }
            drawn => {
                self.drawn_delay(&drawn, grid, &path)?;
                Some((drawn, None))
            }
        }
    }

    fn constant_delay(&mut self, ms: f64, written: &Json, grid: Grid, path: &Path) -> Option<u64> {
        let written = written
            .as_str()
            .map_or_else(|| written.to_string(), str::to_owned);
        match given_steps(ms, &written, self.clock.dt_ms, grid) {
            Ok((steps, rounded)) => {
                if rounded {
                    self.warnings
                        .push(format!("{path}: {written} is rounded to {steps} steps"));
                }
                Some(steps)
            }
            Err(message) => self.error(ErrorKind::Value, path, message),
        }
    }

    /// Delays that a rule carries: the shortest of them, and where it stands.
    fn listed_delays(
        &mut self,
        rule: &dyn ConnectivityRule,
        p: &Projection,
        grid: Grid,
        path: &Path,
    ) -> Option<EdgeDelay> {
        let delays = rule.fixed_delays();
        let place = |k: usize| {
            let name = p.rule.parts().map_or(String::new(), |(n, _)| n.to_owned());
            let list = path.key("rule").key(&name).key("delays");
            if delays.len() == 1 {
                list
            } else {
                list.index(k)
            }
        };
        let (mut shortest, mut rounded) = (None, Vec::new());
        for (k, &ms) in delays.iter().enumerate() {
            match given_steps(ms, &format!("{ms} ms"), self.clock.dt_ms, grid) {
                Ok((steps, was_rounded)) => {
                    if was_rounded {
                        rounded.push(k);
                    }
                    if shortest.is_none_or(|(least, _)| steps < least) {
                        shortest = Some((steps, k));
                    }
                }
                // One of a list says enough.
                Err(message) => return self.error(ErrorKind::Value, &place(k), message),
            }
        }
        if let Some(&first) = rounded.first() {
            self.warnings.push(format!(
                "{}: rounded to whole steps, as are {} of {} delays of the list",
                place(first),
                rounded.len(),
                delays.len()
            ));
        }
        Some(EdgeDelay {
            path: shortest.map_or_else(|| path.clone(), |(_, k)| place(k)),
            steps: shortest.map(|(steps, _)| steps),
        })
    }

    /// Delays drawn below zero become the smallest allowed; many of them are an error in disguise. In
    /// continuous time nothing is raised.
    fn drawn_delay(&mut self, value: &Value, grid: Grid, path: &Path) -> Option<()> {
        let Value::Drawn(distribution) = value else {
            return Some(());
        };
        let low = distribution
            .bounds
            .map_or(f64::NEG_INFINITY, |bounds| bounds.low);
        if low.is_finite() && low < 0.0 {
            let message = "the lower bound is negative";
            return self.error(ErrorKind::Value, path, message);
        }
        let shape = &distribution.shape;
        let mass = match distribution.bounds {
            _ if low >= 0.0 => 0.0,
            Some(b) if b.redraw => mass_below(shape, 0.0) / mass_below(shape, b.high),
            _ => mass_below(shape, 0.0),
        };
        if mass >= 0.5 {
            let message = format!(
                "{:.0} % of the delays drawn would be negative",
                100.0 * mass
            );
            return self.error(ErrorKind::Value, path, message);
        }
        if mass > WORTH_A_WARNING && grid == Grid::None {
            let message = format!(
                "{:.1} % of the delays drawn would be negative, and in continuous time none is \
                 raised; bound them by `redraw` or `clip`",
                100.0 * mass
            );
            return self.error(ErrorKind::Value, path, message);
        }
        if mass > WORTH_A_WARNING {
            let percent = 100.0 * mass;
            self.warnings.push(format!(
                "{path}: {percent:.1} % of the delays drawn are negative and become the smallest \
                 delay allowed"
            ));
        }
        Some(())
    }

    fn identity(&mut self, e: &Edge, ends: (NodeId, NodeId), path: &Path) -> Option<()> {
        let (source, target) = ends;
        if self.is_continuous(target) && self.emission(source) != Emission::Spikes {
            return self.values_in_continuous_time(ends, path);
        }
        let (port, unit) = self.port(target, e.port.as_deref(), path)?;
        if let Emission::Real(Some(emitted)) = self.emission(source)
            && emitted.dimension != unit.dimension
        {
            let message = format!(
                "`{}` emits values in {}, the port takes {}",
                self.nodes[source].name, emitted.name, unit.name
            );
            return self.error(ErrorKind::Wiring, path, message);
        }
        let delay_steps = match &e.delay {
            None => 0,
            Some(text) => {
                let path = path.key("delay");
                let ms = read_time_at(text, &self.scope, &path, &mut self.errors)?;
                let grid = match e.round_delay {
                    true => Grid::Rounded,
                    false => Grid::Strict,
                };
                self.constant_delay(ms, &Json::from(text.as_str()), grid, &path)?
            }
        };
        match self.nodes[target].kind {
            NodeKind::Actor(_) => self.fits_actor(ends, port, path)?,
            _ => self.same_size(ends, path)?,
        }
        let name = self.edge_name(ends, path);
        let kind = EdgeKind::Identity { delay_steps };
        self.edges.push(plan::Edge {
            name,
            source,
            target,
            port,
            kind,
        });
        self.delays.push(EdgeDelay {
            path: path.clone(),
            steps: Some(delay_steps),
        });
        Some(())
    }

    /// Element i meets element i: as many on both sides. A layer takes the shape of its source.
    fn same_size(&mut self, (source, target): (NodeId, NodeId), path: &Path) -> Option<()> {
        let (given, expected) = (&self.nodes[source], &self.nodes[target]);
        if matches!(expected.kind, NodeKind::Layer(_)) || given.size() == expected.size() {
            return Some(());
        }
        let message = format!(
            "`{}` has {} elements, `{}` {}; an edge joins element i to element i",
            given.name,
            given.size(),
            expected.name,
            expected.size()
        );
        self.error(ErrorKind::Wiring, path, message)
    }
}

/// Steps of a given delay, and whether it had to be rounded. Whole steps only, off the grid.
fn given_steps(ms: f64, written: &str, dt_ms: f64, grid: Grid) -> Result<(u64, bool), String> {
    if ms < 0.0 {
        return Err(format!("{written} is negative"));
    }
    if grid == Grid::None {
        let span = moment::Clock::new(dt_ms).delay(ms);
        return match span.filter(|s| s.steps < MAX_DELAY_STEPS) {
            Some(span) => Ok((span.steps, false)),
            None => Err(format!(
                "{written} is above {MAX_DELAY_STEPS} steps of {dt_ms} ms"
            )),
        };
    }
    let on_grid = steps_on_grid(ms, dt_ms);
    let steps = match on_grid {
        Some(steps) => steps,
        None if grid == Grid::Rounded => steps_rounded(ms, dt_ms),
        None => {
            return Err(format!(
                "{written} is no whole number of steps of {dt_ms} ms; round_delay = true rounds it"
            ));
        }
    };
    if steps > MAX_DELAY_STEPS {
        return Err(format!(
            "{written} is {steps} steps; the longest delay is {MAX_DELAY_STEPS}"
        ));
    }
    Ok((steps, on_grid.is_none()))
}
