//! Spike trains of virtual nodes: HDF5 in both spellings, and tables.

use std::path::Path;

use super::SonataError;
use super::config::Block;
use super::error::{read_text, short};
use super::node_sets::Members;
use super::nodes::NodePopulation;
use super::table::fields;
use crate::hdf5::{self, File, Limits};

/// Most spikes of a file.
const MAX_SPIKES: u64 = 1 << 32;

/// Spikes of one population: place of the node and time \[ms\].
pub(super) type Spikes = Vec<(u32, f64)>;

/// What was read from one input.
#[derive(Default)]
pub(super) struct Read {
    /// For each population of nodes.
    pub(super) spikes: Vec<Spikes>,
    /// Spikes of nodes outside the node set.
    pub(super) outside: u64,
    /// Spikes at or before time 0.
    pub(super) early: u64,
}

/// Where spikes of an input go.
struct Sorter<'a> {
    populations: &'a [NodePopulation],
    members: &'a Members,
    place: String,
    read: Read,
}

/// Reads the spikes of an input.
pub(super) fn read(
    input: &Block,
    populations: &[NodePopulation],
    members: &Members,
) -> Result<Read, SonataError> {
    let path = input
        .file
        .as_ref()
        .ok_or_else(|| SonataError::wrong(&input.place, "`input_file` is missing"))?;
    let mut sorter = Sorter {
        populations,
        members,
        place: path.display().to_string(),
        read: Read {
            spikes: vec![Vec::new(); populations.len()],
            ..Read::default()
        },
    };
    match input.text("module") {
        Some("h5" | "hdf5" | "sonata") => hdf5::read(path, &Limits::default(), |data| {
            sorter.hdf5(data)?;
            Ok::<_, SonataError>(())
        })?,
        Some("csv") => sorter.table(path)?,
        module => {
            let what = format!("module `{}` of spikes", short(module.unwrap_or("")));
            return Err(SonataError::unsupported(
                &input.place,
                what,
                "h5, sonata, csv",
            ));
        }
    }
    Ok(sorter.read)
}

impl Sorter<'_> {
    fn hdf5(&mut self, data: &File) -> Result<(), SonataError> {
        // The old spelling: one list for a population the file does not name.
        if let Some(ids) = data.find("/spikes/gids")? {
            let population = self.only_population()?;
            return self.columns(data, &ids, "/spikes/timestamps", population);
        }
        let mut found = false;
        for name in data.groups("/spikes")? {
            let Some(population) = self.populations.iter().position(|p| p.name == name) else {
                continue;
            };
            found = true;
            let folder = format!("/spikes/{name}");
            let ids = data.dataset(&format!("{folder}/node_ids"))?;
            self.columns(data, &ids, &format!("{folder}/timestamps"), population)?;
        }
        if found {
            return Ok(());
        }
        let message = "holds neither /spikes/gids nor a group of a population of this network";
        Err(SonataError::wrong(&self.place, message))
    }

    fn columns(
        &mut self,
        data: &File,
        ids: &hdf5::Dataset<'_>,
        times: &str,
        population: usize,
    ) -> Result<(), SonataError> {
        let times = data.dataset(times)?;
        let n = times.length()?;
        ids.expect_len(n)?;
        if n > MAX_SPIKES {
            let message = format!("{n} spikes, the limit is {MAX_SPIKES}");
            return Err(SonataError::wrong(&self.place, message));
        }
        let unit = times.text_attribute("units")?;
        let ms = match unit.as_deref() {
            None | Some("ms" | "milliseconds" | "millisecond") => 1.0,
            Some("s" | "seconds" | "second") => 1000.0,
            Some(other) => {
                let place = format!("{}, {}", self.place, times.path());
                let what = format!("times in `{}`", short(other));
                return Err(SonataError::unsupported(place, what, "ms, s"));
            }
        };
        let mut start = 0;
        while start < n {
            let end = (start + (1 << 16)).min(n);
            let block = ids.integers(start..end)?.into_iter();
            for (id, time) in block.zip(times.floats(start..end)?) {
                self.add(population, id, time * ms)?;
            }
            start = end;
        }
        Ok(())
    }

    /// The population of a file that names none: that of the node set.
    fn only_population(&self) -> Result<usize, SonataError> {
        let mut chosen = (0..self.members.len()).filter(|&p| !self.members[p].is_empty());
        match (chosen.next(), chosen.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(SonataError::wrong(
                &self.place,
                "names no population, so the input's node_set must lie in exactly one",
            )),
        }
    }

    fn add(&mut self, population: usize, id: u64, time_ms: f64) -> Result<(), SonataError> {
        let nodes = &self.populations[population];
        let Some(node) = nodes.ids.index(id, nodes.n) else {
            let message = format!("node {id} is not in population {}", nodes.name);
            return Err(SonataError::wrong(&self.place, message));
        };
        if time_ms <= 0.0 {
            self.read.early += 1;
        } else if self.members[population].binary_search(&node).is_err() {
            self.read.outside += 1;
        } else {
            self.read.spikes[population].push((node, time_ms));
        }
        Ok(())
    }

    /// A table with the columns `timestamps`, `node_ids` and `population`, or the older `gid` and
    /// `spike-times`, the times of a row separated by commas.
    fn table(&mut self, path: &Path) -> Result<(), SonataError> {
        let text = read_text(path)?;
        let mut lines = (1..).zip(text.lines());
        let wrong = |number: usize, message: String| {
            SonataError::wrong(format!("{}, line {number}", path.display()), message)
        };
        let header = lines.next().map_or("", |(_, line)| line);
        let names = fields(header).map_err(|m| wrong(1, m))?;
        let column = |wanted: &[&str]| names.iter().position(|n| wanted.contains(&n.as_str()));
        let times = column(&["timestamps", "spike-times", "spike_times"]);
        let ids = column(&["node_ids", "node_id", "gid", "gids"]);
        let population = column(&["population", "populations"]);
        let (Some(times), Some(ids)) = (times, ids) else {
            let message =
                "expected the columns `timestamps` and `node_ids`, or `gid` and `spike-times`";
            return Err(wrong(1, message.to_owned()));
        };
        for (number, line) in lines {
            let fields = fields(line).map_err(|m| wrong(number, m))?;
            if fields.is_empty() {
                continue;
            }
            let field = |k: usize| {
                let missing = || wrong(number, format!("`{}` is missing", short(&names[k])));
                fields.get(k).map(String::as_str).ok_or_else(missing)
            };
            let id = field(ids)?;
            let id = id
                .parse()
                .map_err(|_| wrong(number, format!("`{}` is no node", short(id))))?;
            let population = match population {
                None => self.only_population()?,
                Some(k) => {
                    let name = field(k)?;
                    let found = self.populations.iter().position(|p| p.name == name);
                    found.ok_or_else(|| {
                        wrong(number, format!("there is no population `{}`", short(name)))
                    })?
                }
            };
            for time in field(times)?.split(',').filter(|t| !t.trim().is_empty()) {
                let ms = time.trim().parse::<f64>().ok().filter(|t| t.is_finite());
                let ms =
                    ms.ok_or_else(|| wrong(number, format!("`{}` is no time", short(time))))?;
                self.add(population, id, ms)?;
            }
        }
        Ok(())
    }
}
