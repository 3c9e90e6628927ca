//! Edges: read in blocks, twice, so that no second copy of a network is held.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::SonataError;
use super::config::{Config, TableFile};
use super::nodes::{ParameterFiles, populations, rows_of, type_rows};
use super::table::Table;
use crate::hdf5::{self, Dataset, File, Limits};

/// Edges read at once.
const BLOCK: u64 = 1 << 16;

/// Weight of an edge that has none, as in NEST.
const DEFAULT_WEIGHT: f64 = 1.0;

/// Delay of an edge that has none, as in NEST \[ms\].
const DEFAULT_DELAY_MS: f64 = 1.0;

/// A population of edges: which nodes it joins.
#[derive(Clone, Debug)]
pub(super) struct EdgePopulation {
    pub(super) name: String,
    /// Where it comes from, for messages.
    pub(super) place: String,
    /// Names of populations of nodes.
    pub(super) source: String,
    pub(super) target: String,
}

/// One edge: ids of nodes, weight, delay \[ms\].
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) source: u64,
    pub(super) target: u64,
    pub(super) weight: f64,
    pub(super) delay_ms: f64,
}

/// What an edge type says.
#[derive(Clone, Copy, Debug)]
struct EdgeType {
    weight: f64,
    delay_ms: f64,
    n_synapses: f64,
}

/// Receives the edges of a file, one population after the other, and all of it twice.
pub(super) trait Visitor: Send {
    /// What a population is met with.
    fn begin(&mut self, population: &EdgePopulation) -> Result<(), SonataError>;
    /// An edge of the first reading.
    fn survey(&mut self, edge: Edge) -> Result<(), String>;
    /// Between the readings.
    fn surveyed(&mut self) -> Result<(), SonataError>;
    /// An edge of the second reading.
    fn store(&mut self, edge: Edge) -> Result<(), String>;
    /// After the second reading.
    fn end(&mut self) -> Result<(), SonataError>;
}

/// Reads every population of a file of edges.
pub(super) fn read(
    config: &Config,
    file: &TableFile,
    parameters: &mut ParameterFiles,
    visitor: &mut dyn Visitor,
) -> Result<(), SonataError> {
    let table = match &file.types {
        Some(path) => Table::read(path)?,
        None => Table::default(),
    };
    let types = types(config, &table, parameters)?;
    hdf5::read(&file.data, &Limits::default(), |data| {
        for name in populations(data, "/edges")? {
            let reader = Reader::new(data, &name, &table, &types)?;
            visitor.begin(&reader.population)?;
            reader.each(&mut |edge| visitor.survey(edge))?;
            visitor.surveyed()?;
            reader.each(&mut |edge| visitor.store(edge))?;
            visitor.end()?;
        }
        Ok(())
    })
}

fn types(
    config: &Config,
    table: &Table,
    parameters: &mut ParameterFiles,
) -> Result<Vec<EdgeType>, SonataError> {
    (0..table.n_rows())
        .map(|row| edge_type(config, table, row, parameters))
        .collect()
}

fn edge_type(
    config: &Config,
    table: &Table,
    row: usize,
    parameters: &mut ParameterFiles,
) -> Result<EdgeType, SonataError> {
    if let Some(template) = table.get(row, "model_template")
        && !matches!(template, "static_synapse" | "nest:static_synapse")
    {
        let place = table.place(row, "model_template");
        let what = format!("synapse model `{template}`");
        return Err(SonataError::unsupported(place, what, "static_synapse"));
    }
    if let Some(function) = table.get(row, "weight_function")
        && function != "wmax"
    {
        let place = table.place(row, "weight_function");
        let what = format!("weights computed by `{function}`");
        return Err(SonataError::unsupported(place, what, "syn_weight, wmax"));
    }
    let mut edge_type = EdgeType {
        weight: DEFAULT_WEIGHT,
        delay_ms: DEFAULT_DELAY_MS,
        n_synapses: 1.0,
    };
    let given = parameters.of_type(config, "synaptic_models_dir", table, row)?;
    for (name, &value) in given.iter() {
        match name.as_str() {
            "weight" => edge_type.weight = value,
            "delay" => edge_type.delay_ms = value,
            _ => {
                let place = table.place(row, "dynamics_params");
                let what = format!("parameter `{name}` of static_synapse");
                return Err(SonataError::unsupported(place, what, "weight, delay"));
            }
        }
    }
    if let Some(weight) = table.number(row, "syn_weight")? {
        edge_type.weight = weight;
    }
    if let Some(delay_ms) = table.number(row, "delay")? {
        edge_type.delay_ms = delay_ms;
    }
    if let Some(n) = table.number(row, "nsyns")? {
        edge_type.n_synapses = n;
    }
    Ok(edge_type)
}

