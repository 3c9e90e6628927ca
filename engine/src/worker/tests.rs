//! What a stalled or overfull exchange says: workers made by hand, of which one does not run.

use std::time::Duration;

use crossbeam::channel::bounded;

use super::*;
use crate::record::Records;

/// Emits nothing.
struct Silent;

impl Actor<f32> for Silent {
    fn advance(
        &mut self,
        slice: Slice,
        _: &History<f32>,
        packets: &mut [Packet<f32>],
    ) -> Result<(), RunError> {
        slice.steps().for_each(|_| packets[0].end_step());
        Ok(())
    }
    fn state(&mut self, _: &mut dyn FnMut(NodeId, &str, &mut [f32])) {}
    fn reset(&mut self) {}
    fn take_records(&mut self) -> Vec<Records> {
        Vec::new()
    }
}

/// Three workers of one phase; worker k stands for the node of name `names[k]`.
fn workers(names: [&str; 3]) -> Vec<Worker<f32>> {
    let channels: Vec<Vec<_>> = (0..3)
        .map(|_| (0..3).map(|_| bounded(MAILBOX_CAPACITY)).collect())
        .collect();
    let nodes = (0..3).map(|worker| (worker, vec![Place { worker, packet: 0 }]));
    let nodes = Arc::new(nodes.collect());
    let abort = Arc::new(AtomicBool::new(false));
    let waiting = Arc::new((0..3).map(|_| AtomicUsize::new(NOBODY)).collect());
    let all = Arc::new(names.map(str::to_owned).to_vec());
    (0..3)
        .map(|index| {
            let placed = Placed {
                nodes: vec![index],
                names: vec![names[index].to_owned()],
                actor: Box::new(Silent) as Box<dyn Actor<f32>>,
            };
            Worker {
                index,
                phases: vec![Phase::new(vec![placed], Arc::clone(&nodes))],
                history: History::new(&[1; 3], 4),
                mailboxes: Mailboxes {
                    to: (0..3)
                        .map(|other| channels[index][other].0.clone())
                        .collect(),
                    from: (0..3)
                        .map(|other| channels[other][index].1.clone())
                        .collect(),
                },
                abort: Arc::clone(&abort),
                waiting: Arc::clone(&waiting),
                names: Arc::clone(&all),
                patience: Patience::new(Duration::from_millis(100), true),
                dt_ms: 0.1,
                completed: 0,
            }
        })
        .collect()
}

#[test]
fn a_deadlock_tells_who_waits_for_whom() {
    let mut workers = workers(["E", "I", "plant"]);
    let (run, absent) = workers.split_at_mut(2);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = run
            .iter_mut()
            .map(|worker| scope.spawn(move || worker.run(1, 8, 4)))
            .collect();
        handles.into_iter().map(|h| h.join().unwrap()).collect()
    });
    let deadlock = |e: &&RunError| matches!(e, RunError::Deadlock { .. });
    let errors: Vec<&RunError> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
    assert_eq!(errors.len(), 2);
    let Some(RunError::Deadlock {
        worker,
        missing,
        actors,
        waited_s,
        time_ms,
        backlog,
    }) = errors.iter().copied().find(deadlock)
    else {
        panic!("{errors:?}")
    };
    assert!(*worker < 2);
    assert_eq!((*missing, actors.as_str()), (2, "plant"));
    assert!((waited_s - 0.1).abs() < 1e-9 && (time_ms - 0.1).abs() < 1e-9);
    assert_eq!(backlog.waits, [(0, 2), (1, 2)]);
    assert!(backlog.messages.contains(&(*worker, 2, 1)), "{backlog}");
    let told = errors[0].to_string();
    println!("{told}");
    assert!(absent[0].mailboxes.from[0].len() == 1);
    // A restart forgets what waits.
    for worker in &mut workers {
        worker.restart();
    }
    assert!(workers[2].mailboxes.from.iter().all(Receiver::is_empty));
    assert!(
        workers[0]
            .waiting
            .iter()
            .all(|w| w.load(Ordering::Relaxed) == NOBODY)
    );
}

#[test]
fn a_full_mailbox_is_an_error_and_no_hang() {
    let mut workers = workers(["E", "I", "plant"]);
    for _ in 0..MAILBOX_CAPACITY {
        workers[0].mailboxes.to[1].send(Message::default()).unwrap();
    }
    let error = workers[0].run(1, 8, 4).unwrap_err();
    let expected = RunError::Overflow {
        actor: "E".to_owned(),
        mailbox: "the mailbox from worker 0 to worker 1".to_owned(),
        waiting: MAILBOX_CAPACITY + 1,
        capacity: MAILBOX_CAPACITY,
        time_ms: 0.1,
    };
    assert_eq!(error, expected);
    assert!(
        workers[1].abort.load(Ordering::Acquire),
        "the others are told"
    );
}
