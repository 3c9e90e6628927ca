//! Lines of JSON.

use std::fmt;
use std::io::{BufRead, Read};

use rheobase_engine::Instantiate;
use rheobase_engine::session::Emitted;
use rheobase_equations::real::Precision;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Codec, Given, InferError, MAX_BYTES, Place, Port, Request};

/// Lines read so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: u64,
    bytes: Vec<u8>,
}

impl Lines {
    fn fail(&self, message: impl Into<String>) -> InferError {
        InferError::Input {
            place: Place::Line(self.line),
            message: message.into(),
        }
    }

    /// Reads a line; `false` at the end.
    fn next(&mut self, from: &mut dyn BufRead) -> Result<bool, InferError> {
        self.line += 1;
        self.bytes.clear();
        let most = MAX_BYTES as u64 + 1;
        let read = from.take(most).read_until(b'\n', &mut self.bytes);
        let n = read.map_err(|source| InferError::Read {
            place: Place::Line(self.line),
            source,
        })?;
        if n > MAX_BYTES {
            return Err(self.fail(format!("it is longer than {MAX_BYTES} bytes")));
        }
        Ok(n > 0)
    }

    fn entries(&self) -> Result<Entries, InferError> {
        let text = std::str::from_utf8(&self.bytes);
        let text = text.map_err(|e| {
            let place = e.valid_up_to() + 1;
            self.fail(format!("it is no UTF-8 (byte {place})"))
        })?;
        serde_json::from_str(text.trim_end()).map_err(|e| {
            // Where in the line: the line of the stream is told already.
            let (column, text) = (e.column(), e.to_string());
            let cut = text.rfind(" at line ").unwrap_or(text.len());
            self.fail(format!(
                "{} (column {column}); expected an object like {{\"x\": [0.5, 1]}}",
                &text[..cut]
            ))
        })
    }

    fn take<R: Instantiate>(
        &self,
        entries: Entries,
        ports: &[Port],
        given: &mut [Given<R>],
    ) -> Result<(), InferError> {
        let mut filled = vec![false; ports.len()];
        for (name, item) in entries.0 {
            let Some(k) = ports.iter().position(|p| p.name == name) else {
                let names: Vec<&str> = ports.iter().map(|p| p.name.as_str()).collect();
                let names = names.join(", ");
                return Err(self.fail(format!(
                    "there is no input `{name}`; the inputs are: {names}"
                )));
            };
            if std::mem::replace(&mut filled[k], true) {
                return Err(self.fail(format!("input `{name}` stands twice")));
            }
            let Item::Numbers(numbers) = item else {
                return Err(self.fail(format!("input `{name}` is no list of numbers")));
            };
            match &mut given[k] {
                Given::Real(values) => {
                    values.clear();
                    values.extend(numbers.into_iter().map(R::from_f64));
                }
                Given::Spikes(spikes) => {
                    spikes.clear();
                    for (place, x) in numbers.into_iter().enumerate() {
                        spikes.push(self.index(&ports[k], place, x)?);
                    }
                }
            }
        }
        match filled.iter().position(|filled| !filled) {
            None => Ok(()),
            Some(k) => Err(self.fail(format!("input `{}` is missing", ports[k].name))),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what has changed is refused"
    )]
    fn index(&self, port: &Port, place: usize, x: f64) -> Result<u32, InferError> {
        let index = x as u32;
        if f64::from(index).to_bits() == x.to_bits() {
            return Ok(index);
        }
        Err(self.fail(format!(
            "input `{}`: spike {place} is {x}; spikes are the indices of elements that fire",
            port.name
        )))
    }
}

impl<R: Instantiate> Codec<R> for Lines {
    fn place(&self) -> Place {
        Place::Line(self.line)
    }

    fn read(
        &mut self,
        from: &mut dyn BufRead,
        ports: &[Port],
        given: &mut [Given<R>],
    ) -> Result<Request, InferError> {
        if !self.next(from)? {
            return Ok(Request::End);
        }
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Request::Nothing);
        }
        let entries = self.entries()?;
        match entries.0.as_slice() {
            [(name, Item::Flag(true))] if name == "reset" => Ok(Request::Reset),
            _ => {
                self.take(entries, ports, given)?;
                Ok(Request::Step)
            }
        }
    }

    fn answer(&mut self, step: u64, emitted: Emitted<'_, R>, ports: &[Port], to: &mut Vec<u8>) {
        // An output of that name has the word.
        let counts = ports.iter().all(|p| p.name != "step");
        to.push(b'{');
        if counts {
            to.extend_from_slice(format!("\"step\":{step}").as_bytes());
        }
        for (k, port) in ports.iter().enumerate() {
            let name = serde_json::Value::from(port.name.as_str());
            separate(k + usize::from(counts), to);
            to.extend_from_slice(format!("{name}:[").as_bytes());
            if port.is_real {
                for (element, x) in emitted.values(k).iter().enumerate() {
                    separate(element, to);
                    to.extend_from_slice(shortest(*x).as_bytes());
                }
            } else {
                for (place, neuron) in emitted.spikes(k).iter().enumerate() {
                    separate(place, to);
                    to.extend_from_slice(neuron.to_string().as_bytes());
                }
            }
            to.push(b']');
        }
        to.extend_from_slice(b"}\n");
    }

    fn answer_reset(&mut self, to: &mut Vec<u8>) {
        to.extend_from_slice(b"{\"reset\":true}\n");
    }
}

fn separate(place: usize, to: &mut Vec<u8>) {
    if place > 0 {
        to.push(b',');
    }
}

/// The fewest digits that give the number back.
fn shortest<R: Instantiate>(x: R) -> String {
    match R::PRECISION {
        #[allow(clippy::cast_possible_truncation, reason = "f32 as f64 and back")]
        Precision::F32 => format!("{}", x.to_f64() as f32),
        Precision::F64 => format!("{}", x.to_f64()),
    }
}

/// The entries of an object, in order; names may stand twice.
struct Entries(Vec<(String, Item)>);

enum Item {
    Flag(bool),
    Numbers(Vec<f64>),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Item, E> {
                Ok(Item::Flag(flag))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
                let mut numbers = Vec::new();
                while let Some(x) = list.next_element()? {
                    numbers.push(x);
                }
                Ok(Item::Numbers(numbers))
            }
        }
        from.deserialize_any(Any)
    }
}
