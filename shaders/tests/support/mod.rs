//! What the tests of emitted shaders share.

#[allow(dead_code, reason = "not every test binary walks the zoo")]
pub(crate) mod zoo;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess, TypeInner};
use rheobase_shaders::{Access, Binding, Element, GROUP, ShaderModule};

/// Parses and validates with no optional capability, and compares the module naga sees with the
/// description the host will use.
pub(crate) fn validate(module: &ShaderModule) {
    let text = &module.source;
    let parsed = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{}: {}\n{text}", module.name, e.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&parsed)
        .unwrap_or_else(|e| panic!("{}: {}\n{text}", module.name, e.emit_to_string(text)));
    drop(info);
    assert_eq!(parsed.entry_points.len(), 1);
    assert_eq!(parsed.entry_points[0].name, module.entry_point);
    assert_eq!(
        parsed.entry_points[0].workgroup_size,
        [module.workgroup_size, 1, 1]
    );
    let bound = parsed.global_variables.iter();
    let bound = bound.filter(|(_, v)| v.binding.is_some()).count();
    assert_eq!(bound, module.bindings.len());
    for binding in &module.bindings {
        check_binding(&parsed, binding, module);
    }
}

fn check_binding(parsed: &naga::Module, binding: &Binding, module: &ShaderModule) {
    let (_, variable) = parsed
        .global_variables
        .iter()
        .find(|(_, v)| {
            v.binding
                .as_ref()
                .is_some_and(|b| b.binding == binding.index)
        })
        .unwrap_or_else(|| panic!("no variable at binding {}", binding.index));
    assert_eq!(variable.binding.as_ref().map(|b| b.group), Some(GROUP));
    assert_eq!(variable.name.as_deref(), Some(binding.role.variable()));
    let space = match binding.access {
        Access::Uniform => AddressSpace::Uniform,
        Access::Read => AddressSpace::Storage {
            access: StorageAccess::LOAD,
        },
        Access::ReadWrite => AddressSpace::Storage {
            access: StorageAccess::LOAD | StorageAccess::STORE,
        },
    };
    assert_eq!(variable.space, space);
    match (&parsed.types[variable.ty].inner, binding.element) {
        (TypeInner::Struct { span, .. }, Element::Params) => {
            assert_eq!(*span as usize, module.uniform.size_bytes());
        }
        (
            TypeInner::Array {
                base, stride: 4, ..
            },
            element,
        ) => {
            let expected = match element {
                Element::F32 => TypeInner::Scalar(naga::Scalar::F32),
                Element::I32 => TypeInner::Scalar(naga::Scalar::I32),
                Element::AtomicU32 => TypeInner::Atomic(naga::Scalar::U32),
                Element::AtomicI32 => TypeInner::Atomic(naga::Scalar::I32),
                Element::U32 | Element::Params => TypeInner::Scalar(naga::Scalar::U32),
            };
            assert_eq!(parsed.types[*base].inner, expected);
        }
        (other, element) => panic!("{element:?} is declared as {other:?}"),
    }
}

/// Compares the text with the committed snapshot. `RHEOBASE_BLESS=1` rewrites it instead.
pub(crate) fn snapshot(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(format!("{name}.wgsl"));
    if std::env::var_os("RHEOBASE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("create the folder");
        std::fs::write(&path, text).expect("write the snapshot");
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; RHEOBASE_BLESS=1 writes it", path.display()));
    let pairs = expected.lines().zip(text.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (old, new))| old != new);
    assert!(
        expected == text,
        "{name}: the emitted text changed, first in line {}; look at it, then write it with \
         RHEOBASE_BLESS=1\n  was {}\n  is  {}",
        first.map_or_else(
            || expected.lines().count().min(text.lines().count()),
            |(k, _)| k
        ) + 1,
        first.map_or("", |(_, (old, _))| old),
        first.map_or("", |(_, (_, new))| new),
    );
}
