//! Binary frames, little-endian: bytes that follow (u32), kind (u32: 0 a step, 1 a reset), payload.
//!
//! The payload of a step holds each input in turn: a value for every element (f32, or f64 where the
//! network has that precision), or the number of spikes (u32) and their elements (u32 each). An answer has
//! the number of the step (u64), then each output in the same way. A reset has no payload, nor has its
//! answer.

use std::io::{self, BufRead, Read};

use rheobase_engine::Instantiate;
use rheobase_engine::session::Emitted;
use rheobase_equations::real::Precision;

use super::{Codec, Given, InferError, MAX_BYTES, Place, Port, Request};

const STEP: u32 = 0;
const RESET: u32 = 1;

/// Frames read so far.
#[derive(Debug, Default)]
pub(super) struct Frames {
    frame: u64,
    bytes: Vec<u8>,
}

impl Frames {
    fn fail(&self, message: impl Into<String>) -> InferError {
        InferError::Input {
            place: Place::Frame(self.frame),
            message: message.into(),
        }
    }

    /// Reads `n` bytes, or as many as there are.
    fn fill(&mut self, from: &mut dyn BufRead, n: usize) -> Result<usize, InferError> {
        self.bytes.clear();
        // Memory grows with what comes, not with what is announced.
        let read = from.take(n as u64).read_to_end(&mut self.bytes);
        read.map_err(|source: io::Error| InferError::Read {
            place: Place::Frame(self.frame),
            source,
        })
    }

    /// Kind of the next frame, its payload in `bytes`; `None` at the end.
    fn next(&mut self, from: &mut dyn BufRead) -> Result<Option<u32>, InferError> {
        self.frame += 1;
        match self.fill(from, 4)? {
            0 => return Ok(None),
            4 => {}
            n => {
                return Err(self.fail(format!(
                    "the stream ends after {n} of the 4 bytes of a length"
                )));
            }
        }
        let length = word(&self.bytes) as usize;
        if !(4..=MAX_BYTES).contains(&length) {
            return Err(self.fail(format!(
                "its length is {length}; a frame has 4 to {MAX_BYTES} bytes after its length"
            )));
        }
        let n = self.fill(from, length)?;
        if n < length {
            return Err(self.fail(format!("the stream ends after {n} of {length} bytes")));
        }
        let kind = word(&self.bytes);
        self.bytes.drain(..4);
        Ok(Some(kind))
    }

    fn take<R: Instantiate>(
        &self,
        ports: &[Port],
        given: &mut [Given<R>],
    ) -> Result<(), InferError> {
        let mut rest = self.bytes.as_slice();
        for (port, given) in ports.iter().zip(given) {
            let short = |needed: usize, left: usize| {
                self.fail(format!(
                    "input `{}` takes {needed} bytes, {left} are left",
                    port.name
                ))
            };
            match given {
                Given::Real(values) => {
                    let needed = port.size * R::BYTES;
                    let of_port = cut(&mut rest, needed);
                    let of_port = of_port.map_err(|left| short(needed, left))?;
                    values.clear();
                    values.extend(of_port.chunks_exact(R::BYTES).map(real::<R>));
                }
                Given::Spikes(spikes) => {
                    let n = cut(&mut rest, 4).map_err(|left| short(4, left))?;
                    let needed = 4 * word(n) as usize;
                    let of_port = cut(&mut rest, needed);
                    let of_port = of_port.map_err(|left| short(needed, left))?;
                    spikes.clear();
                    spikes.extend(of_port.chunks_exact(4).map(word));
                }
            }
        }
        match rest.len() {
            0 => Ok(()),
            n => Err(self.fail(format!("{n} bytes are left over after the last input"))),
        }
    }
}

/// Takes `n` bytes; the error is how many there are.
fn cut<'a>(rest: &mut &'a [u8], n: usize) -> Result<&'a [u8], usize> {
    match rest.split_at_checked(n) {
        Some((first, others)) => {
            *rest = others;
            Ok(first)
        }
        None => Err(rest.len()),
    }
}

/// The first four bytes; zeros where they are missing.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk::<4>()
        .map_or(0, |b| u32::from_le_bytes(*b))
}

fn real<R: Instantiate>(bytes: &[u8]) -> R {
    let value = match R::PRECISION {
        Precision::F32 => f64::from(f32::from_bits(word(bytes))),
        Precision::F64 => bytes
            .first_chunk::<8>()
            .map_or(0.0, |b| f64::from_le_bytes(*b)),
    };
    R::from_f64(value)
}

impl<R: Instantiate> Codec<R> for Frames {
    fn place(&self) -> Place {
        Place::Frame(self.frame)
    }

    fn read(
        &mut self,
        from: &mut dyn BufRead,
        ports: &[Port],
        given: &mut [Given<R>],
    ) -> Result<Request, InferError> {
        match self.next(from)? {
            None => Ok(Request::End),
            Some(STEP) => {
                self.take(ports, given)?;
                Ok(Request::Step)
            }
            Some(RESET) if self.bytes.is_empty() => Ok(Request::Reset),
            Some(RESET) => Err(self.fail(format!(
                "a reset has no payload; {} bytes follow",
                self.bytes.len()
            ))),
            Some(kind) => Err(self.fail(format!("its kind is {kind}; 0 is a step, 1 a reset"))),
        }
    }

    fn answer(&mut self, step: u64, emitted: Emitted<'_, R>, ports: &[Port], to: &mut Vec<u8>) {
        let first = to.len();
        to.extend_from_slice(&[0; 4]);
        to.extend_from_slice(&STEP.to_le_bytes());
        to.extend_from_slice(&step.to_le_bytes());
        for (k, port) in ports.iter().enumerate() {
            if port.is_real {
                for x in emitted.values(k) {
                    match R::PRECISION {
                        #[allow(clippy::cast_possible_truncation, reason = "f32 as f64 and back")]
                        Precision::F32 => to.extend_from_slice(&(x.to_f64() as f32).to_le_bytes()),
                        Precision::F64 => to.extend_from_slice(&x.to_f64().to_le_bytes()),
                    }
                }
            } else {
                let spikes = emitted.spikes(k);
                to.extend_from_slice(&narrow(spikes.len()).to_le_bytes());
                spikes
                    .iter()
                    .for_each(|n| to.extend_from_slice(&n.to_le_bytes()));
            }
        }
        let length = narrow(to.len() - first - 4);
        to[first..first + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn answer_reset(&mut self, to: &mut Vec<u8>) {
        to.extend_from_slice(&4_u32.to_le_bytes());
        to.extend_from_slice(&RESET.to_le_bytes());
    }
}

/// Elements of a node, and bytes of all of them, are below 2³².
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
