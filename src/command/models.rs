//! `rheobase models`.

use rheobase::engine::port::{Entry, NeuronType, Registry};
use serde_json::json;

use super::{Failure, print};

/// Arguments of `rheobase models`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rheobase models\n  rheobase models iaf_cond_exp")]
pub(crate) struct Arguments {
    /// The component to show.
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn models(arguments: &Arguments) -> Result<(), Failure> {
    let registry = rheobase::registry();
    let text = match &arguments.name {
        None if arguments.json => format!("{}\n", list_json(&registry)),
        None => list(&registry),
        Some(name) => show(&registry, name, arguments.json)?,
    };
    print(&text)
}

fn groups(registry: &Registry) -> Vec<(&'static str, Vec<(String, String)>)> {
    fn of<T>(entries: &indexmap::IndexMap<String, Entry<T>>) -> Vec<(String, String)> {
        entries
            .iter()
            .map(|(name, e)| (name.clone(), e.summary.to_owned()))
            .collect()
    }
    let neurons = registry
        .neurons
        .iter()
        .map(|(name, n)| {
            (
                name.clone(),
                n.component()
                    .map_or_else(String::new, |c| c.model.doc.clone()),
            )
        })
        .collect();
    vec![
        ("neurons", neurons),
        ("connectivity rules", of(&registry.rules)),
        ("stimuli", of(&registry.stimuli)),
        ("layers", of(&registry.layers)),
    ]
}

fn list(registry: &Registry) -> String {
    let mut text = String::new();
    for (title, entries) in groups(registry) {
        text.push_str(&format!("{title}\n"));
        for (name, summary) in entries {
            text.push_str(&format!("  {name:<20} {summary}\n"));
        }
    }
    text.push_str("\n`rheobase models NAME` shows one.\n");
    text
}

fn list_json(registry: &Registry) -> serde_json::Value {
    let groups: serde_json::Map<String, serde_json::Value> = groups(registry)
        .into_iter()
        .map(|(title, entries)| {
            let names: Vec<_> = entries
                .into_iter()
                .map(|(n, s)| json!({"name": n, "summary": s}))
                .collect();
            (title.replace(' ', "_"), json!(names))
        })
        .collect();
    serde_json::Value::Object(groups)
}

fn show(registry: &Registry, name: &str, json: bool) -> Result<String, Failure> {
    if let Some(neuron) = registry.neurons.get(name) {
        return Ok(if json {
            format!("{}\n", neuron_json(name, neuron.as_ref()))
        } else {
            neuron_text(name, neuron.as_ref())
        });
    }
    let found = entry_text(&registry.rules, name, "rule")
        .or_else(|| entry_text(&registry.stimuli, name, "stimulus"))
        .or_else(|| entry_text(&registry.layers, name, "layer"));
    found.ok_or_else(|| {
        let known: Vec<String> = groups(registry)
            .into_iter()
            .flat_map(|(_, e)| e)
            .map(|(n, _)| n)
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Failure::Input(rheobase::engine::suggest::unknown(
            "component",
            name,
            &known,
        ))
    })
}

fn neuron_text(name: &str, neuron: &dyn NeuronType) -> String {
    let ports = neuron.ports();
    let Some(component) = neuron.component() else {
        return format!("{name}: a Rust type\n");
    };
    let mut text = format!("{}\n", component.model.text.trim_end());
    text.push_str(&format!("\nintegrator: {}\n", component.integrator.name()));
    let table = |title: &str, list: &[rheobase::engine::port::Quantity], values: bool| {
        let mut text = format!("{title}\n");
        for q in list {
            let value = if values {
                format!("{}", q.default / q.unit.scale)
            } else {
                String::new()
            };
            text.push_str(&format!(
                "  {:<18} {value:>12} {:<8} {}\n",
                q.name, q.unit.name, q.doc
            ));
        }
        text
    };
    text.push_str(&table("parameters", &ports.parameters, true));
    text.push_str(&table("states", &ports.states, true));
    text.push_str(&table("input ports", &ports.inputs, false));
    if !ports.outputs.is_empty() {
        text.push_str(&table("outputs", &ports.outputs, false));
    }
    text
}

fn neuron_json(name: &str, neuron: &dyn NeuronType) -> serde_json::Value {
    let ports = neuron.ports();
    let list = |list: &[rheobase::engine::port::Quantity]| -> Vec<serde_json::Value> {
        list.iter()
            .map(|q| {
                json!({"name": q.name, "unit": q.unit.name, "default": q.default / q.unit.scale, "doc": q.doc})
            })
            .collect()
    };
    json!({
        "name": name,
        "text": neuron.component().map(|c| c.model.text.clone()),
        "integrator": neuron.component().map(|c| c.integrator.name()),
        "parameters": list(&ports.parameters),
        "states": list(&ports.states),
        "inputs": list(&ports.inputs),
        "outputs": list(&ports.outputs),
    })
}

fn entry_text<T>(
    entries: &indexmap::IndexMap<String, Entry<T>>,
    name: &str,
    kind: &str,
) -> Option<String> {
    let entry = entries.get(name)?;
    let mut text = format!("{kind} {name}: {}\narguments\n", entry.summary);
    for a in entry.arguments {
        let default = match a.default {
            None => "required".to_owned(),
            Some("") => "optional".to_owned(),
            Some(d) => format!("default {d}"),
        };
        text.push_str(&format!("  {:<14} {:<16} {}\n", a.name, default, a.doc));
    }
    Some(text)
}
