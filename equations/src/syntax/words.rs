//! Words with a meaning of their own.

/// Words that open a statement.
pub(crate) const STATEMENTS: &[&str] = &[
    "neuron",
    "optimizer",
    "option",
    "parameter",
    "state",
    "input",
    "output",
    "update",
    "spike",
    "integrator",
];

/// Words that open a clause of `spike`.
pub(crate) const CLAUSES: &[&str] = &[
    "when",
    "reset",
    "then",
    "refractory",
    "surrogate",
    "detached",
];

/// Other reserved words.
const OTHERS: &[&str] = &["and", "or", "not", "unless", "crosses", "true", "false"];

/// Words that mean something in one place only, and may be names elsewhere.
const CONTEXTUAL: &[&str] = &[
    "in",
    "is",
    "learnable",
    "per",
    "before",
    "after",
    "downward",
    "primitive",
];

/// Constants and quantities of the step.
pub(crate) const CONSTANTS: &[&str] = &["pi", "dt", "t"];

/// State that a refractory time adds to a component.
pub(crate) const HIDDEN_STATE: &str = "refractory_steps";

/// Functions, with the number of their arguments.
pub(crate) const FUNCTIONS: &[(&str, usize)] = &[
    ("select", 3),
    ("previous", 1),
    ("detach", 1),
    ("exp", 1),
    ("expm1", 1),
    ("exprel", 1),
    ("ln", 1),
    ("ln1p", 1),
    ("sqrt", 1),
    ("abs", 1),
    ("floor", 1),
    ("sin", 1),
    ("cos", 1),
    ("tanh", 1),
    ("erf", 1),
    ("sigmoid", 1),
    ("min", 2),
    ("max", 2),
    ("clip", 3),
    ("heaviside", 1),
    ("uniform", 0),
    ("normal", 0),
];

/// Functions of constant expressions in network files, with the number of their arguments.
pub(crate) const CONSTANT_FUNCTIONS: &[(&str, usize)] = &[
    ("sqrt", 1),
    ("exp", 1),
    ("expm1", 1),
    ("ln", 1),
    ("ln1p", 1),
    ("abs", 1),
    ("floor", 1),
    ("ceil", 1),
    ("round", 1),
    ("min", 2),
    ("max", 2),
    ("clip", 3),
];

/// What other systems call it → what it is called here.
const ALIASES: &[(&str, &str)] = &[
    ("log", "ln(x)"),
    ("log1p", "ln1p(x)"),
    ("logistic", "sigmoid(x)"),
    ("fabs", "abs(x)"),
    ("rand", "uniform()"),
    ("random", "uniform()"),
    ("randn", "normal()"),
    ("xi", "normal()/sqrt(dt)"),
    ("where", "select(condition, yes, no)"),
    ("clamp", "clip(x, low, high)"),
    ("maximum", "max(a, b)"),
    ("minimum", "min(a, b)"),
    ("pow", "x^y"),
    ("step", "heaviside(x)"),
    ("stop_gradient", "detach(x)"),
    (
        "not_refractory",
        "(unless refractory)` after an equation, not `not_refractory",
    ),
    ("tan", "sin(x)/cos(x)"),
    ("sinh", "(exp(x) - exp(-x))/2"),
    ("cosh", "(exp(x) + exp(-x))/2"),
    ("ceil", "-floor(-x)"),
    ("log10", "ln(x)/ln(10)"),
    ("second", "s"),
    ("sec", "s"),
    ("msec", "ms"),
    ("usec", "us"),
    ("msecond", "ms"),
    ("volt", "V"),
    ("mvolt", "mV"),
    ("amp", "A"),
    ("namp", "nA"),
    ("pamp", "pA"),
    ("siemens", "S"),
    ("nsiemens", "nS"),
    ("farad", "F"),
    ("pfarad", "pF"),
    ("hertz", "Hz"),
];

/// Whether the word opens a statement.
pub(crate) fn is_statement(word: &str) -> bool {
    STATEMENTS.contains(&word)
}

/// Whether the word opens a clause of `spike`.
pub(crate) fn is_clause(word: &str) -> bool {
    CLAUSES.contains(&word)
}

/// Whether the word can never be a name of the text.
pub(crate) fn is_reserved(word: &str) -> bool {
    is_statement(word) || is_clause(word) || OTHERS.contains(&word)
}

/// Whether the word may follow a complete expression.
pub(crate) fn may_follow_expression(word: &str) -> bool {
    is_reserved(word) || CONTEXTUAL.contains(&word)
}

/// Number of arguments of a function; `None` if there is no such function.
pub(crate) fn arity(function: &str) -> Option<usize> {
    arity_among(FUNCTIONS, function)
}

/// Number of arguments of a function of constant expressions; `None` if there is no such function.
pub(crate) fn constant_arity(function: &str) -> Option<usize> {
    arity_among(CONSTANT_FUNCTIONS, function)
}

/// Number of arguments of one of `functions`.
pub(crate) fn arity_among(functions: &[(&str, usize)], function: &str) -> Option<usize> {
    functions.iter().find(|f| f.0 == function).map(|f| f.1)
}

/// How to say here what other systems call `word`.
pub(crate) fn alias(word: &str) -> Option<&'static str> {
    ALIASES.iter().find(|a| a.0 == word).map(|a| a.1)
}
