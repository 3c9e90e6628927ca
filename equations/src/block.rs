//! The block interpreter: runs components and programs known only at run time.
//!
//! A program is compiled to a list of instructions over *windows*: blocks of a few hundred lanes of
//! a population array, or of a register. Each instruction is one packed loop over a whole window,
//! so that choosing it costs little beside running it, and all windows of a program together stay
//! in the first-level cache. To save passes over memory,
//!
//! * population arrays are read and written in place, without copies;
//! * quantities that are the same for every neuron stay scalars;
//! * frequent pairs (multiply and add, compare and select) are one instruction, with the same
//!   roundings as apart;
//! * the last op of a state writes straight into the state's array where nothing reads the old
//!   value afterwards.
//!
//! Bits are those of native code: both runners take every op from [`crate::native::Lane`].
//!
//! ```text
//! Program ─prepare─► nodes ─fuse─► order, homes ─allocate─► instructions ─execute─► windows
//! ```

mod code;
mod engine;
mod execute;
mod fuse;
mod order;
mod plan;
mod scalar;
mod table;
#[cfg(test)]
mod tests;

use crate::expand::expand;
use crate::ir::{Program, Slot};
use crate::lower::Component;
use crate::native::prepare::{SpikeAs, prepare};
use crate::native::{Derived, LANES, Level, StepArgs};
use crate::real::Real;

pub(crate) use engine::Interpreted;
use engine::{Binding, Engine, Firing};
use plan::Access;
use table::{Window, recycle};

/// The step of a component, interpreted.
///
/// ```no_run
/// # fn demo(component: &rheobase_equations::lower::Component,
/// #         args: &mut rheobase_equations::native::StepArgs<'_, f32>) {
/// use rheobase_equations::block::BlockProgram;
/// let mut program = BlockProgram::<f32>::new(component);
/// program.step(args);
/// # }
/// ```
#[derive(Debug)]
pub struct BlockProgram<R: Real> {
    engine: Engine<R>,
    n_inputs: usize,
    n_uniforms: usize,
}

impl<R: Real> BlockProgram<R> {
    /// Compiles the step of `component`.
    #[must_use]
    pub fn new(component: &Component) -> Self {
        let program = prepare(&component.expanded_step(R::PRECISION), SpikeAs::Flag);
        let n_inputs = component.model.inputs.len();
        let mut engine = Engine::new(program);
        // Inputs are cleared by every step, whether it reads them or not.
        for k in 0..n_inputs {
            engine.add_slot(Slot::Input(index(k)));
        }
        Self {
            engine,
            n_inputs,
            n_uniforms: component.n_draws().0,
        }
    }

    /// Compiles any program for [`BlockFunction::run`].
    #[must_use]
    pub fn compile(program: &Program) -> BlockFunction<R> {
        BlockFunction::new(program)
    }

    /// Runs at `level` (or the highest the machine has below it) instead of the highest. Bits do
    /// not depend on it.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.engine.set_level(level);
        self
    }

    /// One step of a population.
    ///
    /// Allocates only in the first call and when a derived quantity changes between shared and per
    /// neuron.
    ///
    /// # Panics
    /// If an array of `args` is shorter than the component needs.
    pub fn step(&mut self, args: &mut StepArgs<'_, R>) {
        let derived = args.derived;
        self.engine.prepare(|slot| match slot {
            Slot::State(_) | Slot::Input(_) | Slot::Output(_) => Access::Write,
            Slot::Derived(k) => match derived[k as usize] {
                Derived::Shared(_) => Access::Scalar,
                Derived::PerNeuron(_) => Access::Read,
            },
            Slot::Uniform(_) | Slot::Normal(_) => Access::Read,
            _ => Access::Scalar,
        });
        let stride = args.stride;
        let blocks = args.n.div_ceil(LANES);
        let mut states = Group::new(args.states, stride, blocks);
        let mut inputs = Group::new(args.inputs, args.input_stride, blocks);
        let mut outputs = Group::new(args.outputs, stride, blocks);
        let (random, n_uniforms, time) = (args.random, self.n_uniforms, args.time);
        self.engine.run(
            blocks,
            |slot| match slot {
                Slot::State(k) => Binding::Window(states.window(k)),
                Slot::Input(k) => Binding::Window(inputs.window(k)),
                Slot::Output(k) => Binding::Window(outputs.window(k)),
                Slot::Uniform(k) => Binding::Window(read(random, k as usize, stride, blocks)),
                Slot::Normal(k) => {
                    Binding::Window(read(random, n_uniforms + k as usize, stride, blocks))
                }
                Slot::Derived(k) => match &derived[k as usize] {
                    Derived::Shared(block) => Binding::Scalar(block[0]),
                    Derived::PerNeuron(values) => Binding::Window(read(values, 0, stride, blocks)),
                },
                Slot::Time => Binding::Scalar(time),
                other => unreachable!("a step does not use {other:?}"),
            },
            Some(Firing {
                n: args.n,
                spikes: args.spikes,
                bits: args.bits.as_deref_mut(),
            }),
            self.n_inputs,
        );
    }
}

