//! Spikes and reports as SONATA writes them.

use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder};

use super::SonataError;

/// The number every SONATA file carries.
const MAGIC: u32 = 0x0A7A;

/// Version of the format that is written.
const VERSION: [u32; 2] = [0, 1];

/// Spikes of one population.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PopulationSpikes {
    /// Name of the population of nodes.
    pub population: String,
    /// Times \[ms\], ascending.
    pub times_ms: Vec<f64>,
    /// Ids of nodes.
    pub node_ids: Vec<u64>,
}

/// Values of some nodes of a population over time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PopulationReport {
    /// Name of the population of nodes.
    pub population: String,
    /// Ids of nodes: the columns.
    pub node_ids: Vec<u64>,
    /// Start, end (left out) and step of the rows \[ms\].
    pub time_ms: [f64; 3],
    /// Unit of the values.
    pub unit: String,
    /// `[times, nodes]`.
    pub values: Vec<f64>,
}

/// A file of spikes: `/spikes/<population>/{timestamps, node_ids}`, sorted by time. The optional
/// attribute `sorting` is left out: it is an enumeration, which the HDF5 writer has none of for
/// attributes, and a text in its place makes strict readers refuse the file.
///
/// # Errors
/// If lists differ in length or a name cannot be written.
pub fn spikes_file(populations: &[PopulationSpikes]) -> Result<Vec<u8>, SonataError> {
    let mut file = new_file();
    let mut spikes = file.create_group("spikes");
    for p in populations {
        if p.times_ms.len() != p.node_ids.len() {
            let message = format!("{} times for {} nodes", p.times_ms.len(), p.node_ids.len());
            return Err(SonataError::wrong(&p.population, message));
        }
        let mut group = spikes.create_group(&p.population);
        let times = group
            .create_dataset("timestamps")
            .with_f64_data(&p.times_ms);
        large(times, p.times_ms.len());
        times.set_attr("units", AttrValue::VarLenString("ms".to_owned()));
        let ids = group.create_dataset("node_ids").with_u64_data(&p.node_ids);
        large(ids, p.node_ids.len());
        spikes.add_group(group.finish());
    }
    file.add_group(spikes.finish());
    finish(file)
}

/// A file of a membrane report: `/report/<population>/{data, mapping}`.
///
/// # Errors
/// If the values are no whole number of rows or a name cannot be written.
pub fn report_file(populations: &[PopulationReport]) -> Result<Vec<u8>, SonataError> {
    let mut file = new_file();
    let mut report = file.create_group("report");
    for p in populations {
        let columns = p.node_ids.len();
        if columns == 0 || !p.values.len().is_multiple_of(columns) {
            let message = format!("{} values for {columns} nodes", p.values.len());
            return Err(SonataError::wrong(&p.population, message));
        }
        let rows = p.values.len() / columns;
        let mut group = report.create_group(&p.population);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "reports are single precision"
        )]
        let values: Vec<f32> = p.values.iter().map(|&x| x as f32).collect();
        group
            .create_dataset("data")
            .with_f32_data(&values)
            .with_shape(&[rows as u64, columns as u64])
            .set_attr("units", AttrValue::VarLenString(p.unit.clone()));
        let mut mapping = group.create_group("mapping");
        let pointers: Vec<u64> = (0..=columns as u64).collect();
        mapping
            .create_dataset("node_ids")
            .with_u64_data(&p.node_ids)
            .set_attr("sorted", AttrValue::I8(i8::from(p.node_ids.is_sorted())));
        mapping
            .create_dataset("index_pointers")
            .with_u64_data(&pointers);
        mapping
            .create_dataset("element_ids")
            .with_u32_data(&vec![0; columns]);
        mapping
            .create_dataset("element_pos")
            .with_f32_data(&vec![0.5; columns]);
        mapping
            .create_dataset("time")
            .with_f64_data(&p.time_ms)
            .set_attr("units", AttrValue::VarLenString("ms".to_owned()));
        group.add_group(mapping.finish());
        report.add_group(group.finish());
    }
    file.add_group(report.finish());
    finish(file)
}

fn new_file() -> FileBuilder {
    let mut file = FileBuilder::new();
    file.set_attr("magic", AttrValue::U32(MAGIC));
    file.set_attr("version", AttrValue::U32Array(VERSION.to_vec()));
    file
}

/// Long lists are chunked and compressed.
fn large(dataset: &mut DatasetBuilder, n: usize) {
    const CHUNK: u64 = 1 << 16;
    if n as u64 > CHUNK {
        dataset.with_chunks(&[CHUNK]).with_shuffle().with_deflate(1);
    }
}

fn finish(file: FileBuilder) -> Result<Vec<u8>, SonataError> {
    file.finish()
        .map_err(|e| SonataError::wrong("HDF5", e.to_string()))
}
