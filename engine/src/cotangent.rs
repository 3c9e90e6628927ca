//! Cotangents of what nodes emitted, for every step of a taped run.

use rheobase_equations::real::Real;

use crate::plan::NodeId;

/// One array `[steps, lanes]` per node.
#[derive(Clone, Debug)]
pub struct Cotangents<R> {
    steps: usize,
    lanes: Vec<usize>,
    values: Vec<Vec<R>>,
}

impl<R: Real> Cotangents<R> {
    /// Zeros for nodes of the given numbers of lanes over `steps` steps.
    #[must_use]
    pub fn new(lanes: Vec<usize>, steps: usize) -> Self {
        let values = lanes.iter().map(|&n| vec![R::ZERO; n * steps]).collect();
        Self {
            steps,
            lanes,
            values,
        }
    }

    /// Number of steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The cotangent of what `node` emitted at `step` (≥ 1).
    #[allow(
        clippy::cast_possible_truncation,
        reason = "steps of a tape are in memory"
    )]
    pub fn at(&mut self, node: NodeId, step: u64) -> &mut [R] {
        let n = self.lanes[node];
        let start = (step as usize - 1) * n;
        &mut self.values[node][start..start + n]
    }

    /// All steps of a node.
    pub fn node(&mut self, node: NodeId) -> &mut [R] {
        &mut self.values[node]
    }
}
