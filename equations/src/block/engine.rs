//! Binds slots to arrays and runs the instructions block by block.

use super::execute::execute;
use super::plan::{Access, Flags, Plan};
use super::scalar;
use super::table::{Window, recycle};
use crate::ir::{Program, Slot, Type};
use crate::native::{Aligned, Block, Isa, Job, LANES, Level, append_lanes, run};
use crate::real::Real;

/// Bytes of one window: large enough that choosing an instruction costs little beside running it,
/// small enough that a dozen windows stay in the first-level cache.
const WINDOW_BYTES: usize = 4096;

/// What a slot is bound to in one run.
pub(super) enum Binding<'a, R> {
    Scalar(R),
    Window(Window<'a, R>),
}

/// Where spikes go.
pub(super) struct Firing<'a> {
    pub(super) n: usize,
    pub(super) spikes: &'a mut Vec<u32>,
    pub(super) bits: Option<&'a mut [u64]>,
}

impl Firing<'_> {
    fn append(&mut self, mask: u64, block: usize) {
        append_lanes(mask, block, self.n, self.spikes, &mut self.bits);
    }
}

/// A program, the plan for the way its slots are bound now, and working memory.
#[derive(Debug)]
pub(super) struct Engine<R: Real> {
    program: Program,
    slots: Vec<(Slot, Access)>,
    plan: Option<Plan>,
    level: Level,
    registers: Aligned<R>,
    scalars: Vec<R>,
    /// Kept for their memory, always empty between runs.
    rests: Vec<Window<'static, R>>,
    table: Vec<Window<'static, R>>,
}

impl<R: Real> Engine<R> {
    /// For a program that went through `prepare`.
    pub(super) fn new(program: Program) -> Self {
        let mut engine = Self {
            slots: Vec::new(),
            plan: None,
            level: Level::detected(),
            registers: Aligned::default(),
            scalars: Vec::new(),
            rests: Vec::new(),
            table: Vec::new(),
            program,
        };
        let stored: Vec<Slot> = engine.program.stores.iter().map(|s| s.slot).collect();
        for slot in engine.program.loads().into_iter().chain(stored) {
            engine.add_slot(slot);
        }
        engine
    }

    pub(super) fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Binds `slot` too, though the program may not use it.
    pub(super) fn add_slot(&mut self, slot: Slot) {
        if !self.slots.iter().any(|(s, _)| *s == slot) {
            self.slots.push((slot, Access::Scalar));
        }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().map(|(slot, _)| *slot)
    }

    pub(super) fn stored(&self) -> impl Iterator<Item = Slot> {
        self.program.stores.iter().map(|s| s.slot)
    }

    /// Compiles for this way of binding slots, unless that is the last one.
    pub(super) fn prepare(&mut self, access: impl Fn(Slot) -> Access) {
        let mut changed = self.plan.is_none();
        for (slot, now) in &mut self.slots {
            let new = access(*slot);
            changed |= *now != new;
            *now = new;
        }
        if changed {
            let plan = Plan::new(&self.program, &self.slots, self.is_flagged());
            let window = WINDOW_BYTES / R::BYTES;
            self.registers = Aligned::zeroed(plan.n_registers * window);
            self.plan = Some(plan);
        }
    }

    /// The spike output is a truth value.
    fn is_flagged(&self) -> bool {
        self.program
            .stored(Slot::Spike)
            .is_some_and(|v| self.program.types()[v.index()] == Type::Bool)
    }

    /// Runs over `blocks` blocks. `bind` is asked for scalars, then for arrays in ascending order
    /// of slots; the first `n_cleared` inputs are zero afterwards.
    pub(super) fn run<'a>(
        &mut self,
        blocks: usize,
        mut bind: impl FnMut(Slot) -> Binding<'a, R>,
        firing: Option<Firing<'a>>,
        n_cleared: usize,
    ) {
        let Some(plan) = &self.plan else { return };
        scalar::evaluate::<R>(&plan.scalars, &mut self.scalars, |slot| match bind(slot) {
            Binding::Scalar(x) => x,
            Binding::Window(_) => R::ZERO,
        });
        let mut rests = recycle(std::mem::take(&mut self.rests));
        for &slot in &plan.arrays {
            rests.push(match bind(slot) {
                Binding::Window(w) => w,
                Binding::Scalar(_) => Window::default(),
            });
        }
        let first_cleared = plan
            .arrays
            .iter()
            .position(|s| matches!(s, Slot::Input(_)))
            .unwrap_or(0);
        let per_window = WINDOW_BYTES / R::BYTES / LANES;
        let mut table = recycle(std::mem::take(&mut self.table));
        table.resize_with(plan.arrays.len(), Window::default);
        let registers = self.registers.as_chunks_mut::<LANES>().0;
        table.extend(registers.chunks_mut(per_window).map(Window::Mut));
        let mut interpreter = Interpreter {
            plan,
            scalars: &self.scalars,
            rests: &mut rests,
            table: &mut table,
            per_window,
            blocks,
            firing,
            cleared: first_cleared..first_cleared + n_cleared,
        };
        R::interpret(self.level, &mut interpreter);
        self.rests = recycle(rests);
        self.table = recycle(table);
    }
}

