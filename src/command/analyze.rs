//! `rheobase analyze`.

mod source;
mod write;

use std::path::{Path, PathBuf};

use rheobase::equations::quantity::parse as _;
use rheobase::report::analysis::{AnalysisOptions, PopulationAnalysis, analyse};
use rheobase::report::{ResultFolder, table};
use rheobase::run::available_memory;

use super::{Failure, print};
use source::Opened;
