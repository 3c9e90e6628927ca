//! What a pass is given: checked before anything changes, then copied into the input nodes.

use rheobase_equations::real::Real;

use super::emission::{Emission, Rows};
use super::{Sequence, UnrolledError, UnrolledNetwork, UnrolledNode};

impl<R: Real> UnrolledNetwork<R> {
    /// The batch size of inputs that fit.
    pub(super) fn check_inputs(&self, inputs: &[Sequence<'_, R>]) -> Result<usize, UnrolledError> {
        if inputs.len() != self.inputs.len() {
            let names: Vec<&str> = self.input_names().collect();
            return Err(UnrolledError::Values {
                name: names.join(", "),
                message: format!("{} sequences for {} inputs", inputs.len(), names.len()),
            });
        }
        let mut batch = None;
        for (&id, sequence) in self.inputs.iter().zip(inputs) {
            let node = &self.nodes[id];
            let fail = |message: String| UnrolledError::Values {
                name: node.name.clone(),
                message,
            };
            let n = self.samples(node, sequence).map_err(fail)?;
            if *batch.get_or_insert(n) != n {
                return Err(fail(format!("{n} samples, where another input has others")));
            }
        }
        Ok(batch.unwrap_or(self.max_batch))
    }

    /// Samples of a sequence.
    fn samples(&self, node: &UnrolledNode<R>, sequence: &Sequence<'_, R>) -> Result<usize, String> {
        let width = node.width.max(1);
        let (rows, steps) = match sequence {
            Sequence::Constant(values) => (values.len() / width, 1),
            Sequence::Steps(values) => (values.len() / width, self.steps),
            Sequence::Spikes { offsets, .. } => (offsets.len().saturating_sub(1), self.steps),
            Sequence::Bits(words) => (words.len() / width.div_ceil(64), self.steps),
        };
        let n = rows / steps;
        if n == 0 || n > self.max_batch || n * steps != rows {
            return Err(format!(
                "{rows} rows of {width}: expected {steps} for each of 1 to {} samples",
                self.max_batch
            ));
        }
        match sequence {
            Sequence::Constant(values) | Sequence::Steps(values) => {
                if !values.len().is_multiple_of(width) {
                    return Err(format!("{} values are no rows of {width}", values.len()));
                }
                if !are_finite(values)
                    && let Some(k) = values.iter().position(|x| !x.is_finite())
                {
                    return Err(format!("value {k} is {}", values[k]));
                }
                let is_spike = |x: &R| *x == R::ZERO || *x == R::ONE;
                if !node.emission.is_real()
                    && let Some(k) = values.iter().position(|x| !is_spike(x))
                {
                    return Err(format!("value {k} is {}, but spikes are 0 or 1", values[k]));
                }
            }
            Sequence::Bits(words) => {
                if node.emission.is_real() {
                    return Err("carries real values, not spikes".to_owned());
                }
                let of_row = width.div_ceil(64);
                if words.len() != rows * of_row {
                    return Err(format!("{} words are no rows of {of_row}", words.len()));
                }
                let beyond = if width.is_multiple_of(64) {
                    0
                } else {
                    u64::MAX << (width % 64)
                };
                let last = words.iter().skip(of_row - 1).step_by(of_row);
                if let Some(row) = last.clone().position(|word| word & beyond != 0) {
                    return Err(format!(
                        "row {row}: a bit beyond the {width} elements is set"
                    ));
                }
            }
            Sequence::Spikes { offsets, indices } => {
                if node.emission.is_real() {
                    return Err("carries real values, not spikes".to_owned());
                }
                let ascend = |s: &[u32]| s.windows(2).all(|w| w[0] < w[1]);
                if !offsets.windows(2).all(|w| w[0] <= w[1])
                    || offsets.last().is_some_and(|&n| n as usize > indices.len())
                {
                    return Err("offsets ascend, and end with the indices".to_owned());
                }
                for (row, span) in offsets.windows(2).enumerate() {
                    let row_indices = &indices[span[0] as usize..span[1] as usize];
                    let inside = row_indices
                        .last()
                        .is_none_or(|&i| (i as usize) < node.width);
                    if !ascend(row_indices) || !inside {
                        return Err(format!(
                            "row {row}: elements ascend and are below {}",
                            node.width
                        ));
                    }
                }
            }
        }
        Ok(n)
    }
}

/// Without a branch for each value, so that many are looked at together.
fn are_finite<R: Real>(values: &[R]) -> bool {
    let part = |values: &[R]| values.iter().fold(true, |all, x| all & x.is_finite());
    values.chunks(1024).all(part)
}

/// Copies an input into its node.
pub(super) fn load<R: Real>(emission: &mut Emission<R>, steps: usize, sequence: &Sequence<'_, R>) {
    let rows = emission.own(&(0..steps));
    let (width, batch) = (emission.width, emission.batch);
    match (&mut emission.rows, sequence) {
        (Rows::Constant(to), Sequence::Constant(values)) => to.copy_from_slice(values),
        (Rows::Real(to), Sequence::Constant(values)) => {
            for to in to[rows.start * width..].chunks_exact_mut(width * batch) {
                to.copy_from_slice(values);
            }
        }
        (Rows::Real(to), Sequence::Steps(values)) => {
            to[rows.start * width..rows.end * width].copy_from_slice(values);
        }
        (Rows::Spikes(spikes), Sequence::Steps(values) | Sequence::Constant(values)) => {
            for (row, place) in rows.enumerate() {
                let n_rows = values.len() / width;
                let values = &values[row % n_rows * width..][..width];
                for (i, _) in values.iter().enumerate().filter(|(_, x)| **x != R::ZERO) {
                    spikes.set(place, i);
                }
            }
        }
        (Rows::Spikes(spikes), Sequence::Spikes { offsets, indices }) => {
            for (row, span) in rows.zip(offsets.windows(2)) {
                for &i in &indices[span[0] as usize..span[1] as usize] {
                    spikes.set(row, i as usize);
                }
            }
        }
        (Rows::Spikes(spikes), Sequence::Bits(words)) => {
            let own = &mut spikes.words[rows.start * spikes.words_per_row..];
            for (to, &word) in own.iter_mut().zip(*words) {
                *to.get_mut() = word;
            }
        }
        (Rows::Constant(_), _) | (Rows::Real(_), Sequence::Spikes { .. } | Sequence::Bits(_)) => {}
    }
}
