//! What a neuron and a spike on its way take, as the system counts it.

use super::super::queue::{Deliveries, Delivery, Predictions};
use super::{Clock, Flow, Leaky, Neurons};
use crate::exact::{bytes_per_event, bytes_per_neuron};

/// Resident memory of this process \[bytes\].
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0
}

/// Bytes that `make` leaves resident, for each of `n`.
fn measured<T>(n: u32, make: impl FnOnce() -> T) -> (f64, T) {
    let before = resident();
    let made = make();
    ((resident() - before) / f64::from(n), made)
}

#[test]
#[ignore = "reads the memory of the whole process: run it alone"]
fn neurons_and_events_take_what_is_stated() {
    // Just below a power of two, at which tables double.
    let n = 1_800_000;
    let clock = Clock::new(0.1);
    let (idle, neurons) = measured(n, || {
        let flow = Leaky {
            tau_ms: 10.0,
            rest: 2.0,
            threshold: 1.0,
            reset: 0.0,
            refractory_ms: 0.0,
            leak: true,
        };
        let flows = vec![Box::new(flow) as Box<dyn Flow>];
        let n = n as usize;
        Neurons::new(clock, flows, false, vec![0.5; n], &vec![0.0; n])
    });
    let (queued, predictions) = measured(n, || {
        let mut queue = Predictions::new();
        for neuron in 0..n {
            queue.set(neuron, Some(clock.step_end(u64::from(neuron % 1000))));
        }
        queue
    });
    let (event, deliveries) = measured(n, || {
        let mut queue = Deliveries::default();
        for source in 0..n {
            queue.push(Delivery {
                at: clock.step_end(9),
                afferent: 0,
                emitted: clock.step_end(1),
                source,
                position: 0,
            });
        }
        queue
    });
    let stated = (bytes_per_neuron(1), bytes_per_event());
    println!(
        "a neuron: {idle:.0} bytes + {queued:.0} in the queue, stated {}",
        stated.0
    );
    println!("a spike on its way: {event:.0} bytes, stated {}", stated.1);
    // Vectors and tables that grow hold up to twice what they need.
    let within = |found: f64, stated: f64| found > 0.8 * stated && found < 2.2 * stated;
    assert!(within(idle + queued, stated.0 as f64) && within(event, stated.1 as f64));
    assert_eq!(neurons.len(), n as usize);
    assert!(predictions.next().is_some() && deliveries.next().is_some());
}
