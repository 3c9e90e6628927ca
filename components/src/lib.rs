//! The zoo of Rheobase: neurons, layers, stimuli, connectivity rules, monitors.
