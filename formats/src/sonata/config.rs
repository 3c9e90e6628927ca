//! Configuration files: variables of manifests, paths, and the entries that are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::SonataError;
use super::error::{read_text, short};

/// Replacements of variables in one entry before it counts as endless.
const MAX_REPLACEMENTS: usize = 64;

/// Longest value after variables are replaced \[bytes\].
const MAX_VALUE_BYTES: usize = 1 << 16;

/// One JSON file with its variables.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    folder: PathBuf,
    /// Names with their `$`, longest first: `$DIR` must not hide `$DIR_2`.
    variables: Vec<(String, String)>,
    pub(super) json: Map<String, Json>,
}

impl ConfigFile {
    pub(super) fn read(path: &Path) -> Result<Self, SonataError> {
        Self::parse(path, &read_text(path)?)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SonataError> {
        let place = path.display().to_string();
        let json = match serde_json::from_str(text) {
            Ok(Json::Object(json)) => json,
            Ok(_) => return Err(SonataError::wrong(place, "expected a JSON object")),
            Err(e) => return Err(SonataError::wrong(place, e.to_string())),
        };
        // Absolute, so that a path that begins with `$configdir` is not taken from the folder twice.
        let absolute = std::path::absolute(path).map_err(|e| SonataError::io(path, &e))?;
        let folder = absolute
            .parent()
            .map_or_else(PathBuf::new, Path::to_path_buf);
        let mut file = Self {
            path: path.to_path_buf(),
            folder,
            variables: Vec::new(),
            json,
        };
        file.read_manifest()?;
        Ok(file)
    }

    fn read_manifest(&mut self) -> Result<(), SonataError> {
        let here = self.folder.display().to_string();
        let mut variables = vec![("$configdir".to_owned(), here)];
        if let Some(manifest) = self.object("manifest")? {
            for (name, value) in manifest {
                let place = self.place(&format!("manifest.{name}"));
                let value = value
                    .as_str()
                    .ok_or_else(|| SonataError::wrong(place, "expected a string"))?;
                let name = name.trim_start_matches('$');
                let name = name.trim_start_matches('{').trim_end_matches('}');
                variables.retain(|(known, _)| known[1..] != *name);
                variables.push((format!("${name}"), value.to_owned()));
            }
        }
        variables.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
        self.variables = variables;
        Ok(())
    }

    /// The place of an entry, for messages.
    pub(super) fn place(&self, entry: &str) -> String {
        format!("{}, {}", self.path.display(), short(entry))
    }

    /// A value with its variables replaced.
    fn replace(&self, text: &str, entry: &str) -> Result<String, SonataError> {
        let mut text = text.to_owned();
        for _ in 0..MAX_REPLACEMENTS {
            if !text.contains('$') {
                return Ok(text);
            }
            let found = self.variables.iter().find_map(|(name, value)| {
                let braces = format!("${{{}}}", &name[1..]);
                let written = [braces, name.clone()];
                let name = written.into_iter().find(|n| text.contains(n.as_str()))?;
                Some((name, value))
            });
            let Some((name, value)) = found else {
                let message = format!("`{}` names a variable the manifest lacks", short(&text));
                return Err(SonataError::wrong(self.place(entry), message));
            };
            text = text.replacen(&name, value, 1);
            if text.len() > MAX_VALUE_BYTES {
                break;
            }
        }
        let message = "variables of the manifest refer to each other without end";
        Err(SonataError::wrong(self.place(entry), message))
    }

    /// A path: variables replaced, relative ones taken from the folder of this file.
    pub(super) fn resolve(&self, text: &str, entry: &str) -> Result<PathBuf, SonataError> {
        let text = self.replace(text, entry)?;
        Ok(self.folder.join(text))
    }

    fn object(&self, key: &str) -> Result<Option<&Map<String, Json>>, SonataError> {
        object(&self.json, key, || self.place(key))
    }

    fn path_at(
        &self,
        table: &Map<String, Json>,
        key: &str,
        entry: &str,
    ) -> Result<Option<PathBuf>, SonataError> {
        match table.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) if text.is_empty() || text == "NULL" => Ok(None),
            Some(Json::String(text)) => self.resolve(text, entry).map(Some),
            Some(_) => Err(SonataError::wrong(self.place(entry), "expected a path")),
        }
    }
}

