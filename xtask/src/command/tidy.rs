//! `cargo xtask tidy`.

use std::time::Instant;

use crate::Failure;
use crate::tidy::check;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let begun = Instant::now();
    let problems = check(workspace);
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy ({:.1} s)", begun.elapsed().as_secs_f64());
        return Ok(());
    }
    let plural = if problems.len() == 1 { "" } else { "s" };
    Err(Failure::failed(format!(
        "{} problem{plural}",
        problems.len()
    )))
}
