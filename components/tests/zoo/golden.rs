//! Reference vectors: what other programs computed, forward and backward.

use std::path::PathBuf;

use rheobase_equations::choice::Choices;
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::real::Real;
use safetensors::SafeTensors;
use serde_json::Value as Json;

use crate::cell::{component, registered};

/// A set of cases: a document and its arrays.
pub(crate) struct Golden {
    bytes: Vec<u8>,
    document: Json,
}

impl Golden {
    /// `NAME.json` and `NAME.f64.safetensors` of a folder of `tests/golden`.
    pub(crate) fn open(folder: &str, name: &str) -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden"));
        let read = |end: &str| std::fs::read(root.join(folder).join(format!("{name}{end}")));
        let document = read(".json").unwrap();
        Self {
            bytes: read(".f64.safetensors").unwrap(),
            document: serde_json::from_slice(&document).unwrap(),
        }
    }

    pub(crate) fn cases(&self) -> Vec<Case<'_>> {
        let file = || SafeTensors::deserialize(&self.bytes).unwrap();
        let cases = self.document["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|json| Case { file: file(), json })
            .collect()
    }
}

/// One case.
pub(crate) struct Case<'g> {
    file: SafeTensors<'g>,
    json: &'g Json,
}

impl Case<'_> {
    pub(crate) fn name(&self) -> &str {
        self.json["case"].as_str().unwrap()
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        let text = self.json["params"][key].as_str();
        text.unwrap_or_else(|| panic!("{}: {key}", self.name()))
    }

    /// A number; `None` where the file has null.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.json["params"][key].as_f64()
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.json["params"][key].as_bool().unwrap_or(false)
    }

    pub(crate) fn shape(&self, array: &str) -> Vec<usize> {
        let view = self.file.tensor(&format!("{}/{array}", self.name()));
        view.unwrap().shape().to_vec()
    }

    pub(crate) fn array(&self, array: &str) -> Option<Vec<f64>> {
        let view = self.file.tensor(&format!("{}/{array}", self.name())).ok()?;
        assert_eq!(view.dtype(), safetensors::Dtype::F64);
        let words = view.data().as_chunks::<8>().0;
        Some(words.iter().map(|w| f64::from_le_bytes(*w)).collect())
    }

    pub(crate) fn expect(&self, array: &str) -> Vec<f64> {
        let found = self.array(array);
        found.unwrap_or_else(|| panic!("{}: no {array}", self.name()))
    }
}

/// A registered neuron with these options and surrogate.
pub(crate) fn chosen(name: &str, choices: &Choices) -> Component {
    let model = component(&*registered(name)).model;
    let model = model.choose(choices).unwrap_or_else(|e| panic!("{e}"));
    lower(&std::sync::Arc::new(model), None).unwrap()
}

/// Widest gap between the arrays, relative to the largest value expected.
pub(crate) fn gap<R: Real>(found: &[R], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    distance(found, expected) / if largest > 0.0 { largest } else { 1.0 }
}

/// Widest gap between the arrays.
pub(crate) fn distance<R: Real>(found: &[R], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gaps = found
        .iter()
        .zip(expected)
        .map(|(x, y)| (x.to_f64() - y).abs());
    gaps.fold(
        0.0,
        |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) },
    )
}
