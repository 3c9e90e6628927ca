//! What a run says at its end.

use std::path::Path;

use rheobase::engine::network::readable_bytes;
use rheobase::report::table;
use rheobase::run::Run;

pub(super) fn text(run: &Run, folder: &Path) -> String {
    let record = &run.record;
    let mut text = table::populations(&record.populations);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let stopped = if record.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    text.push_str(&format!(
        "\n{} neurons, {} synapses; {} s simulated{stopped} in {:.3} s on {} thread{}: {:.3} s per biological second\n",
        table::grouped(record.neurons),
        table::grouped(record.synapses),
        record.biological_s,
        record.simulation_s,
        record.threads,
        if record.threads == 1 { "" } else { "s" },
        record.real_time_factor,
    ));
    text.push_str(&format!(
        "{} synaptic events, built in {:.3} s, peak memory {}\n",
        table::grouped(record.synaptic_events),
        record.build_s,
        readable_bytes(record.peak_rss_bytes),
    ));
    if let Some(device) = &record.device {
        text.push_str(&format!(
            "{} on {}: {} submissions, {} read back\n",
            record.backend,
            device.adapter,
            table::grouped(device.submissions),
            readable_bytes(device.bytes_read),
        ));
        for (population, reason) in &device.on_processor {
            text.push_str(&format!("{population} ran on the processor: {reason}\n"));
        }
    }
    for population in &record.populations {
        if let Some(advance) = &population.advance {
            let all = advance.neuron_steps_executed + advance.neuron_steps_skipped;
            #[allow(clippy::cast_precision_loss, reason = "for people")]
            let share = 100.0 * advance.neuron_steps_skipped as f64 / all.max(1) as f64;
            text.push_str(&format!(
                "{}: {share:.1} % of neuron-steps skipped, {} changes between dense and sparse\n",
                population.name, advance.n_switches,
            ));
        }
    }
    for warning in &run.plan.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    if record.rounded_delays > 0 {
        text.push_str(&format!(
            "{} rounded to the grid of {} ms\n",
            delays(record.rounded_delays),
            record.dt_ms
        ));
    }
    if record.raised_delays > 0 {
        text.push_str(&format!(
            "{} raised to one step of {} ms, the least on a cycle\n",
            delays(record.raised_delays),
            record.dt_ms
        ));
    }
    if !record.weight_errors.is_empty() {
        let mut bounds: Vec<&str> = Vec::new();
        for (_, bound) in &record.weight_errors {
            if !bounds.contains(&bound.as_str()) {
                bounds.push(bound);
            }
        }
        let more = if bounds.len() > 8 { ", ..." } else { "" };
        bounds.truncate(8);
        text.push_str(&format!(
            "weights of {} projections are kept rounded, by projection at most {}{more} from the drawn \
             ones\n",
            record.weight_errors.len(),
            bounds.join(", "),
        ));
    }
    text.push_str(&format!("results: {}\n", folder.display()));
    if let Some(path) = &run.checkpoint {
        text.push_str(&format!("checkpoint: {}\n", path.display()));
    }
    text
}

fn delays(n: u64) -> String {
    match n {
        1 => "1 delay was".to_owned(),
        n => format!("{} delays were", table::grouped(n)),
    }
}
