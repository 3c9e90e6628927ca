//! `leaky` against snnTorch 1.0.0 (`tests/golden/snntorch`).

use rheobase_equations::choice::Choices;
use rheobase_equations::real::Real;
use rheobase_equations::unroll::{Unrolled, Upstream};

use crate::golden::{Golden, chosen, gap};

/// snnTorch rounds what comes back to a spike to f32, which shows where the reset acts at once:
/// `check_rounding.py` beside the vectors gets their very values with that rounding.
const SINGLE: f64 = 1e-7;

fn compare<R: Real>(tolerance: f64) {
    let to = |values: Vec<f64>| -> Vec<R> { values.into_iter().map(R::from_f64).collect() };
    let golden = Golden::open("snntorch", "snntorch_leaky");
    let mut seen = 0;
    for case in golden.cases() {
        seen += 1;
        let choices = Choices::new()
            .surrogate(case.text("surrogate"))
            .option("reset_mechanism", case.text("reset_mechanism"))
            .option("reset_delay", case.flag("reset_delay").to_string());
        let [steps, n] = case.shape("x")[..] else {
            panic!("{}", case.name());
        };
        let mut cells = Unrolled::<R>::new(&chosen("leaky", &choices), n, 1.0);
        for name in ["beta", "threshold"] {
            let value = case.number(name).unwrap();
            cells.set_parameter(name, &[value]).unwrap();
        }
        cells.forward(steps, &to(case.expect("x")), &[]).unwrap();
        let mut found = Vec::new();
        for (step, s) in case.expect("s").chunks(n).enumerate() {
            assert_eq!(cells.spikes(step), to(s.to_vec()), "{}", case.name());
            found.extend_from_slice(cells.state("v", step).unwrap());
        }
        let g = to(case.expect("g"));
        let gv = to(case.expect("gv"));
        let mut gaps = vec![gap(&found, &case.expect("v"))];
        for (name, states) in [("gx", &[][..]), ("gx_sv", &gv[..])] {
            let upstream = Upstream {
                spikes: &g,
                states,
                ..Upstream::default()
            };
            let gradients = cells.backward(&upstream).unwrap();
            gaps.push(gap(&gradients.inputs, &case.expect(name)));
        }
        println!("{}: v, gx, gx_sv within {gaps:?}", case.name());
        let tolerance = if case.flag("reset_delay") {
            tolerance
        } else {
            tolerance.max(SINGLE)
        };
        assert!(gaps.iter().all(|gap| *gap <= tolerance), "{}", case.name());
    }
    assert_eq!(seen, 6);
}

#[test]
fn leaky_f64() {
    compare::<f64>(1e-9);
}

#[test]
fn leaky_f32() {
    compare::<f32>(1e-5);
}
