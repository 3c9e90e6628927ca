//! Statistics and plots of Rheobase.
