//! A convolutional network, layer by layer, against SpikingJelly 2.0.0: forward from the recorded
//! input of each layer, backward through the whole. Integrate-and-fire units are written out here.

use std::collections::HashMap;

use rheobase_engine::port::{Layer, LayerCall, LayerInput, LayerType, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::testing::{backward, call, distance, forward, made, real, zeros};

type Arrays = HashMap<String, Vec<f64>>;

const NETS: &str = include_str!("../../../tests/golden/spikingjelly/nets.json");
const ARRAYS: &[u8] = include_bytes!("../../../tests/golden/spikingjelly/nets.f64.safetensors");

/// The arrays of every convolutional network there is.
fn networks() -> Vec<(bool, Arrays)> {
    let json: serde_json::Value = serde_json::from_str(NETS).unwrap();
    let tensors = SafeTensors::deserialize(ARRAYS).unwrap();
    let mut networks = Vec::new();
    for case in json["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        if !name.starts_with("conv") {
            continue;
        }
        let arrays = case["arrays"].as_object().unwrap().keys().map(|array| {
            let view = tensors.tensor(&format!("{name}/{array}")).unwrap();
            let words = view.data().as_chunks::<8>().0;
            // Labels are integers.
            let value = |&word: &[u8; 8]| match view.dtype() {
                Dtype::I64 => i64::from_le_bytes(word) as f64,
                _ => f64::from_le_bytes(word),
            };
            let values = words.iter().map(value).collect();
            (array.clone(), values)
        });
        let training = case["params"]["mode"] == "train";
        networks.push((training, arrays.collect()));
    }
    networks
}

/// Steps and samples.
const STEPS: usize = 4;
const BATCH: usize = 3;

/// One layer with the parameters recorded for it.
struct Link {
    layer: Box<dyn Layer<f64>>,
    parameters: Vec<Tensor<f64>>,
    width: usize,
    n_out: usize,
    index: usize,
}

impl Link {
    fn new(of: &dyn LayerType, shape: &[usize], index: usize, arrays: &Arrays) -> Self {
        let mut random = rheobase_engine::random::construction_stream(
            0,
            rheobase_engine::random::Purpose::Layer,
            0,
            0,
        );
        let mut parameters = of.parameters(shape, &mut random);
        for tensor in &mut parameters {
            tensor.values = arrays[&format!("p.f.{index}.{}", tensor.name)].clone();
        }
        let mut layer = of.layer_f64(shape);
        for buffer in layer.buffers() {
            buffer.values = arrays[&format!("p.f.{index}.{}", buffer.name)].clone();
        }
        Self {
            layer,
            parameters,
            width: shape.iter().product(),
            n_out: of.output_shape(shape).unwrap().iter().product(),
            index,
        }
    }

    fn forward(&mut self, training: bool, input: LayerInput<'_, f64>) -> Vec<f64> {
        let call = LayerCall {
            training,
            ..call(&self.parameters, BATCH)
        };
        forward(self.layer.as_mut(), &call, input, self.n_out)
    }

    fn backward(&mut self, training: bool, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<Tensor<f64>>) {
        let call = LayerCall {
            training,
            ..call(&self.parameters, BATCH)
        };
        let (mut dx, mut dp) = (vec![0.0; x.len()], zeros(&self.parameters));
        let input = real(x, self.width);
        backward(self.layer.as_mut(), &call, input, dy, &mut dx, &mut dp);
        (dx, dp)
    }
}

/// Cotangent of the input of integrate-and-fire units (threshold 1, hard reset to 0, arctangent
/// surrogate of α = 2), `[steps, lanes]`.
fn fire_backward(x: &[f64], ds: &[f64]) -> Vec<f64> {
    let lanes = x.len() / STEPS;
    let mut dx = vec![0.0; x.len()];
    for lane in 0..lanes {
        let mut v = 0.0;
        let mut h = [0.0; STEPS];
        for t in 0..STEPS {
            h[t] = v + x[t * lanes + lane];
            v = if h[t] >= 1.0 { 0.0 } else { h[t] };
        }
        let mut dv = 0.0;
        for t in (0..STEPS).rev() {
            let slope = 1.0 / (1.0 + (std::f64::consts::PI * (h[t] - 1.0)).powi(2));
            let s = if h[t] >= 1.0 { 1.0 } else { 0.0 };
            let dh = (ds[t * lanes + lane] - dv * h[t]) * slope + dv * (1.0 - s);
            dx[t * lanes + lane] = dh;
            dv = dh;
        }
    }
    dx
}

