//! Step, duration, seed, precision and batch of a run.

use rheobase_equations::real::Precision;
use rheobase_equations::unit::{Dimension, Scope, Unit};
use serde_json::Value as Json;

use crate::network::describe::Network;
use crate::network::error::{ErrorKind, Errors, Path};
use crate::network::values::read_quantity;
use crate::time::steps_on_grid;

/// What a run is told apart from its network.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Clock {
    /// Length of a step \[ms\]; 0.1 where the description has none that can be used.
    pub(super) dt_ms: f64,
    pub(super) steps: u64,
    pub(super) discard_steps: u64,
    pub(super) seed: u64,
    pub(super) precision: Precision,
    pub(super) batch: usize,
}

impl Clock {
    pub(super) fn read(network: &Network, scope: &Scope, errors: &mut Errors) -> Self {
        let dt = &network.dt;
        let duration = &network.duration;
        let discard = network.discard.as_ref();
        let dt_ms = read_time(dt, "dt", scope, errors).filter(|&ms| positive(ms, dt, "dt", errors));
        let steps = read_time(duration, "duration", scope, errors)
            .filter(|&ms| positive(ms, duration, "duration", errors))
            .and_then(|ms| whole_steps(ms, duration, "duration", dt_ms, dt, errors));
        let discard_steps = discard.map_or(Some(0), |text| {
            read_time(text, "discard", scope, errors)
                .filter(|&ms| not_negative(ms, text, errors))
                .and_then(|ms| whole_steps(ms, text, "discard", dt_ms, dt, errors))
        });
        if let (Some(steps), Some(discarded), Some(text)) = (steps, discard_steps, discard)
            && discarded >= steps
        {
            let message = format!("{text} leaves nothing of the duration, {duration}");
            errors.push(ErrorKind::Value, &Path::root().key("discard"), message);
        }
        if network.batch == 0 {
            let message = "0 copies of the network hold nothing; 1 is the smallest batch";
            errors.push(ErrorKind::Value, &Path::root().key("batch"), message);
        }
        Self {
            dt_ms: dt_ms.unwrap_or(0.1),
            steps: steps.unwrap_or(0),
            discard_steps: discard_steps.unwrap_or(0),
            seed: network.seed,
            precision: network.precision,
            batch: network.batch,
        }
    }
}

/// A time in ms; `None` after reporting what is wrong with it.
pub(super) fn read_time_at(
    text: &str,
    scope: &Scope,
    path: &Path,
    errors: &mut Errors,
) -> Option<f64> {
    read_quantity(
        &Json::from(text),
        &Unit::base(Dimension::TIME),
        scope,
        path,
        errors,
    )
}

fn read_time(text: &str, entry: &str, scope: &Scope, errors: &mut Errors) -> Option<f64> {
    read_time_at(text, scope, &Path::root().key(entry), errors)
}

fn positive(ms: f64, text: &str, entry: &str, errors: &mut Errors) -> bool {
    if ms <= 0.0 {
        let message = format!("{text} is not above 0");
        errors.push(ErrorKind::Value, &Path::root().key(entry), message);
    }
    ms > 0.0
}

fn not_negative(ms: f64, text: &str, errors: &mut Errors) -> bool {
    if ms < 0.0 {
        let message = format!("{text} is negative");
        errors.push(ErrorKind::Value, &Path::root().key("discard"), message);
    }
    ms >= 0.0
}

fn whole_steps(
    ms: f64,
    text: &str,
    entry: &str,
    dt_ms: Option<f64>,
    dt: &str,
    errors: &mut Errors,
) -> Option<u64> {
    let steps = steps_on_grid(ms, dt_ms?);
    if steps.is_none() {
        let message = format!("{text} is no whole number of steps of {dt}");
        errors.push(ErrorKind::Value, &Path::root().key(entry), message);
    }
    steps
}