fn object<'j>(
    table: &'j Map<String, Json>,
    key: &str,
    place: impl Fn() -> String,
) -> Result<Option<&'j Map<String, Json>>, SonataError> {
    match table.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object)),
        Some(_) => Err(SonataError::wrong(place(), "expected an object")),
    }
}

/// A file of nodes or edges and its table of types.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct TableFile {
    pub(super) data: PathBuf,
    pub(super) types: Option<PathBuf>,
}

/// An input or a report: its entries, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) entries: Map<String, Json>,
    /// `input_file`, resolved.
    pub(super) file: Option<PathBuf>,
}

impl Block {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key).and_then(Json::as_str)
    }

    /// A finite number, also one written as text.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, SonataError> {
        let number = match self.entries.get(key) {
            None | Some(Json::Null) => return Ok(None),
            Some(Json::Number(x)) => x.as_f64(),
            Some(Json::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(x) if x.is_finite() => Ok(Some(x)),
            _ => Err(SonataError::wrong(
                format!("{}.{key}", self.place),
                "expected a finite number",
            )),
        }
    }
}

/// What the configuration says, paths resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    /// The file that was opened, for messages.
    pub(super) file: String,
    /// Name of the network: that of its folder.
    pub(super) name: String,
    pub(super) nodes: Vec<TableFile>,
    pub(super) edges: Vec<TableFile>,
    /// Folders of components, by their key.
    pub(super) components: BTreeMap<String, PathBuf>,
    pub(super) duration_ms: Option<f64>,
    pub(super) dt_ms: Option<f64>,
    pub(super) inputs: Vec<Block>,
    pub(super) reports: Vec<Block>,
    pub(super) node_sets: Option<PathBuf>,
    pub(super) spikes_file: String,
    /// Entries that are known and not used, for the user.
    pub(super) warnings: Vec<String>,
}

/// Whether a JSON text is a SONATA configuration.
#[must_use]
pub fn is_config(text: &str) -> bool {
    // The byte-order mark and leading space are cheap to skip; anything else is no object.
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let Ok(Json::Object(json)) = serde_json::from_str(text) else {
        return false;
    };
    let text_at = |key| json.get(key).is_some_and(Json::is_string);
    let object_at = |key| json.get(key).is_some_and(Json::is_object);
    text_at("network") && (text_at("simulation") || object_at("run"))
        || object_at("networks")
        || object_at("manifest") && (object_at("run") || json.contains_key("network"))
}

impl Config {
    /// Reads a configuration: one that names a circuit and a simulation, a simulation that names
    /// its circuit, or everything in one file.
    pub(super) fn read(path: &Path) -> Result<Self, SonataError> {
        let top = ConfigFile::read(path)?;
        let mut config = Self {
            file: path.display().to_string(),
            name: name_of(path),
            spikes_file: "spikes.h5".to_owned(),
            ..Self::default()
        };
        let simulation = match top.path_at(&top.json, "simulation", "simulation")? {
            Some(path) => Some(ConfigFile::read(&path)?),
            None => None,
        };
        // Variables of the file that was opened hold where the other has none.
        let circuit = match top.path_at(&top.json, "network", "network")? {
            Some(path) => Some(ConfigFile::read(&path)?),
            None => match &simulation {
                Some(s) => match s.path_at(&s.json, "network", "network")? {
                    Some(path) => Some(ConfigFile::read(&path)?),
                    None => None,
                },
                None => None,
            },
        };
        config.read_circuit(circuit.as_ref().unwrap_or(&top))?;
        config.read_simulation(simulation.as_ref().unwrap_or(&top))?;
        Ok(config)
    }

