//! Neurons of one state whose rate is a quadratic polynomial of it, as numbers.
//!
//! dv/dt = q·u² + a·u + b, u = v − o, with q, a, b known from the parameters and the origin o near the
//! vertex of the parabola, so that little is lost where terms cancel there. Inputs, threshold and
//! reset are those of a [`LinearSystem`].

use std::collections::HashMap;

use thiserror::Error;

use crate::closed_form::{describe, live_values, state_name};
use crate::expand::expand;
use crate::interpret::Interpreter;
use crate::ir::{Binary, Builder, Op, Program, Slot, Unary, Value};
use crate::linear_system::{
    LinearModel, LinearSystem, NotLinear, Outputs, firing, jumps, refuse_every_step,
};
use crate::lower::Component;
use crate::model::{Integrator, Model};
use crate::real::Precision;

/// Why a component is no quadratic neuron.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NotQuadratic {
    /// Not one state with one equation.
    #[error("it has {0} states; the closed form of a quadratic equation is one of a single state")]
    States(usize),
    /// The rate is something else.
    #[error("the rate of `{state}` is no quadratic polynomial of it: `{term}`")]
    NotPolynomial {
        /// The state.
        state: String,
        /// The smallest part that is none.
        term: String,
    },
    /// Inputs, threshold or reset do not fit.
    #[error(transparent)]
    Other(#[from] NotLinear),
}

/// dv/dt = `square`·u² + `rate`·u + `drive`, u = v − `origin`, for one set of parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct QuadraticSystem {
    /// q \[1/(unit of v · ms)\].
    pub square: f64,
    /// a \[1/ms\].
    pub rate: f64,
    /// b \[unit of v / ms\].
    pub drive: f64,
    /// o, the vertex to rounding; 0 if q is 0.
    pub origin: f64,
    /// Inputs, threshold and reset; its rate and drive are a and b for the origin 0.
    pub linear: LinearSystem,
}

/// The parts of a quadratic neuron, as expressions of its parameters.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_equations::{lower::lower, parse_one, quadratic::QuadraticModel};
///
/// let text = "neuron qif
///   parameter k = 0.5/(1 mV*ms), i = 3 mV/ms
///   dv/dt = k*(v - 1 mV)*(v - 2 mV) + i : mV
///   spike when v >= 30 mV, reset v = -30 mV";
/// let component = lower(&Arc::new(parse_one(text, "qif.rheo")?), None)?;
/// let system = QuadraticModel::analyse(&component)?.at(&[0.5, 3.0]);
/// assert_eq!((system.square, system.linear.rates[0], system.linear.drive[0]), (0.5, -1.5, 4.0));
/// assert_eq!((system.origin, system.rate, system.drive), (1.5, 0.0, 2.875));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct QuadraticModel {
    linear: LinearModel,
    /// `Parameter`, `Argument(0)` (the origin) → b, a, q.
    rate: Program,
}

impl QuadraticModel {
    /// Analyses a component.
    ///
    /// # Errors
    /// [`NotQuadratic`] says what does not fit.
    pub fn analyse(component: &Component) -> Result<Self, NotQuadratic> {
        let model = component.model.as_ref();
        let ([equation], 1) = (&model.equations[..], model.states.len()) else {
            return Err(NotQuadratic::States(model.states.len()));
        };
        if model.integrator != Integrator::Auto {
            return Err(NotLinear::Integrator(model.integrator.name()).into());
        }
        refuse_every_step(model)?;
        let mut out = Outputs::default();
        let zero = out.builder.constant(0.0);
        let [drive, rate, _] = polynomial(&mut out.builder, model, equation.rate, zero)?;
        out.push_or_zero(rate);
        out.push_or_zero(drive);
        let jumps = jumps(model, &mut out)?;
        let firing = firing(model, &mut out)?;
        let linear = LinearModel {
            program: expand(&out.builder.finish(), Precision::F64),
            n: 1,
            order: vec![0],
            rates: vec![(0, 0)],
            drive: vec![0],
            held: vec![equation.unless_refractory],
            jumps,
            firing,
        };
        let mut out = Outputs::default();
        let origin = out.builder.load(Slot::Argument(0));
        for coefficient in polynomial(&mut out.builder, model, equation.rate, origin)? {
            out.push_or_zero(coefficient);
        }
        Ok(Self {
            linear,
            rate: expand(&out.builder.finish(), Precision::F64),
        })
    }

    /// The system for one set of parameters (base units).
    #[must_use]
    pub fn at(&self, parameters: &[f64]) -> QuadraticSystem {
        let [_, rate, square] = self.around(0.0, parameters);
        let origin = if square == 0.0 {
            0.0
        } else {
            -0.5 * rate / square
        };
        let [drive, rate, square] = self.around(origin, parameters);
        QuadraticSystem {
            square,
            rate,
            drive,
            origin,
            linear: self.linear.at(parameters),
        }
    }

    /// b, a, q about an origin.
    fn around(&self, origin: f64, parameters: &[f64]) -> [f64; 3] {
        let load = |slot| match slot {
            Slot::Parameter(i) => parameters.get(i as usize).copied().unwrap_or(f64::NAN),
            Slot::Argument(0) => origin,
            // Nothing else is static.
            _ => f64::NAN,
        };
        let mut coefficients = [f64::NAN; 3];
        let mut places = coefficients.iter_mut();
        Interpreter::new(self.rate.clone()).run(load, |_, value| {
            if let Some(place) = places.next() {
                *place = value;
            }
        });
        coefficients
    }
}

/// Coefficients of u⁰, u¹, u²; `None` is zero.
type Polynomial = [Option<Value>; 3];

