//! What comes back from the device.

use super::super::super::error::GpuError;
use super::super::super::memory::{self, Piece};
use super::{Emitted, Resident};

impl Resident {
    /// What is read back: the number of spikes, states that are not finite, traces, spikes.
    pub(super) fn pieces(&self, rows: &[Vec<usize>], prefix: usize) -> Vec<Piece<'_>> {
        let mut pieces = vec![
            Piece {
                buffer: &self.counters,
                offset: 0,
                bytes: 4,
            },
            Piece {
                buffer: &self.status,
                offset: 0,
                bytes: 4 * self.populations.len() as u64,
            },
        ];
        for (population, rows) in self.populations.iter().zip(rows) {
            let Some(traces) = &population.traces else {
                continue;
            };
            let bytes = 4 * population.trace_words as u64;
            pieces.extend(rows.iter().map(|&row| Piece {
                buffer: traces,
                offset: row as u64 * bytes,
                bytes,
            }));
        }
        pieces.push(Piece {
            buffer: &self.spikes,
            offset: 0,
            bytes: 4 * prefix as u64,
        });
        pieces
    }

    pub(super) fn unpack(
        &mut self,
        words: &[u32],
        rows: &[Vec<usize>],
        prefix: usize,
    ) -> Result<Emitted, GpuError> {
        let n_spikes = words.first().copied().unwrap_or(0) as usize;
        let (status, mut rest) = words[1..].split_at(self.populations.len());
        let mut traces = Vec::with_capacity(self.populations.len());
        for (population, rows) in self.populations.iter().zip(rows) {
            let (own, others) = rest.split_at(rows.len() * population.trace_words);
            traces.push(own.iter().map(|&bits| f32::from_bits(bits)).collect());
            rest = others;
        }
        let mut spikes = rest[..n_spikes.min(prefix)].to_vec();
        if n_spikes > prefix {
            let more = Piece {
                buffer: &self.spikes,
                offset: 4 * prefix as u64,
                bytes: 4 * (n_spikes - prefix) as u64,
            };
            self.counts.bytes_read += more.bytes;
            spikes.extend(memory::read(&self.device, &mut self.staging, &[more])?);
        }
        self.last_spikes = n_spikes;
        self.counts.spikes += n_spikes as u64;
        Ok(Emitted {
            spikes,
            status: status.to_vec(),
            traces,
        })
    }

    /// States of all populations, `[states][stride]` each.
    pub(in super::super) fn states(&mut self) -> Result<Vec<Vec<f32>>, GpuError> {
        let pieces: Vec<Piece<'_>> = self
            .populations
            .iter()
            .map(|p| Piece {
                buffer: &p.states,
                offset: 0,
                bytes: 4 * p.n_states as u64 * u64::from(p.stride),
            })
            .collect();
        let words = memory::read(&self.device, &mut self.staging, &pieces)?;
        self.counts.state_bytes += 4 * words.len() as u64;
        let mut rest = words.as_slice();
        let mut all = Vec::with_capacity(self.populations.len());
        for p in &self.populations {
            let (own, others) = rest.split_at(p.n_states * p.stride as usize);
            all.push(own.iter().map(|&bits| f32::from_bits(bits)).collect());
            rest = others;
        }
        Ok(all)
    }

    /// Replaces the states of a population.
    pub(in super::super) fn set_states(
        &mut self,
        population: usize,
        states: &[f32],
    ) -> Result<(), GpuError> {
        let buffer = &self.populations[population].states;
        self.counts.state_bytes += 4 * states.len() as u64;
        memory::write(&self.device, buffer, 0, bytemuck::cast_slice(states))
    }
}
