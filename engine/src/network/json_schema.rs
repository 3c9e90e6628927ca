//! The JSON Schema of descriptions, for editors: made from the same table as the check.

use serde_json::{Value as Json, json};

use super::schema::{Kind, NETWORK, Section};

/// The JSON Schema (draft 2020-12) of a network description, in TOML or JSON.
///
/// ```
/// let schema = rheobase_engine::network::json_schema();
/// assert_eq!(schema["properties"]["seed"]["type"], "integer");
/// ```
#[must_use]
pub fn json_schema() -> Json {
    let mut schema = section(&NETWORK);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rheobase network",
        "description": "A network of spiking neurons, described in TOML or JSON.",
    });
    if let (Json::Object(schema), Json::Object(head)) = (&mut schema, head) {
        for (i, (key, value)) in head.into_iter().enumerate() {
            schema.shift_insert(i, key, value);
        }
        schema.insert("$defs".to_owned(), definitions());
    }
    schema
}

fn section(section: &Section) -> Json {
    let properties = section.entries.iter().map(|e| {
        let mut schema = kind(&e.kind);
        if let Json::Object(schema) = &mut schema {
            schema.shift_insert(0, "description".to_owned(), e.doc.into());
        }
        (e.name.to_owned(), schema)
    });
    let required: Vec<&str> = section
        .entries
        .iter()
        .filter(|e| e.required)
        .map(|e| e.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": Json::Object(properties.collect()),
        "additionalProperties": section.open,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn kind(kind: &Kind) -> Json {
    let reference = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Table => json!({ "type": "object" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Choice(options) => json!({ "enum": options }),
        Kind::Integer(least, most) => integer(*least, *most),
        Kind::Count(least, most) => count(*least, *most),
        Kind::Counts(least, most) => {
            json!({ "type": "array", "items": count(*least, *most), "minItems": 1 })
        }
        Kind::Parameters => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 64 },
            "additionalProperties": reference("quantity"),
        }),
        Kind::Name => reference("name"),
        Kind::Names => reference("names"),
        Kind::Time => reference("time"),
        Kind::Value => reference("value"),
        Kind::Values => {
            json!({ "type": "object", "additionalProperties": reference("value") })
        }
        Kind::Words => {
            json!({ "type": "object", "additionalProperties": { "type": ["boolean", "string"] } })
        }
        Kind::Learn(scopes) => json!({
            "oneOf": [
                { "type": "array", "items": reference("name") },
                { "type": "object", "additionalProperties": { "enum": scopes } },
            ],
        }),
        Kind::Rule => reference("rule"),
        Kind::Neurons => reference("neurons"),
        Kind::Model => named(reference("model")),
        Kind::Named(s) => named(section(s)),
        Kind::List(s) => json!({ "type": "array", "items": section(s) }),
    }
}

fn integer(least: u64, most: u64) -> Json {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A whole number, or an expression for one.
fn count(least: u64, most: u64) -> Json {
    json!({ "type": ["integer", "string"], "minimum": least, "maximum": most })
}

fn named(schema: Json) -> Json {
    json!({
        "type": "object",
        "propertyNames": { "$ref": "#/$defs/name" },
        "additionalProperties": schema,
    })
}

fn definitions() -> Json {
    let quantity = json!({ "$ref": "#/$defs/quantity" });
    let pair = json!({ "type": "array", "items": quantity, "minItems": 2, "maxItems": 2 });
    let bounds = json!({
        "oneOf": [
            pair,
            {
                "type": "object",
                "properties": { "min": quantity, "max": quantity },
                "minProperties": 1,
                "additionalProperties": false,
            },
        ],
    });
    let exactly = |names: &[&str], optional: &[&str]| {
        let all = names.iter().chain(optional);
        let properties: serde_json::Map<String, Json> =
            all.map(|n| ((*n).to_owned(), quantity.clone())).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": names,
            "additionalProperties": false,
        })
    };
    let shapes = ["uniform", "normal", "lognormal", "exponential"];
    let one_shape: Vec<Json> = shapes.iter().map(|s| json!({ "required": [s] })).collect();
    json!({
        "name": { "type": "string", "minLength": 1, "maxLength": 128 },
        "names": {
            "oneOf": [
                { "$ref": "#/$defs/name" },
                { "type": "array", "items": { "$ref": "#/$defs/name" }, "minItems": 1 },
            ],
        },
        "time": {
            "type": "string",
            "description": "a number and a unit of time, e.g. \"0.1 ms\", or an expression",
        },
        "quantity": {
            "description": "a number and a unit, e.g. \"4 nS\", or an expression, e.g. \"2*w/sqrt(scale)\"; a bare number where there is no unit",
            "type": ["string", "number"],
        },
        "distribution": {
            "type": "object",
            "properties": {
                "uniform": pair,
                "normal": exactly(&["mean", "sd"], &[]),
                "lognormal": exactly(&["mu", "sigma"], &["unit"]),
                "exponential": exactly(&["mean"], &[]),
                "clip": bounds,
                "redraw": bounds,
            },
            "oneOf": one_shape,
            "not": { "required": ["clip", "redraw"] },
            "additionalProperties": false,
        },
        "value": {
            "oneOf": [
                quantity,
                { "type": "array", "items": quantity },
                { "$ref": "#/$defs/distribution" },
            ],
        },
        "rule": {
            "oneOf": [
                { "type": "string", "description": "a rule without arguments" },
                {
                    "type": "object",
                    "description": "the name of a rule and its arguments",
                    "additionalProperties": { "type": "object" },
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        },
        "neurons": {
            "oneOf": [
                { "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": 1 },
                {
                    "type": "object",
                    "properties": { "first": { "type": ["integer", "string"], "minimum": 1 } },
                    "required": ["first"],
                    "additionalProperties": false,
                },
            ],
        },
        "model": {
            "oneOf": [
                { "type": "string", "description": "text of the component" },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string" } },
                    "required": ["file"],
                    "additionalProperties": false,
                },
            ],
        },
    })
}
