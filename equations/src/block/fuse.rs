//! From values to nodes: scalars split off, frequent pairs fused.

use super::code::Code;
use super::plan::Access;
use crate::ir::{Binary, Op, Program, Slot, Unary, Value};

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The array bound to a slot, old contents.
    Array(usize),
    /// The result of a node.
    Node(usize),
    /// A scalar.
    Scalar(usize),
}

/// One packed operation.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) code: Code,
    pub(super) immediate: u32,
    pub(super) args: Vec<Source>,
    /// Fused into its only user.
    pub(super) dead: bool,
}

/// A program as nodes over arrays and scalars.
#[derive(Debug)]
pub(super) struct Graph {
    /// Scalar computations in order; operands are positions in this list.
    pub(super) scalars: Vec<Op>,
    pub(super) nodes: Vec<Node>,
    /// What is written to each slot.
    pub(super) stores: Vec<(Slot, Source)>,
    uses: Vec<usize>,
}

impl Graph {
    /// Nodes of `program`; `arrays` are the slots bound to arrays, in window order, `access` tells
    /// which slots are scalars.
    pub(super) fn new(program: &Program, arrays: &[Slot], access: impl Fn(Slot) -> Access) -> Self {
        let mut graph = Self {
            scalars: Vec::new(),
            nodes: Vec::new(),
            stores: Vec::new(),
            uses: Vec::new(),
        };
        let mut sources: Vec<Source> = Vec::with_capacity(program.ops.len());
        for op in &program.ops {
            let source = graph.place(program, op, arrays, &access, &sources);
            sources.push(source);
        }
        graph.stores = program
            .stores
            .iter()
            .map(|s| (s.slot, sources[s.value.index()]))
            .collect();
        graph.count_uses();
        graph.fuse();
        graph
    }

    fn place(
        &mut self,
        program: &Program,
        op: &Op,
        arrays: &[Slot],
        access: &impl Fn(Slot) -> Access,
        sources: &[Source],
    ) -> Source {
        if let Op::Load(slot) = op
            && access(*slot) != Access::Scalar
            && let Ok(window) = arrays.binary_search(slot)
        {
            return Source::Array(window);
        }
        let mut all_scalar = true;
        op.for_each_operand(|v| all_scalar &= matches!(sources[v.index()], Source::Scalar(_)));
        if all_scalar {
            let op = op.map_operands(|v| match sources[v.index()] {
                Source::Scalar(k) => Value(position(k)),
                _ => v,
            });
            self.scalars.push(op);
            return Source::Scalar(self.scalars.len() - 1);
        }
        if let Op::Unary(Unary::ToBits | Unary::FromBits, x) = op {
            return sources[x.index()];
        }
        self.nodes.push(node(program, op, sources));
        Source::Node(self.nodes.len() - 1)
    }

    fn count_uses(&mut self) {
        self.uses = vec![0; self.nodes.len()];
        let args = self.nodes.iter().flat_map(|n| &n.args);
        for source in args.chain(self.stores.iter().map(|(_, s)| s)) {
            if let Source::Node(k) = source {
                self.uses[*k] += 1;
            }
        }
    }

    fn fuse(&mut self) {
        for i in 0..self.nodes.len() {
            match self.nodes[i].code {
                Code::And => self.fuse_not_and(i),
                Code::Add => self.fuse_add(i),
                Code::Sub => self.fuse_sub(i),
                Code::Select => self.fuse_select(i),
                _ => {}
            }
        }
    }

    /// The node behind argument `k` of node `i`, if it has one of `codes` and no other use.
    fn only_use(&self, i: usize, k: usize, codes: &[Code]) -> Option<usize> {
        match self.nodes[i].args[k] {
            Source::Node(m) if self.uses[m] == 1 && codes.contains(&self.nodes[m].code) => Some(m),
            _ => None,
        }
    }

    /// Replaces node `i`, taking over the arguments of `fused`.
    fn replace(&mut self, i: usize, code: Code, args: Vec<Source>, fused: &[usize]) {
        for &m in fused {
            self.nodes[m].dead = true;
            self.nodes[m].args.clear();
            self.uses[m] = 0;
        }
        self.nodes[i].code = code;
        self.nodes[i].args = args;
    }

