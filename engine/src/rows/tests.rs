//! Rows against dense sums.

use std::ops::Range;
use std::sync::Arc;

use super::draw::{Draw, for_each_row};
use super::store::count_as;
use super::*;
use crate::packet::Packet;
use crate::plan::Synapses;
use crate::port::{Candidate, ConnectivityRule, RowDrawer, RuleStreams, Sides, each_row};
use crate::time::Slice;
use crate::value::{Distribution, Shape, Value};

/// Each pair with probability one third, some of them twice.
struct Third;

impl ConnectivityRule for Third {
    fn check(&self, _: Sides) -> Result<(), String> {
        Ok(())
    }
    fn expected_synapses(&self, sides: Sides) -> f64 {
        f64::from(sides.n_source) * f64::from(sides.n_target) / 3.0
    }
    fn rows(&self, sides: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer> {
        each_row(move |_, random, row| {
            for source in 0..sides.n_source {
                for _ in 0..random.below(6).saturating_sub(3) {
                    row.push(Candidate {
                        source,
                        fixed: None,
                    });
                }
            }
        })
    }
}

fn request(synapses: &Synapses, range: Range<u32>) -> RowsRequest<'_> {
    RowsRequest {
        source: 0,
        n_source: 17,
        n_target: range.end - range.start,
        parts: vec![Part {
            projection: "test",
            index: 3,
            synapses,
            sides: Sides {
                n_source: 17,
                n_target: 40,
                same: false,
            },
            range,
            first_lane: 0,
            seed: 5,
            dt_ms: 0.1,
        }],
        storage: WeightStorage::Exact,
    }
}

/// One synapse as drawn.
struct Drawn {
    source: u32,
    lane: u32,
    weight: f64,
    delay_steps: u64,
}

fn drawn(request: &RowsRequest<'_>) -> Vec<Drawn> {
    let mut all = Vec::new();
    for part in &request.parts {
        for_each_row(part, Draw::DelaysAndWeights, |lane, row| {
            for (k, &source) in row.sources.iter().enumerate() {
                all.push(Drawn {
                    source,
                    lane,
                    weight: row.weights[k],
                    delay_steps: u64::from(row.delays[k]),
                });
            }
            Ok(())
        })
        .unwrap();
    }
    all
}

fn build<R: Real>(request: &RowsRequest<'_>, sparse: Option<bool>) -> (Rows<R>, RowCounts) {
    let counted = count_as(request, sparse).unwrap();
    let mut total = RowCounts::default();
    for c in &counted.counts {
        total.synapses += c.synapses;
        total.rounded_delays += c.rounded_delays;
        total.raised_delays += c.raised_delays;
    }
    let largest = counted.largest_weight;
    (store(request, counted, largest).unwrap(), total)
}

fn deliver(rows: &Rows<f32>, step: u64, history: &History<f32>, input: &mut [f32]) -> u64 {
    deliver_next(rows, step, history, &mut rows.arrivals(), input)
}

fn deliver_next(
    rows: &Rows<f32>,
    step: u64,
    history: &History<f32>,
    arrivals: &mut Arrivals,
    input: &mut [f32],
) -> u64 {
    // Without lists of what is under way, a few segments at a time.
    let mut alone = input.to_vec();
    let fired = |delay| match step.checked_sub(delay) {
        Some(emitted) => history.spikes(rows.source(), emitted),
        None => &[],
    };
    rows.deliver_step(fired, &mut Vec::with_capacity(3), &mut alone);
    let mut due = Vec::new();
    let events = rows.find_due(step, history, arrivals, &mut due);
    rows.deliver(&due, input);
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&alone), bits(input));
    events
}

fn packet(spikes: impl IntoIterator<Item = u32>) -> Packet<f32> {
    let mut packet = Packet::default();
    packet.clear();
    packet.spikes_mut().extend(spikes);
    packet.end_step();
    packet
}

