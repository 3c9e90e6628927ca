//! `lif` against SpikingJelly 2.0.0 (see `tests/golden/neuron`).

use serde_json::Value as Json;

use crate::cell::{Cell, Precise, registered};

fn table(json: &Json) -> Vec<Vec<f64>> {
    let row = |row: &Json| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect()
    };
    json.as_array().unwrap().iter().map(row).collect()
}

/// Spikes are identical, membranes within `tolerance`.
fn compare<R: Precise>(tolerance: f64) {
    let text = include_str!("../../../tests/golden/neuron/lif.json");
    let document: Json = serde_json::from_str(text).unwrap();
    for case in document["cases"].as_array().unwrap() {
        let parameters =
            ["tau", "v_threshold", "v_reset"].map(|name| (name, case[name].as_f64().unwrap()));
        let (x, s, v) = (table(&case["x"]), table(&case["s"]), table(&case["v"]));
        let n = x[0].len();
        let mut cell = Cell::<R>::new(&*registered("lif"), &parameters, n, 1.0);
        if let Some(v0) = case["v0"].as_array() {
            v0.iter()
                .enumerate()
                .for_each(|(i, v)| cell.set("v", i, v.as_f64().unwrap()));
        }
        let mut worst: f64 = 0.0;
        for ((x, s), v) in x.iter().zip(&s).zip(&v) {
            x.iter()
                .enumerate()
                .for_each(|(i, x)| cell.arrive("x", i, *x));
            let fired = cell.step().to_vec();
            let expected: Vec<u32> = (0..)
                .zip(s)
                .filter(|(_, s)| **s == 1.0)
                .map(|(i, _)| i)
                .collect();
            assert_eq!(fired, expected, "{}", case["name"]);
            let distances = v
                .iter()
                .enumerate()
                .map(|(i, v)| (cell.get("v", i) - v).abs());
            worst = distances.fold(worst, f64::max);
        }
        println!("{}: v within {worst:.1e}", case["name"]);
        assert!(worst <= tolerance);
    }
}

#[test]
fn lif_f64() {
    compare::<f64>(1e-14);
}

#[test]
fn lif_f32() {
    compare::<f32>(1e-6);
}
