//! The entries a description may have: the one table that the check of what was read, its error
//! messages, and the JSON Schema for editors come from.

mod check;

pub(super) use check::short;

/// What an entry holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A name: letters, digits, `_` and `-`.
    Name,
    /// One name or a list of names.
    Names,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// true or false.
    Boolean,
    /// A whole number within bounds.
    Integer(u64, u64),
    /// A whole number within bounds, or an expression for one.
    Count(u64, u64),
    /// A list of these, at least one.
    Counts(u64, u64),
    /// A table of named quantities.
    Parameters,
    /// A time, e.g. `"0.1 ms"`.
    Time,
    /// A quantity, a list of quantities, or a distribution.
    Value,
    /// A table of values.
    Values,
    /// A table of words, or true and false.
    Words,
    /// A list of names, or a table of these words by name.
    Learn(&'static [&'static str]),
    /// A table that others read.
    Table,
    /// A connectivity rule.
    Rule,
    /// A list of neurons, or `{ first = n }`.
    Neurons,
    /// Text of a component, or `{ file = "…" }`.
    Model,
    /// A table of named things.
    Named(Section),
    /// A list of things.
    List(Section),
}

/// One entry of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) doc: &'static str,
}

/// A table with known entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// What it describes, for messages.
    pub(super) what: &'static str,
    pub(super) entries: &'static [Entry],
    /// Further entries are arguments of the component.
    pub(super) open: bool,
}

const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Entry {
    Entry {
        name,
        kind,
        required: true,
        doc,
    }
}

const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Entry {
    Entry {
        name,
        kind,
        required: false,
        doc,
    }
}

/// Largest number of neurons of a node.
pub(super) const MAX_SIZE: u64 = 1 << 31;
const MAX_BATCH: u64 = 1 << 20;
const MAX_NEURON: u64 = MAX_SIZE - 1;
/// TOML has no larger whole numbers.
const MAX_SEED: u64 = i64::MAX as u64;

const INTEGRATORS: &[&str] = &["auto", "exact", "exponential_euler", "euler", "heun", "rk4"];
const ARITHMETIC: &[&str] = &["auto", "stepwise", "anchored"];
const LEARN_SCOPES: &[&str] = &["population", "neuron"];
const TIMES: &[&str] = &["grid", "exact", "adaptive"];
const ROUND_DELAY: Entry = may(
    "round_delay",
    Kind::Boolean,
    "round a delay that is no whole number of steps",
);
const PORT: Entry = may(
    "port",
    Kind::Name,
    "input port of the target; may be left out where there is only one",
);
const MODEL: Entry = must("model", Kind::Name, "name of the component");

const POPULATION: Section = Section {
    what: "a population",
    open: false,
    entries: &[
        must(
            "model",
            Kind::Name,
            "name of the neuron: one of [models] or a built-in",
        ),
        may(
            "size",
            Kind::Count(1, MAX_SIZE),
            "number of neurons; this or shape",
        ),
        may(
            "shape",
            Kind::Counts(1, MAX_SIZE),
            "shape without the batch axis; this or size",
        ),
        may(
            "integrator",
            Kind::Choice(INTEGRATORS),
            "how differential equations are advanced",
        ),
        may("options", Kind::Words, "values of the component's options"),
        may(
            "surrogate",
            Kind::Text,
            "surrogate of the spike's derivative, e.g. \"atan(2)\"",
        ),
        may(
            "arithmetic",
            Kind::Choice(ARITHMETIC),
            "how the state is kept; as the network says if not given",
        ),
        may(
            "parameters",
            Kind::Values,
            "parameters that differ from the defaults",
        ),
        may(
            "initial",
            Kind::Values,
            "initial values that differ from the model's",
        ),
        may(
            "learn",
            Kind::Learn(LEARN_SCOPES),
            "parameters that training changes, instead of those the model declares learnable; a table says whether neurons share a value",
        ),
        may(
            "emits",
            Kind::Name,
            "real-valued output that is emitted instead of spikes",
        ),
        may(
            "time",
            Kind::Choice(TIMES),
            "how time passes: on the grid of dt, or continuously, exact or adaptive",
        ),
    ],
};

const STIMULUS: Section = Section {
    what: "a stimulus",
    open: true,
    entries: &[
        MODEL,
        may("target", Kind::Names, "population it acts on"),
        PORT,
        may(
            "size",
            Kind::Count(1, MAX_SIZE),
            "number of neurons of a source of spikes",
        ),
    ],
};

const LAYER: Section = Section {
    what: "a layer",
    open: true,
    entries: &[
        MODEL,
        may(
            "initial",
            Kind::Values,
            "initial values of trained parameters that differ from the layer's",
        ),
    ],
};

