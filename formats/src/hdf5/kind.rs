//! What the elements of a dataset are.

use hdf5_pure::Datatype;

/// What the elements of a dataset are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Signed,
    Unsigned,
    Float,
    Text { variable: bool },
    Other,
}

impl Kind {
    pub(super) fn of(datatype: &Datatype) -> Self {
        match datatype {
            Datatype::FixedPoint {
                size: 1 | 2 | 4 | 8,
                layout,
                ..
            } => {
                if layout.signed {
                    Self::Signed
                } else {
                    Self::Unsigned
                }
            }
            Datatype::FloatingPoint { size: 4 | 8, .. } => Self::Float,
            Datatype::String { .. } => Self::Text { variable: false },
            Datatype::VariableLength {
                is_string: true, ..
            } => Self::Text { variable: true },
            _ => Self::Other,
        }
    }
}
