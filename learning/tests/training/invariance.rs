//! What results must not depend on: threads, segments, how inputs are given, cuts of the batch.

use rheobase_engine::unrolled::{Sequence, UnrolledError, UnrolledNetwork, UnrolledOptions};

use crate::network::{chain, edge, input, linear, plan, population, unrolled};

/// Two layers, a recurrent one between them, delays of 2 and 3 steps, a learned parameter and noise.
fn network() -> String {
    input("x", "12")
        + "[inputs.s]\nshape = [9]\nkind = \"spikes\"\n"
        + &linear("a", 70, true)
        + &population("h", "plif", 70, "")
        + &linear("r", 70, false)
        + &linear("b", 7, true)
        + &linear("c", 7, false)
        + &population("y", "lif", 7, "options = { soft_reset = true }")
        + &chain(&["x", "a", "h", "r"])
        + &edge("r", "h", 2)
        + &edge("h", "b", 3)
        + &edge("b", "y", 0)
        + &edge("s", "c", 1)
        + &edge("c", "y", 0)
}

const STEPS: usize = 12;
const BATCH: usize = 5;

fn x() -> Vec<f32> {
    (0..STEPS * BATCH * 12)
        .map(|k| ((k as f32) * 0.61).sin() * 2.5)
        .collect()
}

fn s() -> Vec<f32> {
    (0..STEPS * BATCH * 9)
        .map(|k| if k * 7919 % 11 < 3 { 1.0 } else { 0.0 })
        .collect()
}

fn lists(values: &[f32], width: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut offsets, mut indices) = (vec![0], Vec::new());
    for row in values.chunks(width) {
        indices.extend((0..width as u32).filter(|&i| row[i as usize] == 1.0));
        offsets.push(indices.len() as u32);
    }
    (offsets, indices)
}

/// The network, with weights that make it fire.
fn made(options: &UnrolledOptions) -> UnrolledNetwork<f32> {
    let mut made = unrolled::<f32>(&network(), options);
    made.visit_parameters(|_, p, _| {
        if p.shape.len() == 2 {
            p.values.iter_mut().for_each(|w| *w *= 6.0);
        }
    });
    made
}