/// The columns of a population.
struct Reader<'f> {
    population: EdgePopulation,
    n: u64,
    sources: Dataset<'f>,
    targets: Dataset<'f>,
    type_ids: Dataset<'f>,
    /// Groups of attributes; none where there are no attributes to read.
    groups: Option<Groups<'f>>,
    rows: HashMap<u64, u16>,
    table: &'f Table,
    types: &'f [EdgeType],
}

/// Attributes of single edges.
struct Groups<'f> {
    ids: Dataset<'f>,
    places: Dataset<'f>,
    attributes: HashMap<u64, Attributes<'f>>,
}

/// Attributes of the edges of a group.
struct Attributes<'f> {
    weight: Option<Column<'f>>,
    delay_ms: Option<Column<'f>>,
    n_synapses: Option<Column<'f>>,
}

impl<'f> Reader<'f> {
    fn new(
        data: &'f File,
        name: &str,
        table: &'f Table,
        types: &'f [EdgeType],
    ) -> Result<Self, SonataError> {
        let root = format!("/edges/{name}");
        let column = |column: &str| data.dataset(&format!("{root}/{column}"));
        let sources = column("source_node_id")?;
        let targets = column("target_node_id")?;
        let type_ids = column("edge_type_id")?;
        let n = sources.length()?;
        targets.expect_len(n)?;
        type_ids.expect_len(n)?;
        let population = EdgePopulation {
            name: name.to_owned(),
            place: format!("{}, {root}", data.name()),
            source: node_population(data, &sources)?,
            target: node_population(data, &targets)?,
        };
        // Without a table there are no types to look up.
        let rows = if table.n_rows() == 0 && table.file.is_empty() {
            HashMap::new()
        } else {
            type_rows(table, "edge_type_id", name)?
        };
        Ok(Self {
            groups: groups(data, &root, n)?,
            population,
            n,
            sources,
            targets,
            type_ids,
            rows,
            table,
            types,
        })
    }

    fn each(&self, visit: &mut dyn FnMut(Edge) -> Result<(), String>) -> Result<(), SonataError> {
        let mut start = 0;
        while start < self.n {
            let end = (start + BLOCK).min(self.n);
            self.block(start..end, visit)?;
            start = end;
        }
        Ok(())
    }

    fn block(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Edge) -> Result<(), String>,
    ) -> Result<(), SonataError> {
        let sources = self.sources.integers(range.clone())?;
        let targets = self.targets.integers(range.clone())?;
        let types = self.block_types(range.clone())?;
        let given = match &self.groups {
            Some(groups) => groups.block(range.clone())?,
            None => Vec::new(),
        };
        let ends = sources.into_iter().zip(targets);
        for (k, ((source, target), edge_type)) in ends.zip(types).enumerate() {
            let given = given.get(k).copied().unwrap_or_default();
            let weight = given.weight.unwrap_or(edge_type.weight);
            let n_synapses = given.n_synapses.unwrap_or(edge_type.n_synapses);
            let edge = Edge {
                source,
                target,
                weight: weight * n_synapses,
                delay_ms: given.delay_ms.unwrap_or(edge_type.delay_ms),
            };
            visit(edge).map_err(|message| {
                let place = format!("{}, edge {}", self.population.place, range.start + k as u64);
                SonataError::wrong(place, message)
            })?;
        }
        Ok(())
    }

    fn block_types(&self, range: Range<u64>) -> Result<Vec<EdgeType>, SonataError> {
        const NONE: EdgeType = EdgeType {
            weight: DEFAULT_WEIGHT,
            delay_ms: DEFAULT_DELAY_MS,
            n_synapses: 1.0,
        };
        let ids = self.type_ids.integers(range)?;
        if self.types.is_empty() && self.table.file.is_empty() {
            return Ok(vec![NONE; ids.len()]);
        }
        let rows = rows_of(&ids, &self.rows, |id| {
            let message = format!("edge_type_id {id} is not in {}", self.table.file);
            SonataError::wrong(&self.population.place, message)
        })?;
        Ok(rows
            .into_iter()
            .map(|row| self.types.get(row as usize).copied().unwrap_or(NONE))
            .collect())
    }
}

fn node_population(data: &File, column: &Dataset<'_>) -> Result<String, SonataError> {
    let place = || format!("{}, {}", data.name(), column.path());
    column
        .text_attribute("node_population")?
        .ok_or_else(|| SonataError::wrong(place(), "the attribute `node_population` is missing"))
}

