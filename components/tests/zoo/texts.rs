//! The documentation in the text of a neuron says what its equations say.

use rheobase_engine::port::Quantity;
use rheobase_equations::unit::parse_quantity;

use crate::cell::{component, zoo};

const HEADINGS: [&str; 7] = [
    "Equations",
    "Update scheme",
    "Parameters",
    "State",
    "Semantics",
    "Source",
    "Example",
];

/// Lines below a heading, without the comment sign.
fn section<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    text.lines()
        .skip_while(|line| *line != format!("# {heading}"))
        .skip(1)
        .take_while(|line| line.starts_with("#  "))
        .map(|line| line[1..].trim())
        .collect()
}

#[test]
fn every_heading_is_there_in_order() {
    for (name, neuron) in zoo() {
        let component = component(&*neuron);
        let text = rheobase_components::neuron_text(&name).unwrap();
        assert_eq!(component.model.name, name);
        assert!(!component.model.doc.is_empty());
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| HEADINGS.contains(line))
            .collect();
        assert_eq!(found, HEADINGS, "{name}");
        assert!(
            HEADINGS.iter().all(|h| !section(text, h).is_empty()),
            "{name}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{name}"
        );
        let source = section(text, "Source").join(" ");
        let sources = [
            "doi:",
            "NEST 3.10.0",
            "SpikingJelly 2.0.0",
            "snnTorch 1.0.0",
        ];
        assert!(
            sources.iter().any(|s| source.contains(s)),
            "{name}: {source}"
        );
    }
}

/// Rows `name unit value …` of a table, in the order of the equations.
fn check_table(name: &str, rows: &[&str], quantities: &[&Quantity], is_state: bool) {
    assert_eq!(rows.len(), quantities.len(), "{name}: {rows:?}");
    for (row, quantity) in rows.iter().zip(quantities) {
        let columns: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(columns[0], quantity.name, "{name}: {row}");
        let one = match columns[1] {
            unit if unit.starts_with('1') => unit.to_owned(),
            unit => format!("1 {unit}"),
        };
        let unit = parse_quantity(&one).unwrap();
        assert_eq!(unit.dimension, quantity.unit.dimension, "{name}: {row}");
        match columns[2].parse::<f64>() {
            Ok(value) => assert_eq!(value * unit.value_base, quantity.default, "{name}: {row}"),
            Err(_) => assert!(is_state, "{name}: {row}"),
        }
    }
}

#[test]
fn tables_are_the_declarations() {
    for (name, neuron) in zoo() {
        let component = component(&*neuron);
        let text = rheobase_components::neuron_text(&name).unwrap();
        let ports = neuron.ports();
        let options = section(text, "Options");
        assert_eq!(options.len(), component.model.options.len(), "{name}");
        for (row, option) in options.iter().zip(&component.model.options) {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let default = option.values[0].as_str();
            assert_eq!(columns[..2], [option.name.as_str(), default], "{name}");
        }
        let parameters: Vec<&Quantity> = ports.parameters.iter().collect();
        check_table(&name, &section(text, "Parameters"), &parameters, false);
        let states: Vec<&Quantity> = ports
            .states
            .iter()
            .take(component.model.states.len())
            .collect();
        check_table(&name, &section(text, "State"), &states, true);
    }
}

#[test]
fn everything_is_documented() {
    for (name, neuron) in zoo() {
        let component = component(&*neuron);
        let model = &component.model;
        let docs = (model.parameters.iter().map(|p| (&p.name, &p.doc)))
            .chain(model.options.iter().map(|o| (&o.name, &o.doc)))
            .chain(model.states.iter().map(|s| (&s.name, &s.doc)))
            .chain(model.inputs.iter().map(|i| (&i.name, &i.doc)));
        for (what, doc) in docs {
            assert!(!doc.is_empty(), "{name}: {what}");
        }
    }
}