/// What a slot of a [`BlockFunction`] is bound to when it is read.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, R> {
    /// One value for all lanes.
    Scalar(R),
    /// One value per lane; at least as long as the lanes run, rounded up to whole blocks.
    Array(&'a [R]),
}

/// Any program, interpreted over lanes: adjoints, forward steps that keep a tape, surrogates.
///
/// ```
/// use rheobase_equations::block::{BlockFunction, Operand};
/// use rheobase_equations::ir::{Builder, Slot};
///
/// let mut b = Builder::new();
/// let x = b.load(Slot::Argument(0));
/// let a = b.load(Slot::Argument(1));
/// let y = b.mul(a, x);
/// b.store(Slot::Output(0), y);
/// let mut f = BlockFunction::<f64>::new(&b.finish());
///
/// let x = [1.5; 64];
/// let mut y = [0.0; 64];
/// f.run(
///     64,
///     |slot| match slot {
///         Slot::Argument(0) => Operand::Array(&x),
///         _ => Operand::Scalar(2.0),
///     },
///     &mut [(Slot::Output(0), &mut y)],
/// );
/// assert_eq!(y, [3.0; 64]);
/// ```
#[derive(Debug)]
pub struct BlockFunction<R: Real> {
    engine: Engine<R>,
    written: Vec<Slot>,
    /// Kept for its memory, empty between runs.
    targets: Vec<Window<'static, R>>,
}

impl<R: Real> BlockFunction<R> {
    /// Compiles `program`; transcendental functions in it are expanded.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let program = prepare(&expand(program, R::PRECISION), SpikeAs::Float);
        Self {
            engine: Engine::new(program),
            written: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Runs at `level` (or the highest the machine has below it) instead of the highest.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.engine.set_level(level);
        self
    }

    /// Slots the program reads, then those only written, each once.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.engine.slots()
    }

    /// Runs the program over `lanes` lanes, a multiple of [`LANES`].
    ///
    /// `read` gives what each slot that is read is bound to. `writes` names an array for every slot
    /// that is stored; a slot that is read and written reads the old contents of that array, and
    /// `read` is not asked for it. Allocates only in the first call and when a slot changes between
    /// scalar and array.
    ///
    /// # Panics
    /// If `lanes` is no multiple of [`LANES`], an array is shorter than `lanes`, or a stored slot
    /// is missing from `writes`.
    pub fn run<'a>(
        &mut self,
        lanes: usize,
        read: impl Fn(Slot) -> Operand<'a, R>,
        writes: &mut [(Slot, &mut [R])],
    ) {
        assert!(
            lanes.is_multiple_of(LANES),
            "{lanes} lanes are no whole number of blocks"
        );
        let blocks = lanes / LANES;
        for slot in self.engine.stored() {
            assert!(
                writes.iter().any(|(s, _)| *s == slot),
                "nowhere to write {slot:?}"
            );
        }
        self.engine.prepare(|slot| {
            if writes.iter().any(|(s, _)| *s == slot) {
                Access::Write
            } else {
                match read(slot) {
                    Operand::Scalar(_) => Access::Scalar,
                    Operand::Array(_) => Access::Read,
                }
            }
        });
        self.written.clear();
        self.written.extend(writes.iter().map(|(slot, _)| *slot));
        let mut targets = recycle(std::mem::take(&mut self.targets));
        targets.extend(
            writes
                .iter_mut()
                .map(|(_, array)| Window::from_mut(array, blocks)),
        );
        let written = &self.written;
        self.engine.run(
            blocks,
            |slot| match written.iter().position(|s| *s == slot) {
                Some(k) => Binding::Window(std::mem::take(&mut targets[k])),
                None => match read(slot) {
                    Operand::Scalar(x) => Binding::Scalar(x),
                    Operand::Array(values) => Binding::Window(self::read(values, 0, 0, blocks)),
                },
            },
            None,
            0,
        );
        self.targets = recycle(targets);
    }
}

/// Hands out the arrays of a group in ascending order.
struct Group<'a, R> {
    rest: &'a mut [R],
    next: u32,
    stride: usize,
    blocks: usize,
}

impl<'a, R: Real> Group<'a, R> {
    fn new(rest: &'a mut [R], stride: usize, blocks: usize) -> Self {
        Self {
            rest,
            next: 0,
            stride,
            blocks,
        }
    }

    fn window(&mut self, k: u32) -> Window<'a, R> {
        let skipped = (k - self.next) as usize * self.stride;
        let rest = std::mem::take(&mut self.rest).split_at_mut(skipped).1;
        // The last array may end with the group.
        let end = self.stride.min(rest.len());
        let (array, rest) = rest.split_at_mut(end);
        self.rest = rest;
        self.next = k + 1;
        Window::from_mut(array, self.blocks)
    }
}

fn read<R: Real>(group: &[R], k: usize, stride: usize, blocks: usize) -> Window<'_, R> {
    Window::from_ref(&group[k * stride..], blocks)
}

#[allow(clippy::cast_possible_truncation, reason = "components have few slots")]
fn index(i: usize) -> u32 {
    i as u32
}