    fn read_circuit(&mut self, file: &ConfigFile) -> Result<(), SonataError> {
        let Some(networks) = file.object("networks")? else {
            let message = "is missing: the files of nodes and edges";
            return Err(SonataError::wrong(file.place("networks"), message));
        };
        self.nodes = table_files(file, networks, "nodes", "nodes_file", "node_types_file")?;
        self.edges = table_files(file, networks, "edges", "edges_file", "edge_types_file")?;
        if self.nodes.is_empty() {
            let message = "names no file: a network needs nodes";
            return Err(SonataError::wrong(file.place("networks.nodes"), message));
        }
        if let Some(components) = file.object("components")? {
            for key in components.keys() {
                let entry = format!("components.{key}");
                if let Some(path) = file.path_at(components, key, &entry)? {
                    self.components.insert(key.clone(), path);
                }
            }
        }
        if let Some(path) = file.path_at(&file.json, "node_sets_file", "node_sets_file")? {
            self.node_sets = Some(path);
        }
        Ok(())
    }

    fn read_simulation(&mut self, file: &ConfigFile) -> Result<(), SonataError> {
        if let Some(run) = file.object("run")? {
            let number = |key: &str| match run.get(key) {
                None | Some(Json::Null) => Ok(None),
                Some(x) => match x.as_f64().filter(|x| x.is_finite()) {
                    Some(x) => Ok(Some(x)),
                    None => Err(SonataError::wrong(
                        file.place(&format!("run.{key}")),
                        "expected a number in ms",
                    )),
                },
            };
            self.duration_ms = match number("tstop")? {
                Some(ms) => Some(ms),
                None => number("duration")?,
            };
            self.dt_ms = number("dt")?;
            if number("tstart")?.is_some_and(|ms| ms != 0.0) {
                let place = file.place("run.tstart");
                return Err(SonataError::unsupported(place, "a start other than 0", "0"));
            }
        }
        if !matches!(file.json.get("node_set"), None | Some(Json::Null)) {
            let place = file.place("node_set");
            let what = "simulating part of the circuit";
            return Err(SonataError::unsupported(place, what, "all of it"));
        }
        if let Some(path) = file.path_at(&file.json, "node_sets_file", "node_sets_file")? {
            self.node_sets = Some(path);
        }
        self.inputs = blocks(file, "inputs")?;
        self.reports = blocks(file, "reports")?;
        if let Some(output) = file.object("output")?
            && let Some(name) = output.get("spikes_file").and_then(Json::as_str)
        {
            self.spikes_file = hdf5_name(name, &file.place("output.spikes_file"))?;
        }
        if let Some(conditions) = file.object("conditions")?
            && conditions.contains_key("v_init")
        {
            let what = "is not applied: neurons start at V_m, by default -70 mV, as in NEST";
            self.warnings
                .push(format!("{}: {what}", file.place("conditions.v_init")));
        }
        Ok(())
    }
}

/// The name of an HDF5 file without a folder: results go where the user says.
pub(super) fn hdf5_name(name: &str, place: &str) -> Result<String, SonataError> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if last.is_empty() || last.starts_with('.') || !last.chars().all(allowed) || last.len() > 200 {
        let message = format!("`{}` is no name of a file", short(name));
        return Err(SonataError::wrong(place, message));
    }
    let is_hdf5 = Path::new(last).extension().is_some_and(|e| e == "h5");
    Ok(if is_hdf5 {
        last.to_owned()
    } else {
        format!("{last}.h5")
    })
}

fn name_of(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    absolute
        .parent()
        .and_then(Path::file_name)
        .map_or_else(|| "sonata".to_owned(), |n| n.to_string_lossy().into_owned())
}

