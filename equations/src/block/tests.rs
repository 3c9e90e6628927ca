//! Random programs, lane by lane against the scalar evaluator, at every level of the machine.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::needless_range_loop,
    reason = "small numbers; lanes are compared across many arrays"
)]

use super::code::{Arg, Code, Instruction, kind, supported};
use super::execute::execute;
use super::*;
use crate::ir::{Binary, Builder, Unary, Value};
use crate::native::{Baseline, Lane};

/// xorshift64*: seeds are printed by the assertions.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    /// In −4 … 4; often a whole number, so that comparisons meet equality.
    pub(super) fn float(&mut self) -> f64 {
        let x = self.next() >> 11;
        if x & 3 == 0 {
            ((x >> 4) % 9) as f64 - 4.0
        } else {
            x as f64 / (1_u64 << 50) as f64 - 4.0
        }
    }
}

const N_STATES: u32 = 4;
const N_INPUTS: u32 = 2;
const N_DERIVED: u32 = 3;

fn random_program(dice: &mut Dice, n_ops: usize) -> Program {
    let mut b = Builder::new();
    let mut pool: [Vec<Value>; 3] = Default::default();
    let loads = (0..N_STATES)
        .map(Slot::State)
        .chain((0..N_INPUTS).map(Slot::Input))
        .chain((0..N_DERIVED).map(Slot::Derived));
    for slot in loads {
        let v = b.load(slot);
        pool[0].push(v);
    }
    for _ in 0..3 {
        let v = b.constant(dice.float());
        pool[0].push(v);
    }
    for k in [3_i64, -5] {
        let v = b.int(k);
        pool[2].push(v);
    }
    let flag = b.binary(Binary::Lt, pool[0][0], pool[0][1]);
    pool[1].push(flag);
    for _ in 0..n_ops {
        let v = random_op(dice, &mut b, &pool);
        let ty = b.ty(v);
        pool[ty as usize].push(v);
    }
    store_some(dice, &mut b, &pool);
    b.finish()
}

fn random_op(dice: &mut Dice, b: &mut Builder, pool: &[Vec<Value>; 3]) -> Value {
    const FLOAT: [Binary; 6] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Mul,
        Binary::Min,
        Binary::Max,
    ];
    const INT: [Binary; 4] = [
        Binary::IntAdd,
        Binary::IntSub,
        Binary::IntAnd,
        Binary::IntOr,
    ];
    // Recent values more often: deep programs, short lives.
    let pick = |dice: &mut Dice, ty: usize| {
        let recent = dice.below(pool[ty].len()).max(dice.below(pool[ty].len()));
        pool[ty][recent]
    };
    match dice.below(20) {
        0..=6 => {
            let o = FLOAT[dice.below(6)];
            let (x, y) = (pick(dice, 0), pick(dice, 0));
            b.binary(o, x, y)
        }
        7 => {
            let x = pick(dice, 0);
            let y = pick(dice, 0);
            b.div(x, y)
        }
        8 => {
            let u = [Unary::Neg, Unary::Abs, Unary::Floor, Unary::Round][dice.below(4)];
            let x = pick(dice, 0);
            b.unary(u, x)
        }
        9 => {
            let x = pick(dice, 0);
            let x = b.unary(Unary::Abs, x);
            b.unary(Unary::Sqrt, x)
        }
        10 | 11 => {
            let o = [Binary::Lt, Binary::Le, Binary::Eq][dice.below(3)];
            let (x, y) = (pick(dice, 0), pick(dice, 0));
            b.binary(o, x, y)
        }
        12 => {
            let o = [Binary::And, Binary::Or][dice.below(2)];
            let (x, y) = (pick(dice, 1), pick(dice, 1));
            let y = if dice.below(2) == 0 {
                b.unary(Unary::Not, y)
            } else {
                y
            };
            b.binary(o, x, y)
        }
        13 | 14 => {
            let c = pick(dice, 1);
            let ty = if dice.below(4) == 0 { 2 } else { 0 };
            let (x, y) = (pick(dice, ty), pick(dice, ty));
            b.select(c, x, y)
        }
        15 => {
            let c = pick(dice, 1);
            b.unary(Unary::Indicator, c)
        }
        16 => {
            let x = pick(dice, 0);
            let (low, high) = (b.constant(-4000.0), b.constant(4000.0));
            let x = b.binary(Binary::Max, x, low);
            let x = b.binary(Binary::Min, x, high);
            let x = b.unary(Unary::Round, x);
            b.unary(Unary::ToInt, x)
        }
        17 => {
            let o = INT[dice.below(4)];
            let (x, y) = (pick(dice, 2), pick(dice, 2));
            b.binary(o, x, y)
        }
        18 => {
            let o = [Binary::Shl, Binary::Shr][dice.below(2)];
            let x = pick(dice, 2);
            let by = b.int(dice.below(5) as i64);
            b.binary(o, x, by)
        }
        _ => {
            let (x, y) = (pick(dice, 2), pick(dice, 2));
            b.binary(Binary::IntLt, x, y)
        }
    }
}