const INPUT: Section = Section {
    what: "an input",
    open: false,
    entries: &[
        must(
            "shape",
            Kind::Counts(1, MAX_SIZE),
            "shape without the batch axis",
        ),
        may(
            "kind",
            Kind::Choice(&["real", "spikes"]),
            "what it carries; real if not given",
        ),
    ],
};

const ACTOR: Section = Section {
    what: "an actor",
    open: true,
    entries: &[must(
        "model",
        Kind::Name,
        "name of a type of the program that runs the network",
    )],
};

const PROJECTION: Section = Section {
    what: "a projection",
    open: false,
    entries: &[
        must(
            "source",
            Kind::Names,
            "where from; lists make one projection for each pair",
        ),
        must("target", Kind::Names, "where to"),
        PORT,
        must("rule", Kind::Rule, "who is connected with whom"),
        may("weight", Kind::Value, "weights, in the unit of the port"),
        may("delay", Kind::Value, "delays; 0 if not given"),
        ROUND_DELAY,
        may(
            "learnable",
            Kind::Boolean,
            "whether training changes the weights; true if not given",
        ),
    ],
};

const EDGE: Section = Section {
    what: "an edge",
    open: false,
    entries: &[
        must("source", Kind::Name, "where from"),
        must("target", Kind::Name, "where to"),
        PORT,
        may("delay", Kind::Time, "delay; 0 if not given"),
        ROUND_DELAY,
    ],
};

const MONITOR: Section = Section {
    what: "a monitor",
    open: false,
    entries: &[
        may(
            "spikes",
            Kind::Names,
            "nodes whose spikes are recorded; this or state",
        ),
        may(
            "state",
            Kind::Name,
            "population whose state variables are recorded",
        ),
        may("variables", Kind::Names, "state variables to record"),
        may(
            "neurons",
            Kind::Neurons,
            "neurons to record; all if not given",
        ),
        may(
            "every",
            Kind::Time,
            "time between records; every step if not given",
        ),
    ],
};

/// The whole description.
pub(super) const NETWORK: Section = Section {
    what: "a network",
    open: false,
    entries: &[
        may("name", Kind::Text, "name of the network"),
        may(
            "seed",
            Kind::Integer(0, MAX_SEED),
            "seed of every random stream; 1 if not given",
        ),
        may("dt", Kind::Time, "length of a step; 0.1 ms if not given"),
        may(
            "duration",
            Kind::Time,
            "biological time to simulate; 1 s if not given",
        ),
        may(
            "discard",
            Kind::Time,
            "time at the start that statistics leave out",
        ),
        may(
            "precision",
            Kind::Choice(&["f32", "f64"]),
            "precision; f32 if not given",
        ),
        may(
            "batch",
            Kind::Integer(1, MAX_BATCH),
            "copies that run side by side; 1 if not given",
        ),
        may(
            "weight_storage",
            Kind::Choice(&["exact", "quantised"]),
            "how weights that differ are kept: exact, or quantised to 16 bits; exact if not given",
        ),
        may(
            "arithmetic",
            Kind::Choice(ARITHMETIC),
            "how states are kept: stepwise, or anchored, which allows sparse steps; auto if not given",
        ),
        may(
            "time",
            Kind::Choice(TIMES),
            "how time passes in populations that do not say so themselves; grid if not given",
        ),
        may(
            "parameters",
            Kind::Parameters,
            "numbers, quantities and expressions by name, for use in expressions",
        ),
        may(
            "models",
            Kind::Model,
            "components described here: text, or { file = \"…\" }",
        ),
        may(
            "populations",
            Kind::Named(POPULATION),
            "populations of neurons",
        ),
        may("stimuli", Kind::Named(STIMULUS), "stimuli"),
        may("layers", Kind::Named(LAYER), "stateless layers"),
        may(
            "inputs",
            Kind::Named(INPUT),
            "values given from outside for every step",
        ),
        may(
            "actors",
            Kind::Named(ACTOR),
            "nodes that a program brings with it: environments, robots, encoders, decoders",
        ),
        may("projections", Kind::List(PROJECTION), "synapses"),
        may(
            "edges",
            Kind::List(EDGE),
            "connections of element i to element i",
        ),
        may(
            "monitors",
            Kind::List(MONITOR),
            "what is recorded; all spikes if not given",
        ),
        may(
            "training",
            Kind::Table,
            "how it is trained: what `rheobase train` reads",
        ),
    ],
};

impl Section {
    /// The entry of that name.
    pub(super) fn entry(&self, name: &str) -> Option<&'static Entry> {
        self.entries.iter().find(|e| e.name == name)
    }

    fn names(&self) -> Vec<&'static str> {
        self.entries.iter().map(|e| e.name).collect()
    }
}
