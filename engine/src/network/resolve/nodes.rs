//! Populations, sources, layers and inputs.

use std::sync::Arc;

use rheobase_equations::choice::Choices;
use rheobase_equations::model::{Integrator, Parameter};
use rheobase_equations::unit::Unit;
use serde_json::Value as Json;

use super::{Found, Resolver, models};
use crate::arguments::ArgumentError;
use crate::network::describe::{Count, Learn, LearnScope, Population};
use crate::network::error::{ErrorKind, Path};
use crate::network::schema::MAX_SIZE;
use crate::network::values::{read_value, support};
use crate::plan::{self, Node, NodeKind};
use crate::port::{NeuronType, Quantity};
use crate::suggest;
use crate::value::Value;

impl<'a> Resolver<'a> {
    /// Populations, stimuli that are nodes, layers (their shapes are found later), inputs.
    pub(super) fn nodes(&mut self) {
        let network = self.network;
        for (name, population) in &network.populations {
            let path = Path::root().key("populations").key(name);
            let node = self.population(population, &path).map(|(shape, p)| Node {
                name: name.clone(),
                shape,
                kind: NodeKind::Population(p),
            });
            self.add(name, node, &path);
        }
        self.sources();
        for (name, layer) in &network.layers {
            let path = Path::root().key("layers").key(name);
            let node = self.layer(layer, &path).map(|kind| Node {
                name: name.clone(),
                shape: Vec::new(),
                kind,
            });
            self.add(name, node, &path);
        }
        for (name, input) in &network.inputs {
            let path = Path::root().key("inputs").key(name);
            let node = self
                .shape_of(&input.shape, &path.key("shape"))
                .map(|shape| Node {
                    name: name.clone(),
                    shape,
                    kind: NodeKind::Input(input.kind),
                });
            self.add(name, node, &path);
        }
        self.actors();
    }

    pub(super) fn add(&mut self, name: &'a str, node: Option<Node>, path: &Path) {
        let found = match node {
            Some(node) => {
                self.nodes.push(node);
                Found::Node(self.nodes.len() - 1)
            }
            None => Found::Broken,
        };
        self.name(name, found, path);
    }

    /// Names are shared by populations, stimuli, layers, inputs and actors.
    pub(super) fn name(&mut self, name: &'a str, found: Found, path: &Path) {
        if self.found.contains_key(name) {
            let message = format!(
                "the name `{name}` is taken by another population, stimulus, layer, input or actor"
            );
            self.errors.push(ErrorKind::Name, path, message);
        } else {
            self.found.insert(name, found);
        }
    }

    /// The shape of a node of `size` elements.
    pub(super) fn size_of(&mut self, size: &Count, path: &Path) -> Option<Vec<usize>> {
        let path = path.key("size");
        let size = self.count(size, MAX_SIZE, &path)?;
        self.shape(&[size], &path)
    }

    /// A shape from its description.
    fn shape_of(&mut self, shape: &[Count], path: &Path) -> Option<Vec<usize>> {
        let mut sizes = Vec::with_capacity(shape.len());
        for (i, count) in shape.iter().enumerate() {
            sizes.push(self.count(count, MAX_SIZE, &path.index(i))?);
        }
        self.shape(&sizes, path)
    }

    /// A shape whose product is within the limit.
    pub(super) fn shape(&mut self, shape: &[u64], path: &Path) -> Option<Vec<usize>> {
        let size = shape
            .iter()
            .try_fold(1_u64, |product, &n| product.checked_mul(n));
        let lanes = size.and_then(|n| n.checked_mul(self.clock.batch as u64));
        match (size, lanes) {
            (Some(0), _) | (None, _) => {}
            (Some(n), _) if n > MAX_SIZE => {}
            (Some(n), Some(lanes)) if lanes <= u64::from(u32::MAX) => {
                debug_assert!(n > 0);
                return shape.iter().map(|&n| usize::try_from(n).ok()).collect();
            }
            (Some(n), _) => {
                let message = format!(
                    "{n} elements times a batch of {} are more than {}",
                    self.clock.batch,
                    u32::MAX
                );
                return self.error(ErrorKind::Value, path, message);
            }
        }
        let message = format!("a node has from 1 to {MAX_SIZE} elements");
        self.error(ErrorKind::Value, path, message)
    }