/// Delivery of random spikes over twelve steps, against a dense sum over all synapses in the
/// declared order.
fn compare_with_dense(weight: Value, range: Range<u32>, sparse: bool, storage: WeightStorage) {
    let uniform = Shape::Uniform {
        low: 0.0,
        high: 0.6,
    };
    let synapses = Synapses {
        rule: Arc::new(Third),
        weight,
        delay: Value::Drawn(Distribution {
            shape: uniform,
            bounds: None,
        }),
        min_delay_steps: 1,
        round_delay: true,
        learnable: true,
    };
    let mut request = request(&synapses, range.clone());
    request.storage = storage;
    let (rows, counts) = build::<f32>(&request, Some(sparse));
    assert_eq!(matches!(rows.table, Table::Sparse(_)), sparse);
    let mut drawn = drawn(&request);
    assert_eq!(drawn.len() as u64, counts.synapses);
    assert!(counts.rounded_delays > 0 && counts.raised_delays > 0);
    let bound = rows.weight_error_bound();
    if let Stored::Packed { unit, .. } = &rows.synapses {
        assert!(bound > 0.0 && bound < 1e-4);
        for s in &mut drawn {
            let kept = (s.weight / unit.to_f64()).round_ties_even() * unit.to_f64();
            let kept = f64::from(f32::from_f64(kept));
            assert!((kept - s.weight).abs() <= bound, "{} {kept}", s.weight);
            s.weight = kept;
        }
    }
    drawn.sort_by_key(|s| s.source);
    let fires =
        |step: u64, source: u32| step > 0 && (step * 7 + u64::from(source) * 3).is_multiple_of(5);
    let mut history = History::new(&[8], 1);
    let mut arrivals = rows.arrivals();
    for step in 1..=12_u64 {
        let mut expected = vec![0.0_f32; range.len()];
        let mut events = 0;
        for emitted in step.saturating_sub(8)..step {
            for s in &drawn {
                if s.delay_steps == step - emitted && fires(emitted, s.source) {
                    expected[s.lane as usize] += f32::from_f64(s.weight);
                    events += 1;
                }
            }
        }
        let mut input = vec![0.0_f32; range.len()];
        let delivered = deliver_next(&rows, step, &history, &mut arrivals, &mut input);
        assert_eq!((delivered, &input), (events, &expected), "step {step}");
        // A run that begins here delivers the same.
        input.fill(0.0);
        assert_eq!(deliver(&rows, step, &history, &mut input), events);
        assert_eq!(input, expected, "step {step}");
        let packet = packet((0..17).filter(|&s| fires(step, s)));
        let slice = Slice {
            first: step,
            len: 1,
        };
        history.append(0, slice, std::iter::once(&packet));
    }
}

#[test]
fn delivery_equals_a_dense_sum_in_the_declared_order() {
    let drawn = Shape::Normal { mean: 1.0, sd: 0.3 };
    let drawn = Value::Drawn(Distribution {
        shape: drawn,
        bounds: None,
    });
    for (range, sparse) in [
        (0..40, false),
        (7..23, false),
        (0..40, true),
        (7..23, true),
        (7..10, true),
    ] {
        for storage in [WeightStorage::Exact, WeightStorage::Quantised] {
            compare_with_dense(Value::Constant(0.3), range.clone(), sparse, storage);
            compare_with_dense(drawn.clone(), range.clone(), sparse, storage);
        }
    }
}

/// Synapses (source, target, weight, delay in ms), as a list gives them.
struct Listed(Vec<(u32, u32, f64, f64)>);

impl ConnectivityRule for Listed {
    fn check(&self, _: Sides) -> Result<(), String> {
        Ok(())
    }
    #[allow(clippy::cast_precision_loss, reason = "a short list")]
    fn expected_synapses(&self, _: Sides) -> f64 {
        self.0.len() as f64
    }
    fn fixes_weights(&self) -> bool {
        true
    }
    fn rows(&self, _: Sides, _: Range<u32>, _: RuleStreams) -> Box<dyn RowDrawer + '_> {
        each_row(|target, _, row| {
            let here = self.0.iter().filter(|s| s.1 == target);
            row.extend(here.map(|s| Candidate {
                source: s.0,
                fixed: Some((s.2, s.3)),
            }));
        })
    }
}

fn listed(list: Vec<(u32, u32, f64, f64)>, least: u64, round_delay: bool) -> Synapses {
    Synapses {
        rule: Arc::new(Listed(list)),
        weight: Value::Constant(1.0),
        delay: Value::Constant(0.0),
        min_delay_steps: least,
        round_delay,
        learnable: true,
    }
}

