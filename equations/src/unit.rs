//! Units and dimensions. Base units: ms, mV, pA (so nS·mV = pA, pF·mV/ms = pA, GΩ·pA = mV).

/// A unit: a dimension, a scale to base units, and its spelling.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// Exponents.
    pub dimension: Dimension,
    /// One of this unit in base units.
    pub scale: f64,
    /// As written, e.g. `mV`; `1` for a pure number.
    pub name: String,
}

/// Exponents of (time, voltage, current, concentration, length), in halves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dimension(pub [i8; 5]);
