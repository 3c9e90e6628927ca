//! Orders, places and threads.

use super::*;
use crate::data::Values;
use proptest::prelude::*;

/// Samples of two elements: their number and its half.
fn data(n: u32) -> Arc<Dataset<f64>> {
    let numbers = (0..n).flat_map(|k| [f64::from(k), 0.5 * f64::from(k)]);
    let labels = (0..n as usize).map(|k| k % 3).collect();
    let values = Values::Numbers(numbers.collect());
    Arc::new(Dataset::new("numbers", &[2], values, labels, 3).unwrap())
}

fn batches(n: u32, change: impl Fn(&mut BatchOptions)) -> Batches<f64> {
    let mut options = BatchOptions::new(1);
    change(&mut options);
    Batches::new(data(n), options).unwrap()
}

fn all(epoch: Epoch<f64>) -> Vec<Batch<f64>> {
    epoch.collect()
}

#[test]
fn an_epoch_holds_every_sample_once_with_its_label() {
    let batches = batches(103, |o| o.size = 10);
    let epoch = all(batches.epoch(5));
    assert_eq!((batches.n_batches(), epoch.len()), (11, 11));
    assert!(epoch[..10].iter().all(|b| b.len() == 10));
    assert_eq!(epoch[10].len(), 3);
    let mut seen = Vec::new();
    for batch in &epoch {
        for (k, &number) in batch.numbers.iter().enumerate() {
            assert_eq!(batch.values[2 * k], f64::from(number));
            assert_eq!(batch.labels[k], number as usize % 3);
            seen.push(number);
        }
    }
    assert_eq!(seen, batches.order(5));
    assert_ne!(seen, batches.order(6), "another epoch, another order");
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..103));
}

#[test]
fn the_order_is_that_of_its_stream() {
    // Fisher–Yates from the last place down, by hand.
    let mut expected: Vec<u32> = (0..8).collect();
    let mut stream = construction_stream(1, Purpose::Data, 3, 0);
    for last in (1..8).rev() {
        expected.swap(last as usize, stream.below(last + 1) as usize);
    }
    assert_eq!(batches(8, |_| {}).order(3), expected);
    assert_eq!(
        batches(8, |o| o.size = 3).order(3),
        expected,
        "of any size of batches"
    );
    // Saved runs depend on it: if this changes, say so under "Results change".
    assert_eq!(batches(8, |_| {}).order(0), [6, 7, 4, 1, 3, 5, 0, 2]);
    assert_eq!(
        batches(8, |o| o.shuffle = false).order(3),
        [0, 1, 2, 3, 4, 5, 6, 7]
    );
}

/// All six orders of three samples are equally likely: 12,000 epochs, each order within five standard
/// deviations of 2,000 (a false alarm in 300,000 seeds).
#[test]
fn orders_are_uniform() {
    let batches = batches(3, |_| {});
    let mut counts = [0_u32; 9];
    for epoch in 0..12_000 {
        let order = batches.order(epoch);
        counts[(3 * order[0] + order[1]) as usize] += 1;
    }
    println!("{counts:?}");
    let deviation = (12_000.0_f64 * (1.0 / 6.0) * (5.0 / 6.0)).sqrt();
    for (k, &count) in counts.iter().enumerate().filter(|(k, _)| k / 3 != k % 3) {
        assert!(
            (f64::from(count) - 2000.0).abs() < 5.0 * deviation,
            "{k}: {count}"
        );
    }
}

#[test]
fn batches_made_ahead_are_the_same_ones() {
    let here = all(batches(50, |o| (o.size, o.ahead) = (7, 0)).epoch(2));
    for ahead in [1, 2, 5, 1024] {
        let there = batches(50, |o| (o.size, o.ahead) = (7, ahead));
        assert_eq!(all(there.epoch(2)), here, "{ahead}");
    }
}

#[test]
fn the_rest_can_be_dropped() {
    let batches = batches(23, |o| (o.size, o.last) = (10, Last::Drop));
    let epoch = all(batches.epoch(0));
    assert_eq!(epoch.iter().map(Batch::len).collect::<Vec<_>>(), [10, 10]);
    let fail = |change: fn(&mut BatchOptions)| {
        let mut options = BatchOptions::new(1);
        change(&mut options);
        Batches::new(data(23), options).unwrap_err().to_string()
    };
    assert!(fail(|o| (o.size, o.last) = (24, Last::Drop)).contains("size of a batch is 24"));
    assert_eq!(
        fail(|o| o.size = 0),
        "size of a batch is 0: expected at least 1"
    );
    assert!(fail(|o| o.ahead = 1025).contains("0 to 1024"));
    let whole = Batches::new(
        data(23),
        BatchOptions {
            size: usize::MAX,
            ..BatchOptions::new(1)
        },
    );
    assert_eq!(all(whole.unwrap().epoch(0))[0].len(), 23);
}

#[test]
fn no_thread_is_left_behind() {
    let batches = batches(1000, |o| (o.size, o.ahead) = (1, 3));
    for taken in [0, 1, 4, 999, 1000] {
        let mut epoch = batches.epoch(0);
        assert_eq!(epoch.by_ref().take(taken).count(), taken);
        assert_eq!(epoch.len(), 1000 - taken);
        drop(epoch);
        // The thread held the data; it was waited for.
        assert_eq!(Arc::strong_count(&batches.data), 1, "{taken}");
    }
}

/// As where the thread could not be had or is gone.
#[test]
fn without_its_thread_an_epoch_goes_on() {
    let batches = batches(50, |o| o.size = 7);
    let expected = all(batches.epoch(2));
    let mut epoch = batches.epoch(2);
    assert_eq!(epoch.next().as_ref(), expected.first());
    let (_, nobody) = bounded(1);
    epoch.ahead = Some(Ahead {
        batches: Some(nobody),
        thread: None,
    });
    assert_eq!(all(epoch), expected[1..]);
}

#[test]
fn places_are_checked() {
    let batches = batches(20, |o| o.size = 10);
    let mut epoch = batches.epoch(u64::MAX);
    assert_eq!(epoch.by_ref().count(), 2);
    let end = Position {
        epoch: u64::MAX,
        batch: 0,
    };
    assert_eq!(epoch.position(), end, "the last epoch stays the last");
    let error = batches
        .resume(Position { epoch: 0, batch: 2 })
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("batch 2 of an epoch of 2"));
}

proptest! {
    #[test]
    fn stopped_and_resumed_anywhere_is_never_stopped(
        n in 1_u32..60, size in 1_usize..20, ahead in 0_usize..4, cut in 0_usize..200, seed: u64,
        shuffle: bool,
    ) {
        let options = BatchOptions { size, seed, shuffle, last: Last::Keep, ahead };
        let batches = Batches::new(data(n), options).unwrap();
        let whole: Vec<_> = (0..3).flat_map(|e| batches.epoch(e)).collect();
        let cut = cut % whole.len();
        let per_epoch = usize::try_from(batches.n_batches()).unwrap();
        let mut epoch = batches.epoch((cut / per_epoch) as u64);
        epoch.by_ref().take(cut % per_epoch).for_each(drop);
        let text = serde_json::to_string(&epoch.position()).unwrap();
        drop(epoch);
        let position: Position = serde_json::from_str(&text).unwrap();
        let mut rest: Vec<_> = batches.resume(position).unwrap().collect();
        rest.extend((position.epoch + 1..3).flat_map(|e| batches.epoch(e)));
        prop_assert_eq!(&whole[cut..], &rest[..]);
    }
}