/// Output, cotangents of the inputs, gradients: bits.
type Bits = (Vec<u32>, Vec<u32>, Vec<Vec<u32>>);

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn run(network: &mut UnrolledNetwork<f32>, inputs: &[Sequence<'_, f32>]) -> Bits {
    network.clear_gradients();
    network.forward(inputs, true).unwrap();
    let output = network.output("y").unwrap().to_vec();
    let g: Vec<f32> = (0..output.len())
        .map(|k| ((k as f32) * 0.37).cos())
        .collect();
    network.backward(&[("y", &g)]).unwrap();
    let mut all = Vec::new();
    network.visit_parameters(|_, _, g| all.push(bits(&g.values)));
    let gx = bits(network.input_cotangent("x").unwrap());
    (bits(&output), gx, all)
}

fn options() -> UnrolledOptions {
    UnrolledOptions {
        steps: STEPS,
        batch: BATCH,
        input_cotangents: true,
        ..UnrolledOptions::default()
    }
}

#[test]
fn threads_segments_and_lists_give_the_same_bits() {
    let (x, s) = (x(), s());
    let inputs = [Sequence::Steps(&x), Sequence::Steps(&s)];
    let expected = run(&mut made(&options()), &inputs);
    let spikes = expected.0.iter().filter(|b| **b != 0).count();
    assert!(spikes > 20, "{spikes}");
    assert!(expected.2.iter().all(|g| g.iter().any(|b| *b != 0)));
    for threads in [2, 3, 8] {
        let options = UnrolledOptions {
            threads,
            ..options()
        };
        assert_eq!(run(&mut made(&options), &inputs), expected, "{threads}");
    }
    let (offsets, indices) = lists(&s, 9);
    let as_lists = Sequence::Spikes {
        offsets: &offsets,
        indices: &indices,
    };
    let mut words = vec![0_u64; STEPS * BATCH];
    for (word, row) in words.iter_mut().zip(s.chunks(9)) {
        *word = (0..9).filter(|&i| row[i] == 1.0).fold(0, |w, i| w | 1 << i);
    }
    let as_bits = run(&mut made(&options()), &[inputs[0], Sequence::Bits(&words)]);
    assert_eq!(as_bits, expected);
    let mut network_of_lists = made(&options());
    let found = run(&mut network_of_lists, &[inputs[0], as_lists]);
    assert_eq!(found, expected);
    // A second pass is as the first.
    assert_eq!(run(&mut network_of_lists, &inputs), expected);
}

/// Segments change the order in which gradients are summed, and nothing else.
#[test]
fn short_memory_gives_the_same_spikes_and_gradients() {
    let (x, s) = (x(), s());
    let inputs = [Sequence::Steps(&x), Sequence::Steps(&s)];
    let mut whole = made(&options());
    let expected = run(&mut whole, &inputs);
    let mut lengths = Vec::new();
    for percent in [90, 75, 60, 50, 45] {
        let options = UnrolledOptions {
            max_bytes: Some(whole.kept_bytes() * percent / 100),
            ..options()
        };
        if UnrolledNetwork::<f32>::new(plan(&network(), "f32"), &options).is_err() {
            continue;
        }
        let mut network = made(&options);
        assert!(network.kept_bytes() <= options.max_bytes.unwrap());
        lengths.push(network.segment_steps());
        let found = run(&mut network, &inputs);
        assert_eq!(found.0, expected.0, "{percent}");
        assert_eq!(found.1, expected.1, "{percent}");
        for (a, b) in found.2.iter().flatten().zip(expected.2.iter().flatten()) {
            let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
            assert!(
                (a - b).abs() <= 1e-4 * b.abs().max(1.0),
                "{percent}: {a} {b}"
            );
        }
    }
    println!("segments of {lengths:?} steps");
    assert!(lengths.iter().any(|&l| l < 6), "{lengths:?}");
    let options = UnrolledOptions {
        max_bytes: Some(1000),
        ..options()
    };
    let error = UnrolledNetwork::<f32>::new(plan(&network(), "f32"), &options).err();
    assert!(
        matches!(error, Some(UnrolledError::Memory { .. })),
        "{error:?}"
    );
}

/// Samples do not know of each other: a batch of one gives the outputs and cotangents of its part.
#[test]
fn a_smaller_batch_is_a_part_of_a_larger() {
    let (x, s) = (x(), s());
    let part = |values: &[f32], width: usize, n: usize| -> Vec<f32> {
        let step = values.chunks(BATCH * width);
        step.flat_map(|rows| rows[n * width..(n + 1) * width].to_vec())
            .collect()
    };
    let inputs = [Sequence::Steps(&x), Sequence::Steps(&s)];
    let mut network = made(&options());
    let whole = run(&mut network, &inputs);
    let whole_output: Vec<f32> = whole.0.iter().map(|b| f32::from_bits(*b)).collect();
    for n in [0, 4] {
        let (x, s) = (part(&x, 12, n), part(&s, 9, n));
        let inputs = [Sequence::Steps(&x), Sequence::Steps(&s)];
        network.forward(&inputs, true).unwrap();
        assert_eq!(network.batch(), 1);
        assert_eq!(network.output("y").unwrap(), part(&whole_output, 7, n));
    }
    assert_eq!(run(&mut network, &inputs), whole);
}

/// The same values in every step, given once or for every step.
#[test]
fn a_constant_input_is_one_repeated() {
    let x: Vec<f32> = (0..BATCH * 12)
        .map(|k| ((k as f32) * 0.61).sin() * 2.5)
        .collect();
    let repeated: Vec<f32> = std::iter::repeat_n(&x, STEPS).flatten().copied().collect();
    let text = input("x", "12")
        + &linear("a", 70, true)
        + &linear("a2", 70, true)
        + &population("y", "lif", 70, "")
        + &chain(&["x", "a", "a2", "y"])
        + &edge("x", "b", 0)
        + &linear("b", 70, true)
        + &edge("b", "y", 0);
    let mut network = unrolled::<f32>(&text, &options());
    let once = run(&mut network, &[Sequence::Constant(&x)]);
    let often = run(&mut network, &[Sequence::Steps(&repeated)]);
    assert_eq!(once.0, often.0);
    // Gradients are the same sums, in another order.
    let sums = |gx: &[u32]| -> Vec<f32> {
        let n = BATCH * 12;
        (0..n)
            .map(|k| {
                gx.iter()
                    .skip(k)
                    .step_by(n)
                    .map(|b| f32::from_bits(*b))
                    .sum()
            })
            .collect()
    };
    let pairs = once.2.iter().flatten().zip(often.2.iter().flatten());
    let of_inputs = sums(&once.1).into_iter().zip(sums(&often.1));
    let all = pairs
        .map(|(a, b)| (f32::from_bits(*a), f32::from_bits(*b)))
        .chain(of_inputs);
    for (a, b) in all {
        assert!((a - b).abs() <= 2e-5 * b.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn wrong_input_is_refused_and_changes_nothing() {
    let mut network = made(&options());
    let (x, s) = (x(), s());
    let inputs = [Sequence::Steps(&x), Sequence::Steps(&s)];
    let expected = run(&mut network, &inputs);
    let mut nan = x.clone();
    nan[100] = f32::NAN;
    let mut half = s.clone();
    half[3] = 0.5;
    let (beyond, few) = (vec![1 << 9; STEPS * BATCH], vec![0; 7]);
    let wrong: [&[Sequence<'_, f32>]; 8] = [
        &[inputs[0], Sequence::Bits(&beyond)],
        &[inputs[0], Sequence::Bits(&few)],
        &[inputs[0]],
        &[Sequence::Steps(&x[1..]), inputs[1]],
        &[Sequence::Steps(&nan), inputs[1]],
        &[inputs[0], Sequence::Steps(&half)],
        &[
            inputs[0],
            Sequence::Spikes {
                offsets: &[0, 1],
                indices: &[0],
            },
        ],
        &[Sequence::Steps(&x[..STEPS * 12]), inputs[1]],
    ];
    for (k, inputs) in wrong.into_iter().enumerate() {
        let error = network.forward(inputs, true).unwrap_err();
        println!("{error}");
        assert!(matches!(error, UnrolledError::Values { .. }), "{k}");
    }
    assert!(network.backward(&[("y", &[0.0])]).is_err());
    assert!(network.backward(&[("z", &[0.0])]).is_err());
    assert_eq!(run(&mut network, &inputs), expected);
    network.forward(&inputs, false).unwrap();
    let g = vec![0.0; network.output("y").unwrap().len()];
    assert_eq!(network.backward(&[("y", &g)]), Err(UnrolledError::NoPass));
}

/// Two outputs, of which only the first is read; `a` reaches only the second.
const UNREAD: &str = r#"
[models]
two = """
neuron two
  parameter a = 0.5 learnable
  input x : 1
  state v = 0 : 1
  state u = 0 : 1
  update v = 0.5*v + x
  update u = a*u + x
  output p = v : 1
  output q = u*u : 1
"""
[inputs.x]
shape = [200]
[populations.n]
model = "two"
size = 200
emits = "p"
[[edges]]
source = "x"
target = "n"
"#;

/// Blocks of a batch differ in length: what one leaves behind is nothing to the next.
#[test]
fn what_nobody_reads_has_no_gradient() {
    for threads in [1, 3] {
        let (steps, batch) = (8, 23);
        let options = UnrolledOptions {
            steps,
            batch,
            threads,
            input_cotangents: true,
            ..UnrolledOptions::default()
        };
        let mut network = unrolled::<f32>(UNREAD, &options);
        let n = steps * batch * 200;
        let x: Vec<f32> = (0..n).map(|k| (k % 13) as f32 - 5.0).collect();
        for batch in [batch, 7] {
            let n = steps * batch * 200;
            network.forward(&[Sequence::Steps(&x[..n])], true).unwrap();
            network.backward(&[("n", &x[..n])]).unwrap();
        }
        assert!(
            network
                .input_cotangent("x")
                .unwrap()
                .iter()
                .any(|&d| d != 0.0)
        );
        network.visit_parameters(|_, parameter, gradient| {
            assert_eq!(
                (parameter.name.as_str(), &gradient.values[..]),
                ("a", &[0.0][..])
            );
        });
    }
}
