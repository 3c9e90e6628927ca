//! Symbolic decomposition of an expression into Σ cᵢ·xᵢ + c over chosen variables.

use std::collections::{BTreeMap, HashMap};

use crate::ir::{Binary, Builder, Op, Slot, Unary, Value};

/// Σ `terms[x]`·x + `constant`; the coefficients hold none of the variables. `None` is zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affine {
    pub(crate) terms: BTreeMap<Slot, Value>,
    pub(crate) constant: Option<Value>,
}

impl Affine {
    fn constant(value: Value) -> Self {
        Self {
            terms: BTreeMap::new(),
            constant: Some(value),
        }
    }

    fn is_constant(&self) -> bool {
        self.terms.is_empty()
    }

    fn materialised_constant(&self, b: &mut Builder) -> Value {
        self.constant.unwrap_or_else(|| b.constant(0.0))
    }

    /// Applies `f` to every coefficient and to the constant.
    fn map(&self, b: &mut Builder, mut f: impl FnMut(&mut Builder, Value) -> Value) -> Self {
        Self {
            terms: self
                .terms
                .iter()
                .map(|(&slot, &c)| (slot, f(b, c)))
                .collect(),
            constant: self.constant.map(|c| f(b, c)),
        }
    }

    /// Merges two sums coefficient by coefficient; an absent one is passed as `None`.
    fn merge(
        &self,
        other: &Self,
        b: &mut Builder,
        mut f: impl FnMut(&mut Builder, Option<Value>, Option<Value>) -> Value,
    ) -> Self {
        let mut terms = BTreeMap::new();
        for slot in self.terms.keys().chain(other.terms.keys()) {
            if !terms.contains_key(slot) {
                let (x, y) = (
                    self.terms.get(slot).copied(),
                    other.terms.get(slot).copied(),
                );
                terms.insert(*slot, f(b, x, y));
            }
        }
        terms.retain(|_, c| !is_zero(b, *c));
        let constant = match (self.constant, other.constant) {
            (None, None) => None,
            (x, y) => Some(f(b, x, y)),
        };
        Self {
            terms,
            constant: constant.filter(|&c| !is_zero(b, c)),
        }
    }
}

fn is_zero(b: &Builder, v: Value) -> bool {
    b.as_constant(v).is_some_and(|c| c.to_bits() << 1 == 0)
}

/// Why an expression is not affine: the smallest part that is not, in the source arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotAffine {
    pub(crate) term: Value,
}

/// Decomposes `source[root]` over the slots chosen by `is_variable`; every other load goes through
/// `load`. Divisions of a sum by a common denominator become products with its reciprocal, which
/// is computed once.
pub(crate) fn decompose(
    b: &mut Builder,
    source: &[Op],
    root: Value,
    is_variable: &dyn Fn(Slot) -> bool,
    load: &mut dyn FnMut(&mut Builder, Slot) -> Value,
) -> Result<Affine, NotAffine> {
    let mut forms: HashMap<Value, Affine> = HashMap::new();
    for here in live_values(source, root) {
        let op = &source[here.index()];
        let form = match op {
            Op::Load(slot) if is_variable(*slot) => {
                let one = b.constant(1.0);
                Affine {
                    terms: BTreeMap::from([(*slot, one)]),
                    constant: None,
                }
            }
            Op::Load(slot) => Affine::constant(load(b, *slot)),
            _ => combine(b, here, op, &forms)?,
        };
        forms.insert(here, form);
    }
    Ok(forms.remove(&root).unwrap_or_default())
}

/// The values `root` depends on, itself last, in order of definition.
pub(crate) fn live_values(source: &[Op], root: Value) -> Vec<Value> {
    let mut live = vec![false; root.index() + 1];
    live[root.index()] = true;
    let mut order = Vec::new();
    for i in (0..=root.index()).rev() {
        if live[i] {
            source[i].for_each_operand(|v| live[v.index()] = true);
            order.push(Value::at(i));
        }
    }
    order.reverse();
    order
}

fn combine(
    b: &mut Builder,
    here: Value,
    op: &Op,
    forms: &HashMap<Value, Affine>,
) -> Result<Affine, NotAffine> {
    let mut all_constant = true;
    op.for_each_operand(|v| all_constant &= forms[&v].is_constant());
    if all_constant {
        let op = op.map_operands(|v| forms[&v].materialised_constant(b));
        return Ok(Affine::constant(b.push(op)));
    }
    match op {
        Op::Unary(Unary::Neg, x) => Ok(forms[x].map(b, negate)),
        Op::Binary(Binary::Add, x, y) => Ok(sum(b, &forms[x], &forms[y])),
        Op::Binary(Binary::Sub, x, y) => {
            let negated = forms[y].map(b, negate);
            Ok(sum(b, &forms[x], &negated))
        }
        Op::Binary(Binary::Mul, x, y) if forms[y].is_constant() => {
            Ok(scaled(b, &forms[x], &forms[y]))
        }
        Op::Binary(Binary::Mul, x, y) if forms[x].is_constant() => {
            Ok(scaled(b, &forms[y], &forms[x]))
        }
        Op::Binary(Binary::Div, x, y) if forms[y].is_constant() => {
            let divisor = forms[y].materialised_constant(b);
            Ok(forms[x].map(b, |b, c| divide(b, c, divisor)))
        }
        Op::Select(c, x, y) if forms[c].is_constant() => {
            let condition = forms[c].materialised_constant(b);
            Ok(forms[x].merge(&forms[y], b, |b, x, y| {
                let zero = b.constant(0.0);
                b.select(condition, x.unwrap_or(zero), y.unwrap_or(zero))
            }))
        }
        _ => Err(NotAffine { term: here }),
    }
}

fn sum(b: &mut Builder, x: &Affine, y: &Affine) -> Affine {
    x.merge(y, b, |b, x, y| match (x, y) {
        (Some(x), Some(y)) => b.add(x, y),
        (Some(x), None) | (None, Some(x)) => x,
        (None, None) => b.constant(0.0),
    })
}

fn scaled(b: &mut Builder, x: &Affine, factor: &Affine) -> Affine {
    let factor = factor.materialised_constant(b);
    x.map(b, |b, c| b.mul(c, factor))
}

/// −c; a constant numerator takes the sign, so that −(v/τ) and (−v)/τ have one coefficient.
fn negate(b: &mut Builder, c: Value) -> Value {
    if let Op::Binary(Binary::Div, n, d) = *b.op(c)
        && let Some(numerator) = b.as_constant(n)
    {
        let n = b.constant(-numerator);
        return b.div(n, d);
    }
    b.neg(c)
}

fn divide(b: &mut Builder, c: Value, divisor: Value) -> Value {
    if b.as_constant(c).is_some() {
        return b.div(c, divisor);
    }
    let one = b.constant(1.0);
    let reciprocal = b.div(one, divisor);
    b.mul(c, reciprocal)
}
