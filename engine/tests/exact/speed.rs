//! What an event costs: printed, not judged.

use std::hint::black_box;
use std::time::Instant;

use rheobase_engine::exact::make;

use super::cases::Case;
use super::golden::{component, parameters};

#[test]
fn cost_of_events() {
    for kind in ["delta", "exp", "alpha", "beta", "if_exp", "qif_delta"] {
        let component = component(kind);
        let case = Case {
            tau_m: 10.0,
            ex: [2.0, 1.0],
            inh: [5.0, 3.0],
            c_m: 250.0,
            v_th: 15.0,
            t_ref: 2.0,
            k: 0.02,
            v_r: 0.0,
            v_t: 10.0,
            ..Case::default()
        };
        let mut flow = make::flow(&component, &parameters(&case), None).unwrap();
        let n = flow.n_states();
        let time = |f: &mut dyn FnMut()| {
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                let start = Instant::now();
                for _ in 0..20_000 {
                    f();
                }
                best = best.min(start.elapsed().as_secs_f64() * 1e9 / 20_000.0);
            }
            best
        };
        // Currents of either sign; v far below, below with a peak near, and crossing.
        let mut line = format!("{kind}:");
        let states = |v: f64, current: f64| {
            let mut x = vec![0.0; n];
            x[0] = v;
            if n > 1 {
                x[1] = current;
                x[n / 2 + 1] = -0.3 * current;
            }
            x
        };
        for (name, v, current) in [
            ("far", 2.0, 100.0),
            ("near", 9.0, 1500.0),
            ("crossing", 12.0, 3000.0),
        ] {
            let x = states(v, current);
            let found = flow.next_crossing(&x, f64::INFINITY).after_ms;
            let ns = time(&mut || {
                black_box(flow.next_crossing(black_box(&x), f64::INFINITY));
            });
            line += &format!(
                " {name} {ns:.0} ns ({}),",
                if found.is_some() { "spike" } else { "none" }
            );
        }
        let mut x = states(2.0, 100.0);
        let ns = time(&mut || flow.advance(black_box(&mut x), black_box(0.013), false));
        println!("{line} advance {ns:.0} ns");
    }
}
