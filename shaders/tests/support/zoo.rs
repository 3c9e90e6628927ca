//! Every component text of the zoo, found where it lies: a new one is covered by being there.

use std::sync::Arc;

use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::Integrator;

/// Name and text of every neuron of the zoo, by name.
pub(crate) fn zoo() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/src/neuron");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "rheo"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read_to_string(&path).expect("a readable text"),
            )
        })
        .collect();
    texts.sort();
    assert!(texts.len() >= 3, "the zoo has at least three neurons");
    texts
}

/// The component with every integrator it can take.
pub(crate) fn components(name: &str, text: &str) -> Vec<(Integrator, Component)> {
    let model = rheobase_equations::parse_one(text, name)
        .unwrap_or_else(|e| panic!("{name} does not parse: {e}"));
    let model = Arc::new(model);
    Integrator::ALL
        .into_iter()
        .filter_map(|integrator| Some((integrator, lower(&model, Some(integrator)).ok()?)))
        .collect()
}
