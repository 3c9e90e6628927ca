//! Whether what was read fits the table.

use rheobase_equations::unit::{Dimension, Scope, Unit};
use serde_json::{Map, Value as Json};

use super::{Kind, MAX_NEURON, MAX_SIZE, Section};
use crate::arguments::{quantity_of, whole_of};
use crate::network::error::{ErrorKind, Errors, Path};
use crate::suggest::{self, abbreviated};

impl Section {
    /// Checks a table against the section.
    pub(in crate::network) fn check(
        &self,
        json: &Json,
        scope: &Scope,
        path: &Path,
        errors: &mut Errors,
    ) {
        if errors.is_flooded() {
            return;
        }
        let Some(table) = json.as_object() else {
            let message = format!("{} is a table, found {}", self.what, short(json));
            return errors.push(ErrorKind::Entry, path, message);
        };
        for (name, value) in table {
            match self.entry(name) {
                Some(entry) => entry.kind.check(value, scope, &path.key(name), errors),
                None if self.open => {}
                None => {
                    let message = suggest::unknown("entry", name, &self.names());
                    errors.push(ErrorKind::Entry, path, message);
                }
            }
        }
        for entry in self.entries.iter().filter(|e| e.required) {
            if !table.contains_key(entry.name) {
                let message = format!("`{}` is missing: {}", entry.name, entry.doc);
                errors.push(ErrorKind::Entry, path, message);
            }
        }
    }
}

impl Kind {
    fn check(self, json: &Json, scope: &Scope, path: &Path, errors: &mut Errors) {
        match self {
            Self::Named(section) => each_named(json, path, errors, |json, path, errors| {
                section.check(json, scope, path, errors);
            }),
            Self::Model => each_named(json, path, errors, check_model),
            Self::List(section) => match json.as_array() {
                Some(list) => {
                    for (i, item) in list.iter().enumerate() {
                        section.check(item, scope, &path.index(i), errors);
                    }
                }
                None => wrong("a list of tables", json, path, errors),
            },
            Self::Time => {
                if let Err(e) = quantity_of("", json, &Unit::base(Dimension::TIME), scope) {
                    errors.push(ErrorKind::Value, path, e.message);
                }
            }
            Self::Name => check_name(json, path, errors),
            Self::Names => match json {
                Json::Array(list) if !list.is_empty() => {
                    for (i, name) in list.iter().enumerate() {
                        check_name(name, &path.index(i), errors);
                    }
                }
                _ => check_name(json, path, errors),
            },
            Self::Rule => check_rule(json, path, errors),
            Self::Integer(least, most) => check_integer(json, least, most, path, errors),
            Self::Count(least, most) => check_count(json, least, most, scope, path, errors),
            Self::Counts(least, most) => check_counts(json, least, most, scope, path, errors),
            Self::Neurons => check_neurons(json, scope, path, errors),
            Self::Choice(options) => check_choice(json, options, path, errors),
            Self::Text if !json.is_string() => wrong("a string", json, path, errors),
            Self::Boolean if !json.is_boolean() => wrong("true or false", json, path, errors),
            Self::Values | Self::Table if !json.is_object() => wrong("a table", json, path, errors),
            Self::Words => words(json, path, errors),
            Self::Learn(scopes) => match json {
                Json::Array(list) => {
                    for (i, name) in list.iter().enumerate() {
                        check_name(name, &path.index(i), errors);
                    }
                }
                Json::Object(table) => {
                    for (name, scope) in table {
                        check_choice(scope, scopes, &path.key(name), errors);
                    }
                }
                _ => wrong("a list of names, or a table", json, path, errors),
            },
            // Values are read when the unit is known, parameters before everything else.
            Self::Text
            | Self::Boolean
            | Self::Value
            | Self::Values
            | Self::Parameters
            | Self::Table => {}
        }
    }
}

fn words(json: &Json, path: &Path, errors: &mut Errors) {
    let Some(table) = json.as_object() else {
        wrong("a table", json, path, errors);
        return;
    };
    for (name, word) in table {
        if !word.is_boolean() && !word.is_string() {
            wrong("true, false or a word", word, &path.key(name), errors);
        }
    }
}

fn wrong(expected: &str, found: &Json, path: &Path, errors: &mut Errors) {
    errors.push(
        ErrorKind::Entry,
        path,
        format!("expected {expected}, found {}", short(found)),
    );
}

