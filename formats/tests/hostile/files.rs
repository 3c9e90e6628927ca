//! A small SONATA network, written file by file: two kinds of neurons, virtual nodes, per-node and
//! per-edge parameters, ids that do not begin at 0, lists in chunks.

use std::fs;
use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder};

/// Neurons; virtual nodes.
pub(crate) const N: usize = 24;
pub(crate) const N_VIRTUAL: usize = 8;

/// Id of the first neuron.
pub(crate) const FIRST_ID: u64 = 100;

/// An edge: places of nodes, type, weight, delay \[ms\].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) weight: f64,
    pub(crate) delay_ms: f64,
}

/// The HDF5 files of the network, by their paths in it.
pub(crate) const HDF5_FILES: [&str; 5] = [
    "network/cells_nodes.h5",
    "network/input_nodes.h5",
    "network/cells_cells_edges.h5",
    "network/input_cells_edges.h5",
    "inputs/spikes.h5",
];

/// The other files.
pub(crate) const TEXT_FILES: [&str; 9] = [
    "config.json",
    "circuit.json",
    "simulation.json",
    "node_sets.json",
    "network/cells_types.csv",
    "network/input_types.csv",
    "network/recurrent_types.csv",
    "network/feed_types.csv",
    "models/alpha.json",
];

/// Whether neuron k is of the first type; the others have exponential currents.
pub(crate) fn is_alpha(k: usize) -> bool {
    !k.is_multiple_of(3)
}

/// Constant current of a neuron of the first type \[pA\].
pub(crate) fn current_pa(k: usize) -> f64 {
    340.0 + 5.0 * k as f64
}

/// Edges among neurons: a third of them inhibitory, delays between 1 and 2 ms.
pub(crate) fn recurrent() -> Vec<Edge> {
    (0..400)
        .map(|k| {
            let source = k * 7 % N;
            Edge {
                source,
                target: k * 11 % N,
                weight: if source % 3 == 1 { -30.0 } else { 20.0 } + (k % 5) as f64,
                delay_ms: 1.0 + 0.1 * (k % 11) as f64,
            }
        })
        .collect()
}

/// Edges from virtual nodes: the weight and delay of their type.
pub(crate) fn feed() -> Vec<Edge> {
    (0..160)
        .map(|k| Edge {
            source: k % N_VIRTUAL,
            target: k * 5 % N,
            weight: 80.0,
            delay_ms: 1.5,
        })
        .collect()
}

/// Spikes of virtual nodes: node, time \[ms\].
pub(crate) fn input_spikes() -> Vec<(u64, f64)> {
    (0..200)
        .map(|k| (k % N_VIRTUAL as u64, 0.37 + 0.983 * k as f64))
        .collect()
}

/// How the file of spikes is laid out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Spelling {
    /// `/spikes/gids`.
    Old,
    /// `/spikes/<population>/node_ids`.
    New,
    /// The same, in seconds.
    Seconds,
    /// A table.
    Csv,
}

