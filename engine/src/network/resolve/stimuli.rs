//! Stimuli: sources of spikes, and what acts on ports.

use rheobase_equations::unit::Unit;

use super::{Found, Resolver};
use crate::arguments::{ArgumentKind, Arguments};
use crate::network::describe::Stimulus;
use crate::network::error::{ErrorKind, Path};
use crate::network::schema::MAX_SIZE;
use crate::plan::{DriveEdge, Node, NodeId, NodeKind};
use crate::port::StimulusType;
use crate::suggest;

impl Resolver<'_> {
    /// Stimuli without a target, which are nodes. The names of the others are noted.
    pub(super) fn sources(&mut self) {
        let network = self.network;
        for (name, stimulus) in &network.stimuli {
            let path = Path::root().key("stimuli").key(name);
            if stimulus.target.is_some() {
                self.name(name, Found::Drive, &path);
                continue;
            }
            let node = self.source(name, stimulus, &path);
            self.add(name, node, &path);
        }
    }

    fn source(&mut self, name: &str, stimulus: &Stimulus, path: &Path) -> Option<Node> {
        let entry = self.registry.stimuli.get(&stimulus.model);
        let on_port = |k: ArgumentKind| k == ArgumentKind::PortQuantity;
        if entry.is_some_and(|e| e.arguments.iter().any(|a| on_port(a.kind))) {
            return self.needs_target(stimulus, path);
        }
        let source = match self.make_stimulus(stimulus, None, path)? {
            StimulusType::Source(source) => source,
            StimulusType::Drive(_) => return self.needs_target(stimulus, path),
        };
        if stimulus.port.is_some() {
            let message = "a source of spikes has no port; projections lead from it";
            return self.error(ErrorKind::Wiring, &path.key("port"), message);
        }
        let given = match &stimulus.size {
            Some(size) => Some(self.count(size, MAX_SIZE, &path.key("size"))?),
            None => None,
        };
        let size = match (source.size().map(u64::from), given) {
            (Some(n), None) => n,
            (None, Some(n)) => n,
            (Some(n), Some(given)) if n == given => n,
            (Some(n), Some(given)) => {
                let message = format!("{given}, but its arguments make {n} neurons");
                return self.error(ErrorKind::Wiring, &path.key("size"), message);
            }
            (None, None) => {
                return self.error(
                    ErrorKind::Entry,
                    path,
                    "`size` is missing: number of neurons",
                );
            }
        };
        let shape = self.shape(&[size], &path.key("size"))?;
        Some(Node {
            name: name.to_owned(),
            shape,
            kind: NodeKind::Source(source),
        })
    }

    fn needs_target<T>(&mut self, stimulus: &Stimulus, path: &Path) -> Option<T> {
        let message = format!("`{}` acts on a port: `target` is missing", stimulus.model);
        self.error(ErrorKind::Wiring, path, message)
    }

    fn make_stimulus(
        &mut self,
        stimulus: &Stimulus,
        port_unit: Option<Unit>,
        path: &Path,
    ) -> Option<StimulusType> {
        let Some(entry) = self.registry.stimuli.get(&stimulus.model) else {
            let known: Vec<&str> = self.registry.stimuli.keys().map(String::as_str).collect();
            let message = suggest::unknown("stimulus", &stimulus.model, &known);
            return self.error(ErrorKind::Name, &path.key("model"), message);
        };
        let made =
            Arguments::check_in(&stimulus.arguments, entry.arguments, port_unit, &self.scope)
                .and_then(|arguments| (entry.make)(&arguments));
        let made = match made {
            Ok(made) => made,
            Err(e) => return self.argument_error(&e, path),
        };
        let fits = match &made {
            StimulusType::Source(source) => source.check(self.clock.dt_ms),
            StimulusType::Drive(drive) => drive.check(self.clock.dt_ms),
        };
        match fits {
            Ok(()) => Some(made),
            Err(message) => self.error(ErrorKind::Value, path, message),
        }
    }

    /// Stimuli with a target.
    pub(super) fn drives(&mut self) {
        let network = self.network;
        for (name, stimulus) in &network.stimuli {
            let Some(targets) = &stimulus.target else {
                continue;
            };
            let path = Path::root().key("stimuli").key(name);
            if stimulus.size.is_some() {
                let message = "a stimulus that acts on a port is as large as its target";
                self.errors
                    .push(ErrorKind::Wiring, &path.key("size"), message);
            }
            for target in targets.as_slice() {
                let Some(node) = self.node(target, &path.key("target")) else {
                    continue;
                };
                let drive = self.drive(name, stimulus, node, &path);
                self.drives.extend(drive);
            }
        }
    }

    fn drive(
        &mut self,
        name: &str,
        stimulus: &Stimulus,
        target: NodeId,
        path: &Path,
    ) -> Option<DriveEdge> {
        if !matches!(self.nodes[target].kind, NodeKind::Population(_)) {
            let message = format!("`{}` is no population", self.nodes[target].name);
            return self.error(ErrorKind::Wiring, &path.key("target"), message);
        }
        if self.is_continuous(target) {
            return self.drive_in_continuous_time(name, target, path);
        }
        let (port, unit) = self.port(target, stimulus.port.as_deref(), path)?;
        match self.make_stimulus(stimulus, Some(unit), path)? {
            StimulusType::Drive(drive) => Some(DriveEdge {
                name: name.to_owned(),
                target,
                port,
                drive,
            }),
            StimulusType::Source(_) => {
                let message = format!(
                    "`{}` emits spikes and is a node: leave `target` and `port` out, give `size`, \
                     and connect it by a projection",
                    stimulus.model
                );
                self.error(ErrorKind::Wiring, path, message)
            }
        }
    }
}
