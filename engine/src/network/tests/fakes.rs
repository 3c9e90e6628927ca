//! Small components that stand in for the zoo, which lives above this crate.

use std::ops::Range;
use std::sync::Arc;

use rheobase_equations::lower::lower;
use rheobase_equations::native::StepArgs;
use rheobase_equations::parse;
use rheobase_equations::real::Real;
use rheobase_equations::unit::{Dimension, Unit};

use crate::arguments::{ArgumentError, ArgumentKind, ArgumentSpec};
use crate::neuron::EquationNeuron;
use crate::port::{
    ConnectivityRule, Drive, DriveType, Entry, Kernel, Layer, LayerCall, LayerInput, LayerType,
    NeuronPorts, NeuronType, Quantity, Registry, RowDrawer, RuleStreams, Sides, SpikeSource,
    SpikeSourceType, StimulusContext, StimulusType, Tensor, each_row,
};
use crate::random::Construction;

/// The neurons the examples name, with their parameters and ports.
const NEURONS: &str = "
neuron iaf_cond_exp
  parameter c_m = 250 pF, g_l = 16.6667 nS, e_l = -70 mV, v_th = -55 mV, v_reset = -60 mV
  parameter e_ex = 0 mV, e_in = -85 mV, tau_ex = 0.2 ms, tau_in = 2 ms, t_ref = 2 ms, i_e = 0 pA
  dv/dt = (g_l*(e_l - v) + g_ex*(e_ex - v) + g_in*(e_in - v) + i_e)/c_m : mV = e_l (unless refractory)
  dg_ex/dt = -g_ex/tau_ex : nS
  dg_in/dt = -g_in/tau_in : nS
  input ex(w : nS): g_ex += w
  input in(w : nS): g_in += w
  spike when v >= v_th, reset v = v_reset, refractory t_ref

neuron iaf_psc_exp
  parameter tau_m = 10 ms in [0.1 ms, 1 s], c_m = 250 pF, e_l = -70 mV, v_th = -55 mV
  parameter tau_ex = 2 ms, tau_in = 2 ms, t_ref = 2 ms, i_e = 0 pA, v_reset = -70 mV
  dv/dt = (e_l - v)/tau_m + (i_ex + i_in + i_e)/c_m : mV = e_l (unless refractory)
  di_ex/dt = -i_ex/tau_ex : pA
  di_in/dt = -i_in/tau_in : pA
  input ex(w : pA): i_ex += w
  input in(w : pA): i_in += w
  spike when v >= v_th, reset v = v_reset, refractory t_ref

neuron iaf_psc_delta
  parameter tau_m = 10 ms, c_m = 250 pF, e_l = -70 mV, v_th = -55 mV, v_reset = -70 mV
  parameter t_ref = 2 ms, i_e = 0 pA
  dv/dt = (e_l - v)/tau_m + i_e/c_m : mV = e_l (unless refractory)
  input delta(w : mV): v += w (unless refractory)
  spike when v >= v_th, reset v = v_reset, refractory t_ref

neuron lif
  parameter tau = 2, v_threshold = 1, v_reset = 0
  input x : 1
  update v = v + (x - (v - v_reset))/tau : 1 = v_reset
  output h = v
  spike when v >= v_threshold, reset v = v_reset
";

pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    for model in parse(NEURONS, "fakes.rheo").unwrap_or_else(|e| panic!("{e}")) {
        let name = model.name.clone();
        let component = lower(&Arc::new(model), None).unwrap();
        registry
            .neurons
            .insert(name, Arc::new(EquationNeuron::new(component, None)));
    }
    registry
        .neurons
        .insert("rusty".to_owned(), Arc::new(Rusty::new()));
    for (name, entry) in rules() {
        registry.rules.insert(name.to_owned(), entry);
    }
    for (name, entry) in stimuli() {
        registry.stimuli.insert(name.to_owned(), entry);
    }
    registry.layers.insert("linear".to_owned(), linear());
    registry
}

