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
            text.push_str(&format!(
                "GPU         {}\n            {}\n",
                a.adapter, a.limits
            ));
            if let Some(trouble) = &a.trouble {
                text.push_str(&format!("            CANNOT BE USED: {trouble}\n"));
            } else {
                text.push_str(&format!(
                    "            kernels of {} components have the processor's bits, of {} its last digits\n",
                    a.same_bits, a.close
                ));
            }
            for name in &a.disagree {
                text.push_str(&format!(
                    "            {name}: THE KERNEL DISAGREES WITH THE PROCESSOR\n"
                ));
            }
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
    let on_devices = adapters
        .iter()
        .flat_map(|a| &a.disagree)
        .map(String::as_str);
    let failed: Vec<&str> = failed.into_iter().chain(on_devices).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Run(format!(
            "kernels of {} disagree on this machine",
            failed.join(", ")
        )))
    }
}

/// An adapter, and what its self-test found.
#[derive(serde::Serialize)]
struct AdapterReport {
    /// Name, interface, kind, driver.
    adapter: String,
    /// Limits, for people.
    limits: String,
    /// Why it cannot be used, if so.
    trouble: Option<String>,
    /// Components whose kernels agree with the processor's to the bit.
    same_bits: usize,
    /// Those that do in their last digits: they divide or take roots.
    close: usize,
    /// Those that do not.
    disagree: Vec<String>,
}

#[cfg(feature = "gpu")]
fn adapters() -> Vec<AdapterReport> {
    use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};

    let report = |info: rheobase::engine::backend::gpu::AdapterInfo| {
        let limits = format!(
            "buffers up to {}, of which a kernel sees {}; {} buffers for a kernel",
            readable_bytes(info.max_buffer_bytes),
            readable_bytes(info.max_binding_bytes),
            info.max_storage_buffers,
        );
        let mut report = AdapterReport {
            adapter: info.to_string(),
            limits,
            trouble: None,
            same_bits: 0,
            close: 0,
            disagree: Vec::new(),
        };
        match GpuDevice::request(&AdapterChoice::Named(info.name)) {
            Ok(device) => device_agrees(&device, &mut report),
            Err(e) => report.trouble = Some(e.to_string()),
        }
        report
    };
    GpuDevice::adapters().into_iter().map(report).collect()
}

/// Runs the kernel of every component beside the processor's.
#[cfg(feature = "gpu")]
fn device_agrees(device: &rheobase::engine::backend::gpu::GpuDevice, report: &mut AdapterReport) {
    use rheobase::engine::backend::gpu::StepKernel;

    for (name, neuron) in &rheobase::registry().neurons {
        let Some(component) = neuron.component() else {
            continue;
        };
        let mut block = BlockProgram::<f32>::new(component);
        let expected = hundred_steps(neuron.as_ref(), &mut |args| block.step(args));
        let mut trouble = None;
        let found = StepKernel::new(device, component).map(|kernel| {
            hundred_steps(neuron.as_ref(), &mut |args| {
                if let Err(e) = kernel.run(args) {
                    trouble.get_or_insert(e);
                }
            })
        });
        let found = match (found, trouble) {
            (Ok(found), None) => found,
            (Err(e), _) | (Ok(_), Some(e)) => {
                report.trouble.get_or_insert(e.to_string());
                report.disagree.push(name.clone());
                continue;
            }
        };
        let near = |(a, b): (&u32, &u32)| {
            let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
            (a - b).abs() <= 1e-3 * a.abs().max(1.0)
        };
        if found == expected {
            report.same_bits += 1;
        } else if found.1 == expected.1 && found.0.iter().zip(&expected.0).all(near) {
            report.close += 1;
        } else {
            report.disagree.push(name.clone());
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn adapters() -> Vec<AdapterReport> {
    Vec::new()
}

/// Compiled and interpreted kernel must give the same bits.
fn kernels_agree(neuron: &dyn NeuronType) -> bool {
    let Some(component) = neuron.component() else {
        return true;
    };
    let mut kernel = neuron.kernel_f32();
    let mut block = BlockProgram::<f32>::new(component);
    let native = hundred_steps(neuron, &mut |args| kernel.step(args));
    native == hundred_steps(neuron, &mut |args| block.step(args))
}

/// Bits of the states, and the spikes, of 200 neurons after a hundred steps under growing input.
fn hundred_steps(
    neuron: &dyn NeuronType,
    step: &mut dyn FnMut(&mut StepArgs<'_, f32>),
) -> (Vec<u32>, Vec<u32>) {
    let n = 200;
    let stride = n / LANES * LANES + LANES;
    let parameters = neuron.ports().parameters.iter();
    let parameters: Vec<f64> = parameters.map(|p| p.default).collect();
    let dt_ms = 0.1;
    let derived: Vec<Derived<f32>> = neuron
        .derive(&parameters, dt_ms)
        .into_iter()
        .map(|x| Derived::shared(narrow(x)))
        .collect();
    let mut states: Vec<f32> = neuron
        .initial_states(&parameters, dt_ms)
        .into_iter()
        .flat_map(|x| std::iter::repeat_n(narrow(x), stride))
        .collect();
    let ports = neuron.ports();
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
    // Padding is nobody's.
    let rows = states.chunks_exact(stride).flat_map(|row| &row[..n]);
    (rows.map(|x| x.to_bits()).collect(), spikes)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "to the precision of the test"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
