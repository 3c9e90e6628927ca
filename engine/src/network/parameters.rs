//! Named parameters of a description: `[parameters]`, each a number, a quantity, or an expression
//! that may name others.

use indexmap::IndexMap;
use rheobase_equations::unit::{Scope, names_in};
use serde_json::Value as Json;

use super::error::{ErrorKind, Errors, Path};
use super::schema::{NETWORK, short};
use crate::suggest;

/// Parameters at most.
const MAX_PARAMETERS: usize = 4096;

/// The values of all parameters. Those with errors, which are reported, and what depends on them are
/// left out.
pub(super) fn read<'a>(
    table: impl IntoIterator<Item = (&'a String, &'a Json)>,
    errors: &mut Errors,
) -> Scope {
    let section = Path::root().key("parameters");
    let table: IndexMap<&str, &Json> = table.into_iter().map(|(k, v)| (k.as_str(), v)).collect();
    if table.len() > MAX_PARAMETERS {
        let message = format!("there are more than {MAX_PARAMETERS} parameters");
        errors.push(ErrorKind::Entry, &section, message);
        return Scope::default();
    }
    let entries = table
        .iter()
        .map(|(&name, json)| Parameter::read(name, json, &table, &section.key(name), errors))
        .collect();
    let mut order = Order {
        names: &table,
        entries,
        state: vec![State::Unseen; table.len()],
        sorted: Vec::new(),
    };
    for i in 0..table.len() {
        order.visit(i, &section, errors);
    }
    let mut scope = Scope::default();
    for i in order.sorted {
        let (Some(parameter), Some((name, _))) = (&order.entries[i], table.get_index(i)) else {
            continue;
        };
        if parameter
            .needs
            .iter()
            .any(|&k| is_absent(k, &table, &scope))
        {
            continue;
        }
        match scope.parse(&parameter.text) {
            Ok(quantity) => scope.insert(name, quantity),
            Err(e) => errors.push(ErrorKind::Value, &section.key(name), e.to_string()),
        }
    }
    scope
}

fn is_absent(i: usize, table: &IndexMap<&str, &Json>, scope: &Scope) -> bool {
    table
        .get_index(i)
        .is_none_or(|(name, _)| scope.get(name).is_none())
}

/// One entry as written.
struct Parameter {
    text: String,
    /// Places of the parameters it names.
    needs: Vec<usize>,
}

impl Parameter {
    /// `None` after reporting what is wrong.
    fn read(
        name: &str,
        json: &Json,
        table: &IndexMap<&str, &Json>,
        path: &Path,
        errors: &mut Errors,
    ) -> Option<Self> {
        if errors.is_flooded() {
            return None;
        }
        let refused = if NETWORK.entry(name).is_some() {
            Err(format!(
                "`{name}` is an entry of every network; choose another name"
            ))
        } else {
            Scope::check_name(name)
        };
        if let Err(message) = refused {
            errors.push(ErrorKind::Name, path, message);
            return None;
        }
        let text = match json {
            Json::Number(x) => x.to_string(),
            Json::String(text) => text.clone(),
            other => {
                let found = short(other);
                let message = format!(
                    "expected a number, or a quantity or expression in quotes, found {found}"
                );
                errors.push(ErrorKind::Entry, path, message);
                return None;
            }
        };
        let names = names_in(&text)
            .map_err(|e| errors.push(ErrorKind::Value, path, e.to_string()))
            .ok()?;
        let mut needs = Vec::new();
        for needed in names {
            match table.get_index_of(needed.as_str()) {
                Some(i) if !needs.contains(&i) => needs.push(i),
                Some(_) => {}
                None => {
                    let known: Vec<&str> = table.keys().copied().collect();
                    let message = suggest::unknown("parameter", &needed, &known);
                    errors.push(ErrorKind::Name, path, message);
                    return None;
                }
            }
        }
        Some(Self { text, needs })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    /// On the way from the parameter visited first to the one at hand.
    Open,
    Done,
}

/// Puts every parameter after those it names.
struct Order<'a> {
    names: &'a IndexMap<&'a str, &'a Json>,
    entries: Vec<Option<Parameter>>,
    state: Vec<State>,
    sorted: Vec<usize>,
}

impl Order<'_> {
    fn visit(&mut self, first: usize, section: &Path, errors: &mut Errors) {
        if self.state[first] != State::Unseen {
            return;
        }
        self.state[first] = State::Open;
        // A parameter, and how many of those it names have been visited.
        let mut way = vec![(first, 0)];
        while let Some(&mut (i, ref mut next)) = way.last_mut() {
            let needed = self.entries[i].as_ref().and_then(|p| p.needs.get(*next));
            *next += 1;
            match needed {
                Some(&k) if self.state[k] == State::Unseen => {
                    self.state[k] = State::Open;
                    way.push((k, 0));
                }
                Some(&k) if self.state[k] == State::Open => {
                    self.report_cycle(k, &way, section, errors);
                    self.entries[i] = None;
                }
                Some(_) => {}
                None => {
                    self.state[i] = State::Done;
                    self.sorted.push(i);
                    way.pop();
                }
            }
        }
    }

    fn report_cycle(
        &self,
        first: usize,
        way: &[(usize, usize)],
        section: &Path,
        errors: &mut Errors,
    ) {
        let name = |i: usize| self.names.get_index(i).map_or("", |(name, _)| *name);
        let cycle = way.iter().map(|&(i, _)| i).skip_while(|&i| i != first);
        let names: Vec<&str> = cycle.chain([first]).map(name).collect();
        let message = format!(
            "depends on itself: {}",
            suggest::abbreviated(&names.join(" -> "))
        );
        errors.push(ErrorKind::Value, &section.key(name(first)), message);
    }
}
