//! Where passes run, and why.

use rheobase_engine::Instantiate;
#[cfg(feature = "gpu")]
use rheobase_engine::backend::gpu::{AdapterChoice, GpuDevice, cost};
use rheobase_engine::plan::Plan;
use rheobase_engine::unrolled::UnrolledNetwork;
use rheobase_equations::real::Precision;

use super::{TrainFailure, TrainOptions};
use crate::run::Backend;

/// Where passes run.
pub(super) struct Place {
    /// `cpu` or `gpu`.
    pub(super) name: &'static str,
    /// Why.
    pub(super) reason: String,
    /// The adapter, if there is one.
    pub(super) adapter: Option<String>,
    /// The processor goes on if the device fails.
    pub(super) is_rescued: bool,
    #[cfg(feature = "gpu")]
    device: Option<GpuDevice>,
}

impl Place {
    fn cpu(reason: String) -> Self {
        Self {
            name: "cpu",
            reason,
            adapter: None,
            is_rescued: false,
            #[cfg(feature = "gpu")]
            device: None,
        }
    }

    /// The processor, because it was asked for.
    pub(super) fn processor() -> Self {
        Self::cpu("asked for".to_owned())
    }

    #[cfg(feature = "gpu")]
    fn gpu(device: GpuDevice, reason: String, is_rescued: bool) -> Self {
        Self {
            name: "gpu",
            reason,
            adapter: Some(device.info().to_string()),
            is_rescued,
            device: Some(device),
        }
    }

    /// The device has failed.
    pub(super) fn take_over(&mut self, reason: &str) {
        self.name = "gpu, then cpu";
        self.reason = format!("{reason}; continued on the processor");
        self.is_rescued = false;
    }

    /// Chooses for a network, with passes of so many steps and samples.
    pub(super) fn choose(
        plan: &Plan,
        rows: usize,
        options: &TrainOptions,
    ) -> Result<Self, TrainFailure> {
        match options.backend {
            Backend::Cpu => Ok(Self::processor()),
            Backend::Gpu if plan.precision != Precision::F32 => Err(TrainFailure::Device(
                "devices compute in f32, and the network asks for f64".to_owned(),
            )),
            Backend::Auto if plan.precision != Precision::F32 => {
                Ok(Self::cpu("the network asks for f64".to_owned()))
            }
            Backend::Gpu => Self::asked_for(options),
            Backend::Auto => Ok(Self::estimated(plan, rows, options)),
        }
    }

    #[cfg(feature = "gpu")]
    fn asked_for(options: &TrainOptions) -> Result<Self, TrainFailure> {
        let choice = match &options.adapter {
            Some(name) => AdapterChoice::Named(name.clone()),
            None => AdapterChoice::Any,
        };
        let device = match &options.device {
            Some(device) => Ok(device.clone()),
            None => GpuDevice::request(&choice),
        };
        match device {
            Ok(device) => Ok(Self::gpu(device, "asked for".to_owned(), options.fallback)),
            Err(e) => Err(TrainFailure::Device(e.to_string())),
        }
    }

    #[cfg(feature = "gpu")]
    fn estimated(plan: &Plan, rows: usize, options: &TrainOptions) -> Self {
        let (adapter, reason) = match cost::choose_training(plan, rows, options.threads) {
            Ok(chosen) => chosen,
            Err(reason) => return Self::cpu(reason),
        };
        match GpuDevice::request(&AdapterChoice::Named(adapter.name)) {
            Ok(device) => Self::gpu(device, reason, true),
            Err(e) => Self::cpu(e.to_string()),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn asked_for(_: &TrainOptions) -> Result<Self, TrainFailure> {
        let reason = "this program was built without the feature `gpu`".to_owned();
        Err(TrainFailure::Device(reason))
    }

    #[cfg(not(feature = "gpu"))]
    fn estimated(_: &Plan, _: usize, _: &TrainOptions) -> Self {
        Self::cpu("this program was built without the feature `gpu`".to_owned())
    }
}

/// Networks that a device may run.
pub(super) trait Attach: Instantiate {
    /// Lets the device of a place run the passes, if it has one. An estimate's choice that the network
    /// does not suit is taken back.
    fn attach(network: &mut UnrolledNetwork<Self>, place: &mut Place) -> Result<(), TrainFailure>;

    /// Lets the processor run them.
    fn detach(network: &mut UnrolledNetwork<Self>);
}

impl Attach for f64 {
    fn attach(_: &mut UnrolledNetwork<Self>, _: &mut Place) -> Result<(), TrainFailure> {
        Ok(())
    }

    fn detach(_: &mut UnrolledNetwork<Self>) {}
}

impl Attach for f32 {
    #[cfg(feature = "gpu")]
    fn attach(network: &mut UnrolledNetwork<Self>, place: &mut Place) -> Result<(), TrainFailure> {
        let Some(device) = &place.device else {
            return Ok(());
        };
        match network.run_on(device) {
            Ok(()) => Ok(()),
            Err(e) if place.is_rescued => {
                *place = Place::cpu(e.to_string());
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    #[cfg(not(feature = "gpu"))]
    fn attach(_: &mut UnrolledNetwork<Self>, _: &mut Place) -> Result<(), TrainFailure> {
        Ok(())
    }

    #[cfg(feature = "gpu")]
    fn detach(network: &mut UnrolledNetwork<Self>) {
        network.run_on_processor();
    }

    #[cfg(not(feature = "gpu"))]
    fn detach(_: &mut UnrolledNetwork<Self>) {}
}
