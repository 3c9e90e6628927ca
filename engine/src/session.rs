//! Step-by-step inference: one sample, one step at a time, with the lowest latency.
//!
//! A [`Session`] runs the same description as a [`Simulation`](crate::simulation::Simulation) with the
//! same arithmetic and the same bits, but without slices, mailboxes and threads: every node is
//! visited once a step, in an order fixed when the session is made. A step takes no lock, looks up no
//! name, and allocates nothing: room for all that a node may emit is made at the beginning.
//!
//! Cost of a step: neurons, for each layer its active inputs × outputs where spikes arrive, and the
//! synaptic events of projections.

mod arrays;
mod make;
mod state;
mod work;

use rheobase_equations::real::Real;

use crate::instantiate::Instantiate;
use crate::plan::NodeId;
use crate::port::StepInput;

pub use arrays::Arrays;
pub use make::{SessionError, SessionOptions};
pub use state::{State, StateError};
use work::{Past, Work};

/// A network that runs step by step.
///
/// ```
/// use rheobase_engine::network::Network;
/// use rheobase_engine::plan::WeightFormat;
/// use rheobase_engine::port::{Registry, StepInput};
/// use rheobase_engine::session::{Session, SessionOptions};
///
/// let text = r#"
///     name = "one neuron"
///     dt = "1 ms"
///     duration = "1 ms"
///     [models]
///     counts = """
///     neuron counts
///       input x : 1
///       state v = 0 : 1
///       update v = v + x
///       spike when v >= 1, reset v = 0
///     """
///     [inputs.x]
///     shape = [1]
///     [populations.n]
///     model = "counts"
///     size = 1
///     [[edges]]
///     source = "x"
///     target = "n"
/// "#;
/// let plan = Network::from_toml(text, "doc")?.resolve(&Registry::default())?;
/// let mut session = Session::<f32>::new(&plan, &SessionOptions::default())?;
/// assert!(session.step(&[StepInput::Real(&[0.6])])?.spikes(0).is_empty());
/// assert_eq!(session.step(&[StepInput::Real(&[0.6])])?.spikes(0), [0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<R: Real> {
    nodes: Vec<SessionNode<R>>,
    /// Nodes in the order in which a step visits them, inputs left out.
    order: Vec<NodeId>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    /// The last step.
    now: u64,
    /// No step has been taken since the state was set: rings do not hold what was emitted.
    is_fresh: bool,
    dt_ms: f64,
}

struct SessionNode<R: Real> {
    name: String,
    size: usize,
    emitted: Ring<R>,
    /// In the current step it emits the values of the step before.
    is_unchanged: bool,
    work: Work<R>,
}

/// Where something comes from.
#[derive(Clone, Copy, Debug)]
struct Route {
    source: NodeId,
    delay: u64,
}

/// What a node emitted in its last steps.
struct Ring<R> {
    is_real: bool,
    slots: Vec<Emission<R>>,
}

#[derive(Clone, Debug, Default)]
struct Emission<R> {
    spikes: Vec<u32>,
    values: Vec<R>,
}

/// What the outputs emitted in a step.
#[derive(Clone, Copy)]
pub struct Emitted<'a, R: Real> {
    session: &'a Session<R>,
}

/// Why a step cannot be taken. Nothing has changed then.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// Not one input for each input node.
    #[error("{found} inputs for {expected} input nodes ({names}), in the order of the description")]
    Count {
        /// Input nodes.
        expected: usize,
        /// Inputs given.
        found: usize,
        /// Their names.
        names: String,
    },
    /// Spikes for a node of real values, or the other way round.
    #[error("input `{name}` carries {expected}, not {found}")]
    Kind {
        /// The input.
        name: String,
        /// What it carries.
        expected: &'static str,
        /// What was given.
        found: &'static str,
    },
    /// Values do not fill the node.
    #[error("input `{name}` has {expected} elements, {found} values were given")]
    Length {
        /// The input.
        name: String,
        /// Its elements.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A value is not finite.
    #[error("input `{name}`: element {element} is {value}")]
    NotFinite {
        /// The input.
        name: String,
        /// The element.
        element: usize,
        /// Its value.
        value: f64,
    },
    /// Spikes are not ascending, or name an element that does not exist.
    #[error(
        "input `{name}`: spike {place} is of element {element}; elements ascend and are below {size}"
    )]
    Spike {
        /// The input.
        name: String,
        /// Place in the list.
        place: usize,
        /// The element.
        element: u32,
        /// Elements of the input.
        size: usize,
    },
}

