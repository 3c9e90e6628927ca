//! Both representations against a table of counts that is filled and read cell by cell.

use proptest::prelude::*;

use super::*;
use crate::record;

const DT_MS: f64 = 0.1;

/// A spike of the tests: batch item, step, offset in tenths of dt (10: on the grid), neuron.
type Spike = (u32, u64, u8, u32);

fn shapes() -> impl Strategy<Value = Shape> {
    (1..20_u64, 1..4_u32, 1..140_u32).prop_map(|(t, n, k)| Shape::new(t, n, k).unwrap())
}

/// A shape and spikes of it, some of them equal; off the grid, if asked for.
fn spikes(off_grid: bool) -> impl Strategy<Value = (Shape, Vec<Spike>)> {
    let least = if off_grid { 1 } else { 10 };
    shapes().prop_flat_map(move |shape| {
        let spike = (
            0..shape.batch,
            1..=shape.steps,
            least..=10_u8,
            0..shape.neurons,
        );
        let spikes = prop::collection::vec(spike, 0..200);
        (Just(shape), spikes)
    })
}

fn offset_ms(tenths: u8) -> f64 {
    if tenths == 10 {
        DT_MS
    } else {
        f64::from(tenths) / 100.0
    }
}

fn list(shape: Shape, spikes: &[Spike], off_grid: bool) -> EventList {
    let mut by_item = spikes.to_vec();
    by_item.sort_by_key(|spike| spike.0);
    let starts = (0..=shape.batch)
        .map(|item| spikes.iter().filter(|s| s.0 < item).count())
        .collect();
    let offsets = by_item.iter().map(|s| offset_ms(s.2)).collect();
    let columns = Columns {
        starts,
        steps: by_item.iter().map(|s| s.1).collect(),
        offsets_ms: off_grid.then_some(offsets),
        neurons: by_item.iter().map(|s| s.3).collect(),
    };
    EventList::from_unsorted(shape, DT_MS, columns).unwrap()
}

/// How often each neuron fires: `[T, N, neurons]`.
struct Table {
    shape: Shape,
    cells: Vec<u64>,
}

impl Table {
    fn new(shape: Shape, spikes: &[Spike]) -> Self {
        let lanes = u64::from(shape.batch * shape.neurons);
        let mut table = Self {
            shape,
            cells: vec![0; (shape.steps * lanes) as usize],
        };
        for &(item, step, _, neuron) in spikes {
            let place = table.place(step, item, neuron);
            table.cells[place] += 1;
        }
        table
    }

    fn place(&self, step: u64, item: u32, neuron: u32) -> usize {
        let row = (step as usize - 1) * self.shape.batch as usize + item as usize;
        row * self.shape.neurons as usize + neuron as usize
    }

    fn row(&self, step: u64, item: u32) -> Vec<u32> {
        (0..self.shape.neurons)
            .flat_map(|n| {
                let times = self.cells[self.place(step, item, n)] as usize;
                std::iter::repeat_n(n, times)
            })
            .collect()
    }

    fn multiple(&self) -> u64 {
        self.cells.iter().map(|c| c.saturating_sub(1)).sum()
    }
}

fn assert_rows(raster: &Raster, table: &Table, once: bool) {
    for step in 1..=table.shape.steps {
        let mut lanes = Vec::new();
        for item in 0..table.shape.batch {
            let mut expected = table.row(step, item);
            if once {
                expected.dedup();
            }
            let row = raster.row(step, item);
            assert_eq!(row.iter().collect::<Vec<_>>(), expected);
            assert_eq!(row.len(), expected.len());
            assert_eq!(row.is_empty(), expected.is_empty());
            for neuron in 0..table.shape.neurons + 70 {
                assert_eq!(row.contains(neuron), expected.contains(&neuron));
            }
            lanes.extend(expected.iter().map(|n| item * table.shape.neurons + n));
        }
        assert_eq!(raster.lanes(step).collect::<Vec<_>>(), lanes);
    }
}

