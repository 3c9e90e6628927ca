//! WGSL emitted from the equations of Rheobase.
