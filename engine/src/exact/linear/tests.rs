//! Linear flows against closed forms by hand and against a scan by Taylor series.

use proptest::prelude::*;
use rheobase_equations::linear_system::LinearModel;
use rheobase_equations::lower::lower;
use rheobase_equations::parse_one;

use super::*;

/// dx/dt = A·x + b by Taylor series, in steps so short that the error is rounding; shares no code
/// with what it judges.
struct Scan<'a> {
    system: &'a LinearSystem,
    step: f64,
}

impl<'a> Scan<'a> {
    fn new(system: &'a LinearSystem) -> Self {
        let size: f64 = system
            .rates
            .chunks(system.n)
            .map(|r| r.iter().map(|x| x.abs()).sum())
            .fold(1.0, f64::max);
        Self {
            system,
            step: 0.25 / size,
        }
    }

    fn derivative(&self, x: &[f64], with_drive: bool) -> Vec<f64> {
        let n = self.system.n;
        let row = |i: usize| -> f64 {
            let sum: f64 = (0..n).map(|j| self.system.rates[i * n + j] * x[j]).sum();
            sum + if with_drive {
                self.system.drive[i]
            } else {
                0.0
            }
        };
        (0..n).map(row).collect()
    }

    fn taylor(&self, x: &[f64], t: f64) -> Vec<f64> {
        let mut sum = x.to_vec();
        let mut term: Vec<f64> = self.derivative(x, true).iter().map(|d| d * t).collect();
        for p in 2..24 {
            sum.iter_mut().zip(&term).for_each(|(s, d)| *s += d);
            term = self.derivative(&term, false);
            term.iter_mut().for_each(|d| *d *= t / f64::from(p));
        }
        sum
    }

    fn advance(&self, x: &[f64], t: f64) -> Vec<f64> {
        let steps = (t / self.step).ceil().max(1.0);
        let mut x = x.to_vec();
        for _ in 0..steps as usize {
            x = self.taylor(&x, t / steps);
        }
        x
    }

    fn margin(&self, x: &[f64]) -> f64 {
        let margin = &self.system.firing.as_ref().unwrap().margin;
        margin.row.iter().zip(x).map(|(m, x)| m * x).sum::<f64>() + margin.constant
    }

    fn slope(&self, x: &[f64]) -> f64 {
        let margin = &self.system.firing.as_ref().unwrap().margin;
        let rate = self.derivative(x, true);
        margin.row.iter().zip(&rate).map(|(m, x)| m * x).sum()
    }

    /// Where `f` of the state changes from below 0 to 0 and above, within `0 ..= t` of `x`.
    fn bisect(&self, x: &[f64], t: f64, f: impl Fn(&[f64]) -> f64) -> f64 {
        let (mut low, mut high) = (0.0, t);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if f(&self.taylor(x, middle)) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// The first crossing within `horizon`, and the nearest that an uncrossed peak before it came to
    /// the threshold.
    fn first(&self, x: &[f64], horizon: f64) -> (Option<f64>, f64) {
        let mut x = x.to_vec();
        let mut nearest = f64::INFINITY;
        let mut t = 0.0;
        while t < horizon {
            let h = self.step.min(horizon - t);
            let next = self.taylor(&x, h);
            let mut end = h;
            let mut at_end = self.margin(&next);
            if self.slope(&x) > 0.0 && self.slope(&next) < 0.0 {
                end = self.bisect(&x, h, |x| -self.slope(x));
                at_end = self.margin(&self.taylor(&x, end));
                nearest = nearest.min(at_end.abs());
            }
            if at_end >= 0.0 {
                return (Some(t + self.bisect(&x, end, |x| self.margin(x))), nearest);
            }
            x = next;
            t += h;
        }
        (None, nearest.min(self.margin(&x).abs()))
    }
}

fn random_system(
    n: usize,
    rates: &[f64],
    couplings: &[f64],
    drive: &[f64],
    threshold: f64,
) -> LinearSystem {
    let mut matrix = vec![0.0; n * n];
    let mut next = couplings.iter();
    for i in 0..n {
        matrix[i * n + i] = rates[i];
        for j in 0..i {
            matrix[i * n + j] = *next.next().unwrap();
        }
    }
    let mut row = vec![0.0; n];
    row[n - 1] = 1.0;
    LinearSystem {
        n,
        rates: matrix,
        drive: drive[..n].to_vec(),
        held: vec![false; n],
        order: (0..n).collect(),
        jumps: vec![],
        firing: Some(Firing {
            margin: Functional {
                row,
                constant: -threshold,
            },
            strict: false,
            reset: AffineMap {
                matrix: vec![0.0; n * n],
                constant: vec![0.0; n],
            },
            refractory_ms: None,
        }),
    }
}

/// Rates that coincide, nearly coincide, vanish or grow, among others.
fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0.5_f64..30.0).prop_map(|tau| -1.0 / tau),
        2 => Just(-0.1),
        2 => (2..13_i32, any::<bool>()).prop_map(|(k, up)| {
            let d = 10.0_f64.powi(-k);
            -0.1 * (1.0 + if up { d } else { -d })
        }),
        1 => Just(0.0),
        1 => 0.0_f64..0.05,
        1 => (3..9_i32).prop_map(|k| -(10.0_f64.powi(-k))),
    ]
}