proptest! {
    #[test]
    fn representations_convert_losslessly_on_the_grid((shape, spikes) in spikes(false)) {
        let table = Table::new(shape, &spikes);
        let events = list(shape, &spikes, false);
        let (lists, rounding) = events.to_raster().unwrap();
        prop_assert_eq!(rounding, Rounding::default());
        assert_rows(&lists, &table, false);
        prop_assert_eq!(&lists.to_events(DT_MS).unwrap(), &events);

        let (masks, lost) = lists.to_masks(Multiplicity::Saturate).unwrap();
        assert_rows(&masks, &table, true);
        prop_assert_eq!(lost, table.multiple());
        prop_assert_eq!(masks.len() as u64 + lost, events.len() as u64);
        let refused = lists.to_masks(Multiplicity::Refuse);
        if lost > 0 {
            prop_assert!(matches!(refused, Err(SpikesError::Multiple { .. })), "{refused:?}");
        } else {
            prop_assert_eq!(&refused.unwrap().0, &masks);
            prop_assert_eq!(&masks.to_events(DT_MS).unwrap(), &events);
            prop_assert_eq!(&masks.to_lists(), &lists);
        }
        prop_assert_eq!(masks.to_lists().to_masks(Multiplicity::Refuse).unwrap(), (masks, 0));
    }

    #[test]
    fn spikes_off_the_grid_count_at_the_end_of_their_step((shape, spikes) in spikes(true)) {
        let events = list(shape, &spikes, true);
        let (grid, rounding) = events.to_grid();
        let moved: Vec<f64> = spikes.iter().map(|s| s.2).filter(|&t| t < 10)
            .map(|tenths| f64::from(10 - tenths) / 100.0).collect();
        prop_assert_eq!(rounding.moved, moved.len() as u64);
        let largest = moved.iter().fold(0.0, |a: f64, &b| a.max(b));
        prop_assert!((rounding.largest_shift_ms - largest).abs() < 1e-15);
        prop_assert_eq!(&grid, &list(shape, &spikes, false));
        let (raster, same) = events.to_raster().unwrap();
        prop_assert_eq!(same, rounding);
        assert_rows(&raster, &Table::new(shape, &spikes), false);
        // Back and forth adds nothing: offsets of the grid are no rounding.
        let (again, none) = grid.to_continuous().to_grid();
        prop_assert_eq!((again, none), (grid, Rounding::default()));
        prop_assert_eq!(&events.to_continuous(), &events);
    }

    #[test]
    fn items_trains_and_counts_hold_every_spike((shape, spikes) in spikes(true)) {
        let events = list(shape, &spikes, true);
        let trains = events.trains();
        let mut counts = Vec::new();
        for item in 0..shape.batch {
            let mut expected: Vec<_> = spikes.iter().filter(|s| s.0 == item)
                .map(|s| (s.1, s.2, s.3)).collect();
            expected.sort_unstable();
            let found: Vec<_> = events.item(item).iter().collect();
            let expected: Vec<_> = expected.into_iter().map(|(step, tenths, neuron)| Event {
                step, offset_ms: offset_ms(tenths), neuron,
            }).collect();
            prop_assert_eq!(&found, &expected);
            for neuron in 0..shape.neurons {
                let own = || expected.iter().filter(|e| e.neuron == neuron);
                let train = trains.train(item, neuron);
                prop_assert_eq!(train.steps(), own().map(|e| e.step).collect::<Vec<_>>());
                let offsets = own().map(|e| e.offset_ms).collect::<Vec<_>>();
                prop_assert_eq!(train.offsets_ms(), Some(offsets.as_slice()));
                counts.push(own().count() as u64);
            }
        }
        prop_assert_eq!(&events.counts(), &counts);
        prop_assert_eq!(&events.to_raster().unwrap().0.counts(), &counts);
        let by_step: usize = events.item(0).by_step().map(|(_, part)| part.len()).sum();
        prop_assert_eq!(by_step, events.item(0).len());
        let cells = shape.steps as f64 * f64::from(shape.lanes());
        prop_assert!((events.density() - spikes.len() as f64 / cells).abs() < 1e-15);
    }

    #[test]
    fn slices_and_merges_are_those_of_the_spikes(
        (shape, spikes) in spikes(true), cut in 0..25_u64, end in 0..25_u64, masks: bool,
    ) {
        let events = list(shape, &spikes, true);
        let steps = end.min(shape.steps).saturating_sub(cut);
        let inner = Shape::new(steps, shape.batch, shape.neurons).unwrap();
        let taken: Vec<Spike> = spikes.iter().filter(|s| s.1 > cut && s.1 <= end)
            .map(|&(item, step, tenths, neuron)| (item, step - cut, tenths, neuron)).collect();
        prop_assert_eq!(events.slice(cut, end), list(inner, &taken, true));
        let mut raster = events.to_raster().unwrap().0;
        if masks {
            raster = raster.to_masks(Multiplicity::Saturate).unwrap().0;
        }
        prop_assert_eq!(raster.is_mask(), masks);
        let part = raster.slice(cut, end);
        prop_assert_eq!(part.shape(), inner);
        assert_rows(&part, &Table::new(inner, &taken), masks);

        let third = spikes.len() / 3;
        let (a, rest) = spikes.split_at(third);
        let (b, c) = rest.split_at(third);
        let on_grid = list(shape, &[], false);
        let parts = [list(shape, b, true), on_grid, list(shape, c, true)];
        prop_assert_eq!(EventList::merge(&list(shape, a, true), &parts).unwrap(), events);
    }

    #[test]
    fn records_of_the_engine_come_back((shape, spikes) in spikes(true), off_grid: bool) {
        // A record without spikes has no offsets either.
        let off_grid = off_grid && !spikes.is_empty();
        let mut lanes: Vec<_> = spikes.iter()
            .map(|s| (s.1, s.0 * shape.neurons + s.3, if off_grid { s.2 } else { 10 })).collect();
        lanes.sort_unstable();
        let recorded = record::Spikes {
            steps: lanes.iter().map(|l| l.0).collect(),
            neurons: lanes.iter().map(|l| l.1).collect(),
            offsets_ms: match off_grid {
                true => lanes.iter().map(|l| offset_ms(l.2)).collect(),
                false => Vec::new(),
            },
        };
        let events = EventList::from_record(shape, DT_MS, &recorded).unwrap();
        prop_assert_eq!(events.is_on_grid(), !off_grid);
        prop_assert_eq!(&events, &list(shape, &spikes, off_grid));
        prop_assert_eq!(events.to_record(), recorded);
    }

    #[test]
    fn masks_are_what_their_words_say(shape in shapes(), seed: u64) {
        let per_row = shape.neurons.div_ceil(64) as usize;
        let rows = (shape.steps * u64::from(shape.batch)) as usize;
        let mut state = seed;
        let mut words = Vec::new();
        for k in 0..rows * per_row {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bits = shape.neurons - (k % per_row) as u32 * 64;
            words.push(if bits < 64 { state >> (64 - bits) } else { state });
        }
        let raster = Raster::from_masks(shape, words.clone()).unwrap();
        let set: u32 = words.iter().map(|w| w.count_ones()).sum();
        prop_assert_eq!(raster.len(), set as usize);
        let (again, lost) = raster.to_lists().to_masks(Multiplicity::Refuse).unwrap();
        prop_assert_eq!((again, lost), (raster, 0));
        if shape.neurons % 64 != 0 {
            *words.last_mut().unwrap() |= 1 << (shape.neurons % 64);
            let error = Raster::from_masks(shape, words).unwrap_err();
            let neuron = u64::from(shape.neurons);
            let neurons = shape.neurons;
            prop_assert_eq!(error, SpikesError::Neuron { index: rows - 1, neuron, neurons });
        }
    }
}

