//! Compiles a prepared program to instructions: windows and registers allotted.

use std::collections::HashMap;

use super::code::{Arg, Code, Instruction, MAX_ARGS, Shape};
use super::fuse::{Graph, Source};
use super::order::{Legal, Order, legalise, order};
use crate::ir::{Op, Program, Slot};

/// How a slot is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// One value for all lanes.
    Scalar,
    /// An array to read.
    Read,
    /// An array to write, perhaps read first.
    Write,
}

/// Where the spike flags are after the instructions of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flags {
    /// The program does not fire.
    None,
    /// A mask in a window.
    Window(u32),
    /// The same for all lanes.
    Scalar(u32),
}

/// A program ready to run for one way its slots are bound.
#[derive(Debug)]
pub(super) struct Plan {
    /// Slots bound to arrays, ascending; array k is window k, registers follow.
    pub(super) arrays: Vec<Slot>,
    pub(super) n_registers: usize,
    /// Scalar computations, in order; operands are positions in this list.
    pub(super) scalars: Vec<Op>,
    /// Spreads scalars into registers, once per run.
    pub(super) prelude: Vec<Instruction>,
    /// The program, once per block.
    pub(super) code: Vec<Instruction>,
    pub(super) flags: Flags,
}

impl Plan {
    /// Compiles `program`; `slots` are its slots and others to be bound. With `flagged`, the spike
    /// slot holds a truth value that goes to `flags` instead of an array.
    pub(super) fn new(program: &Program, slots: &[(Slot, Access)], flagged: bool) -> Self {
        let mut arrays: Vec<Slot> = slots
            .iter()
            .filter(|(slot, access)| {
                *access != Access::Scalar && !(flagged && *slot == Slot::Spike)
            })
            .map(|(slot, _)| *slot)
            .collect();
        arrays.sort_unstable();
        let access = |slot: Slot| {
            slots
                .iter()
                .find(|(s, _)| *s == slot)
                .map_or(Access::Scalar, |(_, access)| *access)
        };
        let mut graph = Graph::new(program, &arrays, access);
        let mut stores = Vec::new();
        let mut fired = None;
        for (slot, source) in &graph.stores {
            match arrays.binary_search(slot) {
                Ok(array) => stores.push((array, *source)),
                Err(_) => fired = Some(*source),
            }
        }
        let order = order(&mut graph, &stores);
        Allocation::new(&graph, &order, arrays.len(), fired).finish(arrays, graph, &order, fired)
    }
}

/// Gives windows to nodes, going through them in running order.
struct Allocation {
    n_arrays: usize,
    /// Window of each node's result.
    windows: Vec<u32>,
    /// Last instruction that reads each node.
    last_use: Vec<usize>,
    free: Vec<u32>,
    n_registers: usize,
    /// Registers of spread scalars.
    spread: HashMap<usize, u32>,
    prelude: Vec<Instruction>,
    code: Vec<Instruction>,
}

const TO_THE_END: usize = usize::MAX;

impl Allocation {
    fn new(graph: &Graph, order: &Order, n_arrays: usize, fired: Option<Source>) -> Self {
        let mut last_use = vec![0; graph.nodes.len()];
        for (at, &i) in order.nodes.iter().enumerate() {
            for arg in &graph.nodes[i].args {
                if let Source::Node(m) = arg {
                    last_use[*m] = at;
                }
            }
        }
        for source in order.late.iter().map(|(_, s)| *s).chain(fired) {
            if let Source::Node(m) = source {
                last_use[m] = TO_THE_END;
            }
        }
        let mut allocation = Self {
            n_arrays,
            windows: vec![0; graph.nodes.len()],
            last_use,
            free: Vec::new(),
            n_registers: 0,
            spread: HashMap::new(),
            prelude: Vec::new(),
            code: Vec::new(),
        };
        for (at, &i) in order.nodes.iter().enumerate() {
            allocation.instruction(graph, order, at, i);
        }
        allocation
    }

    fn instruction(&mut self, graph: &Graph, order: &Order, at: usize, i: usize) {
        let node = &graph.nodes[i];
        let home = order.home[i];
        let Some(Legal {
            args,
            shape,
            spread,
        }) = legalise(node, home)
        else {
            unreachable!("every node has an instruction over windows: {node:?}")
        };
        let mut sources = [0; MAX_ARGS];
        for (k, arg) in args.iter().enumerate() {
            sources[k] = self.source(*arg, spread);
        }
        // Taken before the arguments are given back: only the old contents of a home may be read
        // by the instruction that writes it.
        let target = match home {
            Some(array) => number(array),
            None => self.register(),
        };
        self.windows[i] = target;
        let immediate = node.immediate;
        self.code.push(Instruction {
            code: node.code,
            shape,
            immediate,
            target,
            sources,
        });
        self.release(graph, order, at, &args);
    }

    fn source(&mut self, source: Source, spread: bool) -> u32 {
        match source {
            Source::Array(a) => number(a),
            Source::Node(m) => self.windows[m],
            Source::Scalar(k) if spread => self.spread(k),
            Source::Scalar(k) => number(k),
        }
    }

    /// A register that holds scalar `k` in every lane, for the whole run.
    fn spread(&mut self, k: usize) -> u32 {
        if let Some(&register) = self.spread.get(&k) {
            return register;
        }
        // Never one that was used before: the prelude runs first.
        let register = self.new_register();
        self.prelude
            .push(copy(register, Source::Scalar(k), number(k)));
        self.spread.insert(k, register);
        register
    }

    fn register(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| self.new_register())
    }

    fn new_register(&mut self) -> u32 {
        self.n_registers += 1;
        number(self.n_arrays + self.n_registers - 1)
    }

    fn release(&mut self, graph: &Graph, order: &Order, at: usize, args: &[Source]) {
        for (k, arg) in args.iter().enumerate() {
            if let Source::Node(m) = *arg
                && !args[..k].contains(arg)
                && self.last_use[m] == at
                && order.home[m].is_none()
                && !graph.nodes[m].dead
            {
                self.free.push(self.windows[m]);
            }
        }
    }

    fn finish(
        mut self,
        arrays: Vec<Slot>,
        graph: Graph,
        order: &Order,
        fired: Option<Source>,
    ) -> Plan {
        for (array, source) in &order.late {
            let from = self.source(*source, false);
            self.code.push(copy(number(*array), *source, from));
        }
        let flags = match fired {
            None => Flags::None,
            Some(Source::Scalar(k)) => Flags::Scalar(number(k)),
            Some(source) => Flags::Window(self.source(source, false)),
        };
        Plan {
            arrays,
            n_registers: self.n_registers,
            scalars: graph.scalars,
            prelude: self.prelude,
            code: self.code,
            flags,
        }
    }
}

fn copy(target: u32, source: Source, from: u32) -> Instruction {
    let kind = if matches!(source, Source::Scalar(_)) {
        Arg::S
    } else {
        Arg::V
    };
    let mut sources = [0; MAX_ARGS];
    sources[0] = from;
    Instruction {
        code: Code::Copy,
        shape: kind as Shape,
        immediate: 0,
        target,
        sources,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "programs are limited to 65,536 ops"
)]
fn number(k: usize) -> u32 {
    k as u32
}
