use proptest::prelude::*;

use super::*;
use crate::interpret::run;
use crate::ir::{Program, Slot};
use crate::testing::random_program;

fn without_powers(program: &Program) -> bool {
    !program
        .ops
        .iter()
        .any(|op| matches!(op, Op::Binary(Binary::Pow, ..)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Folding and sharing change no result (but the sign of zero; powers become products, whose
    /// rounding differs).
    #[test]
    fn folding_preserves_results(random in random_program(40), scale in 0.1_f64..2.0) {
        prop_assume!(without_powers(&random.raw));
        let load = |slot| match slot {
            Slot::Argument(k) => scale * (f64::from(k) * 0.7).sin(),
            _ => 0.0,
        };
        let folded = run(&random.program, &mut { load });
        let raw = run(&random.raw, &mut { load });
        for ((slot, p), (_, q)) in folded.iter().zip(&raw) {
            prop_assert!(p == q, "{slot:?}: {p} {q}\n{}\n{}", random.program, random.raw);
        }
    }
}

#[test]
fn integer_powers_are_products() {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    for (k, e) in (0_u32..).zip([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 7.0, 16.0]) {
        let exponent = b.constant(e);
        let power = b.binary(Binary::Pow, x, exponent);
        b.store(Slot::Output(k), power);
    }
    let program = b.finish();
    assert!(without_powers(&program));
    let results = run(&program, &mut |_| 1.7);
    for ((_, got), e) in results
        .iter()
        .zip([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 7.0, 16.0])
    {
        let expected = 1.7_f64.powf(e);
        assert!((got - expected).abs() <= 1e-14 * expected, "{e}");
    }
}
