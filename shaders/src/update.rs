//! An optimiser as a kernel: every element of a trained array moves along its gradient.

use std::fmt::Write as _;

use rheobase_equations::ir::{Slot, Type};
use rheobase_equations::lower::Component;
use rheobase_equations::model::Kind;
use rheobase_equations::native::prepare::SpikeAs;
use rheobase_equations::real::Precision;

use crate::body::{self, Memory};
use crate::error::EmitError;
use crate::guard::Contraction;
use crate::module::{Access, Assembly, Element, Entry, Role, ShaderModule, UniformLayout};

/// Most arrays that an optimiser keeps of each it updates: with those every device binds eight.
pub const MAX_KEPT: usize = 6;

/// The uniform buffer of an update.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Update<'a> {
    /// Elements of the array.
    pub n: u32,
    /// Factor of its gradient.
    pub scale: f32,
    /// Derived quantities, the same for all elements.
    pub derived: &'a [f32],
}

impl Update<'_> {
    /// Most derived quantities: what a uniform buffer of the smallest guaranteed size holds.
    pub const MAX_DERIVED: usize = (16 * 1024 - Self::HEAD_BYTES) / 4;
    const HEAD_BYTES: usize = 16;

    pub(crate) fn bytes(n_derived: usize) -> usize {
        Self::HEAD_BYTES + n_derived.div_ceil(4) * 16
    }

    /// The buffer's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let zero = 0;
        let head = [self.n, self.scale.to_bits(), zero, 0];
        let derived = self.derived.iter().map(|x| x.to_bits());
        let mut bytes: Vec<u8> = head
            .into_iter()
            .chain(derived)
            .flat_map(u32::to_le_bytes)
            .collect();
        bytes.resize(Self::bytes(self.derived.len()), 0);
        bytes
    }

    pub(crate) fn declaration(n_derived: usize) -> String {
        let mut text = String::from(
            "struct Params {\n    n: u32,\n    scale: f32,\n    zero: u32,\n    unused: u32,\n",
        );
        if n_derived > 0 {
            let vectors = n_derived.div_ceil(4);
            let _ = writeln!(text, "    derived: array<vec4<f32>, {vectors}>,");
        }
        text.push_str("}\n");
        text
    }
}

/// The kernel of an `optimizer`: reads [`Role::Gradient`], changes [`Role::Parameter`] (its first state)
/// and [`Role::Kept`] (the others, at most six).
///
/// # Errors
/// If the component is no optimizer, keeps more than that, or holds something a shader cannot do.
pub fn emit_update(
    component: &Component,
    contraction: Contraction,
) -> Result<ShaderModule, EmitError> {
    let model = &component.model;
    if model.kind != Kind::Optimizer {
        return Err(EmitError::Name(model.name.clone()));
    }
    if component.n_derived > Update::MAX_DERIVED {
        return Err(EmitError::TooManyPlaces {
            needed: component.n_derived,
            limit: Update::MAX_DERIVED,
        });
    }
    if component.states.len() > 1 + MAX_KEPT {
        return Err(EmitError::TooManyPlaces {
            needed: component.states.len() - 1,
            limit: MAX_KEPT,
        });
    }
    let names: Vec<&str> = component.states.iter().map(|s| s.name.as_str()).collect();
    let program = component.expanded_step(Precision::F32);
    let memory = UpdateMemory { names: &names };
    let statements = body::emit(&program, SpikeAs::Flag, contraction, &memory)?;
    let functions = format!("fn update(i: u32) {{\n{statements}}}\n");
    let mut storage = vec![
        (Role::Parameter(0), Access::ReadWrite, Element::F32, 1),
        (Role::Gradient(0), Access::Read, Element::F32, 1),
    ];
    for k in (0..).take(names.len().saturating_sub(1)) {
        storage.push((Role::Kept(k), Access::ReadWrite, Element::F32, 1));
    }
    Ok(Assembly {
        name: &model.name,
        entry_point: "update_kernel",
        heading: &format!("One update by `{}`.", model.name),
        entry: Entry::PerIndex {
            body: "update",
            limit: "params.n",
        },
        functions: &functions,
        uniform: UniformLayout::Update(component.n_derived),
        storage: &storage,
        has_guard: functions.contains("rounded("),
    }
    .finish())
}

struct UpdateMemory<'a> {
    names: &'a [&'a str],
}

impl UpdateMemory<'_> {
    fn state(&self, k: u32) -> Option<(String, String)> {
        let name = (*self.names.get(k as usize)?).to_owned();
        let role = match u8::try_from(k).ok()?.checked_sub(1) {
            None => Role::Parameter(0),
            Some(kept) => Role::Kept(kept),
        };
        let place = format!("{}[i]", role.variable());
        Some((place, name))
    }
}

impl Memory for UpdateMemory<'_> {
    const IN_PLACE: bool = true;

    fn load(&self, slot: Slot) -> Result<(String, String), EmitError> {
        match slot {
            Slot::State(k) => self.state(k),
            // Its product may be merged with nothing that follows.
            Slot::Input(0) => {
                let gradient = Role::Gradient(0).variable();
                let scaled = format!("rounded({gradient}[i] * params.scale)");
                Some((scaled, "gradient".to_owned()))
            }
            Slot::Derived(k) => {
                let component = ["x", "y", "z", "w"][k as usize % 4];
                let vector = format!("params.derived[{}]", k / 4);
                Some((format!("{vector}.{component}"), String::new()))
            }
            _ => None,
        }
        .ok_or(EmitError::Slot {
            access: "read",
            slot,
        })
    }

    fn store(&self, slot: Slot, value: &str, _: Type) -> Result<String, EmitError> {
        let place = match slot {
            Slot::State(k) => self.state(k),
            _ => None,
        };
        let (place, name) = place.ok_or(EmitError::Slot {
            access: "write",
            slot,
        })?;
        Ok(format!("{place} = {value}; // {name}"))
    }
}
