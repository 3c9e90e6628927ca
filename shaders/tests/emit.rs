//! Every emitted module is one naga accepts, and is what the host believes it is.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use rheobase_equations::ir::{Binary, Builder, Op, Program, Slot, SurrogateId, Unary, Value};
use rheobase_shaders::{
    Contraction, EmitError, StepShape, emit_program, emit_step_program, philox,
};
use support::{snapshot, validate};

fn store_all(mut b: Builder, values: &[Value]) -> Program {
    for (k, &v) in (0..).zip(values) {
        b.store(Slot::Output(k), v);
    }
    b.finish()
}

/// Every operation of an expanded program, each on values that are not constant.
fn every_op() -> Program {
    let mut b = Builder::new();
    let x = b.load(Slot::Argument(0));
    let y = b.load(Slot::Argument(1));
    let mut floats = Vec::new();
    for unary in [
        Unary::Neg,
        Unary::Abs,
        Unary::Sqrt,
        Unary::Floor,
        Unary::Round,
        Unary::Detach,
    ] {
        floats.push(b.unary(unary, x));
    }
    for binary in [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
    ] {
        floats.push(b.binary(binary, x, y));
    }
    let mut flags = Vec::new();
    for binary in [Binary::Lt, Binary::Le, Binary::Eq] {
        flags.push(b.binary(binary, x, y));
    }
    let spike = b.push(Op::Heaviside {
        x,
        strict: true,
        surrogate: SurrogateId(0),
        arguments: vec![],
    });
    flags.push(b.unary(Unary::Fired, spike));
    let and = b.binary(Binary::And, flags[0], flags[1]);
    let or = b.binary(Binary::Or, and, flags[2]);
    flags.push(b.unary(Unary::Not, or));
    let yes = b.boolean(true);
    flags.push(b.select(or, yes, and));
    let i = b.unary(Unary::ToInt, x);
    let j = b.unary(Unary::ToBits, y);
    let mut ints = vec![i, j];
    for binary in [
        Binary::IntAdd,
        Binary::IntSub,
        Binary::IntAnd,
        Binary::IntOr,
    ] {
        ints.push(b.binary(binary, i, j));
    }
    let distance = b.int(23);
    for binary in [Binary::Shl, Binary::Shr] {
        ints.push(b.binary(binary, i, distance));
    }
    let mask = b.int(i64::from(i32::MIN));
    ints.push(b.binary(Binary::IntAnd, j, mask));
    flags.push(b.binary(Binary::IntLt, i, j));
    for v in flags {
        floats.push(b.unary(Unary::Indicator, v));
    }
    for (k, v) in ints.into_iter().enumerate() {
        floats.push(b.unary(
            if k % 2 == 0 {
                Unary::ToFloat
            } else {
                Unary::FromBits
            },
            v,
        ));
    }
    store_all(b, &floats)
}

#[test]
fn every_operation_has_a_form_naga_accepts() {
    for contraction in [Contraction::Prevent, Contraction::Allow] {
        let kernel = emit_program(&every_op(), "every_op", contraction).expect("emits");
        validate(&kernel.module);
        assert_eq!(kernel.reads.len(), 2);
        assert_eq!(kernel.module.uniform.n_places(), 2 + kernel.writes.len());
    }
}

#[test]
fn operations_on_constants_alone_are_not_constant_expressions() {
    // As constant expressions each of these would be rejected: a square root of a negative number,
    // a shift that loses bits, a bit pattern that is no number.
    let mut b = Builder::new();
    let minus = b.constant(-1.0);
    let root = b.unary(Unary::Sqrt, minus);
    let one = b.int(3);
    let distance = b.int(31);
    let shifted = b.binary(Binary::Shl, one, distance);
    let shifted = b.unary(Unary::ToFloat, shifted);
    let pattern = b.int(0x7f80_0001);
    let strange = b.unary(Unary::FromBits, pattern);
    let program = store_all(b, &[root, shifted, strange]);
    validate(
        &emit_program(&program, "constants", Contraction::Prevent)
            .expect("emits")
            .module,
    );
}

#[test]
fn a_step_binds_what_it_has_and_nothing_else() {
    let mut b = Builder::new();
    let v = b.load(Slot::State(0));
    let decay = b.load(Slot::Derived(0));
    let product = b.mul(v, decay);
    let input = b.load(Slot::Input(1));
    let noise = b.load(Slot::Normal(0));
    let sum = b.add(product, input);
    let sum = b.add(sum, noise);
    b.store(Slot::State(0), sum);
    let program = b.finish();
    let shape = StepShape {
        states: vec!["v".to_owned()],
        inputs: vec!["ex".to_owned(), "in".to_owned()],
        n_derived: 1,
        n_uniforms: 2,
        n_normals: 1,
        outputs: vec![],
    };
    let module = emit_step_program("leak", &program, &shape, Contraction::Prevent).expect("emits");
    validate(&module);
    snapshot("leak", &module.source);
    let roles: Vec<_> = module
        .bindings
        .iter()
        .map(|b| (b.role.variable(), b.rows))
        .collect();
    assert_eq!(
        roles,
        [
            ("params", 0),
            ("states", 1),
            ("inputs", 2),
            ("derived", 0),
            ("random", 3),
            ("fired", 1)
        ]
    );
}

#[test]
fn philox_is_accepted() {
    let module = philox::blocks();
    validate(&module);
    snapshot("philox_blocks", &module.source);
}

