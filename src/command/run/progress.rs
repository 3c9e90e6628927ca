//! The progress bar, and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use rheobase::engine::plan::Plan;
use rheobase::run::Progress;

use crate::command::Failure;

pub(super) fn bar(hidden: bool, plan: &Plan) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(plan.steps)
        .with_style(style)
        .with_message("building")
}

pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    let fraction = progress.time_ms / progress.end_ms.max(f64::MIN_POSITIVE);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a fraction of the length of the bar"
    )]
    bar.set_position((fraction * bar.length().unwrap_or(0) as f64) as u64);
    let factor = progress.wall.as_secs_f64() / (progress.time_ms * 1e-3);
    bar.set_message(format!(
        "{:.1} of {:.1} s, {factor:.3} s per biological second",
        progress.time_ms * 1e-3,
        progress.end_ms * 1e-3
    ));
}

/// Set by the first Ctrl-C; the second ends the process.
pub(in crate::command) fn watch_for_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::AcqRel) {
            std::process::exit(130);
        }
    })
    .map_err(|e| Failure::Run(format!("signal handler: {e}")))?;
    Ok(interrupted)
}
