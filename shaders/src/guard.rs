//! Keeping every rounding where the program has it.
//!
//! WGSL lets an implementation fuse `a * b + c` into one operation with one rounding, and
//! reassociate sums and products, where it thinks the result no less accurate. Real drivers do
//! both (Mesa's algebraic pass, for one, folds `(x + c1) + c2` and fuses on hardware that has an
//! FMA). The CPU kernels never do; so a shader that is to give the same bits must stop it, and the
//! language has no `precise`.
//!
//! The guard is a function no optimiser sees through, applied to the result that would be merged
//! into the next operation:
//!
//! ```wgsl
//! fn rounded(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ params.zero); }
//! ```
//!
//! `params.zero` is 0, but it is read from a uniform buffer, so the compiler cannot know; and an
//! integer operation on the bits needs the float to *be* those bits, rounded to f32. No float
//! identity crosses it. It costs one integer operation.
//!
//! Guarded are: products and quotients that reach a sum (contraction, factoring) or a product
//! (reassociation; a quotient is compiled as a product with a reciprocal), and sums that reach a
//! sum. "Reach" looks through negation, absolute value, detachment and `select`, which move
//! no rounding.

use rheobase_equations::ir::{Binary, Op, Program, Unary};

/// Whether a driver may merge float operations of a shader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Contraction {
    /// Every operation rounds by itself, as on the CPU.
    #[default]
    Prevent,
    /// The driver may fuse and reassociate: faster on some devices, other bits than the CPU's.
    Allow,
}

/// Which results pass through the guard.
pub(crate) fn guarded(program: &Program, contraction: Contraction) -> Vec<bool> {
    let n = program.ops.len();
    if contraction == Contraction::Allow {
        return vec![false; n];
    }
    let (mut in_sum, mut in_product) = (vec![false; n], vec![false; n]);
    // Backwards, so that every user of a value is seen before the value.
    for (i, op) in program.ops.iter().enumerate().rev() {
        match op {
            Op::Binary(Binary::Add | Binary::Sub, a, b) => {
                in_sum[a.index()] = true;
                in_sum[b.index()] = true;
            }
            Op::Binary(Binary::Mul | Binary::Div, a, b) => {
                in_product[a.index()] = true;
                in_product[b.index()] = true;
            }
            Op::Unary(Unary::Neg | Unary::Abs | Unary::Detach, a) => {
                in_sum[a.index()] |= in_sum[i];
                in_product[a.index()] |= in_product[i];
            }
            Op::Select(_, a, b) => {
                for v in [a, b] {
                    in_sum[v.index()] |= in_sum[i];
                    in_product[v.index()] |= in_product[i];
                }
            }
            _ => {}
        }
    }
    program
        .ops
        .iter()
        .enumerate()
        .map(|(i, op)| match op {
            Op::Binary(Binary::Add | Binary::Sub, ..) => in_sum[i],
            Op::Binary(Binary::Mul | Binary::Div, ..) => in_sum[i] || in_product[i],
            _ => false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Contraction, guarded};
    use rheobase_equations::ir::{Builder, Op, Slot};

    #[test]
    fn products_in_sums_are_guarded_through_negation_and_select() {
        let mut b = Builder::new();
        let x = b.load(Slot::State(0));
        let y = b.load(Slot::State(1));
        let product = b.mul(x, y);
        let negated = b.neg(product);
        let condition = b.gt(x, y);
        let chosen = b.select(condition, negated, y);
        let sum = b.add(chosen, x);
        b.store(Slot::State(0), sum);
        let program = b.finish();
        let guards = guarded(&program, Contraction::Prevent);
        for (op, guard) in program.ops.iter().zip(&guards) {
            let is_product = matches!(op, Op::Binary(rheobase_equations::ir::Binary::Mul, ..));
            assert_eq!(*guard, is_product, "{op:?}");
        }
        assert!(guarded(&program, Contraction::Allow).iter().all(|g| !g));
    }

    #[test]
    fn a_result_that_is_only_stored_or_compared_needs_no_guard() {
        let mut b = Builder::new();
        let x = b.load(Slot::State(0));
        let square = b.mul(x, x);
        let above = b.gt(square, x);
        let flag = b.unary(rheobase_equations::ir::Unary::Indicator, above);
        b.store(Slot::State(0), square);
        b.store(Slot::Spike, flag);
        assert!(
            guarded(&b.finish(), Contraction::Prevent)
                .iter()
                .all(|g| !g)
        );
    }
}
