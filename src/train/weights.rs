//! Trained arrays out of a file, for networks that only run.

use std::path::Path;

use rheobase_engine::plan::{EdgeKind, Plan};
use rheobase_engine::port::Tensor;
use rheobase_engine::session::Arrays;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::checkpoint::{WeightsError, read_file};

/// The arrays of a network out of a file that `rheobase train` wrote, or any safetensors file with arrays
/// `parameters/NODE.NAME` and `buffers/NODE.NAME` of floats: with the name of their node, for
/// [`SessionOptions::parameters`](rheobase_engine::session::SessionOptions). Weights of projections, of which
/// `train` keeps those that are learnable, are put into the plan.
///
/// # Errors
/// If the file cannot be read, lacks an array of the network, holds one of another network or one of
/// another shape; the plan is as before.
pub fn read_weights(
    path: &Path,
    plan: &mut Plan,
) -> Result<Vec<(String, Tensor<f64>)>, WeightsError> {
    let fail = |message: String| WeightsError::Read {
        path: path.to_owned(),
        message,
    };
    let bytes = read_file(path).map_err(|e| fail(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| fail(format!("no safetensors file, or a damaged one ({e})")))?;
    let arrays = Arrays::of(plan).map_err(|e| fail(e.to_string()))?;
    let kinds = [
        ("parameters", arrays.parameters),
        ("buffers", arrays.buffers),
    ];
    let mut tensors = Vec::new();
    let mut known = Vec::new();
    for (kind, list) in kinds {
        for (node, like) in list {
            let name = format!("{kind}/{node}.{}", like.name);
            let view = file.tensor(&name);
            let view = view.map_err(|_| fail(absent(&name)))?;
            if view.shape() != like.shape {
                let (found, needed) = (view.shape(), &like.shape);
                return Err(fail(format!(
                    "`{name}` has the shape {found:?}, the network needs {needed:?}"
                )));
            }
            let values = floats(&view);
            let values = values.ok_or_else(|| fail(format!("`{name}` is no array of floats")))?;
            if let Some(k) = values.iter().position(|x| !x.is_finite()) {
                return Err(fail(format!("`{name}`: value {k} is {}", values[k])));
            }
            known.push(name);
            tensors.push((node, Tensor { values, ..like }));
        }
    }
    let learnable: Vec<String> = plan
        .edges
        .iter()
        .filter(|edge| matches!(&edge.kind, EdgeKind::Synapses(s) if s.learnable))
        .map(|edge| edge.name.clone())
        .collect();
    let mut weights = Vec::new();
    for edge in learnable {
        let name = format!("parameters/{edge}.weight");
        let view = file.tensor(&name);
        let view = view.map_err(|_| fail(absent(&name)))?;
        let values = floats(&view);
        let values = values.ok_or_else(|| fail(format!("`{name}` is no array of floats")))?;
        known.push(name);
        weights.push((edge, values));
    }
    let of_network = |name: &&str| name.starts_with("parameters/") || name.starts_with("buffers/");
    let mut names: Vec<&str> = file.names().into_iter().collect();
    names.sort_unstable();
    match names
        .iter()
        .copied()
        .filter(of_network)
        .find(|n| !known.iter().any(|k| k == n))
    {
        None => {
            let mut changed = plan.clone();
            for (edge, values) in weights {
                let set = changed.set_weights(&edge, &values);
                set.map_err(|e| fail(e.to_string()))?;
            }
            *plan = changed;
            Ok(tensors)
        }
        Some(name) => Err(fail(format!("`{name}` belongs to no node of this network"))),
    }
}

/// What to say where an array of the network is not in a file.
pub(super) fn absent(name: &str) -> String {
    format!("there is no array `{name}`: the file is of another network, or of one changed since")
}

/// The values of an array of f32 or f64.
pub(super) fn floats(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            let words = bytes.as_chunks::<4>().0.iter();
            Some(words.map(|b| f64::from(f32::from_le_bytes(*b))).collect())
        }
        Dtype::F64 => {
            let words = bytes.as_chunks::<8>().0.iter();
            Some(words.map(|b| f64::from_le_bytes(*b)).collect())
        }
        _ => None,
    }
}
