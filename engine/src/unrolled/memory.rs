//! How much is kept for back-propagation, and in segments of how many steps.

use rheobase_equations::real::Real;

use super::{Group, UnrolledError, UnrolledNode, UnrolledOptions, Work};

/// What a network keeps \[bytes\].
struct Needs {
    /// Whatever the segments: inputs, parameters are not counted.
    fixed: u64,
    /// For every step of a segment.
    per_step: u64,
    /// For every segment but one.
    per_segment: u64,
}

/// Steps of a segment: all, or as few as memory asks for.
pub(super) fn segment<R: Real>(
    nodes: &[UnrolledNode<R>],
    groups: &[Group],
    options: &UnrolledOptions,
) -> Result<usize, UnrolledError> {
    /// No array is longer.
    const LONGEST_ARRAY: u64 = isize::MAX as u64;
    let longest = options
        .steps
        .min(options.truncate_steps.unwrap_or(options.steps));
    let fit = |steps: usize| {
        options
            .truncate_steps
            .is_none_or(|t| t.is_multiple_of(steps))
    };
    let needs = needs(nodes, groups, options);
    let bytes = |steps: usize| {
        let segments = options.steps.div_ceil(steps) as u64;
        let kept = needs.per_segment.saturating_mul(segments - 1);
        let of_steps = needs.per_step.saturating_mul(steps as u64);
        needs.fixed.saturating_add(of_steps).saturating_add(kept)
    };
    let Some(allowed) = options.max_bytes else {
        let needed = bytes(longest);
        if needed <= LONGEST_ARRAY {
            return Ok(longest);
        }
        return Err(UnrolledError::Memory {
            needed,
            allowed: LONGEST_ARRAY,
            advice: "use smaller batches and fewer steps",
        });
    };
    let candidates = (1..=longest).rev().filter(|&steps| fit(steps));
    let found = candidates.clone().find(|&steps| bytes(steps) <= allowed);
    let mixes = |n: &&UnrolledNode<R>| matches!(&n.work, Work::Layer(l) if l.mixes_rows);
    let error = |needed, advice| UnrolledError::Memory {
        needed,
        allowed,
        advice,
    };
    match found {
        Some(steps) if steps < options.steps && nodes.iter().any(|n| mixes(&n)) => Err(error(
            bytes(options.steps),
            "a layer takes statistics over all steps; use smaller batches",
        )),
        Some(steps) => Ok(steps),
        None => {
            let least = candidates.map(bytes).min().unwrap_or(u64::MAX);
            Err(error(least, "allow more, or use smaller batches"))
        }
    }
}

/// Bytes that back-propagation keeps with segments of `segment` steps, weights left out.
pub(super) fn bytes<R: Real>(
    nodes: &[UnrolledNode<R>],
    groups: &[Group],
    options: &UnrolledOptions,
    segment: usize,
) -> u64 {
    let needs = needs(nodes, groups, options);
    let others = options.steps.div_ceil(segment.max(1)) as u64 - 1;
    let of_steps = needs.per_step.saturating_mul(segment as u64);
    needs
        .fixed
        .saturating_add(of_steps)
        .saturating_add(needs.per_segment.saturating_mul(others))
}

fn needs<R: Real>(nodes: &[UnrolledNode<R>], groups: &[Group], options: &UnrolledOptions) -> Needs {
    let mut needs = Needs {
        fixed: 0,
        per_step: 0,
        per_segment: 0,
    };
    let real = R::BYTES as u64;
    for (id, node) in nodes.iter().enumerate() {
        let on_cycle = groups.iter().any(|g| g.is_cycle && g.nodes.contains(&id));
        let lanes = (node.width as u64).saturating_mul(options.batch as u64);
        let emitted = if node.emission.is_real() {
            lanes.saturating_mul(real)
        } else {
            // Words of bits.
            (node.width.div_ceil(64) as u64 * 8).saturating_mul(options.batch as u64)
        };
        let cotangent = if node.is_wanted {
            lanes.saturating_mul(real)
        } else {
            0
        };
        let history = node.emission.history as u64;
        let step = emitted.saturating_add(cotangent);
        match &node.work {
            Work::Input => {
                needs.fixed = needs
                    .fixed
                    .saturating_add(step.saturating_mul(options.steps as u64));
            }
            Work::Layer(_) | Work::Synapses(_) | Work::Source(_) => {
                needs.per_step = needs.per_step.saturating_add(step);
            }
            Work::Population(p) => {
                let states = lanes.saturating_mul(real * p.n_states as u64);
                // On a cycle states are kept before every step.
                let kept = if on_cycle { states } else { 0 };
                needs.per_step = needs.per_step.saturating_add(step).saturating_add(kept);
                needs.fixed = needs.fixed.saturating_add(states.saturating_mul(3));
                needs.per_segment = needs.per_segment.saturating_add(states);
            }
        }
        needs.per_segment = needs
            .per_segment
            .saturating_add(emitted.saturating_mul(history));
    }
    needs
}