    fn population(
        &mut self,
        description: &Population,
        path: &Path,
    ) -> Option<(Vec<usize>, plan::Population)> {
        let shape = match (&description.size, &description.shape) {
            (Some(size), None) => self.size_of(size, path),
            (None, Some(shape)) => self.shape_of(shape, &path.key("shape")),
            (Some(_), Some(_)) => {
                self.error(ErrorKind::Entry, path, "give `size` or `shape`, not both")
            }
            (None, None) => self.error(ErrorKind::Entry, path, "`size` is missing"),
        };
        let neuron = self.neuron(description, path)?;
        let size = shape.as_ref().map(|s| s.iter().product());
        let mut parameters = self.parameters(description, neuron.as_ref(), size, path);
        if let (Some(parameters), Some(size)) = (&mut parameters, size) {
            self.learn_per_neuron(description, neuron.as_ref(), (parameters, size), path);
        }
        let initial = self.initial(description, neuron.as_ref(), size, path);
        let emits = match &description.emits {
            Some(output) => Some(self.output(neuron.as_ref(), output, &path.key("emits"))?),
            None => None,
        };
        let integrator = neuron
            .component()
            .map_or(Integrator::Auto, |c| c.integrator);
        let parameters = parameters?;
        let time = self.time(description, neuron.as_ref(), &parameters, path)?;
        if time.is_continuous() && description.arithmetic.is_some() {
            self.error::<()>(
                ErrorKind::Entry,
                &path.key("arithmetic"),
                "a population in continuous time takes no steps; leave `arithmetic` out",
            );
        }
        let population = plan::Population {
            model: description.model.clone(),
            integrator,
            parameters,
            initial: initial?,
            emits,
            arithmetic: description.arithmetic.unwrap_or(self.network.arithmetic),
            time,
            neuron,
        };
        Some((shape?, population))
    }

    /// The neuron type, with what the description chooses about it.
    fn neuron(&mut self, p: &Population, path: &Path) -> Option<Arc<dyn NeuronType>> {
        let inline = self.models.get(&p.model).cloned();
        let neuron = match (inline, self.registry.neurons.get(&p.model)) {
            (Some(inline), _) => inline?,
            (None, Some(neuron)) => Arc::clone(neuron),
            (None, None) => {
                let known: Vec<&str> = self
                    .models
                    .keys()
                    .chain(self.registry.neurons.keys())
                    .map(String::as_str)
                    .collect();
                let message = suggest::unknown("neuron", &p.model, &known);
                return self.error(ErrorKind::Name, &path.key("model"), message);
            }
        };
        let given = [
            ("integrator", p.integrator.is_some()),
            ("options", !p.options.is_empty()),
            ("surrogate", p.surrogate.is_some()),
            ("learn", p.learn.is_some()),
        ];
        let Some((first, _)) = given.into_iter().find(|(_, is_given)| *is_given) else {
            return Some(neuron);
        };
        let Some(component) = neuron.component() else {
            let message = format!(
                "`{}` is written in Rust and has no equations; leave `{first}` out",
                p.model
            );
            return self.error(ErrorKind::Model, &path.key(first), message);
        };
        let mut model = match component.model.choose(&choices(p)) {
            Ok(model) => model,
            Err(error) => return self.error(ErrorKind::Model, path, error.to_string()),
        };
        if let Some(learn) = &p.learn {
            self.learn(learn, &mut model.parameters, &path.key("learn"))?;
        }
        let model = Arc::new(model);
        match models::component(&model, p.integrator) {
            Ok(component) => Some(neuron.with(component)),
            Err(message) => self.error(ErrorKind::Model, &path.key("integrator"), message),
        }
    }

    /// Marks what is learned, and nothing else.
    fn learn(&mut self, learn: &Learn, parameters: &mut [Parameter], path: &Path) -> Option<()> {
        let before = self.errors.count();
        parameters.iter_mut().for_each(|p| p.learnable = false);
        for (name, _) in learn.iter() {
            if let Some(parameter) = parameters.iter_mut().find(|p| p.name == name) {
                parameter.learnable = true;
                continue;
            }
            let known: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
            let message = suggest::unknown("parameter", name, &known);
            self.errors.push(ErrorKind::Name, path, message);
        }
        (self.errors.count() == before).then_some(())
    }

    /// Gives every neuron a value of its own where it shall learn one; refuses to share values that differ.
    fn learn_per_neuron(
        &mut self,
        description: &Population,
        neuron: &dyn NeuronType,
        (values, size): (&mut [Value], usize),
        path: &Path,
    ) {
        for (name, scope) in description.learn.iter().flat_map(Learn::iter) {
            let parameters = &neuron.ports().parameters;
            let Some(k) = parameters.iter().position(|q| q.name == name) else {
                continue;
            };
            match (scope, values[k].constant()) {
                (Some(LearnScope::Neuron), Some(x)) => values[k] = Value::List(vec![x; size]),
                (Some(LearnScope::Population), None) => {
                    let path = path.key("learn").key(name);
                    let message = "its values differ between neurons, so that none can be shared; \
                                   give one value, or learn it per `neuron`";
                    self.errors.push(ErrorKind::Value, &path, message);
                }
                _ => {}
            }
        }
    }