/// An expression of the one state and of parameters as a polynomial of degree 2 in u = state − origin.
fn polynomial(
    b: &mut Builder,
    model: &Model,
    root: Value,
    origin: Value,
) -> Result<Polynomial, NotQuadratic> {
    let mut forms: HashMap<Value, Polynomial> = HashMap::new();
    for here in live_values(&model.ops, root) {
        let op = &model.ops[here.index()];
        let form = match op {
            Op::Load(Slot::State(0)) => Some([Some(origin), Some(b.constant(1.0)), None]),
            Op::Load(Slot::Parameter(i)) => Some([Some(b.load(Slot::Parameter(*i))), None, None]),
            Op::Load(_) => None,
            _ => combine(b, op, &forms),
        };
        let form = form.ok_or_else(|| NotQuadratic::NotPolynomial {
            state: state_name(model, 0),
            term: describe(model, here),
        })?;
        forms.insert(here, form);
    }
    Ok(forms.remove(&root).unwrap_or_default())
}

fn combine(b: &mut Builder, op: &Op, forms: &HashMap<Value, Polynomial>) -> Option<Polynomial> {
    let is_constant = |v: &Value| matches!(forms[v], [_, None, None]);
    let mut all_constant = true;
    op.for_each_operand(|v| all_constant &= is_constant(&v));
    if all_constant {
        let op = op.map_operands(|v| forms[&v][0].unwrap_or_else(|| b.constant(0.0)));
        return Some([Some(b.push(op)), None, None]);
    }
    match op {
        Op::Unary(Unary::Neg, x) => Some(forms[x].map(|c| c.map(|c| b.neg(c)))),
        Op::Binary(Binary::Add, x, y) => Some(sum(b, forms[x], forms[y])),
        Op::Binary(Binary::Sub, x, y) => {
            let negated = forms[y].map(|c| c.map(|c| b.neg(c)));
            Some(sum(b, forms[x], negated))
        }
        Op::Binary(Binary::Mul, x, y) => product(b, forms[x], forms[y]),
        Op::Binary(Binary::Div, x, y) if is_constant(y) => {
            let divisor = forms[y][0]?;
            Some(forms[x].map(|c| c.map(|c| b.div(c, divisor))))
        }
        _ => None,
    }
}

fn sum(b: &mut Builder, x: Polynomial, y: Polynomial) -> Polynomial {
    let mut result = [None; 3];
    for ((sum, x), y) in result.iter_mut().zip(x).zip(y) {
        *sum = match (x, y) {
            (Some(x), Some(y)) => Some(b.add(x, y)),
            (x, y) => x.or(y),
        };
    }
    result
}

/// The product, `None` if its degree is above 2.
fn product(b: &mut Builder, x: Polynomial, y: Polynomial) -> Option<Polynomial> {
    let mut result: Polynomial = [None; 3];
    for (i, x) in x.into_iter().enumerate() {
        for (j, y) in y.into_iter().enumerate() {
            let (Some(x), Some(y)) = (x, y) else {
                continue;
            };
            let slot = result.get_mut(i + j)?;
            let term = b.mul(x, y);
            *slot = Some(slot.map_or(term, |s| b.add(s, term)));
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lower::lower;
    use crate::parse_one;

    fn analyse(body: &str) -> Result<QuadraticModel, NotQuadratic> {
        let model = parse_one(&format!("neuron x\n {body}"), "test").unwrap();
        QuadraticModel::analyse(&lower(&Arc::new(model), None).unwrap())
    }

    #[test]
    fn every_part_is_read() {
        let model = analyse(
            "parameter k = 2, c = 4 ms
             dv/dt = (-(v - 1 mV)*(3 mV - k*v)/(1 mV) + 5*v - v*v/(2 mV))/c : mV (unless refractory)
             input in(w : mV): v += k*w
             spike when 2*v > 8 mV, reset v = 1 mV - v, refractory c",
        );
        let system = model.unwrap().at(&[2.0, 4.0]);
        // -(v - 1)(3 - 2v) + 5v - v²/2 = 2v² - 5v + 3 + 5v - v²/2, over 4.
        let linear = &system.linear;
        assert_eq!(
            (system.square, linear.rates[0], linear.drive[0]),
            (0.375, 0.0, 0.75)
        );
        assert_eq!((system.origin, system.rate, system.drive), (0.0, 0.0, 0.75));
        assert_eq!((linear.held[0], linear.jumps[0].gain[0]), (true, 2.0));
        let firing = linear.firing.as_ref().unwrap();
        assert_eq!((firing.margin.row[0], firing.margin.constant), (2.0, -8.0));
        assert_eq!((firing.strict, firing.refractory_ms), (true, Some(4.0)));
        assert_eq!(firing.reset.matrix, [-1.0]);
        assert_eq!(firing.reset.constant, [1.0]);
    }

    #[test]
    fn what_is_not_quadratic_is_named() {
        let cases = [
            ("dv/dt = v*v*v/(1 mV*mV*ms) : mV", "no quadratic polynomial"),
            ("dv/dt = exp(v/(1 mV))*(1 mV/ms) : mV", "exp"),
            (
                "dv/dt = v*v/(1 mV*ms) + w/(1 ms) : mV\n dw/dt = v/(1 ms) : mV",
                "2 states",
            ),
            ("dv/dt = v*v/(1 mV*ms) + x : mV\n input x : mV/ms", "x"),
            ("integrator euler\n dv/dt = v*v/(1 mV*ms) : mV", "euler"),
        ];
        for (body, expected) in cases {
            let message = analyse(&format!("{body}\n spike when v >= 1 mV, reset v = 0"))
                .unwrap_err()
                .to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
