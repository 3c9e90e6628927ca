//! The state of a simulation between two steps, as bytes.
//!
//! What is saved: the step, every state variable of every node, the parameters of layers, and what
//! nodes emitted as far back as delays reach. What is not: synapses (a network is built anew from its
//! description), recordings (take them first), data given to inputs (give them again). Random draws
//! are counted by step, so that generators have no state. Nothing depends on the number of threads.
//!
//! Layout, little-endian: the magic `rheobase state`, a zero byte, the version (u32); bytes of a float
//! (u8); the step (u64); the number of nodes (u32); then for each node its name, its states (name,
//! number of lanes, values), its parameters (the same), where it is a user's own actor its state arrays
//! (the same, in f64), and its past: first step (u64), number of
//! steps (u64), for each the number of spikes (u32) and their lanes (u32 each) and the number of real
//! values (u64) and the values. Names are a u16 length and UTF-8; counts of states and parameters are
//! u32, of lanes u64. A population in continuous time has its states in f64 after the (empty) ones in
//! the precision of the network, and an f64 offset for each spike after the lanes of a step.

use std::io::{self, Read, Write};

use rheobase_equations::real::Real;

use crate::build::emits_real;
use crate::instantiate::Instantiate;
use crate::plan::{NodeId, NodeKind, Plan};
use crate::schedule::MAX_SLICE;
use crate::simulation::Simulation;

const MAGIC: &[u8; 15] = b"rheobase state\0";

/// Version of the layout.
pub const VERSION: u32 = 1;

/// Why a state cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Reading or writing failed; an early end is among it.
    #[error("the saved state cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// These are other bytes.
    #[error("this is no saved state of a simulation")]
    Magic,
    /// Another version.
    #[error("the state was saved in version {found} of the layout; this program reads {VERSION}")]
    Version {
        /// The one found.
        found: u32,
    },
    /// It was saved by another network.
    #[error("the saved state belongs to another network: {what} is {found}, expected {expected}")]
    Network {
        /// What differs.
        what: String,
        /// As saved.
        found: String,
        /// As built.
        expected: String,
    },
    /// A value is impossible.
    #[error("the saved state is damaged: {0}")]
    Damaged(String),
    /// A state variable is NaN or infinite.
    #[error("a state of `{0}` is not finite; it cannot be saved")]
    NotFinite(String),
    /// A device does not give its state.
    #[error("the state on the device cannot be had: {0}")]
    Device(String),
    /// A name or number is too large for the layout.
    #[error("{0}: too large to be saved")]
    TooLarge(String),
    /// The simulation has failed.
    #[error("a simulation that has failed cannot be saved")]
    Failed,
}

/// A state that was read and fits the network.
#[derive(Default)]
pub(crate) struct Saved<R> {
    pub(crate) now: u64,
    pub(crate) nodes: Vec<SavedNode<R>>,
}

/// What is saved of one node.
#[derive(Default)]
pub(crate) struct SavedNode<R> {
    /// By name, in order; all lanes.
    pub(crate) states: Vec<(String, Vec<R>)>,
    /// Those kept in f64 in any network.
    pub(crate) states_f64: Vec<(String, Vec<f64>)>,
    pub(crate) parameters: Vec<(String, Vec<R>)>,
    /// The first step of `past`.
    pub(crate) first: u64,
    pub(crate) past: Vec<Emitted<R>>,
    /// Steps of the past that delays ask for.
    pub(crate) reach: u64,
}

/// What a node emitted in one step.
#[derive(Clone, Default)]
pub(crate) struct Emitted<R> {
    pub(crate) spikes: Vec<u32>,
    /// Of nodes in continuous time, parallel to the spikes.
    pub(crate) offsets_ms: Vec<f64>,
    pub(crate) real: Vec<R>,
}

