//! Nodes: populations, their ids, types and parameters.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::SonataError;
use super::config::{Config, TableFile};
use super::error::{read_text, short};
use super::table::Table;
use crate::hdf5::{self, File, Limits};

/// Most populations of a file.
const MAX_POPULATIONS: usize = 1024;

/// Parameters of a model, by the names of its simulator.
pub(super) type Parameters = BTreeMap<String, f64>;

/// A population of nodes.
#[derive(Debug)]
pub(super) struct NodePopulation {
    pub(super) name: String,
    /// Where it comes from, for messages.
    pub(super) place: String,
    pub(super) n: u32,
    pub(super) ids: Ids,
    pub(super) types: Arc<Table>,
    /// Row of the table of types, for each node.
    pub(super) rows: Vec<u16>,
    /// `dynamics_params` given for single nodes; NaN where a node has none.
    pub(super) overrides: BTreeMap<String, Vec<f64>>,
}

/// Ids of the nodes of a population.
#[derive(Debug)]
pub(super) enum Ids {
    /// Node k has the id k.
    Contiguous,
    /// Listed, with the way back.
    Listed {
        ids: Vec<u64>,
        index: HashMap<u64, u32>,
    },
}

impl Ids {
    fn new(ids: Vec<u64>, place: &str) -> Result<Self, SonataError> {
        if (0..).zip(&ids).all(|(k, &id): (u64, _)| k == id) {
            return Ok(Self::Contiguous);
        }
        let mut index = HashMap::with_capacity(ids.len());
        for (k, &id) in (0..).zip(&ids) {
            if index.insert(id, k).is_some() {
                let message = format!("node {id} stands twice");
                return Err(SonataError::wrong(place, message));
            }
        }
        Ok(Self::Listed { ids, index })
    }

    /// Place of a node in its population of `n`.
    pub(super) fn index(&self, id: u64, n: u32) -> Option<u32> {
        match self {
            Self::Contiguous => u32::try_from(id).ok().filter(|&k| k < n),
            Self::Listed { index, .. } => index.get(&id).copied(),
        }
    }

    /// Id of the node in a place.
    pub(super) fn id(&self, place: u32) -> u64 {
        match self {
            Self::Contiguous => u64::from(place),
            Self::Listed { ids, .. } => ids.get(place as usize).copied().unwrap_or(u64::MAX),
        }
    }
}

/// Reads every population of a file of nodes.
pub(super) fn read(file: &TableFile) -> Result<Vec<NodePopulation>, SonataError> {
    let Some(types) = &file.types else {
        let place = file.data.display().to_string();
        let what = "nodes without a table of types";
        return Err(SonataError::unsupported(place, what, "node_types_file"));
    };
    let types = Arc::new(Table::read(types)?);
    hdf5::read(&file.data, &Limits::default(), |data| {
        populations(data, "/nodes")?
            .into_iter()
            .map(|name| population(data, name, &types))
            .collect()
    })
}

/// Names of the populations in `/nodes` or `/edges`.
pub(super) fn populations(data: &File, root: &str) -> Result<Vec<String>, SonataError> {
    let names = data.groups(root)?;
    let place = || format!("{}, {root}", data.name());
    if names.is_empty() {
        return Err(SonataError::wrong(place(), "holds no population"));
    }
    if names.len() > MAX_POPULATIONS {
        let message = format!("more than {MAX_POPULATIONS} populations");
        return Err(SonataError::wrong(place(), message));
    }
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '/' | ':');
    if let Some(name) = names.iter().find(|n| n.contains(odd) || n.starts_with('.')) {
        let message = format!("`{}` is no name of a population", short(name));
        return Err(SonataError::wrong(place(), message));
    }
    Ok(names)
}

fn population(
    data: &File,
    name: String,
    types: &Arc<Table>,
) -> Result<NodePopulation, SonataError> {
    let root = format!("/nodes/{name}");
    let place = format!("{}, {root}", data.name());
    let type_ids = data.dataset(&format!("{root}/node_type_id"))?;
    let length = type_ids.length()?;
    let n = u32::try_from(length)
        .map_err(|_| SonataError::wrong(&place, format!("{length} nodes are too many")))?;
    let known = type_rows(types, "node_type_id", &name)?;
    let rows = rows_of(&type_ids.integers(0..length)?, &known, |id| {
        let message = format!("node_type_id {id} is not in {}", types.file);
        SonataError::wrong(&place, message)
    })?;
    let ids = match data.find(&format!("{root}/node_id"))? {
        None => Ids::Contiguous,
        Some(ids) => {
            ids.expect_len(length)?;
            Ids::new(ids.integers(0..length)?, &place)?
        }
    };
    let overrides = overrides(data, &root, length)?;
    Ok(NodePopulation {
        name,
        place,
        n,
        ids,
        types: Arc::clone(types),
        rows,
        overrides,
    })
}