impl<R: Instantiate> Session<R> {
    /// Takes one step: `inputs` holds what each input node emits, in the order of the description.
    /// Spikes are element indices, ascending; one that stands twice counts twice.
    ///
    /// # Errors
    /// If an input does not fit; the session is as before.
    pub fn step(&mut self, inputs: &[StepInput<'_, R>]) -> Result<Emitted<'_, R>, StepError> {
        self.check(inputs)?;
        self.now += 1;
        for (&node, input) in self.inputs.iter().zip(inputs) {
            let node = &mut self.nodes[node];
            let has_last = !self.is_fresh && node.emitted.is_short();
            let emission = node.emitted.at_mut(self.now);
            node.is_unchanged = false;
            match input {
                StepInput::Real(values) if has_last && same(values, &emission.values) => {
                    node.is_unchanged = true;
                }
                StepInput::Real(values) => emission.values.copy_from_slice(values),
                StepInput::Spikes(spikes) => {
                    emission.spikes.clear();
                    emission.spikes.extend_from_slice(spikes);
                }
            }
        }
        for k in 0..self.order.len() {
            self.visit(self.order[k]);
        }
        self.is_fresh = false;
        Ok(Emitted { session: self })
    }

    fn visit(&mut self, id: NodeId) {
        let now = self.now;
        if self.repeats(id) {
            self.nodes[id].is_unchanged = true;
            return;
        }
        self.nodes[id].is_unchanged = false;
        // Taken out, so that others can be read meanwhile.
        let mut emission = std::mem::take(self.nodes[id].emitted.at_mut(now));
        let mut work = std::mem::replace(&mut self.nodes[id].work, Work::Input);
        let past = Past {
            nodes: &self.nodes,
            now,
        };
        work.step(past, &mut emission);
        self.nodes[id].work = work;
        *self.nodes[id].emitted.at_mut(now) = emission;
    }

    /// Whether a node is a layer at which the same values arrive as in the step before: what it made of
    /// them still stands in its ring.
    fn repeats(&self, id: NodeId) -> bool {
        let node = &self.nodes[id];
        let same = |route: &Route| route.delay == 0 && self.nodes[route.source].is_unchanged;
        match &node.work {
            Work::Layer(layer) => {
                !self.is_fresh && node.emitted.is_short() && layer.routes.iter().all(same)
            }
            _ => false,
        }
    }

    fn check(&self, inputs: &[StepInput<'_, R>]) -> Result<(), StepError> {
        if inputs.len() != self.inputs.len() {
            return Err(StepError::Count {
                expected: self.inputs.len(),
                found: inputs.len(),
                names: self.input_names().collect::<Vec<_>>().join(", "),
            });
        }
        let nodes = self.inputs.iter().map(|&id| &self.nodes[id]);
        nodes
            .zip(inputs)
            .try_for_each(|(node, input)| node.check(input))
    }

    /// Names of the input nodes, in the order of [`Self::step`]'s inputs.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|&id| self.nodes[id].name.as_str())
    }

    /// Names of the output nodes, in the order of [`Emitted`].
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|&id| self.nodes[id].name.as_str())
    }

    /// Elements of the k-th input node, and whether it carries real values; `None` beyond the last.
    #[must_use]
    pub fn input(&self, k: usize) -> Option<(usize, bool)> {
        let node = &self.nodes[*self.inputs.get(k)?];
        Some((node.size, node.emitted.is_real))
    }

    /// Elements of the k-th output node, and whether it emits real values; `None` beyond the last.
    #[must_use]
    pub fn output(&self, k: usize) -> Option<(usize, bool)> {
        let node = &self.nodes[*self.outputs.get(k)?];
        Some((node.size, node.emitted.is_real))
    }

    /// Steps taken.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Length of a step \[ms\].
    #[must_use]
    pub fn dt_ms(&self) -> f64 {
        self.dt_ms
    }

