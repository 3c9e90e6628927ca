//! The one schedule: how long a slice may be, and in which order nodes run within it.
//!
//! Every cycle of the graph holds at least one step of delay. The slice is as long as the smallest
//! delay inside a strongly connected component, so its members need nothing of each other within
//! the slice; components run in topological order, each for all steps of the slice. For recurrent
//! networks this is the minimum-delay slice, for layered ones the merge of time and batch. Where an
//! edge inside a component has no delay, the slice is one step, in which its source runs first.

use crate::plan::NodeId;

/// An edge as the schedule sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DelayedEdge {
    /// Where from.
    pub source: NodeId,
    /// Where to.
    pub target: NodeId,
    /// Smallest delay in steps.
    pub min_delay: u64,
    /// Largest delay in steps.
    pub max_delay: u64,
}

/// When nodes run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Steps of a slice.
    pub slice_len: usize,
    /// Nodes of each phase, ascending; phases run one after the other within a slice.
    pub phases: Vec<Vec<NodeId>>,
    /// Longest delay of the edges that leave each node.
    pub reach: Vec<u64>,
}

/// Longest slice, where no cycle asks for a shorter one.
pub const MAX_SLICE: u64 = 64;

/// A cycle without delay.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the edge from node {source_node} to node {target} lies on a cycle without delay; every cycle needs at least one step"
)]
pub struct ZeroDelayCycle {
    /// Source of the offending edge.
    pub source_node: NodeId,
    /// Its target.
    pub target: NodeId,
}

/// The schedule of a graph.
///
/// # Errors
/// If a cycle has no delay.
pub fn schedule(n_nodes: usize, edges: &[DelayedEdge]) -> Result<Schedule, ZeroDelayCycle> {
    let component = components(n_nodes, edges);
    let inside = |e: &&DelayedEdge| component[e.source] == component[e.target];
    let rank = ranks(n_nodes, edges, &component)?;
    let shortest = edges.iter().filter(inside).map(|e| e.min_delay).min();
    let slice = shortest.unwrap_or(MAX_SLICE).clamp(1, MAX_SLICE);
    let level = levels(n_nodes, edges, (&component, &rank), slice);
    let n_phases = level.iter().max().map_or(0, |m| m + 1);
    let mut phases = vec![Vec::new(); n_phases];
    for (node, &l) in level.iter().enumerate() {
        phases[l].push(node);
    }
    Ok(Schedule {
        slice_len: usize::try_from(slice).unwrap_or(1),
        phases,
        reach: (0..n_nodes)
            .map(|n| {
                edges
                    .iter()
                    .filter(|e| e.source == n)
                    .map(|e| e.max_delay)
                    .max()
                    .unwrap_or(0)
            })
            .collect(),
    })
}

/// Place of each node among those of its component that it hears of without delay: one more than the
/// latest of them.
///
/// # Errors
/// If they form a cycle.
pub(crate) fn ranks(
    n_nodes: usize,
    edges: &[DelayedEdge],
    component: &[usize],
) -> Result<Vec<usize>, ZeroDelayCycle> {
    let instant: Vec<&DelayedEdge> = edges
        .iter()
        .filter(|e| e.min_delay == 0 && component[e.source] == component[e.target])
        .collect();
    let mut rank = vec![0; n_nodes];
    // A chain is no longer than there are edges.
    for _ in 0..=instant.len() {
        let mut is_settled = true;
        for e in &instant {
            if rank[e.target] <= rank[e.source] {
                rank[e.target] = rank[e.source] + 1;
                is_settled = false;
            }
        }
        if is_settled {
            return Ok(rank);
        }
    }
    // Some edge still asks for more: it lies on a cycle, or behind one.
    let on_cycle = instant.iter().max_by_key(|e| rank[e.source]);
    let (source_node, target) = on_cycle.map_or((0, 0), |e| (e.source, e.target));
    Err(ZeroDelayCycle {
        source_node,
        target,
    })
}

