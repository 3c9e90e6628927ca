//! File formats of Rheobase, each behind its guard.