/// A dense table of this would take 40 GB.
#[test]
fn many_delays_of_few_synapses_take_little_memory() {
    let n = 5000_u32;
    let list = (0..n).map(|k| (k * 200, k % 40, 1.0, 0.1 * f64::from(k + 1)));
    let synapses = listed(list.collect(), 1, false);
    let mut request = request(&synapses, 0..40);
    request.n_source = 1_000_000;
    request.parts[0].sides.n_source = 1_000_000;
    let (rows, counts) = build::<f32>(&request, None);
    let n = n as usize;
    assert_eq!((counts.synapses, rows.delays.len()), (n as u64, n));
    assert_eq!((rows.min_delay(), rows.max_delay()), (Some(1), n as u64));
    // Delay, first segment, source, start, target, weight; and the ends.
    assert_eq!(rows.bytes(), n * (8 + 8 + 4 + 4 + 2 + 4) + 12);
    let estimated = estimated_table_bytes(1_000_000, 5000.0, 5000.0, 5000.0);
    assert!(estimated < 200_000.0, "{estimated}");
}

#[test]
fn given_delays_are_taken_at_their_word_or_refused() {
    let built = |delay_ms, least, round_delay| {
        let synapses = listed(
            vec![(3, 7, 1.0, 0.2), (4, 8, 1.0, delay_ms)],
            least,
            round_delay,
        );
        Rows::<f32>::build(&request(&synapses, 0..40)).map(|(rows, counts)| {
            (
                rows.delays,
                counts[0].rounded_delays,
                counts[0].raised_delays,
            )
        })
    };
    assert_eq!(built(0.3, 1, false), Ok((vec![2, 3], 0, 0)));
    assert_eq!(built(0.0, 0, false), Ok((vec![0, 2], 0, 0)));
    assert_eq!(built(0.37, 1, true), Ok((vec![2, 4], 1, 0)));
    for off_grid in [0.37, 0.04, 1e-15] {
        let error = built(off_grid, 0, false).unwrap_err();
        assert!(matches!(error, RowsError::OffGrid { .. }), "{error}");
    }
    for (too_short, round_delay) in [(0.0, false), (0.0, true), (0.04, true)] {
        let error = built(too_short, 1, round_delay).unwrap_err();
        assert!(matches!(error, RowsError::TooShort { .. }), "{error}");
    }
    for impossible in [-0.1, f64::NAN, 1e9] {
        let error = built(impossible, 0, true).unwrap_err();
        assert!(matches!(error, RowsError::Delay { .. }), "{error}");
    }
    assert_eq!(
        built(0.37, 1, false).unwrap_err().to_string(),
        "test: delay 0.37 ms of source 4 onto target 8 is no whole number of steps of 0.1 ms; \
         round_delay = true rounds it"
    );
}

#[test]
#[should_panic(expected = "range end index")]
fn an_input_that_is_too_short_is_refused() {
    let synapses = Synapses {
        rule: Arc::new(Third),
        weight: Value::Constant(1.0),
        delay: Value::Constant(0.1),
        min_delay_steps: 1,
        round_delay: false,
        learnable: true,
    };
    let (rows, _) = build::<f32>(&request(&synapses, 0..40), None);
    let mut history = History::new(&[2], 1);
    let slice = Slice { first: 1, len: 1 };
    history.append(0, slice, std::iter::once(&packet(0..17)));
    deliver(&rows, 2, &history, &mut [0.0; 39]);
}

/// Two populations in one bundle: what each receives is what it would receive alone.
#[test]
fn a_bundle_is_the_sum_of_its_projections() {
    let synapses = Synapses {
        rule: Arc::new(Third),
        weight: Value::Drawn(Distribution {
            shape: Shape::Normal { mean: 1.0, sd: 0.3 },
            bounds: None,
        }),
        delay: Value::Constant(0.2),
        min_delay_steps: 1,
        round_delay: false,
        learnable: true,
    };
    let alone = [request(&synapses, 3..21), request(&synapses, 0..40)];
    let mut both = request(&synapses, 3..21);
    both.n_target = 20 + 40;
    both.parts.extend(request(&synapses, 0..40).parts);
    both.parts[1].first_lane = 20;
    let mut history = History::new(&[2], 1);
    let slice = Slice { first: 1, len: 1 };
    history.append(0, slice, std::iter::once(&packet([0, 3, 3, 16])));
    let mut together = [0.0; 60];
    let events = deliver(&build::<f32>(&both, None).0, 3, &history, &mut together);
    let (mut a, mut b) = ([0.0; 18], [0.0; 40]);
    let [first, second] = alone.map(|r| build::<f32>(&r, None).0);
    let mut events_alone = deliver(&first, 3, &history, &mut a);
    events_alone += deliver(&second, 3, &history, &mut b);
    assert_eq!(events, events_alone);
    assert_eq!((&together[..18], &together[20..]), (&a[..], &b[..]));
}

