//! From which activity on multiplying all inputs of a linear layer is faster than gathering the rows of
//! those that are active, forward and for the gradient of the weights. The two and the layer's own
//! choice take turns on the same spikes; all give the same bits.

use std::sync::Arc;
use std::time::Instant;

use rheobase_components::layer;
use rheobase_engine::port::{Layer, LayerCall, LayerInput, LayerType, Tensor};
use rheobase_engine::random::{Philox, Purpose, construction_stream};
use rheobase_report::atomic_write;
use rheobase_report::plot::{ScalingPanel, ScalingPlot, ScalingSeries};
use serde_json::json;

use super::spread::Spread;
use super::{Answers, BenchError, Measurement, Setting, noise};

/// Inputs and outputs.
const SIZES: [(usize, usize); 4] = [(784, 512), (512, 10), (256, 256), (1568, 512)];
const PRODUCTS: [&str; 3] = ["gather", "dense", "auto"];
/// Share of inputs that are active.
const ACTIVITIES: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.9];
/// What is drawn.
const DRAWN: (usize, usize) = (784, 512);

pub(super) fn ask(setting: &Setting, answers: Answers<'_>) -> Result<(), BenchError> {
    let mut panels = Vec::new();
    for size in SIZES {
        let found = sweep(setting, size, answers)?;
        if size == DRAWN {
            panels = found;
        }
    }
    let title = format!(
        "Linear layer {} to {} on spikes, one thread",
        DRAWN.0, DRAWN.1
    );
    let figure = ScalingPlot {
        title: &title,
        panels: &panels,
    }
    .draw()?;
    let file = |name: &str| setting.folder.join(name);
    atomic_write(&file("crossover.svg"), figure.svg().as_bytes())?;
    atomic_write(&file("crossover.png"), &figure.png()?)?;
    Ok(())
}

/// One layer at every activity.
fn sweep(
    setting: &Setting,
    (n_in, n_out): (usize, usize),
    answers: Answers<'_>,
) -> Result<Vec<ScalingPanel>, BenchError> {
    let (rows, rounds) = if setting.quick { (16, 3) } else { (1024, 25) };
    let mut runners = PRODUCTS
        .iter()
        .map(|products| Runner::new(products, n_in, n_out, rows))
        .collect::<Result<Vec<_>, _>>()?;
    let mut panels: Vec<ScalingPanel> = ["Forward", "Gradient of the weights"]
        .map(|what| ScalingPanel {
            x: format!("{what}: share of inputs active"),
            y: "Time (µs)".to_owned(),
            series: PRODUCTS.map(series).into(),
        })
        .into();
    for activity in ACTIVITIES {
        let spikes = Spikes::draw(activity, n_in, rows);
        let mut us: [[Vec<f64>; 3]; 2] = Default::default();
        for round in 0..=rounds {
            for (k, runner) in runners.iter_mut().enumerate() {
                let (forward, gradient) = runner.run(&spikes);
                // The first round warms up.
                if round > 0 {
                    us[0][k].push(forward);
                    us[1][k].push(gradient);
                }
            }
        }
        for (way, (what, us)) in ["forward", "gradient"].iter().zip(us).enumerate() {
            let spreads = us.map(Spread::of);
            for (k, spread) in spreads.iter().enumerate() {
                panels[way].series[k].points.push((activity, spread.median));
            }
            let [gather, dense, auto] = spreads;
            let case = json!({
                "layer": format!("{n_in}-{n_out}"), "way": what, "activity": activity,
            });
            let figures = json!({
                "gather_us": gather.json(),
                "dense_us": dense.json(),
                "auto_us": auto.json(),
                "auto_over_better": auto.median / gather.median.min(dense.median),
            });
            answers(Measurement::new("crossover", 1, case, figures))?;
        }
    }
    Ok(panels)
}

fn series(products: &str) -> ScalingSeries {
    ScalingSeries {
        label: products.to_owned(),
        points: Vec::new(),
        law: None,
    }
}

/// A layer with one way to multiply.
struct Runner {
    layer: Box<dyn Layer<f32>>,
    parameters: Vec<Tensor<f32>>,
    gradients: Vec<Tensor<f32>>,
    output: Vec<f32>,
    cotangent: Vec<f32>,
    scratch: Vec<f32>,
    pool: rayon::ThreadPool,
}

impl Runner {
    fn new(products: &str, n_in: usize, n_out: usize, rows: usize) -> Result<Self, BenchError> {
        let arguments = [
            ("out_features", n_out.to_string()),
            ("bias", "false".to_owned()),
            ("products", products.to_owned()),
        ];
        let kind: Arc<dyn LayerType> = layer("linear", &arguments)?;
        let mut random = construction_stream(1, Purpose::Layer, 0, 0);
        let parameters: Vec<Tensor<f32>> = kind
            .parameters(&[n_in], &mut random)
            .iter()
            .map(narrow)
            .collect();
        let cotangents = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0].into_iter().cycle();
        let cotangent = cotangents.take(rows * n_out).collect();
        Ok(Self {
            layer: kind.layer_f32(&[n_in]),
            gradients: parameters.clone(),
            parameters,
            output: vec![0.0; rows * n_out],
            cotangent,
            scratch: Vec::new(),
            pool: rayon::ThreadPoolBuilder::new().num_threads(1).build()?,
        })
    }

    /// Times \[µs\] of the output and of the gradient; laying out weights is left out.
    fn run(&mut self, spikes: &Spikes) -> (f64, f64) {
        let input = LayerInput::Spikes {
            offsets: &spikes.offsets,
            indices: &spikes.indices,
            width: spikes.width,
        };
        let call = LayerCall {
            parameters: &self.parameters,
            training: true,
            again: false,
            batch: 1,
            first_step: 0,
            repeats: 1,
            stream: Philox::new(1, Purpose::Layer, 0),
            pass: 0,
            version: 1,
        };
        self.pool.install(|| {
            self.layer.begin(&call, input);
            let rows = 0..input.rows();
            let begun = Instant::now();
            let (output, scratch) = (&mut self.output, &mut self.scratch);
            self.layer.forward(&call, rows, input, output, scratch);
            let forward = begun.elapsed();
            let begun = Instant::now();
            let (cotangent, gradients) = (&self.cotangent, &mut self.gradients);
            self.layer.add_gradients(&call, input, cotangent, gradients);
            let gradient = begun.elapsed();
            (forward.as_secs_f64() * 1e6, gradient.as_secs_f64() * 1e6)
        })
    }
}

#[allow(clippy::cast_possible_truncation, reason = "weights in f32")]
fn narrow(tensor: &Tensor<f64>) -> Tensor<f32> {
    Tensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        values: tensor.values.iter().map(|&w| w as f32).collect(),
    }
}

/// Index lists of rows.
struct Spikes {
    offsets: Vec<u32>,
    indices: Vec<u32>,
    width: usize,
}

impl Spikes {
    #[allow(clippy::cast_possible_truncation, reason = "small counts")]
    fn draw(activity: f64, width: usize, rows: usize) -> Self {
        let (mut offsets, mut indices) = (vec![0], Vec::new());
        for row in 0..rows as u64 {
            let is_active = |i: &u32| noise(row, u64::from(*i)) < activity;
            indices.extend((0..width as u32).filter(is_active));
            offsets.push(indices.len() as u32);
        }
        Self {
            offsets,
            indices,
            width,
        }
    }
}