    /// Of each layer with weights that are not kept as they were given: its name, and how far one of
    /// its outputs may be off for each active input.
    pub fn weight_errors(&self) -> impl Iterator<Item = (&str, f64)> {
        self.nodes.iter().filter_map(|node| match &node.work {
            Work::Layer(work) if work.layer.error() > 0.0 => {
                Some((node.name.as_str(), work.layer.error()))
            }
            _ => None,
        })
    }

    /// Back to the beginning: states, delays and step; parameters stay.
    pub fn reset(&mut self) {
        self.now = 0;
        self.is_fresh = true;
        for node in &mut self.nodes {
            node.emitted.clear();
            node.work.restart();
        }
    }
}

impl<R: Real> SessionNode<R> {
    fn check(&self, input: &StepInput<'_, R>) -> Result<(), StepError> {
        let (name, size) = (&self.name, self.size);
        match (input, self.emitted.is_real) {
            (StepInput::Real(values), true) => {
                if values.len() != size {
                    return Err(StepError::Length {
                        name: name.clone(),
                        expected: size,
                        found: values.len(),
                    });
                }
                match values.iter().position(|x| !x.is_finite()) {
                    Some(element) => Err(StepError::NotFinite {
                        name: name.clone(),
                        element,
                        value: values[element].to_f64(),
                    }),
                    None => Ok(()),
                }
            }
            (StepInput::Spikes(spikes), false) => {
                let mut least = 0;
                for (place, &element) in spikes.iter().enumerate() {
                    if element < least || element as usize >= size {
                        return Err(StepError::Spike {
                            name: name.clone(),
                            place,
                            element,
                            size,
                        });
                    }
                    least = element;
                }
                Ok(())
            }
            (_, is_real) => {
                let kinds = ["spikes", "real values"];
                Err(StepError::Kind {
                    name: name.clone(),
                    expected: kinds[usize::from(is_real)],
                    found: kinds[usize::from(!is_real)],
                })
            }
        }
    }
}

impl<R: Real> Ring<R> {
    /// Nothing emitted; the last `delay` steps and the current one are kept.
    fn new(is_real: bool, size: usize, delay: u64) -> Self {
        let slot = || Emission {
            spikes: Vec::with_capacity(if is_real { 0 } else { size }),
            values: vec![R::ZERO; if is_real { size } else { 0 }],
        };
        Self {
            is_real,
            slots: (0..=delay).map(|_| slot()).collect(),
        }
    }

    /// Holds one step only: until it is overwritten, that is the last one.
    fn is_short(&self) -> bool {
        self.slots.len() == 1
    }

    #[allow(clippy::cast_possible_truncation, reason = "places in short lists")]
    fn place(&self, step: u64) -> usize {
        (step % self.slots.len() as u64) as usize
    }

    fn at_mut(&mut self, step: u64) -> &mut Emission<R> {
        let place = self.place(step);
        &mut self.slots[place]
    }

    /// What was emitted `delay` steps before `now`, of which there were enough; before the first step
    /// nothing was.
    fn before(&self, now: u64, delay: u64) -> &Emission<R> {
        let n = self.slots.len() as u64;
        &self.slots[self.place(now + n - delay)]
    }

    fn clear(&mut self) {
        for slot in &mut self.slots {
            slot.spikes.clear();
            slot.values.fill(R::ZERO);
        }
    }
}

/// Whether two rows hold the same bits.
fn same<R: Real>(a: &[R], b: &[R]) -> bool {
    a.iter()
        .zip(b)
        .all(|(a, b)| a.to_int_bits() == b.to_int_bits())
}

impl<'a, R: Real> Emitted<'a, R> {
    /// Elements of the k-th output that fired, ascending; empty for outputs of real values.
    ///
    /// # Panics
    /// If there is no such output.
    #[must_use]
    pub fn spikes(&self, k: usize) -> &'a [u32] {
        &self.emission(k).spikes
    }

    /// What the k-th output emitted; empty for outputs of spikes.
    ///
    /// # Panics
    /// If there is no such output.
    #[must_use]
    pub fn values(&self, k: usize) -> &'a [R] {
        &self.emission(k).values
    }

    fn emission(&self, k: usize) -> &'a Emission<R> {
        let session = self.session;
        let ring = &session.nodes[session.outputs[k]].emitted;
        ring.before(session.now, 0)
    }
}