/// A value as it appears in a message.
pub(in crate::network) fn short(json: &Json) -> String {
    match json {
        Json::Array(list) if list.len() > 8 => "a list".to_owned(),
        Json::Object(table) if table.len() > 8 => "a table".to_owned(),
        other => abbreviated(&other.to_string()),
    }
}

fn each_named(
    json: &Json,
    path: &Path,
    errors: &mut Errors,
    mut check: impl FnMut(&Json, &Path, &mut Errors),
) {
    let Some(table) = json.as_object() else {
        return wrong("a table of named entries", json, path, errors);
    };
    for (name, value) in table {
        let path = path.key(name);
        if !is_name(name) {
            errors.push(ErrorKind::Name, &path, bad_name(name));
        }
        check(value, &path, errors);
    }
}

/// Names longer than this are refused.
const MAX_NAME: usize = 128;

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain)
}

fn bad_name(name: &str) -> String {
    let name = abbreviated(&format!("{name:?}"));
    format!("{name} is no name: names are up to {MAX_NAME} letters, digits, `_` and `-`")
}

fn check_name(json: &Json, path: &Path, errors: &mut Errors) {
    match json.as_str() {
        Some(name) if is_name(name) => {}
        Some(name) => errors.push(ErrorKind::Name, path, bad_name(name)),
        None => wrong("a name", json, path, errors),
    }
}

fn check_choice(json: &Json, options: &[&str], path: &Path, errors: &mut Errors) {
    match json.as_str() {
        Some(text) if options.contains(&text) => {}
        Some(text) => errors.push(
            ErrorKind::Entry,
            path,
            suggest::unknown("choice", text, options),
        ),
        None => wrong(&suggest::one_of(options), json, path, errors),
    }
}

fn check_integer(json: &Json, least: u64, most: u64, path: &Path, errors: &mut Errors) {
    if !json.as_u64().is_some_and(|n| (least..=most).contains(&n)) {
        wrong(
            &format!("a whole number from {least} to {most}"),
            json,
            path,
            errors,
        );
    }
}

fn check_count(
    json: &Json,
    least: u64,
    most: u64,
    scope: &Scope,
    path: &Path,
    errors: &mut Errors,
) {
    if let Err(message) = whole_of(json, least, most, scope) {
        errors.push(ErrorKind::Value, path, message);
    }
}

fn check_counts(
    json: &Json,
    least: u64,
    most: u64,
    scope: &Scope,
    path: &Path,
    errors: &mut Errors,
) {
    match json.as_array() {
        Some(list) if !list.is_empty() => {
            for (i, item) in list.iter().enumerate() {
                check_count(item, least, most, scope, &path.index(i), errors);
            }
        }
        _ => wrong("a list of whole numbers", json, path, errors),
    }
}

fn check_integers(json: &Json, least: u64, most: u64, path: &Path, errors: &mut Errors) {
    match json.as_array() {
        Some(list) if !list.is_empty() => {
            for (i, item) in list.iter().enumerate() {
                check_integer(item, least, most, &path.index(i), errors);
            }
        }
        _ => wrong("a list of whole numbers", json, path, errors),
    }
}

fn check_neurons(json: &Json, scope: &Scope, path: &Path, errors: &mut Errors) {
    match json.as_object() {
        Some(table) => match single(table) {
            Some(("first", n)) => {
                check_count(n, 1, MAX_SIZE, scope, &path.key("first"), errors);
            }
            _ => wrong("a list of neurons or { first = n }", json, path, errors),
        },
        None => check_integers(json, 0, MAX_NEURON, path, errors),
    }
}

fn check_model(json: &Json, path: &Path, errors: &mut Errors) {
    let file = json.as_object().and_then(single);
    let fits = json.is_string() || matches!(file, Some(("file", Json::String(_))));
    if !fits {
        wrong(
            "the text of a component or { file = \"…\" }",
            json,
            path,
            errors,
        );
    }
}

fn check_rule(json: &Json, path: &Path, errors: &mut Errors) {
    let call = json.as_object().and_then(single);
    if !(json.is_string() || matches!(call, Some((_, Json::Object(_))))) {
        let expected = "the name of a rule, or { name = { arguments } }";
        wrong(expected, json, path, errors);
    }
}

/// The only entry of a table.
fn single(table: &Map<String, Json>) -> Option<(&str, &Json)> {
    let mut entries = table.iter();
    let (name, value) = entries.next()?;
    entries.next().is_none().then_some((name.as_str(), value))
}