/// Stores to every state (some swapped or untouched), two outputs and the spike.
fn store_some(dice: &mut Dice, b: &mut Builder, pool: &[Vec<Value>; 3]) {
    for i in 0..N_STATES {
        let v = match dice.below(6) {
            0 => b.load(Slot::State((i + 1) % N_STATES)),
            1 => b.constant(1.25),
            2 => pool[0][dice.below(pool[0].len())],
            _ => pool[0][pool[0].len() - 1 - dice.below(pool[0].len() / 2)],
        };
        b.store(Slot::State(i), v);
    }
    let bits = pool[2][pool[2].len() - 1];
    let bits = b.unary(Unary::ToFloat, bits);
    b.store(Slot::Output(0), bits);
    let v = pool[0][pool[0].len() - 1];
    b.store(Slot::Output(1), v);
    let flag = pool[1][pool[1].len() - 1];
    let spike = b.unary(Unary::Indicator, flag);
    b.store(Slot::Spike, spike);
}

/// The bits every store should give in one lane.
fn expected<R: Real>(program: &Program, load: impl Fn(Slot) -> R) -> Vec<(Slot, R)> {
    let prepared = prepare(program, SpikeAs::Float);
    let mut values = Vec::new();
    scalar::evaluate(&prepared.ops, &mut values, load);
    prepared
        .stores
        .iter()
        .map(|s| (s.slot, values[s.value.index()]))
        .collect()
}

/// NaNs count as equal: which of two operands hands its payload on is not defined.
fn same<R: Real>(x: R, y: R) -> bool {
    x.to_int_bits() == y.to_int_bits() || (x.to_f64().is_nan() && y.to_f64().is_nan())
}

fn check<R: Real>(seed: u64, n_ops: usize, level: Level) {
    let mut dice = Dice::new(seed);
    let program = random_program(&mut dice, n_ops);
    let lanes = LANES * (1 + dice.below(20));
    let array =
        |dice: &mut Dice| -> Vec<R> { (0..lanes).map(|_| R::from_f64(dice.float())).collect() };
    let states: Vec<Vec<R>> = (0..N_STATES).map(|_| array(&mut dice)).collect();
    let inputs: Vec<Vec<R>> = (0..N_INPUTS).map(|_| array(&mut dice)).collect();
    let derived: Vec<Vec<R>> = (0..N_DERIVED).map(|_| array(&mut dice)).collect();
    let mut function = BlockFunction::<R>::new(&program).at_level(level);
    // The second round binds other slots to scalars: the plan is made anew.
    for round in 0..2 {
        let shared: Vec<bool> = (0..N_DERIVED).map(|_| dice.below(2) == 0).collect();
        let read = |slot: Slot| match slot {
            Slot::State(k) => Operand::Array(&states[k as usize]),
            Slot::Input(k) => Operand::Array(&inputs[k as usize]),
            Slot::Derived(k) if shared[k as usize] => Operand::Scalar(derived[k as usize][0]),
            Slot::Derived(k) => Operand::Array(&derived[k as usize]),
            other => unreachable!("{other:?}"),
        };
        let mut written = states.clone();
        let mut outputs = vec![vec![R::ZERO; lanes]; 3];
        let [o0, o1, spike] = outputs.as_mut_slice() else {
            unreachable!()
        };
        let mut writes: Vec<(Slot, &mut [R])> = written
            .iter_mut()
            .enumerate()
            .map(|(i, s)| (Slot::State(i as u32), s.as_mut_slice()))
            .collect();
        writes.push((Slot::Output(0), o0));
        writes.push((Slot::Output(1), o1));
        writes.push((Slot::Spike, spike));
        function.run(lanes, read, &mut writes);
        for l in 0..lanes {
            let load = |slot| match read(slot) {
                Operand::Scalar(x) => x,
                Operand::Array(a) => a[l],
            };
            for (slot, want) in expected(&program, load) {
                let got = writes.iter().find(|(s, _)| *s == slot).map(|(_, a)| a[l]);
                assert!(
                    got.is_some_and(|got| same(got, want)),
                    "seed {seed}, {n_ops} ops, {}, round {round}, lane {l}, {slot:?}: \
                     {got:?} instead of {want:?}\n{program}",
                    level.name()
                );
            }
        }
    }
}

#[test]
fn random_programs_give_the_bits_of_the_scalar_evaluator() {
    for level in Level::available() {
        for seed in 1..=150 {
            let n_ops = 4 + (seed as usize * 7) % 60;
            check::<f32>(seed, n_ops, level);
            check::<f64>(seed, n_ops, level);
        }
    }
}

