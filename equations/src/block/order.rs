//! The order of nodes, and which of them write straight into a population array.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::code::{Arg, Code, Shape, mirrored, shape, supported};
use super::fuse::{Graph, Node, Source};

/// Nodes in running order, with homes.
#[derive(Debug)]
pub(super) struct Order {
    /// Positions of live nodes.
    pub(super) nodes: Vec<usize>,
    /// The array a node writes into instead of a register.
    pub(super) home: Vec<Option<usize>>,
    /// Stores left for the end of a block: (array, source).
    pub(super) late: Vec<(usize, Source)>,
}

/// Arguments in the order the instruction takes them, scalars that need a window named.
#[derive(Debug)]
pub(super) struct Legal {
    pub(super) args: Vec<Source>,
    pub(super) shape: Shape,
    /// Scalar arguments are to be read from windows.
    pub(super) spread: bool,
}

/// Orders the nodes of `graph`. `stores` are the arrays written, by window.
pub(super) fn order(graph: &mut Graph, stores: &[(usize, Source)]) -> Order {
    let stores = copies_as_nodes(graph, stores);
    let mut edges = Edges::new(&graph.nodes);
    let mut home: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut late = Vec::new();
    for (array, source) in stores {
        match source {
            Source::Node(m)
                if home[m].is_none()
                    && legalise(&graph.nodes[m], Some(array)).is_some()
                    && edges.run_after_readers(&graph.nodes, m, array) =>
            {
                home[m] = Some(array);
            }
            source => late.push((array, source)),
        }
    }
    let nodes = edges.topological(&graph.nodes);
    Order { nodes, home, late }
}

/// Stores of one array's old contents to another become nodes, so that they run before the former
/// is overwritten; stores of an array to itself vanish.
fn copies_as_nodes(graph: &mut Graph, stores: &[(usize, Source)]) -> Vec<(usize, Source)> {
    let mut result = Vec::with_capacity(stores.len());
    for &(array, source) in stores {
        match source {
            Source::Array(a) if a == array => {}
            Source::Array(_) => {
                let args = vec![source];
                graph.nodes.push(Node {
                    code: Code::Copy,
                    immediate: 0,
                    args,
                    dead: false,
                });
                result.push((array, Source::Node(graph.nodes.len() - 1)));
            }
            _ => result.push((array, source)),
        }
    }
    result
}

/// How `node` can be run when it writes into array `home` (`None`: a register); `None` if there is
/// no instruction for that.
pub(super) fn legalise(node: &Node, home: Option<usize>) -> Option<Legal> {
    let supported = supported(node.code);
    for spread in [false, true] {
        let mut args = node.args.clone();
        loop {
            let kinds: Vec<Arg> = args.iter().map(|a| kind(*a, home, spread)).collect();
            let shape = shape(&kinds);
            if supported.contains(&shape) {
                return Some(Legal {
                    args,
                    shape,
                    spread,
                });
            }
            if !mirrored(node.code, &mut args) || args == node.args {
                break;
            }
        }
    }
    None
}

fn kind(source: Source, home: Option<usize>, spread: bool) -> Arg {
    match source {
        Source::Array(a) if Some(a) == home => Arg::D,
        Source::Scalar(_) if !spread => Arg::S,
        _ => Arg::V,
    }
}

/// What must run after what.
struct Edges {
    /// Nodes that must run after each node.
    after: Vec<Vec<usize>>,
}

impl Edges {
    fn new(nodes: &[Node]) -> Self {
        let mut after = vec![Vec::new(); nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            for arg in &node.args {
                if let Source::Node(m) = arg {
                    after[*m].push(i);
                }
            }
        }
        Self { after }
    }

    /// Makes `writer` run after every other node that reads `array`; false, and nothing done, if
    /// one of them needs its result.
    fn run_after_readers(&mut self, nodes: &[Node], writer: usize, array: usize) -> bool {
        let reads = |n: &Node| n.args.contains(&Source::Array(array));
        let readers: Vec<usize> = (0..nodes.len())
            .filter(|&i| i != writer && reads(&nodes[i]))
            .collect();
        let later = self.descendants(writer);
        if readers.iter().any(|&r| later[r]) {
            return false;
        }
        for r in readers {
            self.after[r].push(writer);
        }
        true
    }

    fn descendants(&self, of: usize) -> Vec<bool> {
        let mut seen = vec![false; self.after.len()];
        let mut stack = vec![of];
        while let Some(i) = stack.pop() {
            for &j in &self.after[i] {
                if !seen[j] {
                    seen[j] = true;
                    stack.push(j);
                }
            }
        }
        seen
    }

    /// Every live node after those it must follow, otherwise in program order.
    fn topological(&self, nodes: &[Node]) -> Vec<usize> {
        let mut waiting = vec![0_usize; nodes.len()];
        for i in self.after.iter().flatten() {
            waiting[*i] += 1;
        }
        let ready = (0..nodes.len()).filter(|&i| waiting[i] == 0).map(Reverse);
        let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(Reverse(i)) = ready.pop() {
            if !nodes[i].dead {
                order.push(i);
            }
            for &j in &self.after[i] {
                waiting[j] -= 1;
                if waiting[j] == 0 {
                    ready.push(Reverse(j));
                }
            }
        }
        order
    }
}
