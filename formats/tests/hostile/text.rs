//! JSON and CSV that do not hold what they should.

use std::fs;

use rheobase_formats::sonata::SonataError;

use crate::files::{self, Spelling, TEXT_FILES};
use crate::{Tally, alone, read, registry};

#[test]
fn garbage_in_any_text_file_is_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::Csv);
    let registry = registry();
    assert!(read(&config, &registry).result.is_ok());
    let deep = "[".repeat(100_000);
    let garbage: [&[u8]; 9] = [
        b"",
        b"\0\0\0",
        b"\xff\xfe{",
        b"{\"a\": ",
        b"[1, 2]",
        b"\"text\"",
        b"a a a\n1 2 3\n",
        b"\"not closed\n",
        deep.as_bytes(),
    ];
    let mut tally = Tally::default();
    for name in TEXT_FILES.iter().chain(&["inputs/spikes.csv"]) {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        for bytes in garbage {
            fs::write(&path, bytes).unwrap();
            let outcome = read(&config, &registry);
            assert!(outcome.result.is_err(), "{name}");
            tally.add(&outcome, &|| (*name).to_owned());
        }
        for percent in 0..100 {
            fs::write(&path, &whole[..whole.len() * percent / 100]).unwrap();
            tally.add(&read(&config, &registry), &|| {
                format!("{name} at {percent} %")
            });
        }
        fs::write(&path, whole).unwrap();
    }
    tally.print("text files");
}

/// Replaces text in a file of the network; the error that follows.
fn error(name: &str, from: &str, to: &str) -> SonataError {
    let folder = tempfile::tempdir().unwrap();
    let config = files::write(folder.path(), Spelling::New);
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} holds {from}");
    fs::write(&path, text.replace(from, to)).unwrap();
    let result = read(&config, &registry()).result;
    result
        .err()
        .unwrap_or_else(|| panic!("{name}: {from} -> {to} was read"))
}

#[test]
fn what_is_not_supported_is_named_with_what_is() {
    let _alone = alone();
    let cases = [
        (
            "network/cells_types.csv",
            "nest:iaf_psc_alpha",
            "nest:aeif_cond_exp",
            "nest:iaf_psc_exp",
        ),
        (
            "network/cells_types.csv",
            "point_neuron",
            "biophysical",
            "point_process",
        ),
        ("models/alpha.json", "C_m", "Cm", "did you mean `C_m`"),
        ("models/alpha.json", "C_m", "tau_minus", "tau_syn_ex"),
        (
            "network/recurrent_types.csv",
            "static_synapse",
            "stdp_synapse",
            "static_synapse",
        ),
        (
            "simulation.json",
            "membrane_report",
            "extracellular",
            "membrane_report",
        ),
        ("simulation.json", "\"V_m\"", "\"m_Na\"", "I_syn_ex"),
        (
            "simulation.json",
            "\"module\": \"h5\"",
            "\"module\": \"nwb\"",
            "csv",
        ),
        (
            "simulation.json",
            "\"input_type\": \"spikes\"",
            "\"input_type\": \"ecp\"",
            "current_clamp",
        ),
        (
            "node_sets.json",
            "\"ei\"",
            "\"layer\"",
            "columns of the node types",
        ),
    ];
    for (name, from, to, supported) in cases {
        let error = error(name, from, to);
        assert!(
            matches!(error, SonataError::Unsupported { .. }),
            "{to}: {error}"
        );
        assert!(error.to_string().contains(supported), "{to}: {error}");
    }
}

#[test]
fn what_is_inconsistent_is_named_with_its_place() {
    let _alone = alone();
    let cases = [
        (
            "network/cells_types.csv",
            "7 point",
            "8 point",
            "node_type_id 7",
        ),
        (
            "network/recurrent_types.csv",
            "3 5.0",
            "30 5.0",
            "edge_type_id 3",
        ),
        (
            "network/cells_types.csv",
            "alpha.json",
            "beta.json",
            "beta.json",
        ),
        (
            "circuit.json",
            "\"point_neuron_models_dir\"",
            "\"other_dir\"",
            "point_neuron_models_dir",
        ),
        (
            "circuit.json",
            "$NET/cells_nodes",
            "$MISSING/cells_nodes",
            "$MISSING",
        ),
        ("simulation.json", "\"dt\": 0.1", "\"dt\": -0.1", "run.dt"),
        (
            "simulation.json",
            "200.0",
            "200.03",
            "whole number of steps",
        ),
        ("simulation.json", "\"drivers\"", "\"nobody\"", "nobody"),
        (
            "node_sets.json",
            "[\"input\"]",
            "[\"drivers\"]",
            "without end",
        ),
        (
            "node_sets.json",
            "100, 101, 104, 105",
            "1, 2",
            "no neuron with state",
        ),
        ("models/alpha.json", "250.0", "\"large\"", "C_m"),
        ("models/alpha.json", "250.0", "1e999", "alpha.json"),
    ];
    for (name, from, to, place) in cases {
        let error = error(name, from, to).to_string();
        assert!(error.contains(place), "{to}: {error}");
    }
}
