//! Reference vectors of SpikingJelly 2.0.0 (`tests/golden/spikingjelly/`).

use safetensors::SafeTensors;

const NETS: &[u8] = include_bytes!("../../../tests/golden/spikingjelly/nets.f64.safetensors");

/// An array of a case.
pub(crate) fn array(case: &str, name: &str) -> Vec<f64> {
    let file = SafeTensors::deserialize(NETS).unwrap();
    let view = file.tensor(&format!("{case}/{name}")).unwrap();
    let words = view.data().as_chunks::<8>().0;
    match view.dtype() {
        safetensors::Dtype::F64 => words.iter().map(|w| f64::from_le_bytes(*w)).collect(),
        #[allow(clippy::cast_precision_loss, reason = "labels")]
        safetensors::Dtype::I64 => words
            .iter()
            .map(|w| i64::from_le_bytes(*w) as f64)
            .collect(),
        other => panic!("{name}: {other:?}"),
    }
}

/// Labels of a case.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "labels"
)]
pub(crate) fn labels(case: &str) -> Vec<usize> {
    array(case, "y").iter().map(|&y| y as usize).collect()
}

/// Largest difference, relative to the largest expected value.
pub(crate) fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let error = differences.fold(0.0_f64, f64::max);
    println!("{name}: largest error {error:.2e} of {largest:.2e}");
    assert!(error <= tolerance * largest, "{name}: {error} of {largest}");
    assert!(!error.is_nan(), "{name}");
}