fn table_files(
    file: &ConfigFile,
    networks: &Map<String, Json>,
    key: &str,
    data: &str,
    types: &str,
) -> Result<Vec<TableFile>, SonataError> {
    let place = file.place(&format!("networks.{key}"));
    let list = match networks.get(key) {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(list)) => list,
        Some(_) => return Err(SonataError::wrong(place, "expected a list")),
    };
    let mut files = Vec::new();
    for (i, item) in list.iter().enumerate() {
        let entry = format!("networks.{key}[{i}]");
        let Json::Object(item) = item else {
            return Err(SonataError::wrong(file.place(&entry), "expected an object"));
        };
        let switch = item.get("enabled").or_else(|| item.get("enable"));
        if switch == Some(&Json::Bool(false)) {
            continue;
        }
        let data = file
            .path_at(item, data, &format!("{entry}.{data}"))?
            .ok_or_else(|| {
                SonataError::wrong(file.place(&entry), format!("`{data}` is missing"))
            })?;
        let types = file.path_at(item, types, &format!("{entry}.{types}"))?;
        files.push(TableFile { data, types });
    }
    Ok(files)
}

fn blocks(file: &ConfigFile, key: &str) -> Result<Vec<Block>, SonataError> {
    let Some(table) = file.object(key)? else {
        return Ok(Vec::new());
    };
    let mut blocks = Vec::new();
    for (name, entries) in table {
        let entry = format!("{key}.{name}");
        let Json::Object(entries) = entries else {
            return Err(SonataError::wrong(file.place(&entry), "expected an object"));
        };
        if entries.get("enabled") == Some(&Json::Bool(false)) {
            continue;
        }
        blocks.push(Block {
            name: name.clone(),
            place: file.place(&entry),
            entries: entries.clone(),
            file: file.path_at(entries, "input_file", &format!("{entry}.input_file"))?,
        });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        ConfigFile::parse(Path::new("/net/config.json"), text).unwrap()
    }

    #[test]
    fn variables_are_replaced_and_paths_are_taken_from_the_folder() {
        let file = file(
            r#"{"manifest": {"$BASE": ".", "$BASE_2": "${BASE}/two", "$ABS": "/abs", "$X": "$Y",
            "$Y": "$X"}}"#,
        );
        let path = |text: &str| file.resolve(text, "e").map(|p| p.display().to_string());
        assert_eq!(path("$BASE_2/a.h5").unwrap(), "/net/./two/a.h5");
        assert_eq!(path("$ABS/a.h5").unwrap(), "/abs/a.h5");
        assert_eq!(path("b/../c.h5").unwrap(), "/net/b/../c.h5");
        assert_eq!(path("$configdir/c.h5").unwrap(), "/net/c.h5");
        let error = path("$X/a").unwrap_err().to_string();
        assert!(error.contains("without end"), "{error}");
        let error = path("$Z/a").unwrap_err().to_string();
        assert_eq!(
            error,
            "/net/config.json, e: `$Z/a` names a variable the manifest lacks"
        );
    }

    #[test]
    fn growing_variables_end() {
        let file = file(r#"{"manifest": {"$A": "$A$A$A$A$A$A$A$A"}}"#);
        assert!(file.resolve("$A", "e").is_err());
    }

    #[test]
    fn ours_is_told_from_theirs() {
        assert!(is_config(
            r#"{"network": "c.json", "simulation": "s.json"}"#
        ));
        assert!(is_config(r#"{"network": "c.json", "run": {"tstop": 1}}"#));
        assert!(is_config(r#" {"networks": {"nodes": []}}"#));
        assert!(is_config(r#"{"manifest": {}, "run": {}}"#));
        assert!(!is_config(
            r#"{"name": "n", "dt": "0.1 ms", "populations": {}}"#
        ));
        assert!(!is_config("name = 'x'"));
        assert!(!is_config("[1]"));
        assert!(!is_config("{"));
    }

    #[test]
    fn results_stay_in_their_folder() {
        assert_eq!(hdf5_name("$OUT/spikes.h5", "p").unwrap(), "spikes.h5");
        assert_eq!(hdf5_name("run.json", "p").unwrap(), "run.json.h5");
        for name in ["..", "a/..", "", "x/", ".hidden", "a\0b"] {
            assert!(hdf5_name(name, "p").is_err(), "{name:?}");
        }
    }
}