    fn fuse_add(&mut self, i: usize) {
        if self.fuse_linear(i) {
            return;
        }
        for k in [1, 0] {
            if let Some(q) = self.only_use(i, k, &[Code::Mul]) {
                self.fuse_product(i, q, self.nodes[i].args[1 - k], Code::MulAdd);
                return;
            }
        }
    }

    /// Two scaled windows, or a sum of some with one more or with a scalar.
    fn fuse_linear(&mut self, i: usize) -> bool {
        for k in [0, 1] {
            let Some(sum) = self.only_use(
                i,
                k,
                &[Code::Mul, Code::Linear2, Code::Linear3, Code::Linear4],
            ) else {
                continue;
            };
            if self.nodes[sum].code == Code::Mul && !self.is_scaled(sum) {
                continue;
            }
            let (args, fused) = match self.nodes[i].args[1 - k] {
                other @ Source::Scalar(_) if self.nodes[sum].code != Code::Mul => {
                    ([self.scaled_args(sum), vec![other]].concat(), vec![sum])
                }
                _ => match self.only_use(i, 1 - k, &[Code::Mul]) {
                    Some(product) if product != sum && self.is_scaled(product) => {
                        let args = [self.scaled_args(sum), self.scaled_args(product)].concat();
                        (args, vec![sum, product])
                    }
                    _ => continue,
                },
            };
            let Some(code) = linear(args.len()) else {
                continue;
            };
            self.replace(i, code, args, &fused);
            return true;
        }
        false
    }

    fn fuse_sub(&mut self, i: usize) {
        if let Some(q) = self.only_use(i, 1, &[Code::Mul]) {
            self.fuse_product(i, q, self.nodes[i].args[0], Code::SubMul);
        } else if let Some(p) = self.only_use(i, 0, &[Code::Mul]) {
            self.fuse_product(i, p, self.nodes[i].args[1], Code::MulSub);
        }
    }

    fn fuse_product(&mut self, i: usize, product: usize, other: Source, code: Code) {
        let mut args = self.nodes[product].args.clone();
        args.push(other);
        self.replace(i, code, args, &[product]);
    }

    /// A product of a window and a scalar.
    fn is_scaled(&self, m: usize) -> bool {
        let scalars = self.nodes[m]
            .args
            .iter()
            .filter(|a| matches!(a, Source::Scalar(_)));
        scalars.count() == 1
    }

    /// The window, then the scalar; those of a sum of such products are in this order already.
    fn scaled_args(&self, m: usize) -> Vec<Source> {
        let mut args = self.nodes[m].args.clone();
        if self.nodes[m].code == Code::Mul {
            args.sort_by_key(|a| matches!(a, Source::Scalar(_)));
        }
        args
    }

    fn fuse_select(&mut self, i: usize) {
        if self.fuse_countdown(i) {
            return;
        }
        if let Some(m) = self.only_use(i, 0, &[Code::Lt, Code::Le]) {
            let code = if self.nodes[m].code == Code::Lt {
                Code::SelectLt
            } else {
                Code::SelectLe
            };
            let mut args = self.nodes[m].args.clone();
            args.extend_from_slice(&self.nodes[i].args[1..]);
            self.replace(i, code, args, &[m]);
        }
    }

    /// `u ? v : (w ? x − y : z)` with scalar y and z.
    fn fuse_countdown(&mut self, i: usize) -> bool {
        let Some(inner) = self.only_use(i, 2, &[Code::Select]) else {
            return false;
        };
        let Some(difference) = self.only_use(inner, 1, &[Code::Sub]) else {
            return false;
        };
        let [u, v, _] = self.nodes[i].args[..] else {
            return false;
        };
        let [w, _, z] = self.nodes[inner].args[..] else {
            return false;
        };
        let [x, y] = self.nodes[difference].args[..] else {
            return false;
        };
        let is_scalar = |s: &Source| matches!(s, Source::Scalar(_));
        if !is_scalar(&y) || !is_scalar(&z) || is_scalar(&u) || is_scalar(&w) {
            return false;
        }
        self.replace(
            i,
            Code::Countdown,
            vec![u, v, w, x, y, z],
            &[inner, difference],
        );
        true
    }

