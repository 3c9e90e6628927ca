//! Bytes that a circuit moves within the device.

use rheobase_shaders::AfferentKind;

use super::layout::Layout;
use crate::build::DeviceTraffic;
use crate::plan::{NodeKind, Plan};

/// `per_neuron` tells, of each population, how many quantities differ between neurons.
#[allow(clippy::cast_precision_loss, reason = "a mean, for people")]
pub(super) fn of(plan: &Plan, layout: &Layout, per_neuron: &[usize]) -> DeviceTraffic {
    let chunk = layout.chunk.max(1) as f64;
    let (mut neurons, mut moved, mut least) = (0.0, 0.0, 0.0);
    for (population, &differing) in layout.populations.iter().zip(per_neuron) {
        let NodeKind::Population(p) = &plan.nodes[population.node].kind else {
            continue;
        };
        let states = p.neuron.ports().states.len() as f64;
        let arrives = |kind: &AfferentKind| {
            matches!(
                kind,
                AfferentKind::Counted { .. } | AfferentKind::Summed { .. }
            )
        };
        let arrivals = population.afferents.iter().filter(|a| arrives(&a.kind));
        let own = (8.0 * states + 4.0 * differing as f64) / chunk;
        let n = f64::from(population.n);
        neurons += n;
        least += n * own;
        moved += n * (own + 4.0 * arrivals.count() as f64);
    }
    let (mut synapses, mut event_bytes) = (0.0, 0.0);
    for edge in &layout.edges {
        let n = edge.survey.as_ref().map_or(0, |s| s.counts.synapses) as f64;
        synapses += n;
        event_bytes += n * if edge.unit.is_some() { 8.0 } else { 4.0 };
    }
    let per_event = event_bytes / f64::max(synapses, 1.0);
    DeviceTraffic {
        chunk: layout.chunk,
        neuron_step_bytes: moved / f64::max(neurons, 1.0),
        least_neuron_step_bytes: least / f64::max(neurons, 1.0),
        event_bytes: per_event + 12.0,
        least_event_bytes: per_event + 8.0,
    }
}
