//! Rust source with everything that is not code blanked out, line structure kept.

/// Comments and the contents of strings and character literals replaced by spaces.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        match end {
            Some(end) => {
                for &c in &chars[at..end] {
                    out.push(if c == '\n' { '\n' } else { ' ' });
                }
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// As [`code`], and items under `#[cfg(test)]` blanked as well.
pub(crate) fn code_without_tests(text: &str) -> String {
    let mut chars: Vec<char> = code(text).chars().collect();
    for at in attribute_starts(&chars) {
        let end = item_end(&chars, at);
        for c in &mut chars[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    }
    chars.into_iter().collect()
}

/// Names of modules declared `#[cfg(test)] mod NAME;`.
pub(crate) fn test_modules(text: &str) -> Vec<String> {
    let chars: Vec<char> = code(text).chars().collect();
    attribute_starts(&chars)
        .into_iter()
        .filter_map(|at| {
            let item: String = chars[at..item_end(&chars, at)].iter().collect();
            let (_, after) = item.split_once("mod ")?;
            after
                .trim_end()
                .strip_suffix(';')
                .map(|name| name.trim().to_owned())
        })
        .collect()
}

/// End of the comment, string or character literal that starts at `at`.
fn token_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1);
    match chars[at] {
        '/' if next == Some(&'/') => Some(
            chars[at..]
                .iter()
                .position(|&c| c == '\n')
                .map_or(chars.len(), |n| at + n),
        ),
        '/' if next == Some(&'*') => Some(block_comment_end(chars, at)),
        '"' => Some(string_end(chars, at + 1)),
        'r' if !follows_word(chars, at) => raw_string_end(chars, at + 1),
        '\'' => character_end(chars, at),
        _ => None,
    }
}

/// `r` directly after a letter is the end of a word, unless the word is the prefix `b` or `c`.
fn follows_word(chars: &[char], at: usize) -> bool {
    let word = |i: usize| chars[i].is_alphanumeric() || chars[i] == '_';
    match at {
        0 => false,
        1 => word(0) && !matches!(chars[0], 'b' | 'c'),
        _ => word(at - 1) && (!matches!(chars[at - 1], 'b' | 'c') || word(at - 2)),
    }
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0_usize, at);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start..].iter().take_while(|&&c| c == '#').count();
    if chars.get(start + hashes) != Some(&'"') {
        return None;
    }
    let mut i = start + hashes + 1;
    while i < chars.len() {
        let closing = chars[i + 1..]
            .iter()
            .take(hashes)
            .filter(|&&c| c == '#')
            .count();
        if chars[i] == '"' && closing == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(chars.len())
}

/// A quote begins a character literal unless it begins a lifetime.
fn character_end(chars: &[char], at: usize) -> Option<usize> {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[at + 3..].iter().position(|&c| c == '\'')?;
            Some(at + 3 + close + 1)
        }
        (Some(_), Some('\'')) => Some(at + 3),
        _ => None,
    }
}

fn attribute_starts(chars: &[char]) -> Vec<usize> {
    let heads = ["#[cfg(test)]", "#[cfg(all(test", "#[cfg(any(test"];
    (0..chars.len())
        .filter(|&i| {
            chars[i] == '#'
                && heads
                    .iter()
                    .any(|h| chars[i..].iter().copied().take(h.len()).eq(h.chars()))
        })
        .collect()
}

/// End of the item behind the attribute at `at`: its `;`, or the end of its braces.
fn item_end(chars: &[char], at: usize) -> usize {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (i, c) in chars.iter().enumerate().skip(at) {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return i + 1;
                }
            }
            ';' if braces == 0 && others == 0 => return i + 1,
            _ => {}
        }
    }
    chars.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_vanish_and_lines_stay() {
        let text = "let a = \"x.exp()\"; // y.exp()\nlet c = '\"'; /* z\n/* w */ */ b.exp()";
        let code = code(text);
        assert_eq!(code.matches(".exp()").count(), 1);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(code.ends_with("b.exp()"));
    }

    #[test]
    fn raw_strings_lifetimes_and_names_that_end_in_r() {
        let text = "fn f<'a>(x: &'a str) { br#\" \" \"#; for\"q\"; r\"s\"; '\\n'; '\\''; var }";
        let code = code(text);
        assert!(
            code.contains("<'a>(x: &'a str)") && code.contains("for"),
            "{code}"
        );
        assert!(
            !code.contains('"') && !code.contains('q') && !code.contains("\\n"),
            "{code}"
        );
        assert!(code.contains("var }"), "{code}");
    }

    #[test]
    fn test_items_vanish() {
        let text = "a();\n#[cfg(test)]\nmod tests { fn f([x; 2]) { g(); } }\nb();\n#[cfg(test)]\nuse c;\nd();";
        let code = code_without_tests(text);
        assert!(
            code.contains("a();") && code.contains("b();") && code.contains("d();"),
            "{code}"
        );
        assert!(!code.contains('g') && !code.contains("use c"), "{code}");
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(
            test_modules("#[cfg(test)]\nmod tests;\nmod other;"),
            ["tests"]
        );
    }
}
