//! Changing one entry of a description by its path.

use serde_json::{Map, Value as Json};

use super::describe::Network;
use super::error::{ErrorKind, Errors, NetworkErrors, Path, fail, fail_at};
use super::read::value_to_json;
use super::schema::{Kind, NETWORK};
use crate::suggest;

/// One part of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Key(String),
    Index(usize),
}

impl Network {
    /// Sets the entry at `path`, e.g. `populations.E.parameters.e_l` or `projections[0].weight`, to
    /// `value`: TOML, or a plain string without quotes. A name alone that is no entry is a parameter:
    /// `scale` is `parameters.scale`.
    ///
    /// ```
    /// use rheobase_engine::network::Network;
    ///
    /// let text = "[populations.E]\nmodel = \"lif\"\nsize = 80";
    /// let mut network = Network::from_toml(text, "net.toml")?;
    /// network.set("populations.E.size", "400")?;
    /// network.set("populations.E.parameters.e_l", "-60 mV")?;
    /// assert_eq!(network.populations["E"].size, Some(400.into()));
    /// assert_eq!(network.populations["E"].parameters["e_l"], "-60 mV");
    ///
    /// let error = network.set("populations.F.size", "3").unwrap_err();
    /// assert_eq!(error.to_string(), "populations.F: unknown population `F`; expected E");
    /// # Ok::<(), rheobase_engine::network::NetworkErrors>(())
    /// ```
    ///
    /// # Errors
    /// If the path leads nowhere or the entry cannot hold the value; then nothing is changed.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), NetworkErrors> {
        let mut parts = parts(path)?;
        let value = value_of(path, value)?;
        let mut tree = self.to_value()?;
        if let [Part::Key(name)] = parts.as_slice()
            && NETWORK.entry(name).is_none()
        {
            if !self.parameters.contains_key(name) {
                let entries = NETWORK.entries.iter().map(|e| e.name);
                let known: Vec<&str> = entries
                    .chain(self.parameters.keys().map(String::as_str))
                    .collect();
                let message = suggest::unknown("entry", name, &known);
                return fail(ErrorKind::Entry, message);
            }
            parts.insert(0, Part::Key("parameters".to_owned()));
        }
        put(&mut tree, &parts, value)?;
        let origin = self.origin.name.clone();
        let folder = self.origin.folder.clone();
        *self = Self::from_value(&tree, &origin)?;
        self.origin.folder = folder;
        Ok(())
    }
}

/// `a.b[0].c` and `a.b.0.c` in parts.
fn parts(path: &str) -> Result<Vec<Part>, NetworkErrors> {
    let mut parts = Vec::new();
    for piece in path.split('.') {
        let (key, indices) = piece
            .split_once('[')
            .map_or((piece, None), |(k, i)| (k, Some(i)));
        if key.is_empty() {
            return fail(
                ErrorKind::Entry,
                format!("`{path}` is no path: an empty name in it"),
            );
        }
        parts.push(Part::Key(key.to_owned()));
        let Some(indices) = indices else { continue };
        for index in indices.split('[') {
            match index.strip_suffix(']').and_then(|i| i.parse().ok()) {
                Some(i) => parts.push(Part::Index(i)),
                None => {
                    let message = format!("`{path}` is no path: `[{index}` is no place in a list");
                    return fail(ErrorKind::Entry, message);
                }
            }
        }
    }
    Ok(parts)
}

/// A value as written on the command line.
fn value_of(path: &str, text: &str) -> Result<Json, NetworkErrors> {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    match parsed {
        Ok(mut table) if table.len() == 1 => {
            let mut errors = Errors::default();
            let at = parts(path)?
                .iter()
                .fold(Path::root(), |at, part| match part {
                    Part::Key(key) => at.key(key),
                    Part::Index(i) => at.index(*i),
                });
            let json = match table.remove("value") {
                Some(value) => value_to_json(value, &at, &mut errors),
                None => Json::String(text.to_owned()),
            };
            errors.finish(json)
        }
        Err(e) if text.trim_start().starts_with(['{', '[', '"', '\'']) => {
            let message = format!("{path}: `{text}` is no value: {}", e.message());
            fail(ErrorKind::Syntax, message)
        }
        _ => Ok(Json::String(text.to_owned())),
    }
}

