//! One step of a population on a device.

use rheobase_equations::ir::Program;
use rheobase_equations::lower::Component;
use rheobase_equations::native::{Derived, StepArgs};
use rheobase_equations::real::Precision;
use rheobase_shaders::{
    Contraction, Place, Role, ShaderModule, StepShape, Uniform, emit_step_program,
};

use super::device::GpuDevice;
use super::error::GpuError;
use super::kernel::{Kernel, Storage, Words};

/// The step of a component, compiled for a device.
///
/// It keeps the contract of the CPU kernels ([`StepArgs`]) and can stand in for one.
#[derive(Debug)]
pub struct StepKernel {
    kernel: Kernel,
    shape: StepShape,
}

impl StepKernel {
    /// Compiles the step of `component`, for the CPU kernel's bits.
    ///
    /// # Errors
    /// If the step cannot become a shader, or the device rejects it.
    pub fn new(device: &GpuDevice, component: &Component) -> Result<Self, GpuError> {
        let (program, shape) = (
            component.expanded_step(Precision::F32),
            StepShape::of(component),
        );
        Self::from_program(
            device,
            &component.model.name,
            &program,
            shape,
            Contraction::Prevent,
        )
    }

    /// Compiles a step program that is expanded for f32.
    ///
    /// # Errors
    /// If the program cannot become a shader, or the device rejects it.
    pub fn from_program(
        device: &GpuDevice,
        name: &str,
        program: &Program,
        shape: StepShape,
        contraction: Contraction,
    ) -> Result<Self, GpuError> {
        let module = emit_step_program(name, program, &shape, contraction)?;
        Ok(Self {
            kernel: Kernel::new(device, module)?,
            shape,
        })
    }

    /// The shader.
    #[must_use]
    pub fn module(&self) -> &ShaderModule {
        self.kernel.module()
    }

    /// Uploads what the step reads, runs it, and reads back states, outputs and spikes.
    ///
    /// Unlike a CPU kernel it leaves the padding beyond `n` as it is.
    ///
    /// # Errors
    /// If an array has another length than the step expects, or the device fails. The arrays are
    /// then as they were.
    pub fn run(&self, args: &mut StepArgs<'_, f32>) -> Result<(), GpuError> {
        self.check(args)?;
        if args.n == 0 {
            return Ok(());
        }
        let (n, stride) = (word("neurons", args.n)?, word("neurons", args.stride)?);
        let (places, derived) = place_derived(args.derived)?;
        let mut fired = vec![0_u32; args.stride];
        let mut storage = vec![Storage {
            role: Role::Fired,
            words: Words::Write(&mut fired),
        }];
        let mut bind = |role, words| storage.push(Storage { role, words });
        if !args.states.is_empty() {
            bind(
                Role::States,
                Words::Update(bytemuck::cast_slice_mut(args.states)),
            );
        }
        if !args.inputs.is_empty() {
            bind(
                Role::Inputs,
                Words::Update(bytemuck::cast_slice_mut(args.inputs)),
            );
        }
        if !derived.is_empty() {
            bind(Role::Derived, Words::Read(bytemuck::cast_slice(&derived)));
        }
        if self.n_draws() > 0 {
            bind(Role::Random, Words::Read(bytemuck::cast_slice(args.random)));
        }
        if !args.outputs.is_empty() {
            bind(
                Role::Outputs,
                Words::Update(bytemuck::cast_slice_mut(args.outputs)),
            );
        }
        let uniform = Uniform {
            n,
            stride,
            time_ms: args.time,
            places: &places,
        };
        self.kernel.run(&uniform, &mut storage)?;
        args.spikes
            .extend((0..n).zip(&fired).filter(|&(_, &f)| f != 0).map(|(i, _)| i));
        Ok(())
    }

    fn n_draws(&self) -> usize {
        self.shape.n_uniforms + self.shape.n_normals
    }

    fn check(&self, args: &StepArgs<'_, f32>) -> Result<(), GpuError> {
        let shape = &self.shape;
        if args.stride < args.n {
            return Err(GpuError::Shape {
                what: "stride",
                expected: args.n,
                got: args.stride,
            });
        }
        if !args.inputs.is_empty() && args.input_stride != args.stride {
            return Err(GpuError::Shape {
                what: "distance of input ports",
                expected: args.stride,
                got: args.input_stride,
            });
        }
        for (what, rows, got) in [
            ("states", shape.states.len(), args.states.len()),
            ("inputs", shape.inputs.len(), args.inputs.len()),
            ("outputs", shape.outputs.len(), args.outputs.len()),
            ("random draws", self.n_draws(), args.random.len()),
        ] {
            let expected = rows.saturating_mul(args.stride);
            if got != expected {
                return Err(GpuError::Shape {
                    what,
                    expected,
                    got,
                });
            }
        }
        if args.derived.len() != shape.n_derived {
            let (expected, got) = (shape.n_derived, args.derived.len());
            return Err(GpuError::Shape {
                what: "derived quantities",
                expected,
                got,
            });
        }
        for derived in args.derived {
            if let Derived::PerNeuron(values) = derived
                && values.len() < args.n
            {
                let (expected, got) = (args.n, values.len());
                return Err(GpuError::Shape {
                    what: "a derived quantity",
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }
}

/// Derived quantities one after the other: one element where shared, else one per neuron.
pub(super) fn place_derived(derived: &[Derived<f32>]) -> Result<(Vec<Place>, Vec<f32>), GpuError> {
    let (mut places, mut values) = (Vec::with_capacity(derived.len()), Vec::new());
    for quantity in derived {
        let offset = word("derived quantities", values.len())?;
        match quantity {
            Derived::Shared(block) => {
                places.push(Place {
                    offset,
                    multiplier: 0,
                });
                values.push(block[0]);
            }
            Derived::PerNeuron(each) => {
                places.push(Place {
                    offset,
                    multiplier: 1,
                });
                values.extend_from_slice(each);
            }
        }
    }
    Ok((places, values))
}

/// A count that indices on the device can hold.
pub(super) fn word(what: &'static str, n: usize) -> Result<u32, GpuError> {
    u32::try_from(n).map_err(|_| GpuError::Limit {
        what,
        needed: n as u64,
        limit: u64::from(u32::MAX),
    })
}
