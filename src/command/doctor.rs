//! `rheobase doctor`.

use rheobase::engine::network::readable_bytes;
use rheobase::engine::port::NeuronType;
use rheobase::equations::block::BlockProgram;
use rheobase::equations::native::{Derived, LANES, StepArgs};
use rheobase::report::Machine;
use rheobase::run::available_memory;

use super::{Failure, print};

/// Arguments of `rheobase doctor`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  rheobase doctor")]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn doctor(arguments: &Arguments) -> Result<(), Failure> {
    let machine = Machine::detect();
    let simd = format!("{:?}", rheobase::engine::simd::level());
    let memory = available_memory();
    let adapters = adapters();
    let tests: Vec<(String, bool)> = rheobase::registry()
        .neurons
        .iter()
        .map(|(name, neuron)| (name.clone(), kernels_agree(neuron.as_ref())))
        .collect();
    let failed: Vec<&str> = tests
        .iter()
        .filter(|(_, ok)| !ok)
        .map(|(n, _)| n.as_str())
        .collect();
    if arguments.json {
        let object = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": machine,
            "simd": simd,
            "memory_available_bytes": memory,
            "gpu_adapters": adapters,
            "kernels": tests.iter().map(|(n, ok)| serde_json::json!({"neuron": n, "native_equals_block": ok})).collect::<Vec<_>>(),
        });
        print(&format!("{object}\n"))?;
    } else {
        let mut text = format!(
            "rheobase {}\nprocessor   {} ({} cores, {}, {})\nvectors     {simd}\nmemory      {} available\n",
            env!("CARGO_PKG_VERSION"),
            machine.cpu,
            machine.cores,
            machine.os,
            machine.arch,
            memory.map_or_else(|| "unknown".to_owned(), readable_bytes),
        );
        if adapters.is_empty() {
            text.push_str("GPU         no adapter\n");
        }
        for a in &adapters {
            text.push_str(&format!("GPU         {a}\n"));
        }
        for (name, ok) in &tests {
            let verdict = if *ok {
                "native and interpreted kernels agree"
            } else {
                "KERNELS DISAGREE"
            };
            text.push_str(&format!("{name:<16} {verdict}\n"));
        }
        print(&text)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Run(format!(
            "kernels of {} disagree on this machine",
            failed.join(", ")
        )))
    }
}

#[cfg(feature = "gpu")]
fn adapters() -> Vec<String> {
    rheobase::engine::backend::gpu::GpuDevice::adapters()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[cfg(not(feature = "gpu"))]
fn adapters() -> Vec<String> {
    Vec::new()
}

/// A hundred steps of 200 neurons under growing input: compiled and interpreted kernel must give
/// the same bits.
fn kernels_agree(neuron: &dyn NeuronType) -> bool {
    let Some(component) = neuron.component() else {
        return true;
    };
    let n = 200;
    let stride = n / LANES * LANES + LANES;
    let parameters = component.default_parameters();
    let dt_ms = 0.1;
    let derived: Vec<Derived<f32>> = neuron
        .derive(&parameters, dt_ms)
        .into_iter()
        .map(|x| Derived::shared(narrow(x)))
        .collect();
    let states: Vec<f32> = neuron
        .initial_states(&parameters, dt_ms)
        .into_iter()
        .flat_map(|x| std::iter::repeat_n(narrow(x), stride))
        .collect();
    let mut kernel = neuron.kernel_f32();
    let mut block = BlockProgram::<f32>::new(component);
    let run = |step: &mut dyn FnMut(&mut StepArgs<'_, f32>)| {
        let ports = neuron.ports();
        let mut states = states.clone();
        let mut spikes = Vec::new();
        let mut outputs = vec![0.0; ports.outputs.len() * stride];
        let random = vec![0.25; (ports.n_uniforms + ports.n_normals) * stride];
        for k in 0..100_u16 {
            let mut inputs: Vec<f32> = (0..ports.inputs.len() * stride)
                .map(|i| f32::from(k) * 0.5 + f32::from(u16::try_from(i % 97).unwrap_or(0)) * 0.1)
                .collect();
            step(&mut StepArgs {
                n,
                stride,
                states: &mut states,
                inputs: &mut inputs,
                input_stride: stride,
                derived: &derived,
                random: &random,
                time: f32::from(k) * 0.1,
                outputs: &mut outputs,
                spikes: &mut spikes,
                bits: None,
            });
        }
        let bits: Vec<u32> = states.iter().map(|x| x.to_bits()).collect();
        (bits, spikes)
    };
    run(&mut |args| kernel.step(args)) == run(&mut |args| block.step(args))
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "to the precision of the test"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