#[test]
fn times_are_those_of_step_and_offset() {
    let event = |step, offset_ms| Event {
        step,
        offset_ms,
        neuron: 0,
    };
    assert_eq!(event(3, 0.05).time_ms(0.1), 0.25);
    assert_eq!(event(10, 0.1).time_ms(0.1), 1.0);
    assert_eq!(event(1, 1e-300).time_ms(0.1), 1e-300);
}

#[test]
fn what_is_no_list_of_events_is_refused() {
    let shape = Shape::new(10, 2, 3).unwrap();
    let good = Columns {
        starts: vec![0, 2, 3],
        steps: vec![1, 1, 10],
        offsets_ms: Some(vec![0.05, 0.1, 0.1]),
        neurons: vec![2, 0, 1],
    };
    let refused = |change: &dyn Fn(&mut Columns)| {
        let mut columns = good.clone();
        change(&mut columns);
        EventList::new(shape, DT_MS, columns)
            .unwrap_err()
            .to_string()
    };
    assert!(EventList::new(shape, DT_MS, good.clone()).is_ok());
    let cases: [(&dyn Fn(&mut Columns), &str); 12] = [
        (&|c| c.starts = vec![0, 3], "2 starts, expected 3"),
        (&|c| c.starts[0] = 1, "starts[0] is 1"),
        (&|c| c.starts[1] = 9, "starts[2] is 3"),
        (&|c| c.starts[2] = 2, "starts[2] is 2"),
        (&|c| c.neurons.truncate(2), "2 neurons, expected 3"),
        (&|c| c.offsets_ms = Some(vec![]), "0 offsets, expected 3"),
        (&|c| c.steps[0] = 0, "spike 0 is in step 0"),
        (&|c| c.steps[2] = 11, "steps run from 1 to 10"),
        (&|c| c.neurons[2] = 3, "neuron 3: there are 3"),
        (&|c| c.offsets_ms = Some(vec![0.0; 3]), "0 ms into its step"),
        (
            &|c| c.offsets_ms = Some(vec![0.1, f64::NAN, 0.1]),
            "spike 1 is NaN ms",
        ),
        (&|c| c.offsets_ms = None, "spike 1 comes after a later one"),
    ];
    for (change, expected) in cases {
        let message = refused(change);
        assert!(message.contains(expected), "{message}");
    }
    for dt_ms in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(EventList::new(shape, dt_ms, good.clone()).is_err());
    }
    let later = EventList::new(shape, 0.2, good.clone()).unwrap();
    let error = EventList::merge(&later, &[EventList::new(shape, DT_MS, good).unwrap()]);
    assert!(matches!(
        error,
        Err(SpikesError::Unlike {
            index: 1,
            what: "time step"
        })
    ));
}

