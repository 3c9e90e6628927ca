//! Any program as a kernel: adjoints, surrogates, tests.

use rheobase_equations::ir::{Program, Slot, Type};
use rheobase_equations::native::prepare::SpikeAs;

use crate::body::{self, Memory};
use crate::error::EmitError;
use crate::guard::Contraction;
use crate::module::{
    Access, Assembly, Element, Entry, MAX_PLACES, Role, ShaderModule, UniformLayout,
};

/// A program as a kernel.
///
/// It reads from one buffer ([`Role::Sources`]) and writes to another ([`Role::Results`]); where
/// each slot lies in them is up to the host, by one [`crate::Place`] per slot: first those of
/// [`ProgramModule::reads`], then those of [`ProgramModule::writes`]. A slot that is the same for
/// every index takes one element and the multiplier 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramModule {
    /// The shader.
    pub module: ShaderModule,
    /// Slots read, in the order of their places.
    pub reads: Vec<Slot>,
    /// Slots written, in the order of their places (after those of the reads).
    pub writes: Vec<Slot>,
}

/// Emits `program` (expanded for f32) as a kernel called `name`.
///
/// ```
/// use rheobase_equations::ir::{Builder, Slot};
/// use rheobase_shaders::{Contraction, emit_program};
///
/// let mut b = Builder::new();
/// let x = b.load(Slot::Argument(0));
/// let square = b.mul(x, x);
/// b.store(Slot::Output(0), square);
/// let kernel = emit_program(&b.finish(), "square", Contraction::Prevent)?;
/// assert_eq!(kernel.module.entry_point, "square_kernel");
/// assert_eq!(kernel.reads, [Slot::Argument(0)]);
/// # Ok::<(), rheobase_shaders::EmitError>(())
/// ```
///
/// # Errors
/// If the name is no identifier, or the program holds something a shader cannot do.
pub fn emit_program(
    program: &Program,
    name: &str,
    contraction: Contraction,
) -> Result<ProgramModule, EmitError> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(is_word) {
        return Err(EmitError::Name(name.to_owned()));
    }
    let reads = program.loads();
    let writes: Vec<Slot> = program.stores.iter().map(|s| s.slot).collect();
    let n_places = reads.len() + writes.len();
    if n_places > MAX_PLACES {
        return Err(EmitError::TooManyPlaces {
            needed: n_places,
            limit: MAX_PLACES,
        });
    }
    let memory = PlacedMemory {
        reads: &reads,
        writes: &writes,
    };
    let body = format!("{name}_body");
    let statements = body::emit(program, SpikeAs::Float, contraction, &memory)?;
    let functions = format!("fn {body}(i: u32) {{\n{statements}}}\n");
    let mut storage = Vec::new();
    if !reads.is_empty() {
        storage.push((Role::Sources, Access::Read, Element::F32, 0));
    }
    if !writes.is_empty() {
        storage.push((Role::Results, Access::ReadWrite, Element::F32, 0));
    }
    let module = Assembly {
        name,
        entry_point: &format!("{name}_kernel"),
        heading: &format!("`{name}`."),
        entry: Entry::PerIndex {
            body: &body,
            limit: "params.n",
        },
        functions: &functions,
        uniform: UniformLayout::Places(n_places),
        storage: &storage,
        has_guard: functions.contains("rounded("),
    }
    .finish();
    Ok(ProgramModule {
        module,
        reads,
        writes,
    })
}

struct PlacedMemory<'a> {
    reads: &'a [Slot],
    writes: &'a [Slot],
}

impl PlacedMemory<'_> {
    fn element(&self, role: Role, place: usize) -> String {
        let index = UniformLayout::index_expression(place);
        format!("{}[{index}]", role.variable())
    }
}

impl Memory for PlacedMemory<'_> {
    const IN_PLACE: bool = false;

    fn load(&self, slot: Slot) -> Result<(String, String), EmitError> {
        let place = self.reads.iter().position(|&s| s == slot);
        let place = place.ok_or(EmitError::Slot {
            access: "read",
            slot,
        })?;
        Ok((self.element(Role::Sources, place), format!("{slot:?}")))
    }

    fn store(&self, slot: Slot, value: &str, ty: Type) -> Result<String, EmitError> {
        if ty != Type::Float {
            return Err(EmitError::Slot {
                access: "write a value that is no float to",
                slot,
            });
        }
        let place = self.writes.iter().position(|&s| s == slot);
        let place = place.ok_or(EmitError::Slot {
            access: "write",
            slot,
        })?;
        let element = self.element(Role::Results, self.reads.len() + place);
        Ok(format!("{element} = {value}; // {slot:?}"))
    }
}
