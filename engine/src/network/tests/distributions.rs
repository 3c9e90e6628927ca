//! Constants, lists and distributions.

use rheobase_equations::unit::{Dimension, Scope, Unit};
use serde_json::{Value as Json, json};

use crate::network::error::{Errors, Path};
use crate::network::values::{exponential, lognormal, mass_below, normal, read_value, uniform};
use crate::random::{Purpose, construction_stream};
use crate::value::{Bounds, Distribution, Shape, Value};

fn read(json: &Json, unit: Dimension) -> Result<Value, String> {
    let mut errors = Errors::default();
    let value = read_value(
        json,
        &Unit::base(unit),
        &Scope::default(),
        &Path::root().key("x"),
        &mut errors,
    );
    match errors.finish(()) {
        Ok(()) => value.ok_or_else(|| "nothing read, nothing reported".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

#[test]
fn every_form_is_read_in_base_units() {
    let drawn = |shape, bounds| Ok(Value::Drawn(Distribution { shape, bounds }));
    let time = Dimension::TIME;
    assert_eq!(read(&json!("1 s"), time), Ok(Value::Constant(1000.0)));
    assert_eq!(read(&json!(0.5), Dimension::NONE), Ok(Value::Constant(0.5)));
    assert_eq!(
        read(&json!("1/4"), Dimension::NONE),
        Ok(Value::Constant(0.25))
    );
    assert_eq!(
        read(&json!(["1 s", "2 ms"]), time),
        Ok(Value::List(vec![1000.0, 2.0]))
    );
    assert_eq!(
        read(&uniform("1 us", "1 ms").into(), time),
        drawn(
            Shape::Uniform {
                low: 0.001,
                high: 1.0
            },
            None
        )
    );
    assert_eq!(
        read(
            &normal("1 ms", "100 us").clip("0.5 ms", "2 ms").into(),
            time
        ),
        drawn(
            Shape::Normal { mean: 1.0, sd: 0.1 },
            Some(Bounds {
                low: 0.5,
                high: 2.0,
                redraw: false
            })
        )
    );
    assert_eq!(
        read(&exponential("2 ms").redraw("0 ms", "10 ms").into(), time),
        drawn(
            Shape::Exponential { mean: 2.0 },
            Some(Bounds {
                low: 0.0,
                high: 10.0,
                redraw: true
            })
        )
    );
    assert_eq!(
        read(&lognormal(0.5, 0.25, "s").into(), time),
        drawn(
            Shape::Lognormal {
                mu: 0.5,
                sigma: 0.25,
                scale: 1000.0
            },
            None
        )
    );
    assert_eq!(
        read(
            &json!({ "lognormal": { "mu": 0.5, "sigma": 0.25 } }),
            Dimension::NONE
        ),
        drawn(
            Shape::Lognormal {
                mu: 0.5,
                sigma: 0.25,
                scale: 1.0
            },
            None
        )
    );
}

#[test]
fn forms_that_cannot_be_used() {
    let cases = [
        (
            json!({}),
            "x: expected one distribution: uniform, normal, lognormal or exponential",
        ),
        (
            json!({ "gauss": {} }),
            "x: unknown distribution `gauss`; expected uniform, normal, lognormal, exponential, clip or redraw",
        ),
        (
            json!({ "unifrom": ["0 ms", "1 ms"] }),
            "x: unknown distribution `unifrom`; did you mean `uniform`?",
        ),
        (
            json!({ "uniform": ["0 ms", "1 ms"], "exponential": { "mean": "1 ms" } }),
            "x: expected one distribution: uniform, normal, lognormal or exponential",
        ),
        (
            json!({ "uniform": ["2 ms", "1 ms"] }),
            "x.uniform: the lower end is above the upper",
        ),
        (
            json!({ "uniform": ["2 ms"] }),
            "x.uniform: expected [low, high], found [\"2 ms\"]",
        ),
        (
            json!({ "uniform": [1, "2 mV"] }),
            "x.uniform[0]: the number 1 has no unit; write \"1 ms\"\n\
             x.uniform[1]: expected a quantity in ms, found \"2 mV\"",
        ),
        (
            json!({ "normal": { "mean": "1 ms" } }),
            "x.normal: `sd` is missing; expected { mean = …, sd = … }",
        ),
        (
            json!({ "normal": { "mean": "1 ms", "std": "1 ms" } }),
            "x.normal: unknown entry `std`; did you mean `sd`?\n\
             x.normal: `sd` is missing; expected { mean = …, sd = … }",
        ),
        (
            json!({ "normal": ["1 ms", "1 ms"] }),
            "x.normal: expected { mean = …, sd = … }, found [\"1 ms\",\"1 ms\"]",
        ),
        (
            json!({ "normal": { "mean": "1 ms", "sd": "-1 ms" } }),
            "x.normal.sd: \"-1 ms\" is negative",
        ),
        (
            json!({ "lognormal": { "mu": 1, "sigma": 1 } }),
            "x.lognormal: `unit` is missing; expected { mu = …, sigma = …, unit = … }",
        ),
        (
            json!({ "lognormal": { "mu": 1, "sigma": 1, "unit": "mV" } }),
            "x.lognormal.unit: expected a quantity in ms, found \"1 mV\"",
        ),
        (
            json!({ "normal": { "mean": "1 ms", "sd": "1 ms" }, "clip": ["0 ms", "1 ms"], "redraw": ["0 ms", "1 ms"] }),
            "x: give clip or redraw, not both",
        ),
        (
            json!({ "normal": { "mean": "1 ms", "sd": "1 ms" }, "redraw": ["3 ms", "9 ms"] }),
            "x: redraw would keep only 2.28 % of the distribution (at least 7 % must lie within the bounds); use clip, or other bounds",
        ),
        (
            json!({ "uniform": ["0 ms", "1 ms"], "redraw": ["2 ms", "9 ms"] }),
            "x: redraw would keep only 0.00 % of the distribution (at least 7 % must lie within the bounds); use clip, or other bounds",
        ),
        (json!(null), "x: the value is not a finite number"),
        (json!(f64::NAN), "x: the value is not a finite number"),
    ];
    for (json, expected) in cases {
        assert_eq!(
            read(&json, Dimension::TIME),
            Err(expected.to_owned()),
            "{json}"
        );
    }
}

/// The share of `n` draws at or below `x` lies within 5 standard errors of what is computed: under
/// 1e-6 for a right formula, and the seed is fixed.
#[test]
fn computed_shares_equal_those_drawn() {
    let shapes = [
        Shape::Uniform {
            low: -1.0,
            high: 3.0,
        },
        Shape::Normal { mean: 1.0, sd: 2.0 },
        Shape::Lognormal {
            mu: 0.3,
            sigma: 0.8,
            scale: 2.0,
        },
        Shape::Exponential { mean: 1.5 },
    ];
    let n = 200_000;
    for (k, shape) in shapes.into_iter().enumerate() {
        let mut random = construction_stream(1, Purpose::Population, k as u64, 0);
        let distribution = Distribution {
            shape,
            bounds: None,
        };
        let draws: Vec<f64> = (0..n).map(|_| distribution.draw(&mut random)).collect();
        for x in [-2.0, 0.0, 0.5, 1.0, 2.5, 6.0] {
            let expected = mass_below(&shape, x);
            let below = draws.iter().filter(|&&d| d <= x).count();
            let found = f64::from(u32::try_from(below).unwrap()) / f64::from(n);
            let error = (expected * (1.0 - expected) / f64::from(n)).sqrt();
            assert!(
                (found - expected).abs() <= 5.0 * error,
                "{shape:?} at {x}: {found}, {expected}"
            );
        }
    }
}

#[test]
fn distributions_without_spread_are_steps() {
    for shape in [
        Shape::Uniform {
            low: 1.0,
            high: 1.0,
        },
        Shape::Normal { mean: 1.0, sd: 0.0 },
    ] {
        assert_eq!(
            (mass_below(&shape, 0.9), mass_below(&shape, 1.1)),
            (0.0, 1.0),
            "{shape:?}"
        );
    }
    let fixed = normal("1 ms", "0 ms").redraw("1 ms", "2 ms");
    assert!(
        read(&fixed.into(), Dimension::TIME).is_ok(),
        "the value lies on the lower bound"
    );
    let fixed = normal("2 ms", "0 ms").redraw("1 ms", "2 ms");
    assert!(
        read(&fixed.into(), Dimension::TIME).is_ok(),
        "the value lies on the upper bound"
    );
}
