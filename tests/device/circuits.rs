//! Recurrent networks: equal weights are counted, so that sums have the bits of the processor.

use crate::harness::{Ran, assert_same, device, plan, read};

#[test]
fn examples_have_the_bits_of_the_processor() {
    let Some(device) = device() else { return };
    for (name, steps) in [("coba", 1000), ("cuba", 1000), ("brunel", 600)] {
        let text = read(&format!("examples/{name}.toml"));
        let plan = plan(&text, 1, steps);
        let mut cpu = Ran::on_cpu(&plan);
        let mut gpu = Ran::on_gpu(&plan, &device);
        println!("{name}: {:?}", gpu.recording.device);
        assert!(cpu.n_spikes() > 100, "{name}");
        assert_same(name, &mut cpu, &mut gpu);
    }
}