fn coupling() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 2 => -1.0_f64..1.0]
}

type Case = (LinearSystem, Vec<f64>);

fn case() -> impl Strategy<Value = Case> {
    (
        1..=5_usize,
        prop::collection::vec(rate(), 5),
        prop::collection::vec(coupling(), 10),
        prop::collection::vec(prop_oneof![Just(0.0), -0.5_f64..0.5], 5),
        prop::collection::vec(-5.0_f64..5.0, 5),
        0.0_f64..8.0,
    )
        .prop_map(|(n, rates, couplings, drive, x, above)| {
            let system = random_system(n, &rates, &couplings, &drive, x[n - 1] + above);
            (system, x[..n].to_vec())
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: prop::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn advance_follows_the_equations((system, x) in case(), t in 0.0_f64..40.0) {
        let mut flow = LinearFlow::new(&system).unwrap();
        let expected = Scan::new(&system).advance(&x, t);
        let mut whole = x.clone();
        flow.advance(&mut whole, t, false);
        let size = expected.iter().chain(&x).fold(1.0_f64, |m, x| m.max(x.abs()));
        for (a, b) in whole.iter().zip(&expected) {
            prop_assert!((a - b).abs() <= 1e-11 * size, "{a} {b} size {size}");
        }
        let mut parts = x.clone();
        flow.advance(&mut parts, 0.3 * t, false);
        flow.advance(&mut parts, 0.7 * t, false);
        for (a, b) in whole.iter().zip(&parts) {
            prop_assert!((a - b).abs() <= 1e-11 * size, "{a} {b} in parts");
        }
    }

    #[test]
    fn crossings_are_those_of_a_scan((system, x) in case()) {
        let mut flow = LinearFlow::new(&system).unwrap();
        let scan = Scan::new(&system);
        let (expected, nearest) = scan.first(&x, 60.0);
        let found = flow.next_crossing(&x, 60.0);
        match (found.after_ms, expected) {
            (Some(a), Some(b)) if (a - b).abs() <= 1e-9 => {}
            (None, None) => {}
            (Some(a), Some(b)) => {
                // The error of a time is that of the margin over the slope.
                let slope = scan.slope(&scan.advance(&x, b)).abs();
                prop_assert!((a - b).abs() * slope < 1e-11 || nearest < 1e-11, "{a} {b}");
            }
            (a, b) => prop_assert!(nearest < 1e-11, "{a:?} {b:?} nearest {nearest}"),
        }
    }

    #[test]
    fn a_horizon_cuts_and_changes_nothing((system, x) in case(), share in 0.0_f64..2.0) {
        let mut flow = LinearFlow::new(&system).unwrap();
        let far = flow.next_crossing(&x, f64::INFINITY);
        let Some(t) = far.after_ms else {
            prop_assert_eq!(flow.next_crossing(&x, 1e6).after_ms, None);
            return Ok(());
        };
        if t == 0.0 {
            // At the threshold or above it now.
            prop_assert_eq!(flow.next_crossing(&x, 0.0).after_ms, Some(0.0));
            return Ok(());
        }
        let near = flow.next_crossing(&x, share * t);
        match near.after_ms {
            Some(again) => {
                prop_assert!(share >= 1.0 - 1e-9);
                prop_assert!((again - t).abs() <= 1e-9 * (1.0 + t) || far.grazing, "{again} {t}");
            }
            None => prop_assert!(share <= 1.0 + 1e-9 || far.grazing || near.grazing, "{t} {share}"),
        }
    }
}

fn flow(text: &str, parameters: &[f64]) -> LinearFlow {
    let model = parse_one(text, "test").unwrap();
    let component = lower(&std::sync::Arc::new(model), None).unwrap();
    LinearFlow::new(&LinearModel::analyse(&component).unwrap().at(parameters)).unwrap()
}

const LIF: &str = "neuron lif
   parameter tau = 10 ms, r = 1, t_ref = 2 ms
   dv/dt = (10 mV*r - v)/tau : mV (unless refractory)
   input jump(w : mV): v += w (unless refractory)
   input kept(w : mV): v += 2*w
   spike when v >= 9 mV, reset v = 1 mV + 0.5*(v - 9 mV), refractory t_ref";

#[test]
fn a_leaky_neuron_by_hand() {
    let mut lif = flow(LIF, &[10.0, 1.0, 2.0]);
    let mut x = [0.0];
    let t = lif.next_crossing(&x, f64::INFINITY).after_ms.unwrap();
    assert!((t - 10.0 * 10.0_f64.ln()).abs() < 1e-14);
    assert_eq!(lif.next_crossing(&x, t - 1e-9).after_ms, None);
    lif.advance(&mut x, t, false);
    assert!((x[0] - 9.0).abs() < 1e-14);
    lif.input(&mut x, 0, 0.5, true);
    assert!((x[0] - 9.0).abs() < 1e-14, "lost while refractory");
    lif.input(&mut x, 1, 0.5, true);
    assert!((x[0] - 10.0).abs() < 1e-14);
    lif.advance(&mut x, 5.0, true);
    assert!((x[0] - 10.0).abs() < 1e-14, "held");
    assert!(lif.fires(&x));
    assert_eq!(lif.next_crossing(&x, 1.0).after_ms, Some(0.0));
    lif.reset(&mut x);
    assert!((x[0] - 1.5).abs() < 1e-14);
    assert!((lif.refractory_ms() - 2.0).abs() < 1e-15);
}

#[test]
fn a_limit_at_the_threshold_is_reported() {
    // v tends to 9 mV, the threshold: it never fires, or rounding says so.
    let mut lif = flow(LIF, &[10.0, 0.9, 2.0]);
    let crossing = lif.next_crossing(&[0.0], f64::INFINITY);
    assert!(crossing.grazing);
    assert!(
        !flow(LIF, &[10.0, 0.8, 2.0])
            .next_crossing(&[0.0], f64::INFINITY)
            .grazing
    );
}

const EXP: &str = "neuron exp
   parameter tau = 10 ms, tau_s = 10 ms, th = 1 mV
   dv/dt = -v/tau + i/(1 pA)*(1 mV)/(1 ms) : mV
   di/dt = -i/tau_s : pA
   input x(w : pA): i += w
   spike when v >= th, reset v = 0";

/// With equal time constants v = w·t·e^{−t/τ}, whose peak is w·τ/e at τ.
#[test]
fn peaks_that_graze() {
    let peak = 10.0 / std::f64::consts::E;
    for k in 2..12 {
        for sign in [1.0, -1.0] {
            for tau_s in [10.0, 10.0 * (1.0 + 1e-14)] {
                let distance = sign * 10.0_f64.powi(-k);
                let mut exp = flow(EXP, &[10.0, tau_s, peak]);
                let mut x = [0.0, 0.0];
                exp.input(&mut x, 0, 1.0 + distance, false);
                let found = exp.next_crossing(&x, f64::INFINITY);
                assert_eq!(found.after_ms.is_some(), sign > 0.0, "k {k} sign {sign}");
                assert!(!found.grazing, "k {k} sign {sign}");
                if let Some(t) = found.after_ms {
                    // t/τ·e^{1 − t/τ}·(1 + d) = 1 has t ≈ τ·(1 − √(2d)).
                    let near = 10.0 * (1.0 - (2.0 * distance).sqrt());
                    // Rounding of the margin, and 1e-14 in a time constant, over the slope.
                    let rounding = 1e-13 / distance.sqrt();
                    let error = (t - near).abs();
                    assert!(error < 10.0 * distance + rounding, "k {k}: {t} {near}");
                }
            }
        }
    }
    let mut exp = flow(EXP, &[10.0, 10.0, peak]);
    assert!(
        exp.next_crossing(&[0.0, 1.0 + 1e-14], f64::INFINITY)
            .grazing
    );
    assert!(
        exp.next_crossing(&[0.0, 1.0 - 1e-14], f64::INFINITY)
            .grazing
    );
}

#[test]
fn a_perfect_integrator_always_fires() {
    let text = "neuron pif
       parameter tau = 10 ms, j = 0.25 mV/ms
       dv/dt = j : mV
       spike when v > 1 mV, reset v = 0";
    let mut pif = flow(text, &[10.0, 1e-9]);
    let t = pif.next_crossing(&[0.0], f64::INFINITY).after_ms.unwrap();
    assert!((t - 1e9).abs() < 1e-6);
    assert_eq!(
        flow(text, &[10.0, 0.0])
            .next_crossing(&[0.5], f64::INFINITY)
            .after_ms,
        None
    );
    // `>`: at the threshold it does not fire, right after it does.
    let mut rising = flow(text, &[10.0, 1.0]);
    assert!(!rising.fires(&[1.0]));
    assert!(
        rising
            .next_crossing(&[1.0], f64::INFINITY)
            .after_ms
            .unwrap()
            < 1e-15
    );
    let mut still = flow(text, &[10.0, -1.0]);
    assert_eq!(still.next_crossing(&[1.0], f64::INFINITY).after_ms, None);
}

#[test]
fn what_cannot_be_solved_is_refused() {
    let system = random_system(5, &[f64::NAN; 5], &[0.0; 10], &[0.0; 5], 1.0);
    assert_eq!(LinearFlow::new(&system).unwrap_err(), NotExact::NotFinite);
    let system = random_system(13, &[-1.0; 13], &[0.0; 78], &[0.0; 13], 1.0);
    assert_eq!(
        LinearFlow::new(&system).unwrap_err(),
        NotExact::TooManyStates(13)
    );
}
