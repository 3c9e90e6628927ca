//! Options: what a network chooses about a component. Their values are constants here.

use super::names::{Meaning, small};
use super::{Checker, Type, Typed};
use crate::diagnostic::{Problem, nearest};
use crate::limits::MAX_OPTIONS;
use crate::model::ModelOption;
use crate::syntax::ast::{Choice, Name};

/// The two values of a switch.
const SWITCH: [&str; 2] = ["true", "false"];

impl<'a> Checker<'a, '_> {
    pub(super) fn declare_option(&mut self, option: &'a Choice<'a>) {
        let index = self.model.options.len();
        if !self.may_declare(option.name, "options", index, MAX_OPTIONS) {
            return;
        }
        let Some(values) = self.option_values(option) else {
            return;
        };
        let name = option.name.text.to_owned();
        let chosen = self.chosen.options.get(&name);
        let chosen = chosen.and_then(|c| values.iter().position(|v| v == c));
        self.enter(option.name, Meaning::Option(small(index)));
        self.model.options.push(ModelOption {
            name,
            doc: option.doc.clone(),
            values,
            chosen: chosen.unwrap_or(0),
        });
    }

    /// What may be chosen; a switch has both of its values, the default first.
    fn option_values(&mut self, option: &'a Choice<'a>) -> Option<Vec<String>> {
        let values = &option.values;
        if let [only] = values[..] {
            if !SWITCH.contains(&only.text) {
                let problem = Problem::new(only.span, "an option with nothing to choose")
                    .label("expected `true`, `false` or several choices")
                    .help(format!("write `= {} or …`", only.text));
                self.report(problem);
                return None;
            }
            let other = SWITCH[usize::from(only.text == SWITCH[0])];
            return Some(vec![only.text.to_owned(), other.to_owned()]);
        }
        for (i, value) in values.iter().enumerate() {
            if values[..i].iter().any(|v| v.text == value.text) {
                let message = format!("`{}` is a choice twice", value.text);
                self.report(Problem::new(value.span, message).label("the second one"));
                return None;
            }
            if SWITCH.contains(&value.text) {
                let message = format!("`{}` is no name of a choice", value.text);
                let problem = Problem::new(value.span, message)
                    .label("expected a name")
                    .help("a switch is `option NAME = true` or `= false`");
                self.report(problem);
                return None;
            }
        }
        if values.len() > MAX_OPTIONS {
            let problem = Problem::new(option.name.span, "too many choices")
                .label(format!("at most {MAX_OPTIONS} are allowed"));
            self.report(problem);
            return None;
        }
        Some(values.iter().map(|v| v.text.to_owned()).collect())
    }

    /// A switch as a condition.
    pub(super) fn switch(&mut self, name: Name<'a>, option: u32) -> Option<Typed> {
        let option = self.model.options.get(option as usize)?;
        let value = &option.values[option.chosen];
        if !SWITCH.contains(&value.as_str()) {
            let example = option.values[0].clone();
            let problem = Problem::new(name.span, format!("`{}` has choices", name.text))
                .label("neither a number nor a condition")
                .help(format!("write `{} is {example}`", name.text));
            self.report(problem);
            return None;
        }
        let on = value == SWITCH[0];
        Some(self.fixed_condition(on))
    }

    /// `option is choice`.
    pub(super) fn is_chosen(&mut self, name: Name<'a>, choice: Name<'a>) -> Option<Typed> {
        let meaning = self.names.get(name.text).map(|entry| entry.meaning);
        let Some(Meaning::Option(index)) = meaning else {
            if self.block.is_incomplete && meaning.is_none() {
                return None;
            }
            let what = meaning.map_or("no option", Meaning::shown);
            let problem = Problem::new(name.span, format!("`{}` is {what}", name.text))
                .label("expected an option before `is`")
                .suggest(name.text, self.model.options.iter().map(|o| &*o.name));
            self.report(problem);
            return None;
        };
        let option = self.model.options.get(index as usize)?;
        let Some(position) = option.values.iter().position(|v| v == choice.text) else {
            let all = option.values.join(", ");
            let best = nearest(choice.text, option.values.iter().map(String::as_str));
            let help = match best {
                Some(best) => format!("did you mean `{best}`?"),
                None => format!("it is one of {all}"),
            };
            let message = format!("`{}` is never `{}`", name.text, choice.text);
            let problem = Problem::new(choice.span, message)
                .label("not one of its choices")
                .help(help);
            self.report(problem);
            return None;
        };
        let is_it = option.chosen == position;
        Some(self.fixed_condition(is_it))
    }

    fn fixed_condition(&mut self, holds: bool) -> Typed {
        Typed {
            value: self.builder.boolean(holds),
            ty: Type::Bool,
            is_fixed: true,
        }
    }
}
