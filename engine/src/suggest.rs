//! "Did you mean": near misses among known names.

/// A message for an unknown name: the nearest known one, or all of them if there are few.
///
/// ```
/// use rheobase_engine::suggest::unknown;
///
/// assert_eq!(unknown("port", "exx", &["ex", "in"]), "unknown port `exx`; did you mean `ex`?");
/// assert_eq!(unknown("port", "gaba", &["ex", "in"]), "unknown port `gaba`; expected ex or in");
/// ```
#[must_use]
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let nearest = nearest(name, known);
    let name = abbreviated(name);
    match nearest {
        Some(k) => format!("unknown {what} `{name}`; did you mean `{k}`?"),
        None if known.is_empty() => format!("unknown {what} `{name}`; there are none here"),
        None if known.len() <= 24 => {
            format!("unknown {what} `{name}`; expected {}", one_of(known))
        }
        None => format!("unknown {what} `{name}`"),
    }
}

/// Longest name that near misses are looked for.
const MAX_LENGTH: usize = 128;

/// Longest piece of what was read that a message repeats \[characters\].
const MAX_SHOWN: usize = 60;

/// `text`, cut where it is longer than a message should be.
#[must_use]
pub fn abbreviated(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The known name closest to `name`, if any is close: the first in alphabetical order of equals.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = name.chars().count();
    if length > MAX_LENGTH {
        return None;
    }
    known
        .iter()
        .map(|&k| (distance(name, k), k))
        .filter(|&(d, k)| d <= 1 + length / 4 && d < length.min(k.chars().count()))
        .min()
        .map(|(_, k)| k)
}

/// `a`, `a or b`, `a, b or c`.
#[must_use]
pub fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn distance(name: &str, known: &str) -> usize {
    let (a, b) = (name.to_lowercase(), known.to_lowercase());
    // Another case is a nearer miss than another letter, but still a miss.
    if a == b {
        0
    } else {
        strsim::damerau_levenshtein(&a, &b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_named() {
        let known = ["tau_m", "tau_ex", "tau_in", "c_m", "v_reset"];
        assert_eq!(nearest("tau_n", &known), Some("tau_in"));
        assert_eq!(nearest("Tau_M", &known), Some("tau_m"));
        assert_eq!(nearest("v_rest", &known), Some("v_reset"));
        assert_eq!(nearest("membrane", &known), None);
    }

    #[test]
    fn a_single_letter_is_near_its_other_case_only() {
        assert_eq!(nearest("X", &["E", "I"]), None);
        assert_eq!(nearest("e", &["E", "I"]), Some("E"));
        assert_eq!(
            unknown("population", "X", &["E"]),
            "unknown population `X`; expected E"
        );
        assert_eq!(
            unknown("population", "X", &[]),
            "unknown population `X`; there are none here"
        );
    }

    #[test]
    fn long_names_do_not_overflow() {
        assert_eq!(nearest(&"é".repeat(500), &["e"]), None);
        assert_eq!(nearest("", &["e"]), None);
        let message = unknown("entry", &"é".repeat(500), &["e"]);
        assert_eq!(
            message,
            format!("unknown entry `{}…`; expected e", "é".repeat(60))
        );
    }
}