/// The types the interpreter exists for. Implemented for each by itself, so that the interpreter is
/// compiled here, once, and not again in every crate that uses it.
#[allow(
    unreachable_pub,
    reason = "supertrait of a public trait, sealed by its private module"
)]
pub trait Interpreted: Sized {
    #[doc(hidden)]
    fn interpret(level: Level, interpreter: &mut Interpreter<'_, '_, Self>);
}

impl Interpreted for f32 {
    fn interpret(level: Level, interpreter: &mut Interpreter<'_, '_, Self>) {
        run(level, Interpret(interpreter));
    }
}

impl Interpreted for f64 {
    fn interpret(level: Level, interpreter: &mut Interpreter<'_, '_, Self>) {
        run(level, Interpret(interpreter));
    }
}

/// One run of a plan.
#[allow(unreachable_pub, reason = "named by a supertrait of a public trait")]
pub struct Interpreter<'r, 'a, R> {
    plan: &'r Plan,
    scalars: &'r [R],
    rests: &'r mut Vec<Window<'a, R>>,
    table: &'r mut Vec<Window<'a, R>>,
    per_window: usize,
    blocks: usize,
    firing: Option<Firing<'a>>,
    cleared: std::ops::Range<usize>,
}

struct Interpret<'i, 'r, 'a, R>(&'i mut Interpreter<'r, 'a, R>);

impl<R: Real> Job for Interpret<'_, '_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let this = self.0;
        for instruction in &this.plan.prelude {
            execute::<R, I>(instruction, this.table, this.scalars, this.per_window);
        }
        let mut start = 0;
        while start < this.blocks {
            let k = this.per_window.min(this.blocks - start);
            for (window, rest) in this.table.iter_mut().zip(this.rests.iter_mut()) {
                *window = rest.split_off(k);
            }
            for instruction in &this.plan.code {
                execute::<R, I>(instruction, this.table, this.scalars, k);
            }
            this.report(start, k);
            this.clear(k);
            start += k;
        }
    }
}

impl<R: Real> Interpreter<'_, '_, R> {
    #[inline(always)]
    fn clear(&mut self, k: usize) {
        for w in self.cleared.clone() {
            if let Window::Mut(blocks) = &mut self.table[w] {
                blocks[..k].as_flattened_mut().fill(R::ZERO);
            }
        }
    }

    #[inline(always)]
    fn report(&mut self, start: usize, k: usize) {
        let Some(firing) = &mut self.firing else {
            return;
        };
        match self.plan.flags {
            Flags::None => {}
            Flags::Window(w) => {
                for (j, flags) in self.table[w as usize].first(k).iter().enumerate() {
                    if any(flags) {
                        firing.append(lanes(flags), start + j);
                    }
                }
            }
            Flags::Scalar(s) if self.scalars[s as usize].lane_is_set() => {
                for j in start..start + k {
                    firing.append(u64::MAX, j);
                }
            }
            Flags::Scalar(_) => {}
        }
    }
}

#[inline(always)]
fn any<R: Real>(flags: &Block<R>) -> bool {
    let mut any = R::lane_int(0);
    for flag in flags {
        any = R::int_or(any, flag.lane_bits());
    }
    any != R::lane_int(0)
}

#[inline(never)]
fn lanes<R: Real>(flags: &Block<R>) -> u64 {
    let mut mask = 0;
    for (l, flag) in flags.iter().enumerate() {
        mask |= u64::from(flag.lane_is_set()) << l;
    }
    mask
}
