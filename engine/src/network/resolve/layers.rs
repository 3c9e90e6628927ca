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

    /// Shapes of layers, each after a node that leads to it.
    pub(super) fn layer_shapes(&mut self) {
        let mut waiting: Vec<(NodeId, Vec<NodeId>)> = Vec::new();
        for node in 0..self.nodes.len() {
            if matches!(self.nodes[node].kind, NodeKind::Layer(_)) {
                match self.sources_of_layer(node) {
                    Some(sources) => waiting.push((node, sources)),
                    None => self.broken(node),
                }
            }
        }
        let all = waiting.clone();
        loop {
            let before = waiting.len();
            let mut later = Vec::new();
            for (node, sources) in waiting {
                let known = sources.iter().find(|s| !self.nodes[**s].shape.is_empty());
                if sources.iter().any(|&s| !self.is_whole(s)) {
                    self.broken(node);
                } else if let Some(&source) = known {
                    self.layer_shape(node, source);
                } else {
                    later.push((node, sources));
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
        for (node, sources) in all {
            self.same_shapes(node, &sources);
        }
    }

    /// What is added up at a layer has one shape.
    fn same_shapes(&mut self, node: NodeId, sources: &[NodeId]) {
        if !self.is_whole(node) || sources.iter().any(|&s| !self.is_whole(s)) {
            return;
        }
        let shape_of = |source: NodeId| &self.nodes[source].shape;
        let first = sources[0];
        let Some(&other) = sources.iter().find(|s| shape_of(**s) != shape_of(first)) else {
            return;
        };
        let shown = |source: NodeId| {
            let shape = short(&shape_of(source).clone().into());
            format!("`{}` has shape {shape}", self.nodes[source].name)
        };
        let message = format!(
            "what several edges carry to a layer is added up and must have one shape; {}, {}",
            shown(first),
            shown(other)
        );
        let path = self.layer_path(node);
        self.errors.push(ErrorKind::Wiring, &path, message);
        self.broken(node);
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

    /// The nodes that edges lead from to this layer, in the order of the description.
    fn sources_of_layer(&mut self, node: NodeId) -> Option<Vec<NodeId>> {
        let network = self.network;
        let name = self.nodes[node].name.clone();
        let edges = network.edges.iter().enumerate();
        let mut sources = Vec::new();
        for (i, edge) in edges.filter(|(_, e)| e.target == name) {
            let path = Path::root().key("edges").index(i).key("source");
            sources.push(self.node(&edge.source, &path));
        }
        if sources.is_empty() {
            let path = self.layer_path(node);
            return self.error(ErrorKind::Wiring, &path, "no edge leads to it");
        }
        sources.into_iter().collect()
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
