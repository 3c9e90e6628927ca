//! Rows against dense sums.

use std::sync::Arc;

use super::*;
use crate::port::{ConnectivityRule, RowDrawer, each_row};
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
        projection: "test",
        index: 3,
        synapses,
        sides: Sides {
            n_source: 17,
            n_target: 40,
            same: false,
        },
        source: 0,
        range,
        seed: 5,
        dt_ms: 0.1,
    }
}

/// Delivery of random spikes over twelve steps, against a dense sum over all synapses in the
/// declared order.
fn compare_with_dense(weight: Value, range: Range<u32>, sparse: bool) {
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
    };
    let request = request(&synapses, range.clone());
    let form = if sparse {
        |_, _, _| true
    } else {
        |_, _, _| false
    };
    let (rows, counts) = Rows::<f32>::build_as(&request, form).unwrap();
    assert_eq!(matches!(rows.table, Table::Sparse(_)), sparse);
    let mut drawn = Vec::new();
    for_each_synapse(&request, |s| {
        drawn.push(s);
        Ok(())
    })
    .unwrap();
    assert_eq!(drawn.len() as u64, counts.synapses);
    assert!(counts.rounded_delays > 0 && counts.raised_delays > 0);
    drawn.sort_by_key(|s| s.source);
    let fires =
        |step: u64, source: u32| step > 0 && (step * 7 + u64::from(source) * 3).is_multiple_of(5);
    let mut history = History::new(&[8], 1, 1);
    for step in 1..=12 {
        history.begin(Slice {
            first: step,
            len: 1,
        });
        let mut expected = vec![0.0_f32; range.len()];
        let mut events = 0;
        for emitted in step.saturating_sub(8)..step {
            for s in &drawn {
                if s.delay_steps == step - emitted && fires(emitted, s.source) {
                    expected[(s.target - range.start) as usize] += f32::from_f64(s.weight);
                    events += 1;
                }
            }
        }
        let mut input = vec![0.0_f32; range.len()];
        assert_eq!(rows.deliver(step, &history, &mut input), events);
        assert_eq!(input, expected, "step {step}");
        let mut packet = history.recycle(0, 0);
        packet
            .spikes_mut()
            .extend((0..17).filter(|&s| fires(step, s)));
        packet.end_step();
        history.put(0, 0, Arc::new(packet));
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
        compare_with_dense(Value::Constant(0.3), range.clone(), sparse);
        compare_with_dense(drawn.clone(), range, sparse);
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
    }
}

/// A dense table of this would take 40 GB.
#[test]
fn many_delays_of_few_synapses_take_little_memory() {
    let n = 5000_u32;
    let list = (0..n).map(|k| (k * 200, k % 40, 1.0, 0.1 * f64::from(k + 1)));
    let synapses = listed(list.collect(), 1, false);
    let mut request = request(&synapses, 0..40);
    request.sides.n_source = 1_000_000;
    let (rows, counts) = Rows::<f32>::build(&request).unwrap();
    let n = n as usize;
    assert_eq!((counts.synapses, rows.delays.len()), (n as u64, n));
    assert_eq!((rows.min_delay(), rows.max_delay()), (Some(1), n as u64));
    // Delay, first segment, source, start, target, weight; and the ends.
    assert_eq!(rows.bytes(), n * (8 + 8 + 4 + 8 + 4 + 4) + 16);
    let estimated = estimated_table_bytes(1_000_000, 5000.0, 5000.0);
    assert!(estimated < 200_000.0, "{estimated}");
}

#[test]
fn given_delays_are_taken_at_their_word_or_refused() {
    let build = |delay_ms, least, round_delay| {
        let synapses = listed(
            vec![(3, 7, 1.0, 0.2), (4, 8, 1.0, delay_ms)],
            least,
            round_delay,
        );
        Rows::<f32>::build(&request(&synapses, 0..40))
            .map(|(rows, counts)| (rows.delays, counts.rounded_delays, counts.raised_delays))
    };
    assert_eq!(build(0.3, 1, false), Ok((vec![2, 3], 0, 0)));
    assert_eq!(build(0.0, 0, false), Ok((vec![0, 2], 0, 0)));
    assert_eq!(build(0.37, 1, true), Ok((vec![2, 4], 1, 0)));
    for off_grid in [0.37, 0.04, 1e-15] {
        let error = build(off_grid, 0, false).unwrap_err();
        assert!(matches!(error, RowsError::OffGrid { .. }), "{error}");
    }
    for (too_short, round_delay) in [(0.0, false), (0.0, true), (0.04, true)] {
        let error = build(too_short, 1, round_delay).unwrap_err();
        assert!(matches!(error, RowsError::TooShort { .. }), "{error}");
    }
    for impossible in [-0.1, f64::NAN, 1e9] {
        let error = build(impossible, 0, true).unwrap_err();
        assert!(matches!(error, RowsError::Delay { .. }), "{error}");
    }
    assert_eq!(
        build(0.37, 1, false).unwrap_err().to_string(),
        "test: delay 0.37 ms of source 4 onto target 8 is no whole number of steps of 0.1 ms; \
         round_delay = true rounds it"
    );
}

#[test]
fn the_reverse_is_the_same_in_both_forms() {
    let list = (0..60_u32).map(|k| {
        let delay_ms = 0.1 * f64::from(1 + k % 5);
        (k * 7 % 17, k * 11 % 40, f64::from(k) - 20.0, delay_ms)
    });
    let synapses = listed(list.collect(), 1, false);
    let request = request(&synapses, 0..40);
    let reverse = |form: fn(f64, f64, f64) -> bool| {
        let (rows, _) = Rows::<f64>::build_as(&request, form).unwrap();
        let inputs: Vec<f64> = (0..80).map(|k| f64::from(k * k % 13)).collect();
        let mut cotangents = vec![vec![0.0; 34]; 9];
        rows.reverse(8, &inputs, 2, |step, f| {
            f(&mut cotangents[usize::try_from(step).unwrap()]);
        });
        (cotangents, inputs)
    };
    let (dense, inputs) = reverse(|_, _, _| false);
    let (sparse, _) = reverse(|_, _, _| true);
    assert_eq!(dense, sparse);
    let mut expected = vec![vec![0.0; 34]; 9];
    for_each_synapse(&request, |s| {
        let emitted = usize::try_from(8 - s.delay_steps).unwrap();
        for copy in 0..2 {
            expected[emitted][copy * 17 + s.source as usize] +=
                s.weight * inputs[copy * 40 + s.target as usize];
        }
        Ok(())
    })
    .unwrap();
    // Whole numbers: sums are exact in any order.
    assert_eq!(dense, expected);
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
    };
    let (rows, _) = Rows::<f32>::build(&request(&synapses, 0..40)).unwrap();
    let mut history = History::new(&[2], 1, 1);
    history.begin(Slice { first: 1, len: 1 });
    let mut packet = history.recycle(0, 0);
    packet.spikes_mut().extend(0..17);
    packet.end_step();
    history.put(0, 0, Arc::new(packet));
    rows.deliver(2, &history, &mut [0.0; 39]);
}
