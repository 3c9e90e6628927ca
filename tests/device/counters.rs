//! What moves between processor and device: little, and seldom.

use crate::harness::{Ran, device, plan, read};

#[test]
fn little_moves_and_seldom() {
    let Some(device) = device() else { return };
    for (name, steps) in [("coba", 2000), ("cuba", 1000), ("brunel", 400)] {
        let plan = plan(&read(&format!("examples/{name}.toml")), 1, steps);
        let ran = Ran::on_gpu(&plan, &device);
        let counts = ran.recording.device;
        println!("{name}: {counts:?}");
        assert_eq!(counts.steps, steps);
        assert_eq!(counts.spikes, ran.n_spikes());
        assert!(counts.spikes > 100, "{name}");
        assert!(
            counts.bytes_read <= 4 * counts.spikes + 64 * steps,
            "{name}"
        );
        assert!(counts.steps >= 50 * counts.submissions, "{name}");
        // States and synapses were there before the first step; nobody has asked for them since.
        assert_eq!(counts.state_bytes, 0, "{name}");
        assert_eq!(
            counts.bytes_written, 0,
            "{name}: no source on the processor"
        );
    }
}
