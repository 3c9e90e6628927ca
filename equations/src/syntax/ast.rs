//! The syntax tree. Expressions live in one arena, operands before operators, so that passes walk
//! them in a loop whatever their depth.

use crate::diagnostic::Span;
use crate::model::Kind;
use crate::unit::Unit;

/// A name as written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Span,
}

/// A unit as written after a colon.
#[derive(Clone, Debug)]
pub(crate) struct UnitNote {
    pub(crate) unit: Unit,
    pub(crate) span: Span,
}

/// Everything in a text.
#[derive(Debug, Default)]
pub(crate) struct Tree<'a> {
    pub(crate) blocks: Vec<Block<'a>>,
    pub(crate) nodes: Vec<Node<'a>>,
}

/// `neuron name "doc"` or `optimizer name "doc"`, and its statements.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: Name<'a>,
    pub(crate) doc: String,
    pub(crate) statements: Vec<Statement<'a>>,
    /// From the kind to the end of the last statement.
    pub(crate) span: Span,
    /// Whether a statement was dropped because of a syntax error.
    pub(crate) is_incomplete: bool,
}

/// A statement.
#[derive(Debug)]
pub(crate) enum Statement<'a> {
    Option(Choice<'a>),
    Parameter(Parameter<'a>),
    Equation(Equation<'a>),
    State(State<'a>),
    Update(Update<'a>),
    Subexpression(Subexpression<'a>),
    Input(Input<'a>),
    Output(Output<'a>),
    Spike(Box<Spike<'a>>),
    Integrator(Name<'a>),
}

/// `option name = first or second "doc"`.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) name: Name<'a>,
    /// What may be chosen; the first is the default.
    pub(crate) values: Vec<Name<'a>>,
    pub(crate) doc: String,
}

/// `parameter name = default in [low, high] learnable per neuron "doc"`.
#[derive(Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) default: Expression,
    pub(crate) bounds: Option<(Expression, Expression)>,
    pub(crate) learnable: bool,
    pub(crate) per_neuron: bool,
    pub(crate) doc: String,
}

/// `dx/dt = rate : unit = initial (unless refractory) "doc"`.
#[derive(Debug)]
pub(crate) struct Equation<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) rate: Expression,
    pub(crate) unit: UnitNote,
    pub(crate) initial: Option<Expression>,
    pub(crate) unless_refractory: Option<Span>,
    pub(crate) doc: String,
}

/// `state name = initial : unit "doc"`.
#[derive(Debug)]
pub(crate) struct State<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) initial: Option<Expression>,
    pub(crate) unit: UnitNote,
    pub(crate) doc: String,
}

/// `update name = value : unit = initial (unless refractory) "doc"`.
#[derive(Debug)]
pub(crate) struct Update<'a> {
    pub(crate) assignment: Assignment<'a>,
    /// Where the update declares its state.
    pub(crate) declares: Option<(UnitNote, Option<Expression>)>,
    pub(crate) unless_refractory: Option<Span>,
    pub(crate) doc: String,
}

/// `name = value : unit`.
#[derive(Debug)]
pub(crate) struct Subexpression<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) value: Expression,
    pub(crate) unit: Option<UnitNote>,
}

/// `input …`.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) unit: UnitNote,
    /// Name of what arrives and what it does; `None` where the port is read by its own name.
    pub(crate) effect: Option<Effect<'a>>,
    pub(crate) unless_refractory: Option<Span>,
    pub(crate) doc: String,
}

/// `(w : unit) before: x += w, …`.
#[derive(Debug)]
pub(crate) struct Effect<'a> {
    pub(crate) arriving: Name<'a>,
    pub(crate) before: bool,
    pub(crate) assignments: Vec<Assignment<'a>>,
}

/// `output name = value : unit`.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) value: Expression,
    pub(crate) unit: Option<UnitNote>,
}

/// `spike when …`.
#[derive(Debug)]
pub(crate) struct Spike<'a> {
    pub(crate) span: Span,
    pub(crate) condition: Expression,
    pub(crate) reset: Vec<Assignment<'a>>,
    pub(crate) then: Vec<Assignment<'a>>,
    pub(crate) refractory: Option<Expression>,
    pub(crate) surrogate: Option<Surrogate<'a>>,
    pub(crate) detached: Option<Detached>,
}

/// `detached` or `detached when condition`.
#[derive(Debug)]
pub(crate) struct Detached {
    pub(crate) condition: Option<Expression>,
}

/// The derivative of the spike.
#[derive(Debug)]
pub(crate) enum Surrogate<'a> {
    /// `name(arguments)`.
    Named {
        name: Name<'a>,
        arguments: Vec<Argument<'a>>,
    },
    /// `(margin) = slope primitive curve`.
    Own {
        margin: Name<'a>,
        slope: Expression,
        primitive: Option<Expression>,
    },
}

/// `2` or `alpha = 2`.
#[derive(Debug)]
pub(crate) struct Argument<'a> {
    pub(crate) name: Option<Name<'a>>,
    pub(crate) value: Expression,
}

/// `target = value`, or with `+=`, `-=`, `*=`, `/=`.
#[derive(Debug)]
pub(crate) struct Assignment<'a> {
    pub(crate) target: Name<'a>,
    /// The operator before the `=`.
    pub(crate) operator: Option<Infix>,
    pub(crate) value: Expression,
    pub(crate) span: Span,
}

/// An expression: the nodes `first..=root`, operands before operators.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expression {
    pub(crate) first: usize,
    pub(crate) root: usize,
}

/// One node of an expression.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) kind: NodeKind<'a>,
    pub(crate) span: Span,
}

/// What a node is; operands are indices of nodes.
#[derive(Debug)]
pub(crate) enum NodeKind<'a> {
    /// A number without unit.
    Number(f64),
    /// A number with unit, in base units.
    Quantity(f64, Unit),
    /// A unit after a number, with an exponent of its own: `10 ms^2`.
    Unit(Unit),
    Truth(bool),
    Name(&'a str),
    Prefix(Prefix, usize),
    Infix(Infix, usize, usize),
    Call(Name<'a>, Vec<usize>),
    /// `option is choice`.
    Is(Name<'a>, Name<'a>),
}

/// Operators before their operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prefix {
    Plus,
    Minus,
    Not,
}

/// Operators between their operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Infix {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    CrossesUp,
    CrossesDown,
    And,
    Or,
}

impl Infix {
    /// As written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Pow => "^",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::CrossesUp | Self::CrossesDown => "crosses",
            Self::And => "and",
            Self::Or => "or",
        }
    }
}