impl<R: Instantiate> Simulation<R> {
    /// Writes the state between the last step and the next: a simulation of the same network that
    /// [loads](Self::load) it continues with the same bits, on any number of threads.
    ///
    /// # Errors
    /// If writing fails, or the simulation has failed.
    pub fn save(&mut self, out: &mut dyn Write) -> Result<(), CheckpointError> {
        if self.failed().is_some() {
            return Err(CheckpointError::Failed);
        }
        let saved = self.saved()?;
        for (node, saved) in self.plan().nodes.iter().zip(&saved.nodes) {
            if !(all_finite(&saved.states) && all_finite(&saved.states_f64)) {
                return Err(CheckpointError::NotFinite(node.name.clone()));
            }
        }
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&[bytes_of::<R>()])?;
        out.write_all(&saved.now.to_le_bytes())?;
        out.write_all(&narrow(saved.nodes.len())?.to_le_bytes())?;
        for (id, (node, saved)) in self.plan().nodes.iter().zip(&saved.nodes).enumerate() {
            write_name(out, &node.name)?;
            write_arrays(out, &saved.states)?;
            if keeps_f64(self.plan(), id) {
                write_arrays(out, &saved.states_f64)?;
            }
            write_arrays(out, &saved.parameters)?;
            out.write_all(&saved.first.to_le_bytes())?;
            out.write_all(&(saved.past.len() as u64).to_le_bytes())?;
            for emitted in &saved.past {
                out.write_all(&narrow(emitted.spikes.len())?.to_le_bytes())?;
                for spike in &emitted.spikes {
                    out.write_all(&spike.to_le_bytes())?;
                }
                for offset in &emitted.offsets_ms {
                    out.write_all(&offset.to_le_bytes())?;
                }
                write_values(out, &emitted.real)?;
            }
        }
        Ok(())
    }

    /// Reads what [`Self::save`] wrote and puts the simulation into that state. Recordings not yet
    /// taken are dropped.
    ///
    /// # Errors
    /// If reading fails, the bytes are damaged, or belong to another network, or the simulation was built
    /// for training; it is left as it was. A simulation that has failed may load.
    pub fn load(&mut self, input: &mut dyn Read) -> Result<(), CheckpointError> {
        let expected = self.saved()?;
        let mut reader = Reader { input };
        let saved = reader.state(self.plan(), &expected)?;
        self.restore(saved);
        Ok(())
    }
}

/// Whether a node keeps states in f64 whatever the precision of the network.
fn keeps_f64(plan: &Plan, id: NodeId) -> bool {
    plan.is_continuous(id) || matches!(plan.nodes[id].kind, NodeKind::Actor(_))
}

fn all_finite<R: Real>(arrays: &[(String, Vec<R>)]) -> bool {
    let mut values = arrays.iter().flat_map(|(_, values)| values);
    values.all(|x| x.is_finite())
}

fn bytes_of<R: Real>() -> u8 {
    u8::try_from(R::BYTES).unwrap_or(u8::MAX)
}

fn narrow(n: usize) -> Result<u32, CheckpointError> {
    u32::try_from(n).map_err(|_| CheckpointError::TooLarge(n.to_string()))
}

fn write_name(out: &mut dyn Write, name: &str) -> Result<(), CheckpointError> {
    let len = u16::try_from(name.len())
        .map_err(|_| CheckpointError::TooLarge(format!("the name `{name}`")))?;
    out.write_all(&len.to_le_bytes())?;
    Ok(out.write_all(name.as_bytes())?)
}

fn write_arrays<R: Real>(
    out: &mut dyn Write,
    arrays: &[(String, Vec<R>)],
) -> Result<(), CheckpointError> {
    out.write_all(&narrow(arrays.len())?.to_le_bytes())?;
    for (name, values) in arrays {
        write_name(out, name)?;
        write_values(out, values)?;
    }
    Ok(())
}

fn write_values<R: Real>(out: &mut dyn Write, values: &[R]) -> Result<(), CheckpointError> {
    out.write_all(&(values.len() as u64).to_le_bytes())?;
    for x in values {
        // The bits are sign-extended: the low ones are the float's.
        out.write_all(&x.to_int_bits().to_le_bytes()[..R::BYTES])?;
    }
    Ok(())
}

