//! What training leaves behind: one safetensors file with parameters, buffers, the optimiser's arrays
//! and, in its metadata, all else that is needed to continue.
//!
//! Names of tensors: `parameters/NODE.NAME`, `buffers/NODE.NAME`, `optimizer/NODE.NAME/ARRAY`; other
//! programs read the parameters without knowing the rest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rheobase_engine::Instantiate;
use rheobase_engine::port::Tensor;
use rheobase_equations::real::{Precision, Real};
use rheobase_learning::data::Position;
use rheobase_learning::optimizer::Slot;
use rheobase_learning::record::Metrics;
use rheobase_learning::trainer::TrainerState;
use rheobase_report::{FileError, atomic_write};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::weights::{absent, floats};

/// Version of the layout.
const VERSION: u64 = 1;
/// Largest file that is read.
const MOST_BYTES: u64 = 16 << 30;

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be read.
    #[error("{}: {message}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// It cannot be laid out.
    #[error("weights: {0}")]
    Layout(String),
}

/// Where training stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) version: u64,
    /// Network and settings, all that must be the same to continue.
    pub(super) description: String,
    pub(super) position: Position,
    pub(super) batches: u64,
    pub(super) passes: u64,
    /// Bits of the learning rate.
    pub(super) learning_rate: u64,
    /// Of the epoch so far: bits of the sum of losses, samples, samples found.
    pub(super) loss_sum: u64,
    pub(super) samples: u64,
    pub(super) correct: u64,
    pub(super) seconds: f64,
    /// Updates of each array.
    pub(super) steps: Vec<u64>,
    /// What the optimiser keeps of each.
    pub(super) kept: Vec<String>,
    /// Lines so far.
    pub(super) metrics: Vec<Metrics>,
}

const STANDING: &str = "rheobase.training";

/// Writes trainer and standing, atomically.
pub(super) fn write<R: Instantiate>(
    path: &Path,
    state: &TrainerState<R>,
    standing: &Standing,
) -> Result<(), WeightsError> {
    let mut standing = standing.clone();
    standing.version = VERSION;
    standing.batches = state.batches;
    standing.passes = state.passes;
    standing.learning_rate = state.learning_rate.to_bits();
    standing.steps = state.slots.iter().map(|s| s.steps).collect();
    let kept = state.slots.first().map_or(&[][..], |s| &s.arrays);
    standing.kept = kept.iter().map(|t| t.name.clone()).collect();
    let layout = |e: &dyn std::fmt::Display| WeightsError::Layout(e.to_string());
    let text = serde_json::to_string(&standing).map_err(|e| layout(&e))?;
    let mut arrays: Vec<(String, &[usize], &[R])> = Vec::new();
    for (kind, list) in [
        ("parameters", &state.parameters),
        ("buffers", &state.buffers),
    ] {
        for (node, t) in list {
            arrays.push((format!("{kind}/{node}.{}", t.name), &t.shape, &t.values));
        }
    }
    for slot in &state.slots {
        for t in &slot.arrays {
            let name = format!("optimizer/{}.{}/{}", slot.node, slot.parameter, t.name);
            arrays.push((name, &t.shape, &t.values));
        }
    }
    let dtype = match R::PRECISION {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    };
    let bytes: Vec<Vec<u8>> = arrays.iter().map(|(_, _, v)| little_endian(v)).collect();
    let mut views = Vec::with_capacity(arrays.len());
    for ((name, shape, values), bytes) in arrays.iter().zip(&bytes) {
        // Optimisers keep flat arrays.
        let shape = if shape.iter().product::<usize>() == values.len() {
            shape.to_vec()
        } else {
            vec![values.len()]
        };
        let view = TensorView::new(dtype, shape, bytes).map_err(|e| layout(&e))?;
        views.push((name.clone(), view));
    }
    let metadata = HashMap::from([(STANDING.to_owned(), text)]);
    let file = serialize(views, Some(metadata)).map_err(|e| layout(&e))?;
    atomic_write(path, &file)?;
    Ok(())
}

fn little_endian<R: Real>(values: &[R]) -> Vec<u8> {
    match R::PRECISION {
        #[allow(clippy::cast_possible_truncation, reason = "f32 as f64 and back")]
        Precision::F32 => values
            .iter()
            .flat_map(|x| (x.to_f64() as f32).to_le_bytes())
            .collect(),
        Precision::F64 => values
            .iter()
            .flat_map(|x| x.to_f64().to_le_bytes())
            .collect(),
    }
}

/// Reads a file that [`write`] wrote, for a trainer whose arrays are those of `like`.
pub(super) fn read<R: Instantiate>(
    path: &Path,
    like: &TrainerState<R>,
) -> Result<(TrainerState<R>, Standing), WeightsError> {
    let fail = |message: String| WeightsError::Read {
        path: path.to_owned(),
        message,
    };
    let bytes = read_file(path).map_err(|e| fail(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)
        .map_err(|e| fail(format!("no safetensors file, or a damaged one ({e})")))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(STANDING));
    let text = text.ok_or_else(|| fail("it does not come from `rheobase train`".to_owned()))?;
    let standing: Standing =
        serde_json::from_str(text).map_err(|e| fail(format!("its metadata are damaged ({e})")))?;
    if standing.version != VERSION {
        return Err(fail(format!(
            "it has version {} of the layout, this program reads {VERSION}",
            standing.version
        )));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(format!("damaged ({e})")))?;
    let array = |name: &str| -> Result<Vec<R>, WeightsError> {
        let view = file.tensor(name);
        let view = view.map_err(|_| fail(absent(name)))?;
        let values = floats(&view);
        let values = values.ok_or_else(|| fail(format!("`{name}` is no array of floats")))?;
        Ok(values.into_iter().map(R::from_f64).collect())
    };
    let check = |name: &str, found: usize, expected: usize| {
        if found == expected {
            return Ok(());
        }
        Err(fail(format!(
            "`{name}` holds {found} values, the network needs {expected}"
        )))
    };
    let list = |kind: &str, like: &[(String, Tensor<R>)]| -> Result<_, WeightsError> {
        let mut tensors = Vec::with_capacity(like.len());
        for (node, t) in like {
            let name = format!("{kind}/{node}.{}", t.name);
            let values = array(&name)?;
            check(&name, values.len(), t.values.len())?;
            let tensor = Tensor {
                values,
                ..t.clone()
            };
            tensors.push((node.clone(), tensor));
        }
        Ok(tensors)
    };
    let mut slots = Vec::new();
    for (&steps, (node, t)) in standing.steps.iter().zip(&like.parameters) {
        let mut arrays = Vec::new();
        for kept in &standing.kept {
            let name = format!("optimizer/{node}.{}/{kept}", t.name);
            let values = array(&name)?;
            check(&name, values.len(), t.values.len())?;
            arrays.push(Tensor {
                name: kept.clone(),
                shape: vec![values.len()],
                values,
            });
        }
        slots.push(Slot {
            node: node.clone(),
            parameter: t.name.clone(),
            steps,
            arrays,
        });
    }
    let state = TrainerState {
        parameters: list("parameters", &like.parameters)?,
        buffers: list("buffers", &like.buffers)?,
        slots,
        learning_rate: f64::from_bits(standing.learning_rate),
        batches: standing.batches,
        passes: standing.passes,
    };
    Ok((state, standing))
}

pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > MOST_BYTES {
        return Err(std::io::Error::other(format!(
            "{size} bytes are more than the {MOST_BYTES} that are read"
        )));
    }
    std::fs::read(path)
}