/// Writes the network into a folder; gives the path of its configuration.
pub(crate) fn write(folder: &Path, spelling: Spelling) -> PathBuf {
    for sub in ["network", "inputs", "models"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    for (name, text) in texts(spelling) {
        fs::write(folder.join(name), text).unwrap();
    }
    for (name, bytes) in hdf5(spelling) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder.join("config.json")
}

fn texts(spelling: Spelling) -> Vec<(&'static str, String)> {
    let (module, file) = match spelling {
        Spelling::Csv => ("csv", "spikes.csv"),
        _ => ("h5", "spikes.h5"),
    };
    let simulation = format!(
        r#"{{"manifest": {{"$BASE": "${{configdir}}", "$IN": "$BASE/inputs"}},
            "run": {{"tstop": 200.0, "dt": 0.1}}, "node_sets_file": "$BASE/node_sets.json",
            "inputs": {{"feed": {{"input_type": "spikes", "module": "{module}",
                "input_file": "$IN/{file}", "node_set": "drivers"}}}},
            "output": {{"output_dir": "$BASE/output", "spikes_file": "spikes.h5"}},
            "reports": {{"potential": {{"module": "membrane_report", "cells": "watched",
                "variable_name": "V_m", "dt": 0.5}}}}}}"#
    );
    let text = |s: &str| s.to_owned();
    let mut csv = text("timestamps population node_ids\n");
    for (node, time) in input_spikes() {
        csv.push_str(&format!("{time} input {node}\n"));
    }
    vec![
        (
            "config.json",
            text(r#"{"network": "circuit.json", "simulation": "./simulation.json"}"#),
        ),
        (
            "circuit.json",
            text(
                r#"{"manifest": {"$NET": "network"},
                "components": {"point_neuron_models_dir": "models", "synaptic_models_dir": "models"},
                "networks": {"nodes": [
                    {"nodes_file": "$NET/cells_nodes.h5", "node_types_file": "$NET/cells_types.csv"},
                    {"nodes_file": "$NET/input_nodes.h5", "node_types_file": "$NET/input_types.csv"}],
                "edges": [
                    {"edges_file": "$NET/cells_cells_edges.h5",
                     "edge_types_file": "$NET/recurrent_types.csv"},
                    {"edges_file": "$NET/input_cells_edges.h5",
                     "edge_types_file": "$NET/feed_types.csv"}]}}"#,
            ),
        ),
        ("simulation.json", simulation),
        (
            "node_sets.json",
            text(
                r#"{"drivers": ["input"], "watched": {"population": "cells", "ei": "e",
                "node_id": [100, 101, 104, 105]}}"#,
            ),
        ),
        (
            "network/cells_types.csv",
            text(
                "node_type_id model_type model_template dynamics_params ei\n\
                 7 point_neuron nest:iaf_psc_alpha alpha.json e\n\
                 9 point_process nest:iaf_psc_exp NULL e\n",
            ),
        ),
        (
            "network/input_types.csv",
            text("node_type_id model_type\n1 virtual\n"),
        ),
        (
            "network/recurrent_types.csv",
            text("edge_type_id delay model_template\n3 5.0 static_synapse\n"),
        ),
        (
            "network/feed_types.csv",
            text("edge_type_id syn_weight delay nsyns\n4 40.0 1.5 2\n"),
        ),
        (
            "models/alpha.json",
            text(r#"{"C_m": 250.0, "tau_m": 12.0, "t_ref": 2.0, "E_L": -71.0, "V_th": -56.0}"#),
        ),
        ("inputs/spikes.csv", csv),
    ]
}

fn hdf5(spelling: Spelling) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (HDF5_FILES[0], cells()),
        (HDF5_FILES[1], virtual_nodes()),
        (HDF5_FILES[2], edges("cells", &recurrent(), true)),
        (HDF5_FILES[3], edges("input", &feed(), false)),
        (HDF5_FILES[4], spikes(spelling)),
    ]
}

fn integers<'d>(
    group: &'d mut hdf5_pure::GroupBuilder,
    name: &str,
    data: &[u64],
) -> &'d mut DatasetBuilder {
    group.create_dataset(name).with_u64_data(data)
}

fn cells() -> Vec<u8> {
    let n = N as u64;
    let mut file = FileBuilder::new();
    let mut nodes = file.create_group("nodes");
    let mut cells = nodes.create_group("cells");
    let types: Vec<u64> = (0..N).map(|k| if is_alpha(k) { 7 } else { 9 }).collect();
    let ids: Vec<u64> = (FIRST_ID..FIRST_ID + n).collect();
    // Two groups: the first type in group 0, the others in group 1, places backwards.
    let group: Vec<u64> = (0..N).map(|k| u64::from(!is_alpha(k))).collect();
    let alpha: Vec<usize> = (0..N).filter(|&k| is_alpha(k)).rev().collect();
    let other: Vec<usize> = (0..N).filter(|&k| !is_alpha(k)).rev().collect();
    let places: Vec<u64> = (0..N)
        .map(|k| {
            let members = if is_alpha(k) { &alpha } else { &other };
            members.iter().position(|&m| m == k).unwrap() as u64
        })
        .collect();
    integers(&mut cells, "node_type_id", &types);
    integers(&mut cells, "node_id", &ids)
        .with_chunks(&[7])
        .with_deflate(4);
    integers(&mut cells, "node_group_id", &group);
    integers(&mut cells, "node_group_index", &places);
    let mut zero = cells.create_group("0");
    let mut dynamics = zero.create_group("dynamics_params");
    let currents: Vec<f64> = alpha.iter().map(|&k| current_pa(k)).collect();
    dynamics.create_dataset("I_e").with_f64_data(&currents);
    zero.add_group(dynamics.finish());
    zero.create_dataset("x")
        .with_f64_data(&vec![0.0; alpha.len()]);
    cells.add_group(zero.finish());
    let one = cells.create_group("1");
    cells.add_group(one.finish());
    nodes.add_group(cells.finish());
    file.add_group(nodes.finish());
    file.finish().unwrap()
}

