//! Any program on a device, one index per element.

use rheobase_equations::ir::{Program, Slot};
use rheobase_shaders::{
    Contraction, Place, ProgramModule, Role, ShaderModule, Uniform, emit_program,
};

use super::device::GpuDevice;
use super::error::GpuError;
use super::kernel::{Kernel, Storage, Words};
use super::step::word;

/// A program (an adjoint, a surrogate) compiled for a device.
#[derive(Debug)]
pub struct ProgramKernel {
    kernel: Kernel,
    reads: Vec<Slot>,
    writes: Vec<Slot>,
}

impl ProgramKernel {
    /// Compiles a program that is expanded for f32.
    ///
    /// # Errors
    /// If the program cannot become a shader, or the device rejects it.
    pub fn new(
        device: &GpuDevice,
        program: &Program,
        name: &str,
        contraction: Contraction,
    ) -> Result<Self, GpuError> {
        let ProgramModule {
            module,
            reads,
            writes,
        } = emit_program(program, name, contraction)?;
        Ok(Self {
            kernel: Kernel::new(device, module)?,
            reads,
            writes,
        })
    }

    /// The shader.
    #[must_use]
    pub fn module(&self) -> &ShaderModule {
        self.kernel.module()
    }

    /// Slots the program reads.
    #[must_use]
    pub fn reads(&self) -> &[Slot] {
        &self.reads
    }

    /// Runs the program for every index below `n`. `source` gives the values of a slot: one for
    /// each index, or a single one for all. Returns every slot written, with its `n` values.
    ///
    /// # Errors
    /// If a slot has neither `n` values nor one, or the device fails.
    pub fn run<'a>(
        &self,
        n: usize,
        mut source: impl FnMut(Slot) -> &'a [f32],
    ) -> Result<Vec<(Slot, Vec<f32>)>, GpuError> {
        if n == 0 || self.writes.is_empty() {
            return Ok(self.writes.iter().map(|&slot| (slot, Vec::new())).collect());
        }
        let (mut places, mut sources) = (Vec::new(), Vec::new());
        for &slot in &self.reads {
            let values = source(slot);
            if values.len() != n && values.len() != 1 {
                let got = values.len();
                return Err(GpuError::Shape {
                    what: "values of a slot",
                    expected: n,
                    got,
                });
            }
            let multiplier = u32::from(values.len() == n && n > 1);
            places.push(Place {
                offset: word("values", sources.len())?,
                multiplier,
            });
            sources.extend_from_slice(values);
        }
        let mut results = vec![0.0_f32; n.saturating_mul(self.writes.len())];
        for k in 0..self.writes.len() {
            places.push(Place {
                offset: word("values", n.saturating_mul(k))?,
                multiplier: 1,
            });
        }
        let mut storage = Vec::new();
        if !sources.is_empty() {
            let words = Words::Read(bytemuck::cast_slice(&sources));
            storage.push(Storage {
                role: Role::Sources,
                words,
            });
        }
        let words = Words::Write(bytemuck::cast_slice_mut(&mut results));
        storage.push(Storage {
            role: Role::Results,
            words,
        });
        let uniform = Uniform {
            n: word("values", n)?,
            stride: word("values", n)?,
            time_ms: 0.0,
            places: &places,
        };
        self.kernel.run(&uniform, &mut storage)?;
        let values = results.chunks_exact(n).map(<[f32]>::to_vec);
        Ok(self.writes.iter().copied().zip(values).collect())
    }
}