#[test]
fn old_values_are_read_before_they_are_overwritten() {
    let mut b = Builder::new();
    let (x, y) = (b.load(Slot::State(0)), b.load(Slot::State(1)));
    b.store(Slot::State(0), y);
    b.store(Slot::State(1), x);
    let mut swap = BlockFunction::<f64>::new(&b.finish());
    let (mut p, mut q) = (vec![1.0; 128], vec![2.0; 128]);
    swap.run(
        128,
        |_| Operand::Scalar(0.0),
        &mut [(Slot::State(0), &mut p), (Slot::State(1), &mut q)],
    );
    assert_eq!((p, q), (vec![2.0; 128], vec![1.0; 128]));
}

const VALUES: [f64; 10] = [7.0, 3.0, 2.0, 1.0, 0.5, -2.5, 4.0, 0.75, -1.0, 6.0];

/// Runs one instruction over windows 1 … 9 (or scalars 1 … 9) holding `values[1..]`, the
/// destination holding `values[0]`.
fn run_one(code: Code, shape: u32, values: [f64; 10]) -> [f64; LANES] {
    let mut memory: Vec<_> = values.iter().map(|x| vec![[*x; LANES]]).collect();
    let mut table: Vec<Window<'_, f64>> = memory.iter_mut().map(|m| Window::Mut(m)).collect();
    let sources = std::array::from_fn(|i| i as u32 + 1);
    let instruction = Instruction {
        code,
        shape,
        immediate: 1,
        target: 0,
        sources,
    };
    execute::<f64, Baseline>(&instruction, &mut table, &values, 1);
    table[0].first(1)[0]
}

#[test]
fn every_shape_computes_what_the_last_one_does() {
    for code in Code::ALL {
        let shapes = supported(code);
        let last = shapes[shapes.len() - 1];
        for &shape in shapes {
            for first in [3.0, f64::lane_mask(true)] {
                let mut values = VALUES;
                values[1] = first;
                let got = run_one(code, shape, values);
                // Where the shape reads the destination, a window with the same contents.
                let mut plain = values;
                for k in (0..9).filter(|&k| kind(shape, k) == Arg::D) {
                    plain[k + 1] = values[0];
                }
                let want = run_one(code, last, plain);
                assert_eq!(
                    got.map(f64::to_bits),
                    want.map(f64::to_bits),
                    "{code:?} {shape:#b}"
                );
            }
        }
    }
}

/// Sums of scaled states, as exact integration makes them, and a refractory counter.
#[test]
fn fused_sums_and_counters_give_the_bits_of_the_scalar_evaluator() {
    for n in 1..=6 {
        let mut b = Builder::new();
        let x: Vec<Value> = (0..n).map(|i| b.load(Slot::State(i))).collect();
        for target in 0..n {
            let mut sum = None;
            for (k, &x) in x.iter().enumerate() {
                let factor = b.load(Slot::Derived((target + k as u32) % 3));
                let term = b.mul(x, factor);
                sum = Some(sum.map_or(term, |s| b.add(s, term)));
            }
            let mut sum = sum.unwrap_or(x[0]);
            if target % 2 == 0 {
                let constant = b.load(Slot::Derived(2));
                sum = b.add(sum, constant);
            }
            b.store(Slot::State(target), sum);
        }
        let (zero, one, three) = (b.constant(0.0), b.constant(1.0), b.constant(3.0));
        let counter = b.load(Slot::State(n));
        let active = b.binary(Binary::Lt, zero, counter);
        let fired = b.binary(Binary::Lt, x[0], zero);
        let down = b.sub(counter, one);
        let waiting = b.select(active, down, zero);
        let next = b.select(fired, three, waiting);
        b.store(Slot::State(n), next);
        check_program::<f32>(&b.finish(), u64::from(n), n + 1);
    }
}

fn check_program<R: Real>(program: &Program, seed: u64, n_states: u32) {
    let mut dice = Dice::new(seed);
    let derived: Vec<R> = (0..3).map(|_| R::from_f64(dice.float())).collect();
    let states: Vec<Vec<R>> = (0..n_states)
        .map(|_| (0..1088).map(|_| R::from_f64(dice.float())).collect())
        .collect();
    for level in Level::available() {
        let mut written = states.clone();
        let mut writes: Vec<(Slot, &mut [R])> = written
            .iter_mut()
            .enumerate()
            .map(|(i, s)| (Slot::State(i as u32), s.as_mut_slice()))
            .collect();
        let read = |slot: Slot| match slot {
            Slot::Derived(k) => Operand::Scalar(derived[k as usize]),
            other => unreachable!("{other:?}"),
        };
        BlockFunction::<R>::new(program)
            .at_level(level)
            .run(1088, read, &mut writes);
        for l in 0..1088 {
            let load = |slot| match slot {
                Slot::State(k) => states[k as usize][l],
                Slot::Derived(k) => derived[k as usize],
                other => unreachable!("{other:?}"),
            };
            for (i, (slot, want)) in expected(program, load).into_iter().enumerate() {
                assert!(
                    same(writes[i].1[l], want),
                    "{slot:?} of lane {l} at {}",
                    level.name()
                );
            }
        }
    }
}