#[test]
fn what_is_no_raster_is_refused() {
    let shape = Shape::new(2, 1, 3).unwrap();
    let lists = |starts: &[usize], neurons: &[u32]| {
        Raster::from_lists(shape, starts.to_vec(), neurons.to_vec())
    };
    assert!(lists(&[0, 2, 3], &[1, 2, 0]).is_ok());
    for (starts, neurons, expected) in [
        (&[0, 3][..], &[1, 2, 0][..], "2 starts, expected 3"),
        (&[0, 3, 2], &[0, 1, 2], "starts[2] is 2"),
        (&[0, 1, 3], &[0, 2, 1], "spike 2 comes after a later one"),
        (&[0, 1, 3], &[0, 1, 3], "neuron 3: there are 3"),
    ] {
        let message = lists(starts, neurons).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert!(Raster::from_masks(shape, vec![0; 3]).is_err());
}

#[test]
fn sizes_that_cannot_be_are_refused_before_anything_is_allocated() {
    assert!(Shape::new(1, 0, 1).is_err());
    assert!(Shape::new(MAX_STEPS + 1, 1, 1).is_err());
    assert!(Shape::new(1, 1 << 16, 1 << 16).is_err());
    let long = Shape::new(MAX_STEPS, 1, u32::MAX).unwrap();
    let spikes = record::Spikes {
        steps: vec![MAX_STEPS],
        neurons: vec![u32::MAX - 1],
        ..record::Spikes::default()
    };
    let events = EventList::from_record(long, DT_MS, &spikes).unwrap();
    assert!(matches!(events.to_raster(), Err(SpikesError::Size { .. })));
    let message = Raster::from_masks(long, Vec::new())
        .unwrap_err()
        .to_string();
    assert!(message.contains("slice the time"), "{message}");
    let (rows, _) = events
        .slice(MAX_STEPS - 1000, MAX_STEPS)
        .to_raster()
        .unwrap();
    assert_eq!(rows.row(1000, 0).iter().collect::<Vec<_>>(), [u32::MAX - 1]);
    let wide = rows.to_masks(Multiplicity::Refuse);
    assert!(matches!(wide, Err(SpikesError::Size { .. })), "{wide:?}");
}

#[test]
fn masks_pay_above_one_in_thirty_two() {
    for neurons in [6_400_u32, 64_000] {
        let shape = Shape::new(100, 2, neurons).unwrap();
        let cells = 200 * u64::from(neurons);
        let least = (0..cells)
            .step_by(64)
            .find(|&n| shape.mask_pays(n))
            .unwrap();
        let density = least as f64 / cells as f64;
        assert!((density - 1.0 / 32.0).abs() < 5e-4, "{neurons}: {density}");
    }
}