#[test]
fn what_has_no_form_is_an_error_that_says_where() {
    let emit = |build: fn(&mut Builder, Value) -> Value| {
        let mut b = Builder::new();
        let x = b.load(Slot::Argument(0));
        let v = build(&mut b, x);
        b.store(Slot::Output(0), v);
        emit_program(&b.finish(), "wrong", Contraction::Prevent).map(|_| ())
    };
    let exp = emit(|b, x| b.unary(Unary::Exp, x));
    assert_eq!(
        exp,
        Err(EmitError::Unexpanded {
            index: 1,
            op: "Exp".to_owned()
        })
    );
    let huge = emit(|b, x| {
        let c = b.constant(1e300);
        b.add(x, c)
    });
    assert_eq!(
        huge,
        Err(EmitError::Constant {
            index: 1,
            value: 1e300
        })
    );
    let wide = emit(|b, x| {
        let i = b.unary(Unary::ToInt, x);
        let c = b.int(1 << 40);
        let sum = b.binary(Binary::IntAdd, i, c);
        b.unary(Unary::ToFloat, sum)
    });
    assert!(matches!(wide, Err(EmitError::Integer { .. })), "{wide:?}");
    let shift = emit(|b, x| {
        let i = b.unary(Unary::ToInt, x);
        let shifted = b.binary(Binary::Shl, i, i);
        b.unary(Unary::ToFloat, shifted)
    });
    assert!(matches!(shift, Err(EmitError::Shift { .. })), "{shift:?}");
}

#[test]
fn slots_that_are_no_part_of_a_step_are_refused() {
    let mut b = Builder::new();
    let x = b.load(Slot::State(0));
    b.store(Slot::StateCotangent(0), x);
    let shape = StepShape {
        states: vec!["v".to_owned()],
        ..StepShape::default()
    };
    let error = emit_step_program("wrong", &b.finish(), &shape, Contraction::Prevent);
    assert_eq!(
        error,
        Err(EmitError::Slot {
            access: "write",
            slot: Slot::StateCotangent(0)
        })
    );
    let mut b = Builder::new();
    let x = b.load(Slot::State(3));
    b.store(Slot::State(0), x);
    let error = emit_step_program("wrong", &b.finish(), &shape, Contraction::Prevent);
    assert_eq!(
        error,
        Err(EmitError::Slot {
            access: "read",
            slot: Slot::State(3)
        })
    );
}

#[test]
fn malformed_programs_and_names_are_errors() {
    let program = Program {
        ops: vec![Op::Unary(Unary::Neg, Value(0))],
        stores: vec![],
    };
    let error = emit_program(&program, "wrong", Contraction::Prevent).map(|_| ());
    assert_eq!(
        error,
        Err(EmitError::Order {
            index: 0,
            operand: 0
        })
    );
    for name in ["", "1st", "a b", "fn(){}"] {
        let error = emit_program(&Program::default(), name, Contraction::Prevent).map(|_| ());
        assert_eq!(error, Err(EmitError::Name(name.to_owned())));
    }
}

/// An op on earlier values, chosen by four numbers; total, so that every choice is a program.
fn add_op(b: &mut Builder, floats: &mut Vec<Value>, flags: &mut Vec<Value>, choice: [u8; 4]) {
    let [kind, x, y, z] = choice.map(usize::from);
    let (x, y) = (floats[x % floats.len()], floats[y % floats.len()]);
    let flag = flags[z % flags.len()];
    let unary = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sqrt,
        Unary::Floor,
        Unary::Round,
        Unary::Detach,
    ];
    let binary = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
    ];
    let v = match kind % 16 {
        k @ 0..6 => b.unary(unary[k], x),
        k @ 6..12 => b.binary(binary[k - 6], x, y),
        12 => b.select(flag, x, y),
        13 => b.push(Op::Heaviside {
            x,
            strict: z.is_multiple_of(2),
            surrogate: SurrogateId(0),
            arguments: vec![],
        }),
        14 => {
            let i = b.unary(Unary::ToBits, x);
            let distance = b.int(i64::try_from(z % 32).expect("small"));
            let shifted = b.binary(Binary::Shr, i, distance);
            b.unary(Unary::ToFloat, shifted)
        }
        _ => {
            let compared = b.binary(Binary::Lt, x, y);
            flags.push(b.binary(Binary::Or, compared, flag));
            b.unary(Unary::Indicator, compared)
        }
    };
    floats.push(v);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(
            proptest::test_runner::FileFailurePersistence::WithSource("regressions")
        )),
        ..Default::default()
    })]

    /// Whatever the program, constants in any place: naga accepts the text.
    #[test]
    fn every_program_becomes_a_valid_module(
        choices in proptest::collection::vec(proptest::prelude::any::<[u8; 4]>(), 1..60),
        constants in proptest::collection::vec(-1e30_f32..1e30, 0..4),
    ) {
        let mut b = Builder::new();
        let mut floats: Vec<Value> = (0..2).map(|k| b.load(Slot::Argument(k))).collect();
        floats.extend(constants.iter().map(|&c| b.constant(f64::from(c))));
        let mut flags = vec![b.boolean(true), b.boolean(false)];
        for choice in choices {
            add_op(&mut b, &mut floats, &mut flags, choice);
        }
        let outputs: Vec<Value> = floats.iter().rev().take(3).copied().collect();
        match emit_program(&store_all(b, &outputs), "random", Contraction::Prevent) {
            Ok(kernel) => validate(&kernel.module),
            // Folding in f64 may leave f32.
            Err(EmitError::Constant { value, .. }) => {
                proptest::prop_assert!(value.abs() > 3e38 || value.is_nan());
            }
            Err(e) => proptest::prop_assert!(false, "{e}"),
        }
    }
}
