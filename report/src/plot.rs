//! Figures of a run, as SVG and as PNG with the same content.
//!
//! [`Raster`] shows the spikes of several populations with their rates below; [`TracePlot`] shows
//! state variables over time, [`Histograms`] and [`Spectra`] what an analysis found, [`ScalingPlot`]
//! how figures grow, [`LearningCurves`] and [`ConfusionMatrix`] how a network learns. All lay out a [`Figure`], which is written as SVG (text stays text, marks are
//! one path per population) and as PNG (anti-aliased, 1600 × 1000 pixels). The font is part of the
//! library: nothing is looked up on the machine, and equal input gives equal figures. Colours are
//! those of Okabe and Ito, told apart with every common kind of colour vision.

mod axis;
mod color;
mod confusion;
mod histogram;
mod learning;
mod png;
mod raster;
mod scaling;
mod scene;
mod spectra;
mod svg;
mod text;
mod trace;

pub use confusion::{ConfusionMatrix, MAX_CLASSES};
pub use histogram::Histograms;
pub use learning::{Curve, LearningCurves};
pub use raster::Raster;
pub use scaling::{ScalingPanel, ScalingPlot, ScalingSeries};
pub use spectra::Spectra;
pub use trace::{Series, TracePanel, TracePlot};

use crate::{FileError, ResultFolder, SourceError, TimeStepError};
use scene::Scene;
use std::path::PathBuf;
use thiserror::Error;

/// Width of a figure \[pixels\].
pub const WIDTH: u32 = 1600;
/// Height of a figure \[pixels\].
pub const HEIGHT: u32 = 1000;

/// Why a figure cannot be drawn.
#[derive(Debug, Error)]
pub enum PlotError {
    /// There is nothing to put on the axes.
    #[error("nothing to plot: {0}")]
    Empty(&'static str),
    /// A window that holds no step.
    #[error("nothing to plot between step {start_step} and step {end_step}")]
    EmptyWindow {
        /// Last step before the window.
        start_step: u64,
        /// Last step of the window.
        end_step: u64,
    },
    /// A spike names a neuron that is not there.
    #[error("a spike of neuron {neuron} in population {population} of {size}")]
    NoSuchNeuron {
        /// Name of the population.
        population: String,
        /// The neuron named.
        neuron: u32,
        /// Size of the population.
        size: u32,
    },
    /// A series and the time axis differ in length.
    #[error("series {series:?} has {values} values at {times} times")]
    Length {
        /// Label of the series.
        series: String,
        /// Its values.
        values: usize,
        /// Entries of the time axis.
        times: usize,
    },
    /// Times that do not ascend or are not finite.
    #[error("times of a trace must be finite and ascend; entry {index} does not")]
    Times {
        /// Position of the offending time.
        index: usize,
    },
    /// A value over an epoch that is no number, or behind the one before it.
    #[error("curve {curve:?}: epochs must be finite and ascend; entry {index} does not")]
    Epochs {
        /// Label of the curve.
        curve: String,
        /// Position of the offending epoch.
        index: usize,
    },
    /// A confusion matrix that is not square, or too large to be seen.
    #[error("{counts} counts are no matrix of {classes} × {classes} classes, 1 to {MAX_CLASSES}")]
    Matrix {
        /// Classes.
        classes: usize,
        /// Counts given.
        counts: usize,
    },
    /// The time step is not usable.
    #[error(transparent)]
    TimeStep(#[from] TimeStepError),
    /// Spikes could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The font that is part of the library could not be read.
    #[error("the built-in font cannot be read: {0}")]
    Font(#[from] ab_glyph::InvalidFont),
    /// The picture could not be encoded.
    #[error("cannot encode the picture: {0}")]
    Encoding(#[from] ::png::EncodingError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A figure, ready to be written.
#[derive(Debug, Clone)]
pub struct Figure {
    scene: Scene,
}

impl Figure {
    /// The figure as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::document(&self.scene)
    }

    /// The figure as a PNG file of [`WIDTH`] × [`HEIGHT`] pixels.
    ///
    /// # Errors
    /// When the built-in font cannot be read or the picture cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        png::file(&self.scene)
    }

    /// Writes `stem.svg` and `stem.png` into the folder, each atomically, and returns their
    /// paths.
    ///
    /// # Errors
    /// When the picture cannot be made or a file cannot be written.
    pub fn write(&self, folder: &ResultFolder, stem: &str) -> Result<[PathBuf; 2], PlotError> {
        let png = self.png()?;
        Ok([
            folder.write(&format!("{stem}.svg"), self.svg().as_bytes())?,
            folder.write(&format!("{stem}.png"), &png)?,
        ])
    }
}

#[cfg(test)]
mod tests;
