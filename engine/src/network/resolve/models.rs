//! Components described in the network file, and integrators chosen there.

use std::sync::Arc;

use indexmap::IndexMap;
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::{Integrator, Kind, Model};
use rheobase_equations::parse_one;

use crate::network::describe::{ModelText, Network};
use crate::network::error::{ErrorKind, Errors, Path};
use crate::network::read::read_text;
use crate::neuron::EquationNeuron;
use crate::port::NeuronType;

/// Files of component texts longer than this are not read.
const MAX_MODEL_BYTES: u64 = 1 << 20;

/// Every component of the description; `None` for those with errors, which are reported.
pub(super) fn read(
    network: &Network,
    errors: &mut Errors,
) -> IndexMap<String, Option<Arc<dyn NeuronType>>> {
    let section = Path::root().key("models");
    let one = |(name, text): (&String, &ModelText)| {
        let path = section.key(name);
        let neuron = read_one(network, name, text, &path)
            .map_err(|(kind, message)| errors.push(kind, &path, message));
        (name.clone(), neuron.ok())
    };
    network.models.iter().map(one).collect()
}

type Failure = (ErrorKind, String);

fn read_one(
    network: &Network,
    name: &str,
    text: &ModelText,
    path: &Path,
) -> Result<Arc<dyn NeuronType>, Failure> {
    let (text, origin) = match text {
        ModelText::Text(text) => (text.clone(), origin_of(network, path)),
        ModelText::File { file } => {
            let file = network.origin.folder.join(file);
            let text = read_text(&file, MAX_MODEL_BYTES).map_err(|e| (ErrorKind::File, e))?;
            (text, file.display().to_string())
        }
    };
    let model = parse_one(&text, &origin).map_err(|e| {
        (
            ErrorKind::Model,
            format!("this text cannot be read\n{}", e.to_string().trim_end()),
        )
    })?;
    if model.kind != Kind::Neuron {
        return Err((
            ErrorKind::Model,
            format!("`{}` is an optimizer, expected a neuron", model.name),
        ));
    }
    if model.name != name {
        let message = format!("the text describes `{}`; use that name here", model.name);
        return Err((ErrorKind::Name, message));
    }
    let component = component(&Arc::new(model), None).map_err(|e| (ErrorKind::Model, e))?;
    Ok(Arc::new(EquationNeuron::new(component, None)))
}

/// What diagnostics of a text name as its file.
fn origin_of(network: &Network, path: &Path) -> String {
    if network.origin.name.is_empty() {
        path.to_string()
    } else {
        format!("{} ({path})", network.origin.name)
    }
}

/// A model, advanced by `integrator` or as its text says.
pub(super) fn component(
    model: &Arc<Model>,
    integrator: Option<Integrator>,
) -> Result<Component, String> {
    lower(model, integrator).map_err(|e| e.to_string())
}
