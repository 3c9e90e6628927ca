//! Layers and their shapes.

use std::sync::Arc;

use rheobase_equations::unit::Unit;

use super::{Found, Resolver};
use crate::arguments::Arguments;
use crate::network::describe::Layer;
use crate::network::error::{ErrorKind, Path};
use crate::network::schema::short;
use crate::network::values::read_value;
use crate::plan::{LayerInitial, NodeId, NodeKind};
use crate::port::LayerType;
use crate::random::{Purpose, construction_stream};
use crate::suggest;
use crate::value::Value;

impl Resolver<'_> {
    pub(super) fn layer(&mut self, layer: &Layer, path: &Path) -> Option<NodeKind> {
        let Some(entry) = self.registry.layers.get(&layer.model) else {
            let known: Vec<&str> = self.registry.layers.keys().map(String::as_str).collect();
            let message = suggest::unknown("layer", &layer.model, &known);
            return self.error(ErrorKind::Name, &path.key("model"), message);
        };
        let made = Arguments::check_in(&layer.arguments, entry.arguments, None, &self.scope)
            .and_then(|arguments| (entry.make)(&arguments));
        match made {
            Ok(layer) => Some(NodeKind::Layer(layer)),
            Err(e) => self.argument_error(&e, path),
        }
    }

    /// Shapes of layers, each after the node that leads to it.
    pub(super) fn layer_shapes(&mut self) {
        let mut waiting: Vec<(NodeId, NodeId)> = Vec::new();
        for node in 0..self.nodes.len() {
            if matches!(self.nodes[node].kind, NodeKind::Layer(_)) {
                match self.source_of_layer(node) {
                    Some(source) => waiting.push((node, source)),
                    None => self.broken(node),
                }
            }
        }
        loop {
            let before = waiting.len();
            let mut later = Vec::new();
            for (node, source) in waiting {
                if !self.is_whole(source) {
                    self.broken(node);
                } else if self.nodes[source].shape.is_empty() {
                    later.push((node, source));
                } else {
                    self.layer_shape(node, source);
                }
            }
            waiting = later;
            if waiting.len() == before {
                break;
            }
        }
        for (node, _) in waiting {
            let path = self.layer_path(node);
            let message = "its shape depends on itself: a cycle must pass through a population";
            self.errors.push(ErrorKind::Wiring, &path, message);
            self.broken(node);
        }
    }

    fn layer_path(&self, node: NodeId) -> Path {
        Path::root().key("layers").key(&self.nodes[node].name)
    }

    /// What refers to a broken node adds no error of its own.
    fn broken(&mut self, node: NodeId) {
        if let Some(found) = self.found.get_mut(self.nodes[node].name.as_str()) {
            *found = Found::Broken;
        }
    }

    fn is_whole(&self, node: NodeId) -> bool {
        self.found.get(self.nodes[node].name.as_str()) == Some(&Found::Node(node))
    }

    /// The one node an edge leads from to this layer.
    fn source_of_layer(&mut self, node: NodeId) -> Option<NodeId> {
        let network = self.network;
        let name = self.nodes[node].name.clone();
        let mut edges = network
            .edges
            .iter()
            .enumerate()
            .filter(|(_, e)| e.target == name);
        let path = self.layer_path(node);
        match (edges.next(), edges.next()) {
            (Some((i, edge)), None) => {
                let path = Path::root().key("edges").index(i).key("source");
                self.node(&edge.source, &path)
            }
            (None, _) => self.error(ErrorKind::Wiring, &path, "no edge leads to it"),
            (Some((i, _)), Some((j, _))) => {
                let message = format!(
                    "edges[{i}] and edges[{j}] lead to it; a layer has exactly one incoming edge"
                );
                self.error(ErrorKind::Wiring, &path, message)
            }
        }
    }

    fn layer_shape(&mut self, node: NodeId, source: NodeId) {
        let input = self.nodes[source].shape.clone();
        let NodeKind::Layer(layer) = &self.nodes[node].kind else {
            return;
        };
        let layer = Arc::clone(layer);
        let path = self.layer_path(node);
        let shape = match layer.output_shape(&input) {
            Ok(output) => {
                let output: Vec<u64> = output.into_iter().map(|n| n as u64).collect();
                self.shape(&output, &path)
            }
            Err(message) => {
                let source = &self.nodes[source].name;
                let input = short(&input.clone().into());
                let message = format!("{message}; `{source}` has shape {input}");
                self.error(ErrorKind::Wiring, &path, message)
            }
        };
        match shape {
            Some(shape) => {
                self.nodes[node].shape = shape;
                self.layer_initial(node, layer.as_ref(), &input);
            }
            None => self.broken(node),
        }
    }

    /// What its parameters begin with, where the description says so.
    fn layer_initial(&mut self, node: NodeId, layer: &dyn LayerType, input: &[usize]) {
        let network = self.network;
        let Some(description) = network.layers.get(&self.nodes[node].name) else {
            return;
        };
        if description.initial.is_empty() {
            return;
        }
        let mut random = construction_stream(0, Purpose::Layer, 0, 0);
        let parameters = layer.parameters(input, &mut random);
        let path = self.layer_path(node).key("initial");
        for (name, json) in &description.initial {
            let Some(tensor) = parameters.iter().find(|t| t.name == *name) else {
                let known: Vec<&str> = parameters.iter().map(|t| t.name.as_str()).collect();
                let message = suggest::unknown("trained parameter", name, &known);
                self.errors.push(ErrorKind::Name, &path, message);
                continue;
            };
            let path = path.key(name);
            let unit = Unit::one();
            let Some(value) = read_value(json, &unit, &self.scope, &path, &mut self.errors) else {
                continue;
            };
            let needed = tensor.values.len();
            if let Value::List(list) = &value
                && list.len() != needed
            {
                let shape = &tensor.shape;
                let message = format!(
                    "{} values for {needed} of shape {shape:?}, row-major",
                    list.len()
                );
                self.errors.push(ErrorKind::Value, &path, message);
                continue;
            }
            self.layer_initial.push(LayerInitial {
                layer: node,
                parameter: name.clone(),
                value,
            });
        }
    }
}
