//! Files that are whole or not there: written under a temporary name, synchronised, renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use thiserror::Error;

/// Why a result could not be written or read. Every variant names the path.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "create", "write", "read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The name of the folder belongs to something else.
    #[error("cannot use {} as the result folder: it exists and is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds files and overwriting was not asked for.
    #[error("the result folder {} is not empty: it holds {found}; choose another or allow overwriting", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The first file found in it.
        found: String,
    },
}

impl FileError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Writes `bytes` to `path`: afterwards the file holds all of them, or is what it was before.
///
/// The bytes go to a temporary name in the same folder, are synchronised to the disk, and the
/// file is renamed over `path`; then the folder is synchronised.
///
/// # Errors
/// [`FileError::Io`] naming the path and the system's reason. No temporary file is left behind.
///
/// # Example
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("note.txt");
/// rheobase_report::atomic_write(&path, b"whole or not at all")?;
/// assert_eq!(std::fs::read(&path)?, b"whole or not at all");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)
        .map_err(|e| FileError::io("write", path, e))?;
    file.commit()
}

/// A file being written under a temporary name. It appears under its own name at
/// [`commit`](AtomicFile::commit); dropped before, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    folder: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Opens a temporary file next to `path`.
    ///
    /// # Errors
    /// [`FileError::Io`] when the folder is missing or cannot be written to, or `path` is a
    /// folder.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        if path.is_dir() {
            let reason = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
            return Err(FileError::io("write", path, reason));
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let file = temporary_file(&folder).map_err(|e| FileError::io("create", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            folder,
            writer: BufWriter::with_capacity(1 << 16, file),
        })
    }

    /// The name the file will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Synchronises the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError::Io`]; the file under that name is then what it was before.
    pub fn commit(self) -> Result<(), FileError> {
        let Self {
            path,
            folder,
            writer,
        } = self;
        let file = writer
            .into_inner()
            .map_err(|e| FileError::io("write", &path, e.into_error()))?;
        file.as_file()
            .sync_all()
            .map_err(|e| FileError::io("write", &path, e))?;
        file.persist(&path)
            .map_err(|e| FileError::io("write", &path, e.error))?;
        synchronise_folder(&folder).map_err(|e| FileError::io("synchronise", &folder, e))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

/// A temporary file with the permissions an ordinary new file would get; the usual 0600 of
/// temporary files would make results unreadable for the owner's group.
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rheobase-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the renaming itself durable. Only Unix can open a folder for that.
pub(crate) fn synchronise_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// The folder a run writes its results into.
///
/// # Example
/// ```
/// use rheobase_report::ResultFolder;
///
/// let parent = tempfile::tempdir()?;
/// let folder = ResultFolder::create(&parent.path().join("results/coba"), false)?;
/// folder.write("run.json", b"{}")?;
/// let again = ResultFolder::create(folder.path(), false).unwrap_err();
/// assert!(again.to_string().contains("not empty: it holds run.json"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResultFolder {
    path: PathBuf,
    /// What did not exist before, innermost first.
    created: Vec<PathBuf>,
}

impl ResultFolder {
    /// Creates the folder, and those above it, or takes an existing one, and makes sure a file
    /// can be written into it. With `overwrite`, an existing folder may hold files; each is
    /// replaced when a result of its name is written, the others stay.
    ///
    /// # Errors
    /// [`FileError`] naming the path and the reason. Folders created on the way are removed
    /// again.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self, FileError> {
        let created = create_folders(path)?;
        let result = check_folder(path, overwrite);
        if result.is_err() {
            remove_folders(&created);
        }
        result.map(|()| Self {
            path: path.to_owned(),
            created,
        })
    }

    /// Gives the folder up: removes it, and those above it, as far as they were created for it
    /// and are empty.
    pub fn abandon(self) {
        remove_folders(&self.created);
    }

    /// Removes files `of_ours` recognises by their names, so that results of an earlier run do
    /// not lie beside those of the next. Folders stay.
    ///
    /// # Errors
    /// [`FileError::Io`] naming the file that cannot be removed.
    pub fn clear(&self, of_ours: impl Fn(&str) -> bool) -> Result<(), FileError> {
        let entries = fs::read_dir(&self.path).map_err(|e| FileError::io("read", &self.path, e))?;
        for entry in entries {
            let entry = entry.map_err(|e| FileError::io("read", &self.path, e))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder && entry.file_name().to_str().is_some_and(&of_ours) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|e| FileError::io("remove", &path, e))?;
            }
        }
        Ok(())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file into the folder with [`atomic_write`] and returns its path.
    ///
    /// # Errors
    /// Those of [`atomic_write`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FileError> {
        let path = self.file(name);
        atomic_write(&path, bytes)?;
        Ok(path)
    }
}

