//! "Did you mean": near misses among known names.

/// A sentence for an unknown name: the nearest known one, or all of them if there are few.
#[must_use]
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4);
    match nearest {
        Some((_, k)) => format!("unknown {what} `{name}`; did you mean `{k}`?"),
        None if known.is_empty() => format!("unknown {what} `{name}`; there are none here"),
        None if known.len() <= 24 => {
            format!(
                "unknown {what} `{name}`; expected one of {}",
                known.join(", ")
            )
        }
        None => format!("unknown {what} `{name}`"),
    }
}