fn virtual_nodes() -> Vec<u8> {
    let mut file = FileBuilder::new();
    let mut nodes = file.create_group("nodes");
    let mut input = nodes.create_group("input");
    integers(&mut input, "node_type_id", &[1; N_VIRTUAL]);
    nodes.add_group(input.finish());
    file.add_group(nodes.finish());
    file.finish().unwrap()
}

fn edges(source: &str, edges: &[Edge], own_values: bool) -> Vec<u8> {
    let n = edges.len();
    let mut file = FileBuilder::new();
    let mut root = file.create_group("edges");
    let mut population = root.create_group(&format!("{source}_to_cells"));
    let first = if source == "cells" { FIRST_ID } else { 0 };
    let sources: Vec<u64> = edges.iter().map(|e| e.source as u64 + first).collect();
    let targets: Vec<u32> = edges
        .iter()
        .map(|e| e.target as u32 + FIRST_ID as u32)
        .collect();
    integers(&mut population, "source_node_id", &sources)
        .set_attr(
            "node_population",
            AttrValue::VarLenString(source.to_owned()),
        )
        .with_chunks(&[64])
        .with_shuffle()
        .with_deflate(4);
    population
        .create_dataset("target_node_id")
        .with_u32_data(&targets)
        .set_attr(
            "node_population",
            AttrValue::AsciiString("cells".to_owned()),
        );
    let edge_type = if own_values { 3 } else { 4 };
    population
        .create_dataset("edge_type_id")
        .with_i16_data(&vec![edge_type; n]);
    population
        .create_dataset("edge_group_id")
        .with_u8_data(&vec![0; n]);
    // Values stand in the reverse order of the edges.
    let places: Vec<u64> = (0..n as u64).rev().collect();
    integers(&mut population, "edge_group_index", &places);
    let mut group = population.create_group("0");
    if own_values {
        let weights: Vec<f64> = edges.iter().rev().map(|e| e.weight).collect();
        let delays: Vec<f64> = edges.iter().rev().map(|e| e.delay_ms).collect();
        group
            .create_dataset("syn_weight")
            .with_f64_data(&weights)
            .with_chunks(&[100]);
        group.create_dataset("delay").with_f64_data(&delays);
    }
    population.add_group(group.finish());
    root.add_group(population.finish());
    file.add_group(root.finish());
    file.finish().unwrap()
}

fn spikes(spelling: Spelling) -> Vec<u8> {
    let all = input_spikes();
    let factor = if spelling == Spelling::Seconds {
        1e-3
    } else {
        1.0
    };
    let times: Vec<f64> = all.iter().map(|s| s.1 * factor).collect();
    let ids: Vec<u64> = all.iter().map(|s| s.0).collect();
    let mut file = FileBuilder::new();
    let mut root = file.create_group("spikes");
    if spelling == Spelling::Old {
        root.create_dataset("timestamps").with_f64_data(&times);
        integers(&mut root, "gids", &ids);
    } else {
        let unit = if spelling == Spelling::Seconds {
            "s"
        } else {
            "ms"
        };
        let mut input = root.create_group("input");
        input
            .create_dataset("timestamps")
            .with_f64_data(&times)
            .with_chunks(&[50])
            .with_deflate(1)
            .set_attr("units", AttrValue::VarLenString(unit.to_owned()));
        integers(&mut input, "node_ids", &ids);
        root.add_group(input.finish());
    }
    file.add_group(root.finish());
    file.finish().unwrap()
}