/// Phase of each node: one more than the latest node it needs within the same slice.
fn levels(
    n_nodes: usize,
    edges: &[DelayedEdge],
    (component, rank): (&[usize], &[usize]),
    slice: u64,
) -> Vec<usize> {
    let needed: Vec<&DelayedEdge> = edges
        .iter()
        .filter(|e| e.min_delay < slice && component[e.source] != component[e.target])
        .collect();
    let mut level = vec![0; n_nodes];
    // Components are numbered in reverse topological order, so walking them downwards sees every
    // source before its targets.
    let mut order: Vec<NodeId> = (0..n_nodes).collect();
    order.sort_by_key(|&n| std::cmp::Reverse(component[n]));
    let mut start = 0;
    while start < n_nodes {
        let c = component[order[start]];
        let end = start
            + order[start..]
                .iter()
                .take_while(|&&n| component[n] == c)
                .count();
        let members = &order[start..end];
        let highest = needed
            .iter()
            .filter(|e| members.contains(&e.target))
            .map(|e| level[e.source] + 1)
            .max()
            .unwrap_or(0);
        for &n in members {
            level[n] = highest + rank[n];
        }
        start = end;
    }
    level
}

/// Strongly connected components (Tarjan, without recursion), numbered in reverse topological order.
#[must_use]
pub fn components(n_nodes: usize, edges: &[DelayedEdge]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut targets = vec![Vec::new(); n_nodes];
    for e in edges {
        targets[e.source].push(e.target);
    }
    let (mut index, mut low) = (vec![UNSEEN; n_nodes], vec![0; n_nodes]);
    let (mut component, mut n_components, mut counter) = (vec![UNSEEN; n_nodes], 0, 0);
    let mut stack = Vec::new();
    for root in 0..n_nodes {
        if index[root] != UNSEEN {
            continue;
        }
        let mut path: Vec<(NodeId, usize)> = vec![(root, 0)];
        while let Some(&mut (v, ref mut next)) = path.last_mut() {
            if *next == 0 {
                index[v] = counter;
                low[v] = counter;
                counter += 1;
                stack.push(v);
            }
            if let Some(&w) = targets[v].get(*next) {
                *next += 1;
                if index[w] == UNSEEN {
                    path.push((w, 0));
                } else if component[w] == UNSEEN {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            path.pop();
            if let Some(&(parent, _)) = path.last() {
                low[parent] = low[parent].min(low[v]);
            }
            if low[v] == index[v] {
                while let Some(w) = stack.pop() {
                    component[w] = n_components;
                    if w == v {
                        break;
                    }
                }
                n_components += 1;
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: NodeId, target: NodeId, min_delay: u64) -> DelayedEdge {
        DelayedEdge {
            source,
            target,
            min_delay,
            max_delay: min_delay,
        }
    }

    #[test]
    fn a_recurrent_network_runs_in_slices_of_its_smallest_delay() {
        let s = schedule(2, &[edge(0, 1, 15), edge(1, 0, 20), edge(0, 0, 17)]).unwrap();
        assert_eq!(
            (s.slice_len, s.phases, s.reach),
            (15, vec![vec![0, 1]], vec![17, 20])
        );
    }

    #[test]
    fn layers_run_one_after_the_other_for_a_whole_slice() {
        let s = schedule(4, &[edge(3, 1, 0), edge(1, 0, 0), edge(0, 2, 0)]).unwrap();
        assert_eq!(s.slice_len, 64);
        assert_eq!(s.phases, vec![vec![3], vec![1], vec![0], vec![2]]);
    }

    #[test]
    fn a_long_feedforward_delay_needs_no_order() {
        let s = schedule(3, &[edge(0, 1, 3), edge(1, 1, 2), edge(1, 2, 1)]).unwrap();
        assert_eq!((s.slice_len, s.phases), (2, vec![vec![0, 1], vec![2]]));
    }

    #[test]
    fn a_cycle_needs_one_step_and_no_more() {
        let s = schedule(3, &[edge(0, 1, 0), edge(1, 0, 5), edge(1, 2, 0)]).unwrap();
        assert_eq!(
            (s.slice_len, s.phases),
            (1, vec![vec![0], vec![1], vec![2]])
        );
        let e = schedule(3, &[edge(2, 0, 0), edge(0, 1, 0), edge(1, 0, 0)]).unwrap_err();
        assert!([(0, 1), (1, 0)].contains(&(e.source_node, e.target)));
        assert!(schedule(1, &[edge(0, 0, 0)]).is_err());
    }
}