fn put(tree: &mut Json, parts: &[Part], value: Json) -> Result<(), NetworkErrors> {
    let Some((last, before)) = parts.split_last() else {
        return Ok(());
    };
    let mut at = Path::root();
    let mut here = tree;
    for (depth, part) in before.iter().enumerate() {
        here = step(here, part, depth, parts, &mut at)?;
    }
    match (here, last) {
        (Json::Object(table), Part::Key(key)) => {
            if before.len() == 1 && is_named(before) && !table.contains_key(key) {
                return unknown_name(before, key, table, &at);
            }
            table.insert(key.clone(), value);
        }
        (Json::Array(list), part) => *element(list, part, &mut at)? = value,
        (other, _) => return leads_nowhere(&at, other),
    }
    Ok(())
}

/// One part down, making a table where an optional one is absent.
fn step<'t>(
    here: &'t mut Json,
    part: &Part,
    depth: usize,
    parts: &[Part],
    at: &mut Path,
) -> Result<&'t mut Json, NetworkErrors> {
    match (here, part) {
        (Json::Object(table), Part::Key(key)) => {
            if depth == 1 && is_named(&parts[..1]) && !table.contains_key(key) {
                return unknown_name(&parts[..1], key, table, at);
            }
            if depth == 0 && NETWORK.entry(key).is_none() {
                let known: Vec<&str> = NETWORK.entries.iter().map(|e| e.name).collect();
                return fail(ErrorKind::Entry, suggest::unknown("entry", key, &known));
            }
            *at = at.key(key);
            let empty = if depth == 0 && is_list(key) {
                Json::Array(Vec::new())
            } else {
                Json::Object(Map::new())
            };
            Ok(table.entry(key.clone()).or_insert(empty))
        }
        (Json::Array(list), part) => element(list, part, at),
        (other, _) => leads_nowhere(at, other),
    }
}

fn element<'t>(
    list: &'t mut [Json],
    part: &Part,
    at: &mut Path,
) -> Result<&'t mut Json, NetworkErrors> {
    let index = match part {
        Part::Index(i) => Some(*i),
        Part::Key(key) => key.parse().ok(),
    };
    let n = list.len();
    match index.and_then(|i| list.get_mut(i).map(|item| (i, item))) {
        Some((i, item)) => {
            *at = at.index(i);
            Ok(item)
        }
        None => {
            let asked = match part {
                Part::Key(key) => key.clone(),
                Part::Index(i) => i.to_string(),
            };
            let message = format!("there is no element {asked}; the list has {n}, counted from 0");
            fail_at(ErrorKind::Entry, at, message)
        }
    }
}

fn leads_nowhere<T>(at: &Path, found: &Json) -> Result<T, NetworkErrors> {
    let message = format!(
        "holds {}, nothing lies below it",
        super::schema::short(found)
    );
    fail_at(ErrorKind::Entry, at, message)
}

/// Whether the entry at `parts` is a table of named things.
fn is_named(parts: &[Part]) -> bool {
    let [Part::Key(key)] = parts else {
        return false;
    };
    matches!(
        NETWORK.entry(key).map(|e| e.kind),
        Some(Kind::Named(_) | Kind::Model | Kind::Parameters)
    )
}

fn is_list(key: &str) -> bool {
    matches!(NETWORK.entry(key).map(|e| e.kind), Some(Kind::List(_)))
}

fn unknown_name<T>(
    section: &[Part],
    name: &str,
    table: &Map<String, Json>,
    at: &Path,
) -> Result<T, NetworkErrors> {
    let what = match section {
        [Part::Key(key)] => match key.as_str() {
            "stimuli" => "stimulus",
            other => other.strip_suffix('s').unwrap_or(other),
        },
        _ => "name",
    };
    let known: Vec<&str> = table.keys().map(String::as_str).collect();
    fail_at(
        ErrorKind::Name,
        &at.key(name),
        suggest::unknown(what, name, &known),
    )
}
