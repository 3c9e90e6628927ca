//! Texts and files to descriptions and back.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;

use rheobase_equations::unit::Scope;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::describe::{Network, Origin};
use super::error::{ErrorKind, Errors, NetworkErrors, Path, fail};
use super::schema::{NETWORK, short};

/// Network files longer than this are refused.
pub const MAX_FILE_BYTES: u64 = 1 << 28;

impl Network {
    /// Reads a description in TOML. `origin` is the name of the file, for messages; files named in
    /// the description are found relative to it.
    ///
    /// ```
    /// use rheobase_engine::network::Network;
    ///
    /// let network = Network::from_toml("[populations.E]\nmodel = \"lif\"\nsize = 80", "net.toml")?;
    /// assert_eq!(network.populations["E"].size, Some(80.into()));
    ///
    /// let errors = Network::from_toml("sed = 3", "net.toml").unwrap_err();
    /// assert_eq!(errors.to_string(), "unknown entry `sed`; did you mean `seed`?");
    /// # Ok::<(), rheobase_engine::network::NetworkErrors>(())
    /// ```
    ///
    /// # Errors
    /// Everything wrong with the text, and with entries as far as that is known without components.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, NetworkErrors> {
        let table: toml::Table = match toml::from_str(text) {
            Ok(table) => table,
            Err(e) => return fail(ErrorKind::Syntax, format!("{origin}: {}", trimmed(&e))),
        };
        let mut errors = Errors::default();
        let json = table_to_json(table, &Path::root(), &mut errors);
        let json = errors.finish(json)?;
        Self::from_value(&json, origin)
    }

    /// Reads a description in JSON; see [`Self::from_toml`].
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn from_json(text: &str, origin: &str) -> Result<Self, NetworkErrors> {
        match serde_json::from_str::<Unique>(text) {
            Ok(Unique(json)) => Self::from_value(&json, origin),
            Err(e) => fail(ErrorKind::Syntax, format!("{origin}: {e}")),
        }
    }

    /// Reads a file: JSON where its name ends in `.json`, else TOML.
    ///
    /// # Errors
    /// If the file cannot be read, and as [`Self::from_toml`].
    pub fn from_path(path: &FilePath) -> Result<Self, NetworkErrors> {
        let origin = path.display().to_string();
        let text = match read_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(message) => return fail(ErrorKind::File, message),
        };
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"))
        {
            Self::from_json(&text, &origin)
        } else {
            Self::from_toml(&text, &origin)
        }
    }

    /// Checks a tree of entries and turns it into a description.
    pub(super) fn from_value(json: &Json, origin: &str) -> Result<Self, NetworkErrors> {
        let mut errors = Errors::default();
        let scope = match json.get("parameters") {
            None => Scope::default(),
            Some(Json::Object(table)) => super::parameters::read(table, &mut errors),
            Some(other) => {
                let message = format!(
                    "expected a table of named quantities, found {}",
                    short(other)
                );
                errors.push(ErrorKind::Entry, &Path::root().key("parameters"), message);
                Scope::default()
            }
        };
        // What names a wrong parameter would only repeat its error.
        let scope = errors.finish(scope)?;
        let mut errors = Errors::default();
        NETWORK.check(json, &scope, &Path::root(), &mut errors);
        errors.finish(())?;
        let mut network: Self = match Self::deserialize(json) {
            Ok(network) => network,
            Err(e) => return fail(ErrorKind::Entry, e.to_string()),
        };
        let folder = FilePath::new(origin).parent().unwrap_or(FilePath::new(""));
        network.origin = Origin {
            name: origin.to_owned(),
            folder: folder.to_owned(),
        };
        Ok(network)
    }

    /// The description as a tree of entries.
    pub(super) fn to_value(&self) -> Result<Json, NetworkErrors> {
        serde_json::to_value(self).or_else(|e| fail(ErrorKind::Entry, e.to_string()))
    }

    /// The description in TOML; reads back equal.
    ///
    /// # Errors
    /// If it holds a number that TOML has not (a seed above 2⁶³ − 1).
    pub fn to_toml(&self) -> Result<String, NetworkErrors> {
        toml::to_string(self).or_else(|e| fail(ErrorKind::Entry, e.to_string()))
    }

    /// The description in JSON; reads back equal.
    ///
    /// # Errors
    /// If it holds what JSON has not (a path that is no Unicode).
    pub fn to_json(&self) -> Result<String, NetworkErrors> {
        serde_json::to_string_pretty(self).or_else(|e| fail(ErrorKind::Entry, e.to_string()))
    }
}

/// Reads a text file of at most `limit` bytes.
pub(super) fn read_text(path: &FilePath, limit: u64) -> Result<String, String> {
    let name = path.display();
    let wrong = |e: std::io::Error| format!("cannot read {name}: {e}");
    let file = File::open(path).map_err(wrong)?;
    if file.metadata().map_err(wrong)?.is_dir() {
        return Err(format!("cannot read {name}: it is a folder"));
    }
    let mut text = String::new();
    let n = file
        .take(limit + 1)
        .read_to_string(&mut text)
        .map_err(wrong)?;
    if n as u64 > limit {
        return Err(format!(
            "cannot read {name}: it is longer than {limit} bytes"
        ));
    }
    Ok(text)
}

/// A TOML error without the blank lines around its excerpt.
fn trimmed(error: &toml::de::Error) -> String {
    error.to_string().trim_end().to_owned()
}

fn table_to_json(table: toml::Table, path: &Path, errors: &mut Errors) -> Json {
    let entries = table.into_iter().map(|(key, value)| {
        let json = value_to_json(value, &path.key(&key), errors);
        (key, json)
    });
    Json::Object(entries.collect())
}

/// The same value in JSON. What JSON has not, floats that are not finite and dates, no entry takes.
pub(super) fn value_to_json(value: toml::Value, path: &Path, errors: &mut Errors) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text),
        toml::Value::Integer(n) => Json::from(n),
        toml::Value::Boolean(b) => Json::Bool(b),
        toml::Value::Table(table) => table_to_json(table, path, errors),
        toml::Value::Array(list) => list
            .into_iter()
            .enumerate()
            .map(|(i, item)| value_to_json(item, &path.index(i), errors))
            .collect(),
        toml::Value::Float(x) => match serde_json::Number::from_f64(x) {
            Some(number) => Json::Number(number),
            None => {
                errors.push(ErrorKind::Value, path, format!("{x} is not finite"));
                Json::Null
            }
        },
        toml::Value::Datetime(date) => {
            errors.push(
                ErrorKind::Value,
                path,
                format!("the date {date} is no value here"),
            );
            Json::Null
        }
    }
}

/// JSON in which no key of an object stands twice.
struct Unique(Json);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique(Json::Null))
    }

    fn visit_bool<E>(self, b: bool) -> Result<Unique, E> {
        Ok(Unique(Json::Bool(b)))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Unique, E> {
        Ok(Unique(Json::from(n)))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Unique, E> {
        Ok(Unique(Json::from(n)))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Unique, E> {
        Ok(Unique(Json::from(x)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Unique, E> {
        Ok(Unique(Json::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = seq.next_element()? {
            list.push(item);
        }
        Ok(Unique(Json::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut object = Map::new();
        while let Some((key, Unique(value))) = map.next_entry::<String, _>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!(
                    "`{key}` stands twice in one object"
                )));
            }
            object.insert(key, value);
        }
        Ok(Unique(Json::Object(object)))
    }
}