struct Reader<'a> {
    input: &'a mut dyn Read,
}

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, CheckpointError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, CheckpointError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn name(&mut self) -> Result<String, CheckpointError> {
        let len = usize::from(u16::from_le_bytes(self.bytes()?));
        let mut bytes = vec![0; len];
        self.input.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| CheckpointError::Damaged("a name".to_owned()))
    }

    /// A whole state; every count must be that of the network, so that nothing is allocated that a
    /// running network would not hold.
    fn state<R: Real>(
        &mut self,
        plan: &Plan,
        expected: &Saved<R>,
    ) -> Result<Saved<R>, CheckpointError> {
        if &self.bytes::<15>()? != MAGIC {
            return Err(CheckpointError::Magic);
        }
        let found = self.u32()?;
        if found != VERSION {
            return Err(CheckpointError::Version { found });
        }
        let [float_bytes] = self.bytes()?;
        same("bytes of a float", float_bytes, bytes_of::<R>())?;
        let now = self.u64()?;
        if now > 1 << 53 {
            return Err(CheckpointError::Damaged(format!("step {now}")));
        }
        same("number of nodes", self.u32()? as usize, plan.nodes.len())?;
        let mut nodes = Vec::new();
        for (id, node) in plan.nodes.iter().enumerate() {
            same("name of a node", &self.name()?, &node.name)?;
            let like = &expected.nodes[id];
            let states = self.arrays(&like.states)?;
            let states_f64 = if keeps_f64(plan, id) {
                self.arrays(&like.states_f64)?
            } else {
                Vec::new()
            };
            let parameters = self.arrays(&like.parameters)?;
            let first = self.u64()?;
            let past = self.past(plan, id, first, now)?;
            // As long as delays ask for, and at most a slice and a step more: how long slices are differs between
            // processor and device.
            let step = |ago: u64| (now + 1).saturating_sub(ago).max(1);
            let (least, most) = (step(like.reach + 1 + MAX_SLICE), step(like.reach));
            if !(least..=most).contains(&first) {
                same("first step of the past", first, most)?;
            }
            nodes.push(SavedNode {
                states,
                states_f64,
                parameters,
                first,
                past,
                reach: like.reach,
            });
        }
        Ok(Saved { now, nodes })
    }

    fn arrays<R: Real>(
        &mut self,
        like: &[(String, Vec<R>)],
    ) -> Result<Vec<(String, Vec<R>)>, CheckpointError> {
        same("number of arrays", self.u32()? as usize, like.len())?;
        like.iter()
            .map(|(name, values)| {
                same("name of an array", &self.name()?, name)?;
                same("length of an array", self.u64()?, values.len() as u64)?;
                let values = self.values(values.len())?;
                match values.iter().find(|x: &&R| !x.is_finite()) {
                    None => Ok((name.clone(), values)),
                    Some(x) => Err(CheckpointError::Damaged(format!("a value is {x}"))),
                }
            })
            .collect()
    }

    fn values<R: Real>(&mut self, n: usize) -> Result<Vec<R>, CheckpointError> {
        let mut values = Vec::with_capacity(n);
        for _ in 0..n {
            let mut bits = [0; 8];
            self.input.read_exact(&mut bits[..R::BYTES])?;
            values.push(R::from_int_bits(i64::from_le_bytes(bits)));
        }
        Ok(values)
    }

    fn past<R: Real>(
        &mut self,
        plan: &Plan,
        id: NodeId,
        first: u64,
        now: u64,
    ) -> Result<Vec<Emitted<R>>, CheckpointError> {
        let n_steps = self.u64()?;
        if first == 0 || first.checked_add(n_steps) != Some(now + 1) {
            return Err(CheckpointError::Damaged(format!(
                "{n_steps} steps from {first} do not end at {now}"
            )));
        }
        let lanes = plan.nodes[id].size() * plan.batch;
        let mut past = Vec::new();
        for _ in 0..n_steps {
            let n_spikes = self.u32()?;
            let mut spikes = Vec::new();
            for _ in 0..n_spikes {
                let lane = self.u32()?;
                if lane as usize >= lanes || spikes.last().is_some_and(|&s| s > lane) {
                    return Err(CheckpointError::Damaged(format!("a spike of lane {lane}")));
                }
                spikes.push(lane);
            }
            let offsets_ms = if plan.has_offsets(id) {
                self.offsets(spikes.len(), plan.dt_ms)?
            } else {
                Vec::new()
            };
            let n_real = self.u64()?;
            let expected = if emits_real(&plan.nodes[id]) {
                lanes
            } else {
                0
            };
            same("real values of a node", n_real, expected as u64)?;
            let real = self.values(expected)?;
            past.push(Emitted {
                spikes,
                offsets_ms,
                real,
            });
        }
        Ok(past)
    }

    /// Offsets of the spikes of a step, each within it.
    fn offsets(&mut self, n: usize, dt_ms: f64) -> Result<Vec<f64>, CheckpointError> {
        let mut offsets = Vec::new();
        for _ in 0..n {
            let offset = f64::from_le_bytes(self.bytes()?);
            if !(offset > 0.0 && offset <= dt_ms) {
                let message = format!("a spike {offset} ms after the beginning of its step");
                return Err(CheckpointError::Damaged(message));
            }
            offsets.push(offset);
        }
        Ok(offsets)
    }
}

fn same<T: PartialEq + ToString>(what: &str, found: T, expected: T) -> Result<(), CheckpointError> {
    if found == expected {
        return Ok(());
    }
    Err(CheckpointError::Network {
        what: what.to_owned(),
        found: found.to_string(),
        expected: expected.to_string(),
    })
}
