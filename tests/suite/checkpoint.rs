//! Checkpoints: a simulation that is saved between any two steps and loaded into a new one, on any
//! number of threads, continues with the same bits.

use rheobase::engine::Instantiate;
use rheobase::engine::checkpoint::CheckpointError;
use rheobase::engine::simulation::{Recording, Simulation};

use crate::determinism::simulation;

const END: u64 = 1500;

fn saved<R: Instantiate>(simulation: &mut Simulation<R>) -> Vec<u8> {
    let mut bytes = Vec::new();
    simulation.save(&mut bytes).unwrap();
    bytes
}

fn spikes(recordings: &[Recording]) -> Vec<(usize, u64, u32)> {
    let mut all: Vec<(usize, u64, u32)> = recordings
        .iter()
        .flat_map(|r| &r.spikes)
        .flat_map(|(node, s)| {
            let events = s.steps.iter().zip(&s.neurons);
            events.map(|(&step, &neuron)| (*node, step, neuron))
        })
        .collect();
    // Parts follow each other in time.
    all.sort_by_key(|&(node, step, _)| (node, step));
    all
}

fn continues_with_the_same_bits<R: Instantiate>() {
    let mut whole = simulation::<R>(1);
    whole.advance_to(END).unwrap();
    let recording = whole.take_recording();
    let expected = (saved(&mut whole), spikes(&[recording]));
    for (cut, before, after) in [
        (0, 1, 2),
        (1, 2, 1),
        (17, 1, 3),
        (500, 3, 1),
        (501, 2, 8),
        (END, 1, 2),
    ] {
        let mut first = simulation::<R>(before);
        first.advance_to(cut).unwrap();
        let bytes = saved(&mut first);
        let mut parts = vec![first.take_recording()];
        let mut second = simulation::<R>(after);
        // What it did before does not matter.
        second.advance_to(40).unwrap();
        second.load(&mut bytes.as_slice()).unwrap();
        assert_eq!(second.now(), cut);
        assert_eq!(saved(&mut second), bytes, "cut {cut}");
        second.advance_to(END).unwrap();
        parts.push(second.take_recording());
        assert!(spikes(&parts) == expected.1, "cut {cut}: other spikes");
        assert!(saved(&mut second) == expected.0, "cut {cut}: other states");
    }
}

#[test]
fn a_loaded_simulation_continues_with_the_same_bits_in_f32() {
    continues_with_the_same_bits::<f32>();
}

#[test]
fn a_loaded_simulation_continues_with_the_same_bits_in_f64() {
    continues_with_the_same_bits::<f64>();
}

#[test]
fn damaged_bytes_are_an_error_and_leave_the_simulation_as_it_was() {
    let mut simulation = simulation::<f32>(2);
    simulation.advance_to(100).unwrap();
    let bytes = saved(&mut simulation);
    let n = bytes.len();
    for cut in (0..300).chain((300..n).step_by(n / 200)) {
        let error = simulation.load(&mut &bytes[..cut]).unwrap_err();
        assert!(matches!(error, CheckpointError::Io(_)), "{cut}: {error}");
    }
    let (mut refused, mut loaded) = (0, 0);
    for k in 0..2000_usize {
        let mut flipped = bytes.clone();
        flipped[(k * 7919) % n] ^= 1 << (k % 8);
        // A flipped bit in a value is another value: whole files carry a checksum.
        match simulation.load(&mut flipped.as_slice()) {
            Ok(()) => {
                loaded += 1;
                simulation.load(&mut bytes.as_slice()).unwrap();
            }
            Err(_) => refused += 1,
        }
        assert!(saved(&mut simulation) == bytes, "{k}");
    }
    println!("{refused} refused, {loaded} loaded as other values");
    assert!(refused > 0 && loaded > 0);
    let mut f64s = crate::determinism::simulation::<f64>(1);
    let error = f64s.load(&mut bytes.as_slice()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the saved state belongs to another network: bytes of a float is 4, expected 8"
    );
}
