//! Users' own actors and the edges to their ports.

use std::sync::Arc;

use super::{Emission, Resolver};
use crate::arguments::Arguments;
use crate::network::actor::Actor;
use crate::network::error::{ErrorKind, Path};
use crate::plan::{InputKind, Node, NodeId, NodeKind, UserActor};
use crate::suggest;

impl Resolver<'_> {
    pub(super) fn actors(&mut self) {
        let network = self.network;
        for (name, actor) in &network.actors {
            let path = Path::root().key("actors").key(name);
            let node = self.actor(name, actor, &path);
            self.add(name, node, &path);
        }
    }

    fn actor(&mut self, name: &str, actor: &Actor, path: &Path) -> Option<Node> {
        let Some(kind) = self.registry.actors.get(&actor.model) else {
            let known: Vec<&str> = self.registry.actors.keys().map(String::as_str).collect();
            let message = match known.is_empty() {
                true => format!(
                    "unknown actor `{}`: actors are Rust types that a program registers before it \
                     reads a network",
                    actor.model
                ),
                false => suggest::unknown("actor", &actor.model, &known),
            };
            return self.error(ErrorKind::Name, &path.key("model"), message);
        };
        if self.clock.batch != 1 {
            let message = format!(
                "an actor runs once: a network with actors has no batch, this one has {}",
                self.clock.batch
            );
            return self.error(ErrorKind::Value, path, message);
        }
        let made = Arguments::check_in(&actor.arguments, kind.arguments(), None, &self.scope)
            .and_then(|arguments| Ok((kind.ports(&arguments)?, arguments)));
        let (ports, arguments) = match made {
            Ok(made) => made,
            Err(e) => return self.argument_error(&e, path),
        };
        let shape = self.shape(&ports.shape, path)?;
        Some(Node {
            name: name.to_owned(),
            shape,
            kind: NodeKind::Actor(UserActor {
                actor: Arc::clone(kind),
                model: actor.model.clone(),
                arguments,
                ports,
            }),
        })
    }

    /// Whether what the source emits is what the port takes.
    pub(super) fn fits_actor(
        &mut self,
        (source, target): (NodeId, NodeId),
        port: usize,
        path: &Path,
    ) -> Option<()> {
        let emission = self.emission(source);
        let (given, actor) = (&self.nodes[source], &self.nodes[target]);
        let NodeKind::Actor(user) = &actor.kind else {
            return Some(());
        };
        let port = &user.ports.inputs[port];
        let kind_fits = match port.kind {
            InputKind::Spikes => emission == Emission::Spikes,
            InputKind::Real => emission != Emission::Spikes,
        };
        let message = if !kind_fits {
            let (emits, takes) = match port.kind {
                InputKind::Spikes => ("real values", "spikes"),
                InputKind::Real => ("spikes", "real values"),
            };
            format!(
                "`{}` emits {emits}, the port `{}` of `{}` takes {takes}",
                given.name, port.name, actor.name
            )
        } else if given.size() != port.size {
            format!(
                "`{}` has {} elements, the port `{}` of `{}` takes {}",
                given.name,
                given.size(),
                port.name,
                actor.name,
                port.size
            )
        } else {
            return Some(());
        };
        self.error(ErrorKind::Wiring, path, message)
    }

    /// Every port of an actor has exactly one edge.
    pub(super) fn actor_ports(&mut self) {
        // An edge that was refused has been told of.
        if self.errors.count() > 0 {
            return;
        }
        for node in 0..self.nodes.len() {
            let NodeKind::Actor(user) = &self.nodes[node].kind else {
                continue;
            };
            let path = Path::root().key("actors").key(&self.nodes[node].name);
            let mut messages = Vec::new();
            for (k, port) in user.ports.inputs.iter().enumerate() {
                let edges = self.edges.iter();
                let n = edges.filter(|e| (e.target, e.port) == (node, k)).count();
                if n != 1 {
                    let name = &port.name;
                    messages.push(format!("{n} edges lead to its port `{name}`; it takes one"));
                }
            }
            for message in messages {
                self.errors.push(ErrorKind::Wiring, &path, message);
            }
        }
    }
}
