//! Where populations run, and why.

use std::sync::Arc;

use rheobase_engine::Instantiate;
#[cfg(feature = "gpu")]
use rheobase_engine::anchored::Arithmetic;
#[cfg(feature = "gpu")]
use rheobase_engine::backend::gpu::{AdapterChoice, AdapterKind, GpuDevice, cost};
use rheobase_engine::build::{BuildError, BuildOptions};
#[cfg(feature = "gpu")]
use rheobase_engine::plan::NodeKind;
use rheobase_engine::plan::Plan;
use rheobase_engine::simulation::Simulation;
#[cfg(feature = "gpu")]
use rheobase_equations::real::Precision;

use super::{RunFailure, RunOptions};

/// Where populations run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Backend {
    /// A hardware GPU where an estimate finds it worth it, else the processor. If the device fails, the
    /// run goes on on the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A GPU, software adapters among them, for all populations that can run there.
    Gpu,
}

/// Makes a simulation of a plan.
pub(super) type Make<R> = Box<dyn Fn(Arc<Plan>, BuildOptions) -> Result<Simulation<R>, BuildError>>;

/// Where a run takes place.
pub(super) struct Place<R> {
    /// `cpu` or `gpu`.
    pub(super) name: &'static str,
    /// The adapter, if there is one.
    pub(super) adapter: Option<String>,
    /// Why.
    pub(super) reason: String,
    /// Makes the simulation.
    pub(super) make: Make<R>,
    /// Makes another one on the processor, to go on with where the device fails.
    pub(super) rescue: Option<Make<R>>,
}

impl<R: Instantiate> Place<R> {
    /// The processor.
    pub(super) fn cpu(reason: String) -> Self {
        Self {
            name: "cpu",
            adapter: None,
            reason,
            make: Box::new(Simulation::<R>::build),
            rescue: None,
        }
    }
}

/// Chooses for a network in f64: devices compute in f32.
pub(super) fn choose_f64(options: &RunOptions) -> Result<Place<f64>, RunFailure> {
    let reason = "devices compute in f32, and the network asks for f64".to_owned();
    match options.backend {
        Backend::Gpu => Err(RunFailure::Device(reason)),
        Backend::Auto => Ok(Place::cpu(reason)),
        Backend::Cpu => Ok(Place::cpu("asked for".to_owned())),
    }
}

/// Chooses for a network in f32.
#[cfg(feature = "gpu")]
pub(super) fn choose_f32(
    plan: &Plan,
    options: &RunOptions,
    threads: usize,
) -> Result<Place<f32>, RunFailure> {
    debug_assert!(plan.precision == Precision::F32, "chosen by precision");
    let open = |choice| GpuDevice::request(&choice);
    let failed = |e: &dyn std::fmt::Display| RunFailure::Device(e.to_string());
    match options.backend {
        Backend::Cpu => Ok(Place::cpu("asked for".to_owned())),
        Backend::Gpu => {
            let choice = match &options.adapter {
                Some(name) => AdapterChoice::Named(name.clone()),
                None => AdapterChoice::Any,
            };
            let device = match &options.device {
                Some(device) => device.clone(),
                None => {
                    let device = open(choice).map_err(|e| failed(&e))?;
                    limit_memory(&device, options);
                    device
                }
            };
            Ok(on(device, "asked for".to_owned(), options.fallback))
        }
        Backend::Auto => {
            let (adapter, cost) = match cost::choose(plan, threads) {
                Ok(chosen) => chosen,
                Err(reason) => return Ok(Place::cpu(reason)),
            };
            match open(AdapterChoice::Named(adapter.name)) {
                Ok(device) => {
                    limit_memory(&device, options);
                    Ok(on(device, cost.to_string(), true))
                }
                Err(e) => Ok(Place::cpu(e.to_string())),
            }
        }
    }
}

/// Chooses for a network in f32, in a program without GPU support.
#[cfg(not(feature = "gpu"))]
pub(super) fn choose_f32(
    _plan: &Plan,
    options: &RunOptions,
    _threads: usize,
) -> Result<Place<f32>, RunFailure> {
    let reason = "this program was built without the feature `gpu`".to_owned();
    match options.backend {
        Backend::Gpu => Err(RunFailure::Device(reason)),
        Backend::Auto => Ok(Place::cpu(reason)),
        Backend::Cpu => Ok(Place::cpu("asked for".to_owned())),
    }
}

/// What was allowed holds for the device, too; a software adapter takes the memory of the processor.
#[cfg(feature = "gpu")]
fn limit_memory(device: &GpuDevice, options: &RunOptions) {
    let is_software = device.info().kind == AdapterKind::Software;
    let available = || is_software.then(super::available_memory).flatten();
    if let Some(bytes) = options.memory_limit.or_else(available) {
        device.limit_memory(bytes);
    }
}

#[cfg(feature = "gpu")]
fn on(device: GpuDevice, reason: String, rescued: bool) -> Place<f32> {
    let adapter = device.info().to_string();
    Place {
        name: "gpu",
        adapter: Some(adapter),
        reason,
        make: Box::new(move |plan, options| Simulation::build_on(plan, options, &device)),
        rescue: rescued.then(|| -> Make<f32> {
            Box::new(|plan, options| Simulation::build(Arc::new(stepwise(&plan)), options))
        }),
    }
}

/// The plan with the arithmetic that devices have, so that the processor can go on from their state.
#[cfg(feature = "gpu")]
fn stepwise(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for node in &mut plan.nodes {
        if let NodeKind::Population(population) = &mut node.kind
            && population.arithmetic == Arithmetic::Auto
        {
            population.arithmetic = Arithmetic::Stepwise;
        }
    }
    plan
}