    /// `!x & y`, and with a comparison for y.
    fn fuse_not_and(&mut self, i: usize) {
        let is_not = |s: &Source| matches!(s, Source::Node(m) if self.nodes[*m].code == Code::Not);
        let Some(k) = self.nodes[i].args.iter().position(is_not) else {
            return;
        };
        let (Source::Node(m), other) = (self.nodes[i].args[k], self.nodes[i].args[1 - k]) else {
            return;
        };
        let inner = self.nodes[m].args[0];
        // The negation may have other users and stay.
        self.uses[m] -= 1;
        if self.uses[m] == 0 {
            self.nodes[m].dead = true;
            self.nodes[m].args.clear();
        } else if let Source::Node(x) = inner {
            self.uses[x] += 1;
        }
        let compared = self.only_use(i, 1 - k, &[Code::Lt, Code::Le]);
        let is_mask_window = !matches!(inner, Source::Scalar(_));
        match compared {
            Some(c) if is_mask_window => {
                let code = if self.nodes[c].code == Code::Lt {
                    Code::NotAndLt
                } else {
                    Code::NotAndLe
                };
                let mut args = vec![inner];
                args.extend_from_slice(&self.nodes[c].args);
                self.replace(i, code, args, &[c]);
            }
            _ => self.replace(i, Code::NotAnd, vec![inner, other], &[]),
        }
    }
}

/// The code for so many operands: two per product, one for a scalar added last.
fn linear(n_args: usize) -> Option<Code> {
    Some(match n_args {
        4 => Code::Linear2,
        5 => Code::Linear2C,
        6 => Code::Linear3,
        7 => Code::Linear3C,
        8 => Code::Linear4,
        9 => Code::Linear4C,
        _ => return None,
    })
}

fn node(program: &Program, op: &Op, sources: &[Source]) -> Node {
    let source = |v: &Value| sources[v.index()];
    let (code, args, immediate) = match op {
        Op::Unary(u, x) => (unary(*u), vec![source(x)], 0),
        Op::Binary(o @ (Binary::Shl | Binary::Shr), x, y) => {
            let by = match program.ops[y.index()] {
                Op::Int(by) => by,
                _ => 0,
            };
            #[allow(clippy::cast_possible_truncation, reason = "taken modulo the width")]
            #[allow(clippy::cast_sign_loss, reason = "taken modulo the width")]
            (binary(*o), vec![source(x)], by as u32)
        }
        Op::Binary(o, x, y) => (binary(*o), vec![source(x), source(y)], 0),
        Op::Select(c, x, y) => (Code::Select, vec![source(c), source(x), source(y)], 0),
        other => unreachable!("{other:?} does not outlive preparation"),
    };
    Node {
        code,
        immediate,
        args,
        dead: false,
    }
}

fn unary(u: Unary) -> Code {
    match u {
        Unary::Neg => Code::Neg,
        Unary::Abs => Code::Abs,
        Unary::Sqrt => Code::Sqrt,
        Unary::Floor => Code::Floor,
        Unary::Round => Code::Round,
        Unary::ToInt => Code::ToInt,
        Unary::ToFloat => Code::ToFloat,
        Unary::Not => Code::Not,
        Unary::Indicator => Code::Indicator,
        other => unreachable!("{other:?} does not outlive expansion"),
    }
}

fn binary(o: Binary) -> Code {
    match o {
        Binary::Add => Code::Add,
        Binary::Sub => Code::Sub,
        Binary::Mul => Code::Mul,
        Binary::Div => Code::Div,
        Binary::Min => Code::Min,
        Binary::Max => Code::Max,
        Binary::Lt => Code::Lt,
        Binary::Le => Code::Le,
        Binary::Eq => Code::Eq,
        Binary::And | Binary::IntAnd => Code::And,
        Binary::Or | Binary::IntOr => Code::Or,
        Binary::IntAdd => Code::IntAdd,
        Binary::IntSub => Code::IntSub,
        Binary::IntLt => Code::IntLt,
        Binary::Shl => Code::Shl,
        Binary::Shr => Code::Shr,
        Binary::Pow => unreachable!("Pow does not outlive expansion"),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "programs are limited to 65,536 ops"
)]
fn position(k: usize) -> u32 {
    k as u32
}