const fn argument(
    name: &'static str,
    kind: ArgumentKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> ArgumentSpec {
    ArgumentSpec {
        name,
        kind,
        default,
        doc,
    }
}

/// A neuron without equations.
struct Rusty(NeuronPorts);

impl Rusty {
    fn new() -> Self {
        let gain = Quantity {
            name: "gain".to_owned(),
            doc: String::new(),
            unit: Unit::base(Dimension::NONE),
            default: 1.0,
        };
        Self(NeuronPorts {
            parameters: vec![gain],
            ..NeuronPorts::default()
        })
    }
}

impl NeuronType for Rusty {
    fn ports(&self) -> &NeuronPorts {
        &self.0
    }
    fn derive(&self, parameters: &[f64], _: f64) -> Vec<f64> {
        parameters.to_vec()
    }
    fn initial_states(&self, _: &[f64], _: f64) -> Vec<f64> {
        Vec::new()
    }
    fn kernel_f32(&self) -> Box<dyn Kernel<f32>> {
        Box::new(Silent)
    }
    fn kernel_f64(&self) -> Box<dyn Kernel<f64>> {
        Box::new(Silent)
    }
}

struct Silent;

impl<R: Real> Kernel<R> for Silent {
    fn step(&mut self, _: &mut StepArgs<'_, R>) {}
    fn name(&self) -> &'static str {
        "rust"
    }
}

/// Rules differ here only in the number of synapses they expect.
enum Rule {
    All,
    One,
    Bernoulli(f64),
    Indegree(u64, bool),
    Listed(usize, Vec<f64>),
}

impl ConnectivityRule for Rule {
    fn check(&self, sides: Sides) -> Result<(), String> {
        match self {
            Self::One if sides.n_source != sides.n_target => Err(format!(
                "{} sources for {} targets",
                sides.n_source, sides.n_target
            )),
            Self::Indegree(n, false) if *n > u64::from(sides.n_source) => Err(format!(
                "an in-degree of {n} without multapses needs as many sources; there are {}",
                sides.n_source
            )),
            _ => Ok(()),
        }
    }
    fn expected_synapses(&self, sides: Sides) -> f64 {
        let (n, m) = (f64::from(sides.n_source), f64::from(sides.n_target));
        match self {
            Self::All => n * m,
            Self::One => n,
            Self::Bernoulli(p) => p * n * m,
            #[allow(clippy::cast_precision_loss, reason = "small")]
            Self::Indegree(k, _) => *k as f64 * m,
            #[allow(clippy::cast_precision_loss, reason = "small")]
            Self::Listed(n, _) => *n as f64,
        }
    }
    fn fixes_weights(&self) -> bool {
        !self.fixed_delays().is_empty()
    }
    fn fixed_delays(&self) -> &[f64] {
        match self {
            Self::Listed(_, delays) => delays,
            _ => &[],
        }
    }
    fn rows(&self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer> {
        each_row(|_, _, _| {})
    }
}

type RuleEntry = Entry<Arc<dyn ConnectivityRule>>;

fn rules() -> [(&'static str, RuleEntry); 5] {
    const BERNOULLI: &[ArgumentSpec] = &[
        argument("p", ArgumentKind::Number, None, "probability of a synapse"),
        argument(
            "autapses",
            ArgumentKind::Boolean,
            Some("true"),
            "onto itself",
        ),
    ];
    const INDEGREE: &[ArgumentSpec] = &[
        argument(
            "indegree",
            ArgumentKind::Integer,
            None,
            "synapses per target",
        ),
        argument(
            "multapses",
            ArgumentKind::Boolean,
            Some("true"),
            "more than one per pair",
        ),
    ];
    const LISTED: &[ArgumentSpec] = &[
        argument(
            "sources",
            ArgumentKind::IntegerList,
            None,
            "source of each synapse",
        ),
        argument(
            "targets",
            ArgumentKind::IntegerList,
            None,
            "target of each synapse",
        ),
        argument(
            "weights",
            ArgumentKind::PortQuantityList,
            Some(""),
            "weight of each synapse",
        ),
        argument(
            "delays",
            ArgumentKind::QuantityList("ms"),
            Some(""),
            "delay of each synapse",
        ),
    ];
    [
        (
            "all_to_all",
            Entry {
                summary: "",
                arguments: &[],
                make: |_| Ok(Arc::new(Rule::All)),
            },
        ),
        (
            "one_to_one",
            Entry {
                summary: "",
                arguments: &[],
                make: |_| Ok(Arc::new(Rule::One)),
            },
        ),
        (
            "pairwise_bernoulli",
            Entry {
                summary: "",
                arguments: BERNOULLI,
                make: |a| match a.number("p")? {
                    p if (0.0..=1.0).contains(&p) => Ok(Arc::new(Rule::Bernoulli(p))),
                    p => Err(ArgumentError::new("p", format!("{p} is no probability"))),
                },
            },
        ),
        (
            "fixed_indegree",
            Entry {
                summary: "",
                arguments: INDEGREE,
                make: |a| {
                    Ok(Arc::new(Rule::Indegree(
                        a.integer("indegree")?,
                        a.boolean("multapses")?,
                    )))
                },
            },
        ),
        (
            "explicit",
            Entry {
                summary: "",
                arguments: LISTED,
                make: |a| {
                    let n = a.integers("sources")?.len();
                    let delays = if a.has("delays") {
                        a.quantities("delays", "ms")?
                    } else {
                        Vec::new()
                    };
                    Ok(Arc::new(Rule::Listed(n, delays)))
                },
            },
        ),
    ]
}

struct Source(Option<u32>);

impl SpikeSourceType for Source {
    fn size(&self) -> Option<u32> {
        self.0
    }
    fn instantiate(&self, _: StimulusContext) -> Box<dyn SpikeSource> {
        Box::new(Silent)
    }
}

impl SpikeSource for Silent {
    fn emit(&mut self, _: u64, _: Range<u32>, _: &mut Vec<u32>) {}
}

struct Background;

impl DriveType for Background {
    fn instantiate_f32(&self, _: StimulusContext) -> Box<dyn Drive<f32>> {
        Box::new(Silent)
    }
    fn instantiate_f64(&self, _: StimulusContext) -> Box<dyn Drive<f64>> {
        Box::new(Silent)
    }
}

impl<R: Real> Drive<R> for Silent {
    fn drive(&mut self, _: u64, _: u32, _: &mut [R]) {}
}

fn stimuli() -> [(&'static str, Entry<StimulusType>); 4] {
    const RATE: ArgumentSpec = argument(
        "rate",
        ArgumentKind::Quantity("Hz"),
        None,
        "events per second",
    );
    const BACKGROUND: &[ArgumentSpec] = &[
        RATE,
        argument("weight", ArgumentKind::PortQuantity, None, "of every event"),
    ];
    const TIMES: &[ArgumentSpec] = &[argument(
        "times",
        ArgumentKind::QuantityLists("ms"),
        None,
        "of each neuron",
    )];
    const CURRENT: &[ArgumentSpec] = &[argument(
        "amplitude",
        ArgumentKind::Quantity("pA"),
        None,
        "the current",
    )];
    [
        (
            "poisson_background",
            Entry {
                summary: "",
                arguments: BACKGROUND,
                make: |_| Ok(StimulusType::Drive(Arc::new(Background))),
            },
        ),
        (
            "constant_current",
            Entry {
                summary: "",
                arguments: CURRENT,
                make: |_| Ok(StimulusType::Drive(Arc::new(Background))),
            },
        ),
        (
            "poisson",
            Entry {
                summary: "",
                arguments: &[RATE],
                make: |_| Ok(StimulusType::Source(Arc::new(Source(None)))),
            },
        ),
        (
            "spike_times",
            Entry {
                summary: "",
                arguments: TIMES,
                make: |a| {
                    let n = u32::try_from(a.quantity_lists("times", "ms")?.len()).ok();
                    Ok(StimulusType::Source(Arc::new(Source(n))))
                },
            },
        ),
    ]
}

struct Linear(usize);

fn linear() -> Entry<Arc<dyn LayerType>> {
    const ARGUMENTS: &[ArgumentSpec] = &[argument(
        "out_features",
        ArgumentKind::Integer,
        None,
        "width of the output",
    )];
    Entry {
        summary: "",
        arguments: ARGUMENTS,
        make: |a| {
            usize::try_from(a.integer("out_features")?)
                .map(|n| Arc::new(Linear(n)) as Arc<dyn LayerType>)
                .map_err(|e| ArgumentError::new("out_features", e.to_string()))
        },
    }
}

impl LayerType for Linear {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        match input {
            [_] => Ok(vec![self.0]),
            _ => Err("expected a vector".to_owned()),
        }
    }
    fn parameters(&self, input: &[usize], _: &mut Construction) -> Vec<Tensor<f64>> {
        let shape = vec![self.0, input[0]];
        let values = vec![0.0; self.0 * input[0]];
        vec![Tensor {
            name: "weight".to_owned(),
            shape,
            values,
        }]
    }
    fn layer_f32(&self, _: &[usize]) -> Box<dyn Layer<f32>> {
        Box::new(Silent)
    }
    fn layer_f64(&self, _: &[usize]) -> Box<dyn Layer<f64>> {
        Box::new(Silent)
    }
}

impl<R: Real> Layer<R> for Silent {
    fn forward(
        &self,
        _: &LayerCall<'_, R>,
        _: std::ops::Range<usize>,
        _: LayerInput<'_, R>,
        _: &mut [R],
        _: &mut Vec<R>,
    ) {
    }
    fn reverse(
        &self,
        _: &LayerCall<'_, R>,
        _: std::ops::Range<usize>,
        _: LayerInput<'_, R>,
        _: &[R],
        _: &mut [R],
        _: &mut Vec<R>,
    ) {
    }
}
