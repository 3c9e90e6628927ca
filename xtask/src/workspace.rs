//! The files of the workspace, and cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The workspace on disk.
pub(crate) struct Workspace {
    root: PathBuf,
    /// Every file that belongs to it: tracked, or new and not ignored. Relative, `/`-separated,
    /// sorted.
    files: Vec<String>,
}

impl Workspace {
    /// The workspace this program was built from.
    pub(crate) fn find() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or_else(|| Failure::failed("xtask has no parent folder"))?
            .to_path_buf();
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&root)
            .output();
        let listed = match output {
            Ok(o) if o.status.success() => String::from_utf8_lossy(&o.stdout).into_owned(),
            // No git, or an archive without history: walk.
            _ => walk(&root, Path::new("")).join("\0"),
        };
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|f| !f.is_empty() && root.join(f).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(Self { root, files })
    }

    /// Files below `folder` with one of the extensions; `""` means all.
    pub(crate) fn files<'w>(
        &'w self,
        folder: &'w str,
        extensions: &'w [&'w str],
    ) -> impl Iterator<Item = &'w str> {
        self.files.iter().map(String::as_str).filter(move |f| {
            let inside =
                folder.is_empty() || f.strip_prefix(folder).is_some_and(|r| r.starts_with('/'));
            let extension = f.rsplit_once('.').map_or("", |(_, e)| e);
            inside && (extensions.is_empty() || extensions.contains(&extension))
        })
    }

    /// Text of a file; empty where it is not text.
    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }

    /// Whether a file or folder exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// An absolute path.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// A cargo command in the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Whether git tracks a file; `None` without git.
    pub(crate) fn is_tracked(&self, file: &str) -> Option<bool> {
        let git = |arguments: &[&str]| {
            Command::new("git")
                .args(arguments)
                .current_dir(&self.root)
                .output()
                .ok()
        };
        git(&["rev-parse", "--git-dir"]).filter(|o| o.status.success())?;
        git(&["ls-files", "--error-unmatch", file]).map(|o| o.status.success())
    }
}

/// Folders that hold nothing of the workspace's own.
const SKIPPED: [&str; 3] = [".git", "target", "results"];

fn walk(root: &Path, folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        return files;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = folder.join(&name);
        match entry.file_type() {
            Ok(t) if t.is_dir() && !SKIPPED.iter().any(|s| name == **s) => {
                files.extend(walk(root, &path));
            }
            Ok(t) if t.is_file() => files.push(path.to_string_lossy().replace('\\', "/")),
            _ => {}
        }
    }
    files
}

/// Runs a cargo command with its output on the terminal, after a line that says what runs.
pub(crate) fn run(mut command: Command) -> Result<(), Failure> {
    let words: Vec<String> = command
        .get_args()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let line = format!("cargo {}", words.join(" "));
    eprintln!("$ {line}");
    let status = command
        .status()
        .map_err(|e| Failure::failed(format!("{line}: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::failed(format!("{line}: {status}")))
    }
}
