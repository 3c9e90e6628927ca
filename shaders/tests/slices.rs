//! The kernels of a circuit on a device: accepted by naga for every component of the zoo with every
//! integrator it can take and everything that can act on its ports, and kept as reviewable snapshots.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what they expect is tested"
)]

mod support;

use rheobase_equations::lower::Component;
use rheobase_equations::model::Integrator;
use rheobase_equations::real::Precision;
use rheobase_shaders::{
    Access, Afferent, AfferentKind, Chunk, Circuit, Place, PoissonTrain, ShaderModule, SliceShape,
    StepShape, SynapseFormat, compaction, delivery, emit_slice,
};
use support::zoo::{components, zoo};
use support::{snapshot, validate};

const CIRCUIT: Circuit = Circuit {
    arrivals: 4096,
    ring: 83,
    words: 40,
};

/// Everything that can act on a port, on each port.
fn shape(component: &Component) -> SliceShape {
    let place = |k: usize| Place {
        offset: u32::try_from(k).expect("few"),
        multiplier: u32::from(k % 2 == 1),
    };
    let kinds = [
        AfferentKind::Counted {
            first: 64,
            weight: 87.8,
        },
        AfferentKind::Summed {
            first: 1088,
            unit: 1.0 / 8192.0,
        },
        AfferentKind::Poisson(PoissonTrain {
            weight: (-1.5_f32).to_bits(),
            key: [17, 4_000_000_000],
            base: 2,
            first: 5,
            n: 9,
        }),
        AfferentKind::Constant(0.1),
    ];
    let ports = 0..component.model.inputs.len();
    let afferents = ports.flat_map(|port| {
        let afferent = |kind| Afferent { port, kind };
        kinds.clone().map(afferent)
    });
    SliceShape {
        circuit: CIRCUIT,
        n: 1000,
        stride: 1024,
        first_word: 8,
        status: 1,
        derived: (0..component.n_derived).map(place).collect(),
        afferents: afferents.collect(),
        key: [1, 2],
        recorded: (0..1).take(component.states.len()).collect(),
        n_columns: 3,
    }
}

fn emit(component: &Component) -> ShaderModule {
    let program = component.expanded_step(Precision::F32);
    let (step, shape) = (StepShape::of(component), shape(component));
    emit_slice(&component.model.name, &program, &step, &shape).expect("emits")
}

#[test]
fn every_component_with_every_integrator_is_accepted() {
    let mut count = 0;
    for (name, text) in zoo() {
        for (integrator, component) in components(&name, &text) {
            let module = emit(&component);
            validate(&module);
            let storage = module.bindings.iter();
            let storage = storage.filter(|b| b.access != Access::Uniform).count();
            assert!(storage <= 8, "{name}: the smallest guaranteed number");
            if integrator == Integrator::Auto {
                snapshot(&format!("{name}_slice"), &module.source);
            }
            count += 1;
        }
    }
    println!("{count} modules");
}

#[test]
fn kernels_of_spikes_are_accepted() {
    let module = compaction(CIRCUIT, 4);
    validate(&module);
    snapshot("compaction", &module.source);
    for weighted in [false, true] {
        let format = SynapseFormat {
            first_source: 100,
            end_source: 900,
            target_bits: 12,
            weighted,
        };
        let module = delivery(CIRCUIT, format);
        validate(&module);
        let name = if weighted {
            "delivery_weighted"
        } else {
            "delivery"
        };
        snapshot(name, &module.source);
    }
}

#[test]
fn a_chunk_is_encoded_as_it_is_declared() {
    let chunk = Chunk {
        first: (1 << 33) + 7,
        offset: 3,
        slot: 5,
        words: (8, 40),
        range: 2,
        least_delay: 1,
        check: true,
        times_ms: &[0.1, 0.2],
    };
    let bytes = chunk.encode();
    assert_eq!(bytes.len(), Chunk::BYTES);
    let word = |k: usize| u32::from_le_bytes(bytes[4 * k..4 * k + 4].try_into().expect("four"));
    let words: Vec<u32> = (0..14).map(word).collect();
    let times = [0.1_f32.to_bits(), 0.2_f32.to_bits()];
    assert_eq!(words[..12], [7, 2, 2, 3, 5, 0, 8, 40, 2, 1, 1, 0]);
    assert_eq!(words[12..], times);
}
