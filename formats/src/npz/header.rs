//! The header of an array: what kind, which order, which shape.
//!
//! It is a Python dictionary of three entries, read here letter by letter: nothing is evaluated.

use crate::array::{Kind, Problem};
use std::io::Read;

const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// Bytes of text at most; NumPy's own are 54 to about 250.
const MAX_TEXT: u32 = 1 << 16;

#[derive(PartialEq, Debug)]
pub(super) struct Header {
    /// Kind of number, and whether its bytes are big-endian.
    pub(super) kind: (Kind, bool),
    pub(super) shape: Vec<u64>,
    /// Bytes of the whole header.
    pub(super) bytes: u64,
}

pub(super) fn read(stream: &mut impl Read) -> Result<Header, Problem> {
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        let read = stream.read_exact(&mut bytes);
        read.map(|()| bytes).map_err(|e| Problem::stream(&e))
    };
    let magic = take(6)?;
    if magic != MAGIC {
        return Err(Problem::Format {
            format: "NumPy",
            found: magic,
        });
    }
    let version = take(2)?[0];
    let (prefix, length) = match version {
        1 => {
            let b = take(2)?;
            (10, u32::from(u16::from_le_bytes([b[0], b[1]])))
        }
        2 | 3 => {
            let b = take(4)?;
            (12, u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        }
        other => {
            return Err(wrong(format!(
                "version {other} of the format, expected 1 to 3"
            )));
        }
    };
    if length > MAX_TEXT {
        return Err(wrong(format!(
            "it takes {length} bytes, at most {MAX_TEXT} are read"
        )));
    }
    // Checked to fit: at most 2^16.
    let text = take(usize::try_from(length).unwrap_or(0))?;
    let text = String::from_utf8(text).map_err(|_| wrong("it is no text".to_owned()))?;
    let (kind, shape) = entries(&text)?;
    Ok(Header {
        kind,
        shape,
        bytes: prefix + u64::from(length),
    })
}

fn wrong(reason: String) -> Problem {
    Problem::Header(reason)
}

/// Reads the dictionary.
fn entries(text: &str) -> Result<((Kind, bool), Vec<u64>), Problem> {
    let mut cursor = Cursor { rest: text };
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    cursor.expect('{')?;
    while !cursor.accept('}') {
        let key = cursor.quoted()?;
        cursor.expect(':')?;
        match key {
            "descr" => descr = Some(cursor.descr()?),
            "fortran_order" => fortran = Some(cursor.truth()?),
            "shape" => shape = Some(cursor.sizes()?),
            other => return Err(wrong(format!("it has an entry {other:?}"))),
        }
        if !cursor.accept(',') {
            cursor.expect('}')?;
            break;
        }
    }
    if !cursor.rest.trim().is_empty() {
        return Err(wrong(format!("`{}` follows it", cursor.shown())));
    }
    let (Some(descr), Some(fortran), Some(shape)) = (descr, fortran, shape) else {
        return Err(wrong("descr, fortran_order or shape is missing".to_owned()));
    };
    let kind = kind(descr)?;
    // With one dimension both orders are the same.
    if fortran && shape.len() > 1 {
        return Err(Problem::FortranOrder);
    }
    Ok((kind, shape))
}

fn kind(descr: &str) -> Result<(Kind, bool), Problem> {
    let unknown = || Problem::Kind {
        found: format!("`{descr}`"),
        expected: "u1, b1, i1, i2, i4, i8, f4 and f8",
    };
    let (order, name) = descr.split_at_checked(1).ok_or_else(unknown)?;
    let kind = match name {
        "u1" => Kind::U8,
        "b1" => Kind::Bool,
        "i1" => Kind::I8,
        "i2" => Kind::I16,
        "i4" => Kind::I32,
        "i8" => Kind::I64,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => return Err(unknown()),
    };
    match order {
        "<" => Ok((kind, false)),
        ">" => Ok((kind, true)),
        // One byte has no order.
        "|" if name.ends_with('1') => Ok((kind, false)),
        _ => Err(unknown()),
    }
}

/// Text still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// What comes next, for messages.
    fn shown(&self) -> String {
        self.rest.trim_start().chars().take(24).collect()
    }

    fn accept(&mut self, character: char) -> bool {
        match self.rest.trim_start().strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Result<(), Problem> {
        if self.accept(character) {
            return Ok(());
        }
        Err(wrong(format!(
            "`{}` where `{character}` should stand",
            self.shown()
        )))
    }

    fn quoted(&mut self) -> Result<&'a str, Problem> {
        self.expect('\'')?;
        let (word, rest) = self
            .rest
            .split_once('\'')
            .ok_or_else(|| wrong("a quote is not closed".to_owned()))?;
        self.rest = rest;
        Ok(word)
    }

    /// The type; a list of fields is a structured one.
    fn descr(&mut self) -> Result<&'a str, Problem> {
        if self.rest.trim_start().starts_with(['[', '(']) {
            return Err(Problem::Kind {
                found: "with fields".to_owned(),
                expected: "plain numbers",
            });
        }
        self.quoted()
    }

    fn truth(&mut self) -> Result<bool, Problem> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.trim_start().strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(wrong(format!(
            "`{}` where True or False should stand",
            self.shown()
        )))
    }

    fn sizes(&mut self) -> Result<Vec<u64>, Problem> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.accept(')') {
            let rest = self.rest.trim_start();
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (digits, rest) = rest.split_at(end);
            let size = digits
                .parse()
                .map_err(|_| wrong(format!("`{}` where a length should stand", self.shown())))?;
            sizes.push(size);
            self.rest = rest;
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<((Kind, bool), Vec<u64>), Problem> {
        entries(text)
    }

    #[test]
    fn dictionaries_are_read_as_python_writes_them() {
        let text = |descr: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}   \n")
        };
        assert_eq!(
            of(&text("<f8", "(3, 4)")),
            Ok(((Kind::F64, false), vec![3, 4]))
        );
        assert_eq!(of(&text(">i2", "(3,)")), Ok(((Kind::I16, true), vec![3])));
        assert_eq!(of(&text("|b1", "()")), Ok(((Kind::Bool, false), vec![])));
        let swapped = "{'shape':(2,),'fortran_order':True,'descr':'<i8'}";
        assert_eq!(of(swapped), Ok(((Kind::I64, false), vec![2])));
    }

    #[test]
    fn what_is_not_read_is_named() {
        let kinds = ["|O", "<U3", "<c8", "<u4", "<f2", "|i8", "=f8", "", "é1"];
        for descr in kinds {
            let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
            assert!(matches!(of(&text), Err(Problem::Kind { .. })), "{descr}");
        }
        let fields = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}";
        assert!(matches!(of(fields), Err(Problem::Kind { .. })));
        let fortran = "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3)}";
        assert_eq!(of(fortran), Err(Problem::FortranOrder));
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f8', 'shape': (1,)}",
            "{'descr': '<f8', 'fortran_order': maybe, 'shape': (1,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} + 1",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        ] {
            assert!(matches!(of(text), Err(Problem::Header(_))), "{text}");
        }
    }
}