/// Creates `path` and its missing parents; returns what was created, innermost first.
fn create_folders(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|p| !p.as_os_str().is_empty() && !p.exists())
        .map(Path::to_owned)
        .collect();
    let mut created = Vec::new();
    for folder in missing.iter().rev() {
        if let Err(e) = fs::create_dir(folder) {
            remove_folders(&created);
            return Err(FileError::io("create", path, e));
        }
        created.insert(0, folder.clone());
    }
    Ok(created)
}

/// Removes folders that are still empty; failing is harmless, they are empty.
fn remove_folders(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}

fn check_folder(path: &Path, overwrite: bool) -> Result<(), FileError> {
    if !path.is_dir() {
        return Err(FileError::NotAFolder {
            path: path.to_owned(),
        });
    }
    if !overwrite {
        let mut found: Vec<String> = fs::read_dir(path)
            .map_err(|e| FileError::io("read", path, e))?
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        found.sort();
        if let Some(found) = found.into_iter().next() {
            return Err(FileError::NotEmpty {
                path: path.to_owned(),
                found,
            });
        }
    }
    let probe = temporary_file(path).map_err(|e| FileError::io("write into", path, e))?;
    probe
        .close()
        .map_err(|e| FileError::io("write into", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_not_committed_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        atomic_write(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(&[7; 200_000]).unwrap();
        assert_eq!(
            names(folder.path()).len(),
            2,
            "the temporary file lies in the same folder"
        );
        drop(file);
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        atomic_write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/file");
        let message = atomic_write(&path, b"x").unwrap_err().to_string();
        assert!(message.starts_with("cannot create "), "{message}");
        assert!(message.contains("missing/file"), "{message}");
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = atomic_write(folder.path(), b"x").unwrap_err().to_string();
        assert!(message.contains("it is a folder"), "{message}");
    }

    #[test]
    fn a_file_is_no_result_folder_and_neither_is_a_path_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        let error = ResultFolder::create(&file, true).unwrap_err();
        assert!(matches!(error, FileError::NotAFolder { .. }), "{error}");
        let below = ResultFolder::create(&file.join("deep/er"), true).unwrap_err();
        assert!(below.to_string().contains("deep/er"), "{below}");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn overwriting_must_be_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/results");
        ResultFolder::create(&path, false)
            .unwrap()
            .write("run.json", b"{}")
            .unwrap();
        let error = ResultFolder::create(&path, false).unwrap_err();
        assert!(matches!(&error, FileError::NotEmpty { found, .. } if found == "run.json"));
        ResultFolder::create(&path, true)
            .unwrap()
            .write("run.json", b"{ }")
            .unwrap();
        assert_eq!(names(&path), ["run.json"]);
        assert_eq!(fs::read(path.join("run.json")).unwrap(), b"{ }");
    }

    #[test]
    fn an_abandoned_folder_leaves_only_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("there")).unwrap();
        let path = folder.path().join("there/new/er");
        ResultFolder::create(&path, false).unwrap().abandon();
        assert_eq!(names(&folder.path().join("there")), Vec::<String>::new());
        let used = ResultFolder::create(&path, false).unwrap();
        used.write("run.json", b"{}").unwrap();
        used.abandon();
        assert_eq!(names(&path), ["run.json"]);
        ResultFolder::create(&folder.path().join("there"), true)
            .unwrap()
            .abandon();
        assert_eq!(names(folder.path()), ["there"]);
    }

    #[test]
    fn clearing_removes_files_of_ours_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ResultFolder::create(&parent.path().join("out"), false).unwrap();
        for name in ["a.png", "b.png", "notes.txt"] {
            folder.write(name, b"x").unwrap();
        }
        fs::create_dir(folder.file("c.png")).unwrap();
        folder
            .clear(|n| n.ends_with(".png") && n != "b.png")
            .unwrap();
        assert_eq!(names(folder.path()), ["b.png", "c.png", "notes.txt"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unwritable_place_is_refused() {
        // Not even the superuser can create a folder there.
        let error = ResultFolder::create(Path::new("/proc/rheobase"), false).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot create /proc/rheobase: "),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn results_get_ordinary_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        atomic_write(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
