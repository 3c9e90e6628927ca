//! Tables of node and edge types: columns separated by spaces, fields in double quotes where they
//! hold spaces, a quote doubled inside.

use std::path::Path;

use super::SonataError;
use super::error::{read_text, short};

/// Most columns of a table.
const MAX_COLUMNS: usize = 1024;

/// Most rows of a table of types: places in it are numbered with 16 bits.
const MAX_ROWS: usize = u16::MAX as usize;

/// Most cells of a table.
const MAX_CELLS: usize = 1 << 22;

/// A table: columns by name.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Table {
    /// File, for messages.
    pub(super) file: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, SonataError> {
        Self::parse(&path.display().to_string(), &read_text(path)?)
    }

    pub(super) fn parse(file: &str, text: &str) -> Result<Self, SonataError> {
        let mut table = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let mut cells = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let place = || format!("{file}, line {number}");
            let fields = fields(line).map_err(|m| SonataError::wrong(place(), m))?;
            if fields.is_empty() {
                continue;
            }
            if table.columns.is_empty() {
                table.set_columns(fields, &place())?;
                continue;
            }
            if fields.len() != table.columns.len() {
                let message = format!(
                    "{} fields for {} columns",
                    fields.len(),
                    table.columns.len()
                );
                return Err(SonataError::wrong(place(), message));
            }
            cells += fields.len();
            if table.rows.len() == MAX_ROWS || cells > MAX_CELLS {
                let message = format!("more than {MAX_ROWS} rows or {MAX_CELLS} fields");
                return Err(SonataError::wrong(place(), message));
            }
            table.rows.push(fields);
        }
        if table.columns.is_empty() {
            return Err(SonataError::wrong(
                file,
                "is empty: a line of column names was expected",
            ));
        }
        Ok(table)
    }

    fn set_columns(&mut self, names: Vec<String>, place: &str) -> Result<(), SonataError> {
        if names.len() > MAX_COLUMNS {
            let message = format!("{} columns, the limit is {MAX_COLUMNS}", names.len());
            return Err(SonataError::wrong(place, message));
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(w) = sorted.windows(2).find(|w| w[0] == w[1]) {
            let message = format!("column `{}` stands twice", short(w[0]));
            return Err(SonataError::wrong(place, message));
        }
        self.columns = names;
        Ok(())
    }

    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c == name)
    }

    /// A field; `None` where there is no such column, or it holds no value.
    pub(super) fn get(&self, row: usize, column: &str) -> Option<&str> {
        let column = self.columns.iter().position(|c| c == column)?;
        let field = self.rows.get(row)?.get(column)?.as_str();
        let empty = ["", "NULL", "NONE", "None", "null", "NaN", "nan", "NA"].contains(&field);
        (!empty).then_some(field)
    }

    /// A finite number; `None` as [`Self::get`].
    pub(super) fn number(&self, row: usize, column: &str) -> Result<Option<f64>, SonataError> {
        let Some(field) = self.get(row, column) else {
            return Ok(None);
        };
        match field.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Some(x)),
            _ => Err(SonataError::wrong(
                self.place(row, column),
                format!("`{}` is no finite number", short(field)),
            )),
        }
    }

    /// A required whole number ≥ 0.
    pub(super) fn id(&self, row: usize, column: &str) -> Result<u64, SonataError> {
        let message = match self.get(row, column) {
            Some(field) => match field.parse() {
                Ok(id) => return Ok(id),
                Err(_) => format!("`{}` is no whole number", short(field)),
            },
            None if self.has_column(column) => "is missing".to_owned(),
            None => "there is no such column".to_owned(),
        };
        Err(SonataError::wrong(self.place(row, column), message))
    }

    /// Where a field stands.
    pub(super) fn place(&self, row: usize, column: &str) -> String {
        format!("{}, row {}, {}", self.file, row + 1, column)
    }
}

/// The fields of a line. Tabs and carriage returns count as spaces.
pub(super) fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find([' ', '\t']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        rest = after.trim_start();
    }
    Ok(fields)
}

/// A field up to its closing quote, and what follows it.
fn quoted_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or("a quote is not closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if rest.is_empty() || rest.starts_with([' ', '\t']) => return Ok((field, rest)),
            None => return Err("text follows a closing quote".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_missing_values() {
        let text = "id  name \"two words\"\r\n\n1 \"a \"\"b\"\" c\" NULL\n2 x 1.5\n";
        let table = Table::parse("t.csv", text).unwrap();
        assert_eq!(table.n_rows(), 2);
        assert_eq!(table.get(0, "name"), Some("a \"b\" c"));
        assert_eq!(table.get(0, "two words"), None);
        assert_eq!(table.number(1, "two words").unwrap(), Some(1.5));
        assert_eq!(table.id(1, "id").unwrap(), 2);
        assert_eq!(table.get(0, "other"), None);
        let error = table.id(1, "name").unwrap_err().to_string();
        assert_eq!(error, "t.csv, row 2, name: `x` is no whole number");
    }

    #[test]
    fn malformed_tables_are_refused() {
        for text in ["", "\n\n", "a a\n", "a b\n1\n", "a\n\"x\n", "a\n\"x\"y\n"] {
            assert!(Table::parse("t.csv", text).is_err(), "{text:?}");
        }
    }
}
