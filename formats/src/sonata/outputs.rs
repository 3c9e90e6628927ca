//! What was recorded, as SONATA files.

use std::ops::Range;

use rheobase_engine::plan::NodeId;
use rheobase_engine::record::{Spikes, Trace};

use super::SonataError;
use super::network::Part;
use super::nodes::NodePopulation;
use super::write::{PopulationReport, PopulationSpikes, report_file, spikes_file};

/// Which node of the files each neuron of a plan is, and what the configuration asks to be written.
#[derive(Debug)]
pub struct Outputs {
    dt_ms: f64,
    spikes_file: String,
    nodes: Vec<Origin>,
    reports: Vec<Report>,
}

/// Where the neurons of a node of the plan come from.
#[derive(Debug)]
struct Origin {
    node: NodeId,
    population: String,
    ids: Vec<u64>,
}

/// A report: which monitors of the plan belong to it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) file_name: String,
    pub(super) monitors: Range<usize>,
    pub(super) every_steps: u64,
}

impl Outputs {
    pub(super) fn new(
        dt_ms: f64,
        spikes_file: String,
        parts: &[Part],
        populations: &[NodePopulation],
        reports: Vec<Report>,
    ) -> Self {
        let origin = |part: &Part| {
            let p = &populations[part.population];
            Origin {
                node: part.node,
                population: p.name.clone(),
                ids: part.members.iter().map(|&m| p.ids.id(m)).collect(),
            }
        };
        Self {
            dt_ms,
            spikes_file,
            nodes: parts
                .iter()
                .filter(|p| p.template.is_some())
                .map(origin)
                .collect(),
            reports,
        }
    }

    /// Population and node id of a neuron of the plan; none for nodes of no population.
    #[must_use]
    pub fn origin(&self, node: NodeId, neuron: u32) -> Option<(&str, u64)> {
        let origin = self.nodes.iter().find(|o| o.node == node)?;
        let id = origin.ids.get(neuron as usize)?;
        Some((&origin.population, *id))
    }

    /// Name of the file of spikes, without a folder.
    #[must_use]
    pub fn spikes_file(&self) -> &str {
        &self.spikes_file
    }

    /// Names of all files that [`Self::files`] gives.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        let reports = self.reports.iter().map(|r| r.file_name.as_str());
        std::iter::once(self.spikes_file.as_str()).chain(reports)
    }

    /// The recorded spikes and reports as files: names and contents.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn files(
        &self,
        spikes: &[(NodeId, Spikes)],
        traces: &[Trace],
    ) -> Result<Vec<(String, Vec<u8>)>, SonataError> {
        let mut files = vec![(self.spikes_file.clone(), spikes_file(&self.spikes(spikes))?)];
        for report in &self.reports {
            let populations = self.report(report, traces);
            files.push((report.file_name.clone(), report_file(&populations)?));
        }
        Ok(files)
    }

    /// Spikes by population, sorted by time and then by node.
    #[must_use]
    pub fn spikes(&self, spikes: &[(NodeId, Spikes)]) -> Vec<PopulationSpikes> {
        let mut populations: Vec<(&str, Vec<(u64, u64)>)> = Vec::new();
        for origin in &self.nodes {
            let name = origin.population.as_str();
            let at = populations.iter().position(|(n, _)| *n == name);
            let at = at.unwrap_or_else(|| {
                populations.push((name, Vec::new()));
                populations.len() - 1
            });
            for (_, recorded) in spikes.iter().filter(|(node, _)| *node == origin.node) {
                let pairs = recorded.steps.iter().zip(&recorded.neurons);
                let known = pairs
                    .filter_map(|(&step, &n)| origin.ids.get(n as usize).map(|&id| (step, id)));
                populations[at].1.extend(known);
            }
        }
        populations
            .into_iter()
            .map(|(name, mut pairs)| {
                pairs.sort_unstable();
                PopulationSpikes {
                    population: name.to_owned(),
                    times_ms: pairs.iter().map(|&(step, _)| self.time_ms(step)).collect(),
                    node_ids: pairs.iter().map(|&(_, id)| id).collect(),
                }
            })
            .collect()
    }

    #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
    fn time_ms(&self, step: u64) -> f64 {
        step as f64 * self.dt_ms
    }

    /// Traces of a report by population; a population may have several parts.
    fn report(&self, report: &Report, traces: &[Trace]) -> Vec<PopulationReport> {
        let mut populations: Vec<(PopulationReport, Vec<&Trace>)> = Vec::new();
        for trace in traces {
            let origin = self.nodes.iter().find(|o| o.node == trace.node);
            let (true, Some(origin)) = (report.monitors.contains(&trace.monitor), origin) else {
                continue;
            };
            let ids = trace.neurons.iter();
            let ids = ids.filter_map(|&n| origin.ids.get(n as usize).copied());
            let name = &origin.population;
            let at = populations.iter().position(|(p, _)| p.population == *name);
            let at = at.unwrap_or_else(|| {
                let step_ms = self.time_ms(report.every_steps);
                let first = trace.steps.first().map_or(step_ms, |&s| self.time_ms(s));
                let last = trace.steps.last().map_or(step_ms, |&s| self.time_ms(s));
                let population = PopulationReport {
                    population: name.clone(),
                    time_ms: [first, last + step_ms, step_ms],
                    unit: trace.unit.clone(),
                    ..PopulationReport::default()
                };
                populations.push((population, Vec::new()));
                populations.len() - 1
            });
            populations[at].0.node_ids.extend(ids);
            populations[at].1.push(trace);
        }
        populations
            .into_iter()
            .map(|(mut population, parts)| {
                let rows = parts.iter().map(|t| t.steps.len()).min().unwrap_or(0);
                for row in 0..rows {
                    for part in &parts {
                        let n = part.neurons.len();
                        let values = &part.values[row * n..(row + 1) * n];
                        population.values.extend_from_slice(values);
                    }
                }
                population
            })
            .collect()
    }
}
