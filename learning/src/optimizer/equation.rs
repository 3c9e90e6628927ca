//! Rules that are given as a text.

use std::borrow::Cow;
use std::cell::RefCell;

use rheobase_engine::port::Tensor;
use rheobase_engine::unrolled::UpdateEquations;
use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::ir::Slot;
use rheobase_equations::native::LANES;
use rheobase_equations::real::Real;

use super::{Moment, OptimizerError, UpdateRule};

/// Any rule, as the text of an `optimizer` ([`UpdateEquations`]): the same on the processor and on devices.
///
/// ```
/// use rheobase_learning::optimizer::{EquationRule, Optimizer};
///
/// let signs = EquationRule::new(
///     "optimizer sign_descent
///        parameter learning_rate = 0.5
///        input g : 1
///        state p = 0 : 1
///        update p = p - learning_rate*(select(g > 0, 1, 0) - select(g < 0, 1, 0))",
/// )?;
/// let mut optimizer = Optimizer::new(signs)?;
/// let mut weight = [1.0_f32, 2.0, 3.0];
/// let mut pass = optimizer.pass();
/// pass.update_array("fc", "weight", &mut weight, &[0.1, -7.0, 0.0]);
/// pass.finish()?;
/// assert_eq!(weight, [0.5, 2.5, 3.0]);
/// # Ok::<(), rheobase_learning::optimizer::OptimizerError>(())
/// ```
pub struct EquationRule<R: Real> {
    text: String,
    equations: UpdateEquations,
    program: RefCell<Program<R>>,
}

/// The program, and whole blocks for what is left over.
struct Program<R: Real> {
    function: BlockFunction<R>,
    rest: Vec<[R; LANES]>,
}

impl<R: Real> EquationRule<R> {
    /// Reads a text.
    ///
    /// # Errors
    /// If it cannot be read, or is not that of an `optimizer`.
    pub fn new(text: &str) -> Result<Self, OptimizerError> {
        let equations = UpdateEquations::new(text)?;
        let program = Program {
            function: BlockFunction::new(&equations.component().step),
            rest: Vec::new(),
        };
        Ok(Self {
            text: text.to_owned(),
            equations,
            program: RefCell::new(program),
        })
    }

    /// Whether the text declares a parameter `learning_rate`; without, rates and schedules have no effect.
    #[must_use]
    pub fn has_learning_rate(&self) -> bool {
        self.equations.has_learning_rate()
    }
}

impl<R: Real> UpdateRule<R> for EquationRule<R> {
    fn name(&self) -> &'static str {
        "equations"
    }

    fn check(&self) -> Result<(), OptimizerError> {
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.equations.learning_rate()
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, R)> {
        let names = self.equations.kept();
        let initial = self.equations.initial().into_iter().map(R::from_f64);
        let names = names.into_iter().map(|name| Cow::Owned(name.to_owned()));
        names.zip(initial).collect()
    }

    fn equations(&self) -> Option<String> {
        Some(self.text.clone())
    }

    fn update(&self, at: Moment, parameter: &mut [R], gradient: &[R], state: &mut [Tensor<R>]) {
        let derived = self.equations.derived(at.learning_rate, at.step);
        let derived: Vec<R> = derived.into_iter().map(R::from_f64).collect();
        let mut arrays = vec![parameter];
        arrays.extend(state.iter_mut().map(|array| array.values.as_mut_slice()));
        self.program.borrow_mut().run(&derived, gradient, arrays);
    }
}

impl<R: Real> Program<R> {
    /// `arrays` are the states: the parameter, then what is kept.
    fn run(&mut self, derived: &[R], gradient: &[R], mut arrays: Vec<&mut [R]>) {
        let whole = gradient.len() / LANES * LANES;
        if whole > 0 {
            let states = arrays.iter_mut().map(|array| &mut array[..whole]);
            step(&mut self.function, derived, &gradient[..whole], states);
        }
        let n = gradient.len() - whole;
        if n == 0 {
            return;
        }
        let mut last = [R::ZERO; LANES];
        last[..n].copy_from_slice(&gradient[whole..]);
        self.rest.resize(arrays.len(), [R::ZERO; LANES]);
        for (block, array) in self.rest.iter_mut().zip(&arrays) {
            block[..n].copy_from_slice(&array[whole..]);
        }
        let states = self.rest.iter_mut().map(|block| block.as_mut_slice());
        step(&mut self.function, derived, &last, states);
        for (block, array) in self.rest.iter().zip(arrays) {
            array[whole..].copy_from_slice(&block[..n]);
        }
    }
}

fn step<'s, R: Real>(
    function: &mut BlockFunction<R>,
    derived: &[R],
    gradient: &[R],
    states: impl Iterator<Item = &'s mut [R]>,
) {
    let mut writes: Vec<(Slot, &mut [R])> = (0..).map(Slot::State).zip(states).collect();
    function.run(
        gradient.len(),
        |slot| match slot {
            Slot::Derived(k) => Operand::Scalar(derived[k as usize]),
            _ => Operand::Array(gradient),
        },
        &mut writes,
    );
}