/// Rows of a table by type id. Where the table has a column `population`, only those of that
/// population, and those of none.
pub(super) fn type_rows(
    table: &Table,
    column: &str,
    population: &str,
) -> Result<HashMap<u64, u16>, SonataError> {
    let mut rows = HashMap::new();
    for row in 0..table.n_rows() {
        if table
            .get(row, "population")
            .is_some_and(|p| p != population)
        {
            continue;
        }
        let id = table.id(row, column)?;
        if rows
            .insert(id, u16::try_from(row).unwrap_or(u16::MAX))
            .is_some()
        {
            let message = format!("{id} stands twice");
            return Err(SonataError::wrong(table.place(row, column), message));
        }
    }
    Ok(rows)
}

/// Rows of types for a list of type ids; most lists have long runs of one type.
pub(super) fn rows_of(
    ids: &[u64],
    known: &HashMap<u64, u16>,
    missing: impl Fn(u64) -> SonataError,
) -> Result<Vec<u16>, SonataError> {
    let mut rows = Vec::with_capacity(ids.len());
    let mut last = None;
    for &id in ids {
        let row = match last {
            Some((same, row)) if same == id => row,
            _ => *known.get(&id).ok_or_else(|| missing(id))?,
        };
        last = Some((id, row));
        rows.push(row);
    }
    Ok(rows)
}

/// Parameters of single nodes: `dynamics_params` of every group, spread over the population.
fn overrides(data: &File, root: &str, n: u64) -> Result<BTreeMap<String, Vec<f64>>, SonataError> {
    let mut overrides = BTreeMap::new();
    for group in data.groups(root)? {
        let Ok(number) = group.parse::<u64>() else {
            continue;
        };
        for name in ["model_type", "model_template"] {
            if data.find(&format!("{root}/{group}/{name}"))?.is_some() {
                let place = format!("{}, {root}/{group}/{name}", data.name());
                let what = "models that differ within a node type";
                let supported = "a column of the table of node types";
                return Err(SonataError::unsupported(place, what, supported));
            }
        }
        let folder = format!("{root}/{group}/dynamics_params");
        if !data.has_group(&folder)? {
            continue;
        }
        let members = members(data, root, number, n)?;
        for name in data.datasets(&folder)? {
            let dataset = data.dataset(&format!("{folder}/{name}"))?;
            let values = dataset.floats(0..dataset.length()?)?;
            let all = overrides
                .entry(name)
                .or_insert_with(|| vec![f64::NAN; members_len(n)]);
            for &(node, at) in &members {
                let value = usize::try_from(at).ok().and_then(|at| values.get(at));
                let (Some(slot), Some(&value)) = (all.get_mut(node), value) else {
                    let message = format!("holds no value {at}, which node {node} refers to");
                    let place = format!("{}, {}", data.name(), dataset.path());
                    return Err(SonataError::wrong(place, message));
                };
                *slot = value;
            }
        }
    }
    Ok(overrides)
}

fn members_len(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// Nodes of a group, with their places in it.
fn members(data: &File, root: &str, group: u64, n: u64) -> Result<Vec<(usize, u64)>, SonataError> {
    let groups = data.dataset(&format!("{root}/node_group_id"))?;
    let places = data.dataset(&format!("{root}/node_group_index"))?;
    groups.expect_len(n)?;
    places.expect_len(n)?;
    let groups = groups.integers(0..n)?;
    let places = places.integers(0..n)?;
    let all = (0..).zip(groups).zip(places);
    Ok(all
        .filter(|((_, g), _)| *g == group)
        .map(|((node, _), place)| (node, place))
        .collect())
}

/// Reads files of parameters, each once.
#[derive(Default)]
pub(super) struct ParameterFiles(HashMap<String, Arc<Parameters>>);

impl ParameterFiles {
    /// Parameters of a type: what its field `dynamics_params` names, a file in the folder of
    /// components `key`.
    pub(super) fn of_type(
        &mut self,
        config: &Config,
        key: &str,
        table: &Table,
        row: usize,
    ) -> Result<Arc<Parameters>, SonataError> {
        let Some(name) = table.get(row, "dynamics_params") else {
            return Ok(Arc::default());
        };
        let folder = config.components.get(key).ok_or_else(|| {
            let message = format!("`{name}` is looked for in components.{key}, which is missing");
            SonataError::wrong(table.place(row, "dynamics_params"), message)
        })?;
        let path = folder.join(name);
        let cached = path.display().to_string();
        if let Some(known) = self.0.get(&cached) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(read_parameters(&path)?);
        self.0.insert(cached, Arc::clone(&read));
        Ok(read)
    }
}

fn read_parameters(path: &Path) -> Result<Parameters, SonataError> {
    let place = path.display().to_string();
    let json: Json = serde_json::from_str(&read_text(path)?)
        .map_err(|e| SonataError::wrong(&place, e.to_string()))?;
    let Json::Object(table) = json else {
        return Err(SonataError::wrong(
            place,
            "expected an object of parameters",
        ));
    };
    let number = |(name, value): (String, Json)| match value.as_f64().filter(|x| x.is_finite()) {
        Some(x) => Ok((name, x)),
        None => Err(SonataError::wrong(
            format!("{place}, {}", short(&name)),
            "expected a finite number",
        )),
    };
    table.into_iter().map(number).collect()
}
