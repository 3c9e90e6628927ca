//! What is recorded.

use super::clock::read_time_at;
use super::{Emission, Resolver};
use crate::network::describe::{Monitor, Neurons};
use crate::network::error::{ErrorKind, Path};
use crate::network::schema::MAX_SIZE;
use crate::plan::{self, NodeId, NodeKind};
use crate::suggest;
use crate::time::steps_on_grid;

/// Neurons whose state one monitor records, at most.
const MAX_RECORDED: u64 = 1 << 20;

/// Monitors at most.
const MAX_MONITORS: usize = 1 << 10;

impl Resolver<'_> {
    /// The monitors of the description; without any, the spikes of every population that emits them.
    pub(super) fn monitors(&mut self) {
        let network = self.network;
        if network.monitors.is_empty() {
            for node in 0..self.nodes.len() {
                let is_population = matches!(self.nodes[node].kind, NodeKind::Population(_));
                if is_population && self.emission(node) == Emission::Spikes {
                    self.monitors.push(plan::Monitor::Spikes { node });
                }
            }
        }
        if network.monitors.len() > MAX_MONITORS {
            let message = format!("there are more than {MAX_MONITORS} monitors");
            self.errors
                .push(ErrorKind::Entry, &Path::root().key("monitors"), message);
            return;
        }
        for (i, monitor) in network.monitors.iter().enumerate() {
            self.monitor(monitor, &Path::root().key("monitors").index(i));
        }
    }

    fn monitor(&mut self, monitor: &Monitor, path: &Path) -> Option<()> {
        match (&monitor.spikes, &monitor.state) {
            (Some(nodes), None) => {
                let of_state = [
                    ("variables", monitor.variables.is_some()),
                    ("neurons", monitor.neurons.is_some()),
                    ("every", monitor.every.is_some()),
                ];
                if let Some((entry, _)) = of_state.iter().find(|(_, given)| *given) {
                    let message = format!("`{entry}` belongs to a monitor of `state`");
                    return self.error(ErrorKind::Entry, path, message);
                }
                for name in nodes.as_slice() {
                    self.spike_monitor(name, &path.key("spikes"));
                }
                Some(())
            }
            (None, Some(population)) => self.state_monitor(monitor, population, path),
            (None, None) => self.error(ErrorKind::Entry, path, "`spikes` or `state` is missing"),
            (Some(_), Some(_)) => {
                let message = "give `spikes` or `state`, not both: they are two monitors";
                self.error(ErrorKind::Entry, path, message)
            }
        }
    }

    fn spike_monitor(&mut self, name: &str, path: &Path) -> Option<()> {
        let node = self.node(name, path)?;
        if self.emission(node) != Emission::Spikes {
            let message = format!("`{name}` emits real values, no spikes");
            return self.error(ErrorKind::Wiring, path, message);
        }
        let monitor = plan::Monitor::Spikes { node };
        if self.monitors.contains(&monitor) {
            let message = format!("the spikes of `{name}` are recorded already");
            return self.error(ErrorKind::Entry, path, message);
        }
        self.monitors.push(monitor);
        Some(())
    }

    fn state_monitor(&mut self, monitor: &Monitor, name: &str, path: &Path) -> Option<()> {
        let node = self.node(name, &path.key("state"))?;
        let NodeKind::Population(population) = &self.nodes[node].kind else {
            let message = format!("`{name}` is no population; only populations have state");
            return self.error(ErrorKind::Wiring, &path.key("state"), message);
        };
        let known: Vec<String> = population
            .neuron
            .ports()
            .states
            .iter()
            .map(|q| q.name.clone())
            .collect();
        let states = self.variables(monitor, &known, path);
        let neurons = self.neurons(monitor, node, path);
        let every_steps = match &monitor.every {
            None => Some(1),
            Some(text) => self.period(text, &path.key("every")),
        };
        let (states, neurons, every_steps) = (states?, neurons?, every_steps?);
        self.monitors.push(plan::Monitor::State {
            node,
            states,
            neurons,
            every_steps,
        });
        Some(())
    }

    fn variables(
        &mut self,
        monitor: &Monitor,
        known: &[String],
        path: &Path,
    ) -> Option<Vec<usize>> {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let Some(names) = &monitor.variables else {
            let message = format!("`variables` is missing: {}", suggest::one_of(&known));
            return self.error(ErrorKind::Entry, path, message);
        };
        let mut states = Vec::new();
        for name in names.as_slice() {
            match known.iter().position(|k| k == name) {
                Some(i) if states.contains(&i) => {
                    let message = format!("`{name}` stands twice");
                    return self.error(ErrorKind::Entry, &path.key("variables"), message);
                }
                Some(i) => states.push(i),
                None => {
                    let message = suggest::unknown("state variable", name, &known);
                    return self.error(ErrorKind::Name, &path.key("variables"), message);
                }
            }
        }
        Some(states)
    }

    /// The neurons, ascending, each once.
    fn neurons(&mut self, monitor: &Monitor, node: NodeId, path: &Path) -> Option<Vec<u32>> {
        let size = self.nodes[node].size() as u64;
        let path = path.key("neurons");
        if monitor.neurons.is_none() && size > MAX_RECORDED {
            let message = format!("`neurons` is missing: not all {size} can be recorded");
            return self.error(ErrorKind::Value, &path, message);
        }
        let beyond = |n: u64| format!("{n} is too large: there are {size} neurons, counted from 0");
        let mut neurons = match &monitor.neurons {
            None => (0..size).collect(),
            Some(Neurons::First { first }) => {
                let path = path.key("first");
                let first = self.count(first, MAX_SIZE, &path)?;
                if first > size {
                    let message = format!("{first} is too large: there are {size} neurons");
                    return self.error(ErrorKind::Value, &path, message);
                }
                if first > MAX_RECORDED {
                    let message = format!("at most {MAX_RECORDED} neurons can be recorded at once");
                    return self.error(ErrorKind::Value, &path, message);
                }
                (0..first).collect()
            }
            Some(Neurons::List(list)) => match list.iter().find(|&&n| n >= size) {
                Some(&n) => return self.error(ErrorKind::Value, &path, beyond(n)),
                None => list.clone(),
            },
        };
        neurons.sort_unstable();
        neurons.dedup();
        neurons.into_iter().map(|n| u32::try_from(n).ok()).collect()
    }

    fn period(&mut self, text: &str, path: &Path) -> Option<u64> {
        let ms = read_time_at(text, &self.scope, path, &mut self.errors)?;
        let dt_ms = self.clock.dt_ms;
        match steps_on_grid(ms, dt_ms) {
            Some(0) => self.error(ErrorKind::Value, path, format!("{text} is not above 0")),
            Some(steps) => Some(steps),
            None if ms < 0.0 => {
                self.error(ErrorKind::Value, path, format!("{text} is not above 0"))
            }
            None => {
                let message = format!("{text} is no whole number of steps of {dt_ms} ms");
                self.error(ErrorKind::Value, path, message)
            }
        }
    }
}