fn groups<'f>(data: &'f File, root: &str, n: u64) -> Result<Option<Groups<'f>>, SonataError> {
    let mut attributes = HashMap::new();
    for group in data.groups(root)? {
        if let Ok(id) = group.parse::<u64>() {
            attributes.insert(id, group_attributes(data, &format!("{root}/{group}"))?);
        }
    }
    let empty =
        |a: &Attributes<'_>| a.weight.is_none() && a.delay_ms.is_none() && a.n_synapses.is_none();
    // order does not matter: a question to all
    if attributes.values().all(empty) {
        return Ok(None);
    }
    let ids = data.dataset(&format!("{root}/edge_group_id"))?;
    let places = data.dataset(&format!("{root}/edge_group_index"))?;
    ids.expect_len(n)?;
    places.expect_len(n)?;
    Ok(Some(Groups {
        ids,
        places,
        attributes,
    }))
}

fn group_attributes<'f>(data: &'f File, folder: &str) -> Result<Attributes<'f>, SonataError> {
    let column = |name: &str| -> Result<Option<Column<'f>>, SonataError> {
        let dataset = data.find(&format!("{folder}/{name}"))?;
        dataset.map(Column::new).transpose()
    };
    let mut attributes = Attributes {
        weight: column("syn_weight")?,
        delay_ms: column("delay")?,
        n_synapses: column("nsyns")?,
    };
    let dynamics = format!("{folder}/dynamics_params");
    if data.has_group(&dynamics)? {
        for name in data.datasets(&dynamics)? {
            let given = column(&format!("dynamics_params/{name}"))?;
            match name.as_str() {
                "weight" if attributes.weight.is_none() => attributes.weight = given,
                "delay" if attributes.delay_ms.is_none() => attributes.delay_ms = given,
                "weight" | "delay" => {}
                _ => {
                    let place = format!("{}, {dynamics}", data.name());
                    let what = format!("parameter `{name}` of static_synapse");
                    return Err(SonataError::unsupported(place, what, "weight, delay"));
                }
            }
        }
    }
    Ok(attributes)
}

/// What an edge itself says.
#[derive(Clone, Copy, Default)]
struct Given {
    weight: Option<f64>,
    delay_ms: Option<f64>,
    n_synapses: Option<f64>,
}

impl Groups<'_> {
    fn block(&self, range: Range<u64>) -> Result<Vec<Given>, SonataError> {
        let ids = self.ids.integers(range.clone())?;
        let places = self.places.integers(range)?;
        let mut given = vec![Given::default(); ids.len()];
        let mut members: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (k, &id) in ids.iter().enumerate() {
            members.entry(id).or_default().push(k);
        }
        for (id, members) in members {
            if let Some(attributes) = self.attributes.get(&id) {
                attributes.read(&members, &places, &mut given)?;
            }
        }
        Ok(given)
    }
}

impl Attributes<'_> {
    /// Reads what the edges `members` of a block say.
    fn read(
        &self,
        members: &[usize],
        places: &[u64],
        given: &mut [Given],
    ) -> Result<(), SonataError> {
        let places: Vec<u64> = members.iter().map(|&k| places[k]).collect();
        let values = |column: &Option<Column<'_>>| match column {
            Some(column) => column.values(&places),
            None => Ok(Vec::new()),
        };
        // A column that is absent has no values, and its field stays empty.
        for (&k, weight) in members.iter().zip(values(&self.weight)?) {
            given[k].weight = Some(weight);
        }
        for (&k, delay_ms) in members.iter().zip(values(&self.delay_ms)?) {
            given[k].delay_ms = Some(delay_ms);
        }
        for (&k, n) in members.iter().zip(values(&self.n_synapses)?) {
            given[k].n_synapses = Some(n);
        }
        Ok(())
    }
}

/// A column of numbers, read where its values are asked for.
struct Column<'f> {
    dataset: Dataset<'f>,
    len: u64,
    /// All of it, where values are asked for in no order.
    all: RefCell<Option<Vec<f64>>>,
}

impl<'f> Column<'f> {
    fn new(dataset: Dataset<'f>) -> Result<Self, SonataError> {
        Ok(Self {
            len: dataset.length()?,
            dataset,
            all: RefCell::new(None),
        })
    }

    fn values(&self, places: &[u64]) -> Result<Vec<f64>, SonataError> {
        let (Some(&first), Some(&last)) = (places.iter().min(), places.iter().max()) else {
            return Ok(Vec::new());
        };
        if last >= self.len {
            let expected = format!("at most {} of {}", self.len, self.dataset.path());
            let error = self.dataset.value_error(last, "asked for", &expected);
            return Err(error.into());
        }
        let scattered = last - first > 4 * places.len() as u64 + 64;
        let index = |place: u64, start| usize::try_from(place - start).unwrap_or(usize::MAX);
        if !scattered {
            let part = self.dataset.floats(first..last + 1)?;
            return Ok(places.iter().map(|&p| part[index(p, first)]).collect());
        }
        let mut all = self.all.borrow_mut();
        if all.is_none() {
            *all = Some(self.dataset.floats(0..self.len)?);
        }
        let all = all.as_deref().unwrap_or(&[]);
        Ok(places.iter().map(|&p| all[index(p, 0)]).collect())
    }
}