    fn parameters(
        &mut self,
        description: &Population,
        neuron: &dyn NeuronType,
        size: Option<usize>,
        path: &Path,
    ) -> Option<Vec<Value>> {
        let path = path.key("parameters");
        let quantities = &neuron.ports().parameters;
        let before = self.errors.count();
        self.known_names("parameter", &description.parameters, quantities, &path);
        let declared = |i: usize| neuron.component().map(|c| &c.model.parameters[i]);
        let mut values = Vec::with_capacity(quantities.len());
        for (i, quantity) in quantities.iter().enumerate() {
            let value = match description.parameters.get(&quantity.name) {
                None => Some(Value::Constant(quantity.default)),
                Some(json) => {
                    let path = path.key(&quantity.name);
                    let value = self.value(json, &quantity.unit, size, &path);
                    if let (Some(value), Some(parameter)) = (&value, declared(i)) {
                        self.within_bounds(value, parameter, &path);
                    }
                    value
                }
            };
            values.extend(value);
        }
        (self.errors.count() == before).then_some(values)
    }

    fn initial(
        &mut self,
        description: &Population,
        neuron: &dyn NeuronType,
        size: Option<usize>,
        path: &Path,
    ) -> Option<Vec<(usize, Value)>> {
        let path = path.key("initial");
        let states = &neuron.ports().states;
        let before = self.errors.count();
        self.known_names("state variable", &description.initial, states, &path);
        let mut initial = Vec::new();
        for (i, state) in states.iter().enumerate() {
            if let Some(json) = description.initial.get(&state.name) {
                let value = self.value(json, &state.unit, size, &path.key(&state.name));
                initial.extend(value.map(|v| (i, v)));
            }
        }
        (self.errors.count() == before).then_some(initial)
    }

    fn known_names(
        &mut self,
        what: &str,
        given: &indexmap::IndexMap<String, Json>,
        quantities: &[Quantity],
        path: &Path,
    ) {
        let known: Vec<&str> = quantities.iter().map(|q| q.name.as_str()).collect();
        for name in given.keys().filter(|n| !known.contains(&n.as_str())) {
            let message = suggest::unknown(what, name, &known);
            self.errors.push(ErrorKind::Name, path, message);
        }
    }

    /// A value for each of `size` members.
    fn value(
        &mut self,
        json: &Json,
        unit: &Unit,
        size: Option<usize>,
        path: &Path,
    ) -> Option<Value> {
        let value = read_value(json, unit, &self.scope, path, &mut self.errors)?;
        if let (Value::List(list), Some(size)) = (&value, size)
            && list.len() != size
        {
            let message = format!("{} values for {size} neurons", list.len());
            return self.error(ErrorKind::Value, path, message);
        }
        Some(value)
    }

    /// Bounds that the component's text declares for a parameter.
    fn within_bounds(&mut self, value: &Value, parameter: &Parameter, path: &Path) {
        let Some((low, high)) = parameter.bounds else {
            return;
        };
        let (least, most) = support(value);
        if low <= least && most <= high {
            return;
        }
        let unit = &parameter.unit;
        let shown = |x: f64| match unit.dimension.is_none() {
            true => format!("{x}"),
            false => format!("{} {}", x / unit.scale, unit.name),
        };
        let range = format!("[{}, {}]", shown(low), shown(high));
        let message = match value {
            Value::Drawn(_) => format!("may leave {range}; add `clip` or `redraw`"),
            _ => format!("outside {range}"),
        };
        self.errors.push(ErrorKind::Value, path, message);
    }

    fn output(&mut self, neuron: &dyn NeuronType, name: &str, path: &Path) -> Option<usize> {
        let known: Vec<&str> = neuron
            .ports()
            .outputs
            .iter()
            .map(|q| q.name.as_str())
            .collect();
        match known.iter().position(|k| *k == name) {
            Some(k) => Some(k),
            None => {
                let message = suggest::unknown("real-valued output", name, &known);
                self.error(ErrorKind::Name, path, message)
            }
        }
    }

    /// Reports a wrong argument of the component at `path`.
    pub(super) fn argument_error<T>(&mut self, error: &ArgumentError, path: &Path) -> Option<T> {
        // `name` may carry the place in a list: `times[2]`.
        let (name, rest) = error
            .name
            .split_at(error.name.find('[').unwrap_or(error.name.len()));
        if let Some(doc) = error.message.strip_prefix("is required") {
            let doc = doc.trim_start_matches(" (").trim_end_matches(')');
            return self.error(
                ErrorKind::Entry,
                path,
                format!("`{name}` is missing: {doc}"),
            );
        }
        if error.message.starts_with("unknown argument") {
            return self.error(ErrorKind::Entry, path, error.message.clone());
        }
        let at = rest
            .split(['[', ']'])
            .filter_map(|i| i.parse().ok())
            .fold(path.key(name), |at, i| at.index(i));
        self.error(ErrorKind::Value, &at, error.message.clone())
    }
}

/// What a population chooses about its component.
fn choices(p: &Population) -> Choices {
    let word = |value: &Json| match value {
        Json::String(word) => word.clone(),
        other => other.to_string(),
    };
    let options = p.options.iter();
    Choices {
        options: options.map(|(k, v)| (k.clone(), word(v))).collect(),
        surrogate: p.surrogate.clone(),
    }
}
