//! Whole networks, each run in a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rheobase_report::RunRecord;

use super::{BenchError, Setting};

/// A run of `rheobase run`.
pub(super) struct Job<'a> {
    /// Name for messages.
    pub(super) name: &'a str,
    /// The description.
    pub(super) text: &'a str,
    /// Entries replaced in it.
    pub(super) set: Vec<String>,
    pub(super) seconds: f64,
    pub(super) threads: usize,
    pub(super) seed: u64,
}

/// A folder for what runs write, removed at the end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self, BenchError> {
        let path = std::env::temp_dir().join(format!("rheobase-bench-{}", std::process::id()));
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(BenchError::Io { path, source }),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Job<'_> {
    /// Runs it to its end.
    pub(super) fn run(
        &self,
        setting: &Setting,
        scratch: &Scratch,
    ) -> Result<RunRecord, BenchError> {
        let start = |source| BenchError::Start {
            program: setting.program.clone(),
            source,
        };
        let mut command = Command::new(&setting.program);
        command.args(["run", "-", "--json", "--overwrite", "--out"]);
        command.arg(scratch.0.join("out"));
        command.args(["--threads", &self.threads.to_string()]);
        command.args(["--seed", &self.seed.to_string()]);
        command.args([
            "--duration",
            &format!("{} s", self.seconds),
            "--discard",
            "0 s",
        ]);
        command.args(self.set.iter().flat_map(|entry| ["--set", entry]));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends early says why on its standard error.
            let _ = stdin.write_all(self.text.as_bytes());
        }
        let done = child.wait_with_output().map_err(start)?;
        let failed = |message: String| BenchError::Process {
            network: self.name.to_owned(),
            status: done.status.to_string(),
            message,
        };
        if !done.status.success() {
            return Err(failed(
                String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            ));
        }
        serde_json::from_slice(&done.stdout).map_err(|e| failed(format!("its record: {e}")))
    }
}