fn targets_of(rows: &Rows<f32>) -> usize {
    match &rows.synapses {
        Stored::Apart { targets, .. } => targets.bytes(),
        Stored::Packed { .. } => panic!("packed"),
    }
}

/// Everyone onto everyone: no targets are stored, and the sums are the same.
#[test]
fn all_to_all_stores_no_targets() {
    struct All;
    impl ConnectivityRule for All {
        fn check(&self, _: Sides) -> Result<(), String> {
            Ok(())
        }
        fn expected_synapses(&self, sides: Sides) -> f64 {
            f64::from(sides.n_source) * f64::from(sides.n_target)
        }
        fn rows<'a>(
            &'a self,
            sides: Sides,
            _: Range<u32>,
            _: RuleStreams,
        ) -> Box<dyn RowDrawer + 'a> {
            each_row(move |_, _, row| {
                row.extend((0..sides.n_source).map(|source| Candidate {
                    source,
                    fixed: None,
                }));
            })
        }
    }
    for weight in [
        Value::Constant(0.1),
        Value::Drawn(Distribution {
            shape: Shape::Normal { mean: 1.0, sd: 0.3 },
            bounds: None,
        }),
    ] {
        let synapses = Synapses {
            rule: Arc::new(All),
            weight,
            delay: Value::Constant(0.1),
            min_delay_steps: 1,
            round_delay: false,
            learnable: true,
        };
        let request = request(&synapses, 0..40);
        let (rows, _) = build::<f32>(&request, None);
        assert!(targets_of(&rows) == 0);
        let (listed, _) = build::<f32>(&request, Some(true));
        assert!(targets_of(&listed) == 2 * 17 * 40);
        let mut history = History::new(&[2], 1);
        let slice = Slice { first: 1, len: 1 };
        history.append(0, slice, std::iter::once(&packet([1, 2, 5, 7])));
        let (mut a, mut b) = ([0.0; 40], [0.0; 40]);
        assert_eq!(deliver(&rows, 2, &history, &mut a), 160);
        assert_eq!(deliver(&listed, 2, &history, &mut b), 160);
        assert_eq!(a, b);
    }
}

/// Every synapse once, by source, delay, target and the order of the rule, however it is looked up.
#[test]
fn wiring_holds_what_is_drawn() {
    let uniform = |low, high| {
        Value::Drawn(Distribution {
            shape: Shape::Uniform { low, high },
            bounds: None,
        })
    };
    // One delay, some, and so many that no source has them all.
    for (high, least) in [(0.0, 1), (0.6, 6), (20.0, 100)] {
        let synapses = Synapses {
            rule: Arc::new(Third),
            weight: uniform(-1.0, 1.0),
            delay: uniform(0.0, high),
            min_delay_steps: 0,
            round_delay: false,
            learnable: true,
        };
        let request = request(&synapses, 0..40);
        let (wiring, weights) = Wiring::of_part::<f64>(&request.parts[0]).unwrap();
        let mut expected = drawn(&request);
        expected.sort_by_key(|s| (s.source, s.delay_steps));
        assert!(expected.len() > 200 && wiring.delays().len() >= least);
        assert!(expected.iter().map(|s| s.weight).eq(weights));
        let found = wiring
            .synapses()
            .map(|s| (s.source, u64::from(s.delay_steps), s.target));
        assert!(found.eq(expected.iter().map(|s| (s.source, s.delay_steps, s.lane))));
        for source in 0..17 {
            let row: Vec<(u32, Range<usize>)> = wiring.row(source).collect();
            let by_delay = wiring.delays().iter().enumerate();
            let found = by_delay.map(|(place, &d)| (d, wiring.find(source, place)));
            assert!(found.filter(|(_, range)| !range.is_empty()).eq(row));
        }
        for size in [1, 50, 10_000] {
            let blocks = wiring.blocks(size);
            assert_eq!((blocks[0].start, blocks[blocks.len() - 1].end), (0, 17));
            assert!(blocks.windows(2).all(|b| b[0].end == b[1].start));
            let lengths = blocks.iter().map(|b| (b.len(), wiring.range(b).len()));
            assert!(
                lengths
                    .clone()
                    .all(|(n, synapses)| n == 1 || synapses <= size)
            );
            assert_eq!(lengths.map(|(_, n)| n).sum::<usize>(), expected.len());
        }
    }
}