fn lists(values: &[f64], width: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut offsets, mut indices) = (vec![0], Vec::new());
    for row in values.chunks(width) {
        indices.extend(
            (0_u32..)
                .zip(row)
                .filter(|(_, x)| **x > 0.5)
                .map(|(i, _)| i),
        );
        offsets.push(indices.len() as u32);
    }
    (offsets, indices)
}

#[test]
fn convolutional_networks_are_those_of_spikingjelly() {
    let networks = networks();
    assert!(!networks.is_empty());
    for (training, arrays) in networks {
        check(training, &arrays);
    }
}

fn check(training: bool, arrays: &Arrays) {
    let conv = |n: &str| {
        let arguments = [
            ("out_channels", n),
            ("kernel_size", "3"),
            ("padding", "1"),
            ("bias", "false"),
        ];
        made("conv2d", &arguments)
    };
    let (norm, pool) = (
        made("batch_norm", &[]),
        made("max_pool2d", &[("kernel_size", "2")]),
    );
    let linear = |n: &str| made("linear", &[("out_features", n), ("bias", "false")]);
    let link = |of: &dyn LayerType, shape: &[usize], index| Link::new(of, shape, index, arrays);
    let mut links = [
        link(&*conv("4"), &[1, 12, 12], 0),
        link(&*norm, &[4, 12, 12], 1),
        link(&*pool, &[4, 12, 12], 3),
        link(&*conv("6"), &[4, 6, 6], 4),
        link(&*norm, &[6, 6, 6], 5),
        link(&*pool, &[6, 6, 6], 7),
        link(&*made("flatten", &[]), &[6, 3, 3], 8),
        link(&*linear("16"), &[54], 9),
        link(&*linear("5"), &[16], 11),
    ];
    let mut worst: f64 = 0.0;
    let mut near = |what: String, found: &[f64], expected: &[f64]| {
        let far = distance(found, expected);
        assert!(far < 1e-9, "{what}, training {training}: {far:e}");
        worst = worst.max(far);
    };
    let input_of = |index: usize| match index {
        0 => &arrays["x"],
        _ => &arrays[&format!("out{}", index - 1)],
    };
    for link in &mut links {
        let (index, x) = (link.index, input_of(link.index));
        let y = link.forward(training, real(x, link.width));
        near(format!("out{index}"), &y, &arrays[&format!("out{index}")]);
        if [3, 4, 7, 8, 9, 11].contains(&index) {
            let (offsets, indices) = lists(x, link.width);
            let (offsets, indices, width) = (&offsets, &indices, link.width);
            let spikes = LayerInput::Spikes {
                offsets,
                indices,
                width,
            };
            let again = link.forward(training, spikes);
            near(format!("out{index} from spikes"), &again, &y);
        }
        for buffer in link.layer.buffers() {
            if let Some(after) = arrays.get(&format!("after.f.{index}.{}", buffer.name)) {
                near(format!("{index}.{}", buffer.name), &buffer.values, after);
            }
        }
    }
    // The loss is the mean square of (rate − one-hot label).
    let n = 5;
    let slope = |(i, rate): (usize, &f64)| {
        let label = if arrays["y"][i / n] as usize == i % n {
            1.0
        } else {
            0.0
        };
        2.0 * (rate - label) / (BATCH * n * STEPS) as f64
    };
    let of_rate: Vec<f64> = arrays["rate"].iter().enumerate().map(slope).collect();
    let mut dy = of_rate.repeat(STEPS);
    for link in links.iter_mut().rev() {
        if [1, 5, 9, 11].contains(&link.index) {
            dy = fire_backward(&arrays[&format!("out{}", link.index)], &dy);
        }
        let (dx, dp) = link.backward(training, input_of(link.index), &dy);
        for (tensor, found) in link.parameters.iter().zip(&dp) {
            let name = format!("g.f.{}.{}", link.index, tensor.name);
            near(name.clone(), &found.values, &arrays[&name]);
        }
        dy = dx;
    }
    near("gx".to_owned(), &dy, &arrays["gx"]);
    println!("conv network, training {training}: within {worst:.1e}");
}
