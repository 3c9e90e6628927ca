//! Node sets: which nodes an input or a report means.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::SonataError;
use super::error::{read_text, short};
use super::nodes::NodePopulation;

/// Deepest nesting of compound node sets.
const MAX_DEPTH: usize = 32;

/// Most look-ups of one set: compound ones may name each other many times.
const MAX_LOOKUPS: usize = 4096;

/// The node sets of a network.
#[derive(Default)]
pub(super) struct NodeSets {
    file: String,
    sets: Map<String, Json>,
}

/// Nodes of a set: for each population, in order, its members ascending.
pub(super) type Members = Vec<Vec<u32>>;

impl NodeSets {
    pub(super) fn read(path: Option<&Path>) -> Result<Self, SonataError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let file = path.display().to_string();
        match serde_json::from_str(&read_text(path)?) {
            Ok(Json::Object(sets)) => Ok(Self { file, sets }),
            Ok(_) => Err(SonataError::wrong(file, "expected an object of node sets")),
            Err(e) => Err(SonataError::wrong(file, e.to_string())),
        }
    }

    /// The nodes that `set` means: the name of a set or of a population, or the rules themselves;
    /// none means all nodes.
    pub(super) fn members(
        &self,
        set: Option<&Json>,
        populations: &[NodePopulation],
        place: &str,
    ) -> Result<Members, SonataError> {
        let mut chosen: Vec<Vec<bool>> = populations
            .iter()
            .map(|p| vec![false; p.n as usize])
            .collect();
        let mut search = Search {
            sets: self,
            populations,
            place,
            lookups: 0,
        };
        match set {
            None | Some(Json::Null) => search.rules(&Map::new(), place, &mut chosen)?,
            Some(set) => search.set(set, &mut chosen, 0)?,
        }
        let members = |chosen: Vec<bool>| -> Vec<u32> {
            (0..)
                .zip(chosen)
                .filter(|(_, c)| *c)
                .map(|(k, _)| k)
                .collect()
        };
        Ok(chosen.into_iter().map(members).collect())
    }
}

struct Search<'a> {
    sets: &'a NodeSets,
    populations: &'a [NodePopulation],
    place: &'a str,
    lookups: usize,
}

impl Search<'_> {
    fn set(
        &mut self,
        set: &Json,
        chosen: &mut [Vec<bool>],
        depth: usize,
    ) -> Result<(), SonataError> {
        self.lookups += 1;
        if depth > MAX_DEPTH || self.lookups > MAX_LOOKUPS {
            let message = "node sets refer to each other without end";
            return Err(SonataError::wrong(&self.sets.file, message));
        }
        match set {
            Json::String(name) => self.named(name, chosen, depth),
            Json::Object(rules) => {
                let place = self.place;
                self.rules(rules, place, chosen)
            }
            Json::Array(names) => {
                for name in names {
                    self.set(name, chosen, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(SonataError::wrong(
                self.place,
                "a node set is a name, a list of names, or an object of rules",
            )),
        }
    }

    fn named(
        &mut self,
        name: &str,
        chosen: &mut [Vec<bool>],
        depth: usize,
    ) -> Result<(), SonataError> {
        let sets = self.sets;
        match sets.sets.get(name) {
            Some(Json::Object(rules)) => {
                let place = format!("{}, {}", sets.file, short(name));
                self.rules(rules, &place, chosen)
            }
            Some(set) => self.set(set, chosen, depth + 1),
            // Every population is a set of its name.
            None => {
                let found = self.populations.iter().position(|p| p.name == name);
                let Some(found) = found else {
                    let message = format!("there is no node set or population `{}`", short(name));
                    return Err(SonataError::wrong(self.place, message));
                };
                chosen[found].fill(true);
                Ok(())
            }
        }
    }

    fn rules(
        &self,
        rules: &Map<String, Json>,
        place: &str,
        chosen: &mut [Vec<bool>],
    ) -> Result<(), SonataError> {
        self.check_rules(rules, place)?;
        for (population, chosen) in self.populations.iter().zip(chosen) {
            let in_population = rules
                .get("population")
                .is_none_or(|rule| matches_text(rule, &population.name));
            if !in_population {
                continue;
            }
            let mut member = vec![true; population.n as usize];
            for (name, rule) in rules.iter().filter(|(name, _)| *name != "population") {
                apply(population, name, rule, &mut member);
            }
            for (chosen, member) in chosen.iter_mut().zip(member) {
                *chosen |= member;
            }
        }
        Ok(())
    }

    fn check_rules(&self, rules: &Map<String, Json>, place: &str) -> Result<(), SonataError> {
        for (name, rule) in rules {
            let scalar = |j: &Json| j.is_string() || j.is_number() || j.is_boolean();
            let fits = match rule {
                Json::Array(list) => list.iter().all(scalar),
                other => scalar(other),
            };
            if !fits {
                let message = format!("`{}` is no value or list of values", short(name));
                return Err(SonataError::wrong(place, message));
            }
            let known = matches!(name.as_str(), "population" | "node_id" | "node_type_id")
                || self.populations.iter().any(|p| p.types.has_column(name));
            if !known {
                let what = format!("attribute `{}` in a node set", short(name));
                let supported = "population, node_id, node_type_id, columns of the node types";
                return Err(SonataError::unsupported(place, what, supported));
            }
        }
        Ok(())
    }
}

/// Strikes out the nodes that do not follow a rule.
fn apply(population: &NodePopulation, name: &str, rule: &Json, member: &mut [bool]) {
    if name == "node_id" {
        let mut named = vec![false; member.len()];
        for id in values(rule).iter().filter_map(Json::as_u64) {
            if let Some(k) = population.ids.index(id, population.n) {
                named[k as usize] = true;
            }
        }
        for (member, named) in member.iter_mut().zip(named) {
            *member &= named;
        }
        return;
    }
    let follows: Vec<bool> = (0..population.types.n_rows())
        .map(|row| {
            let field = population.types.get(row, name);
            field.is_some_and(|field| matches_text(rule, field))
        })
        .collect();
    for (member, &row) in member.iter_mut().zip(&population.rows) {
        *member &= follows.get(row as usize).copied().unwrap_or(false);
    }
}

fn values(rule: &Json) -> &[Json] {
    match rule {
        Json::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// Whether a field is the value, or one of the values, of a rule.
#[allow(clippy::float_cmp, reason = "numbers as they are written")]
fn matches_text(rule: &Json, field: &str) -> bool {
    values(rule).iter().any(|value| match value {
        Json::String(text) => text == field,
        Json::Number(x) => x.as_f64().is_some() && x.as_f64() == field.parse().ok(),
        Json::Bool(b) => field == if *b { "1" } else { "0" } || field == b.to_string(),
        _ => false,
    })
}
