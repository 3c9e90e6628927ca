//! Constants, lists and distributions: from how they are written to base units.

use rheobase_equations::unit::{Scope, Unit};
use serde_json::{Map, Value as Json};

use super::error::{ErrorKind, Errors, Path};
use super::schema::short;
use crate::arguments::quantity_of;
use crate::suggest;
use crate::value::{Bounds, Distribution, Shape, Value};

/// Smallest share of a distribution that `redraw` may keep: below it, the limit on redraws could
/// be reached.
pub const MIN_REDRAW_MASS: f64 = 0.07;

/// A distribution in a description made by a program:
/// `normal("10 ms", "1 ms").clip("5 ms", "15 ms")`.
#[derive(Clone, PartialEq, Debug)]
pub struct Drawn(Map<String, Json>);

/// Uniform between `low` and `high`.
pub fn uniform(low: impl Into<Json>, high: impl Into<Json>) -> Drawn {
    Drawn::new("uniform", Json::Array(vec![low.into(), high.into()]))
}

/// Normal.
pub fn normal(mean: impl Into<Json>, sd: impl Into<Json>) -> Drawn {
    Drawn::new("normal", table([("mean", mean.into()), ("sd", sd.into())]))
}

/// exp of a normal with mean `mu` and standard deviation `sigma`, in `unit`.
pub fn lognormal(mu: f64, sigma: f64, unit: &str) -> Drawn {
    let entries = [
        ("mu", mu.into()),
        ("sigma", sigma.into()),
        ("unit", unit.into()),
    ];
    Drawn::new("lognormal", table(entries))
}

/// Exponential.
pub fn exponential(mean: impl Into<Json>) -> Drawn {
    Drawn::new("exponential", table([("mean", mean.into())]))
}

fn table<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(
        entries
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
    )
}

impl Drawn {
    fn new(shape: &str, arguments: Json) -> Self {
        Self(Map::from_iter([(shape.to_owned(), arguments)]))
    }

    /// Values outside are moved to the bound.
    #[must_use]
    pub fn clip(self, low: impl Into<Json>, high: impl Into<Json>) -> Self {
        self.bounded("clip", low.into(), high.into())
    }

    /// Values below are moved to the bound.
    #[must_use]
    pub fn clip_below(mut self, low: impl Into<Json>) -> Self {
        self.0
            .insert("clip".to_owned(), table([("min", low.into())]));
        self
    }

    /// Values below are drawn again.
    #[must_use]
    pub fn redraw_below(mut self, low: impl Into<Json>) -> Self {
        self.0
            .insert("redraw".to_owned(), table([("min", low.into())]));
        self
    }

    /// Values outside are drawn again.
    #[must_use]
    pub fn redraw(self, low: impl Into<Json>, high: impl Into<Json>) -> Self {
        self.bounded("redraw", low.into(), high.into())
    }

    fn bounded(mut self, how: &str, low: Json, high: Json) -> Self {
        self.0.insert(how.to_owned(), Json::Array(vec![low, high]));
        self
    }
}

impl From<Drawn> for Json {
    fn from(drawn: Drawn) -> Self {
        Self::Object(drawn.0)
    }
}

/// Reads a quantity; `None` after reporting what is wrong with it.
pub(super) fn read_quantity(
    json: &Json,
    unit: &Unit,
    scope: &Scope,
    path: &Path,
    errors: &mut Errors,
) -> Option<f64> {
    // What programs write for NaN and infinity arrives as null.
    let result = if json.is_null() {
        Err("the value is not a finite number".to_owned())
    } else {
        quantity_of("", json, unit, scope).map_err(|e| e.message)
    };
    result
        .map_err(|message| errors.push(ErrorKind::Value, path, message))
        .ok()
}

/// Reads a constant, list or distribution; `None` after reporting what is wrong with it.
pub(super) fn read_value(
    json: &Json,
    unit: &Unit,
    scope: &Scope,
    path: &Path,
    errors: &mut Errors,
) -> Option<Value> {
    match json {
        Json::Object(table) => Reader {
            table,
            unit,
            scope,
            path,
            errors,
        }
        .distribution()
        .map(Value::Drawn),
        Json::Array(list) => {
            let read = |(i, item)| {
                let path = path.index(i);
                if errors.is_flooded() {
                    errors.push(ErrorKind::Value, &path, "not read, after so many errors");
                    return None;
                }
                read_quantity(item, unit, scope, &path, errors)
            };
            // Every element is read, so that every wrong one is reported.
            let values: Vec<Option<f64>> = list.iter().enumerate().map(read).collect();
            values
                .into_iter()
                .collect::<Option<Vec<f64>>>()
                .map(Value::List)
        }
        one => read_quantity(one, unit, scope, path, errors).map(Value::Constant),
    }
}

const SHAPES: [&str; 4] = ["uniform", "normal", "lognormal", "exponential"];

/// Reads one distribution.
struct Reader<'a> {
    table: &'a Map<String, Json>,
    unit: &'a Unit,
    scope: &'a Scope,
    path: &'a Path,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn distribution(&mut self) -> Option<Distribution> {
        let shape = self.shape()?;
        let bounds = self.bounds()?;
        if let Some(b) = bounds.filter(|b| b.redraw) {
            let mass = mass_within(&shape, b.low, b.high);
            if mass.is_nan() || mass < MIN_REDRAW_MASS {
                return self.fail(format!(
                    "redraw would keep only {:.2} % of the distribution (at least {:.0} % must lie \
                     within the bounds); use clip, or other bounds",
                    100.0 * mass.max(0.0),
                    100.0 * MIN_REDRAW_MASS,
                ));
            }
        }
        Some(Distribution { shape, bounds })
    }

    fn shape(&mut self) -> Option<Shape> {
        let known = [SHAPES.as_slice(), &["clip", "redraw"]].concat();
        if let Some(name) = self.table.keys().find(|k| !known.contains(&k.as_str())) {
            return self.fail(suggest::unknown("distribution", name, &known));
        }
        let table = self.table;
        let mut given = table.iter().filter(|(k, _)| SHAPES.contains(&k.as_str()));
        let (Some((name, arguments)), None) = (given.next(), given.next()) else {
            let shapes = suggest::one_of(&SHAPES);
            return self.fail(format!("expected one distribution: {shapes}"));
        };
        let path = self.path.key(name);
        match name.as_str() {
            "uniform" => {
                let (low, high) = self.pair(arguments, &path)?;
                Some(Shape::Uniform { low, high })
            }
            "normal" => {
                let [mean, sd] = self.arguments(arguments, &path, ["mean", "sd"])?;
                let mean = self.quantity(mean, self.unit, &path.key("mean"))?;
                let sd = self.not_negative(sd, &self.unit.clone(), &path.key("sd"))?;
                Some(Shape::Normal { mean, sd })
            }
            "exponential" => {
                let [mean] = self.arguments(arguments, &path, ["mean"])?;
                let mean = self.not_negative(mean, &self.unit.clone(), &path.key("mean"))?;
                Some(Shape::Exponential { mean })
            }
            _ => self.lognormal(arguments, &path),
        }
    }

    fn lognormal(&mut self, arguments: &Json, path: &Path) -> Option<Shape> {
        let one = Unit::one();
        let pure = Json::from("1");
        let with_unit = match arguments {
            Json::Object(table) if self.unit.dimension.is_none() && !table.contains_key("unit") => {
                let mut table = table.clone();
                table.insert("unit".to_owned(), pure.clone());
                Json::Object(table)
            }
            other => other.clone(),
        };
        let [mu, sigma, unit] = self.arguments(&with_unit, path, ["mu", "sigma", "unit"])?;
        let mu = self.quantity(mu, &one, &path.key("mu"))?;
        let sigma = self.not_negative(sigma, &one, &path.key("sigma"))?;
        let Some(name) = unit.as_str() else {
            return self.fail(format!("`unit` is a string such as \"{}\"", self.unit.name));
        };
        // One of the unit; for pure numbers that is "1" itself.
        let scale = if name == "1" {
            "1".to_owned()
        } else {
            format!("1 {name}")
        };
        let scale = self.quantity(&scale.into(), self.unit, &path.key("unit"))?;
        Some(Shape::Lognormal { mu, sigma, scale })
    }

    /// The arguments of a shape: exactly those named.
    fn arguments<'j, const N: usize>(
        &mut self,
        json: &'j Json,
        path: &Path,
        names: [&str; N],
    ) -> Option<[&'j Json; N]> {
        let expected = || format!("expected {{ {} = … }}", names.join(" = …, "));
        let Json::Object(table) = json else {
            let message = format!("{}, found {}", expected(), short(json));
            self.errors.push(ErrorKind::Value, path, message);
            return None;
        };
        let mut complete = true;
        for name in table.keys().filter(|k| !names.contains(&k.as_str())) {
            let message = suggest::unknown("entry", name, &names);
            self.errors.push(ErrorKind::Value, path, message);
            complete = false;
        }
        let found = names.map(|name| table.get(name));
        for (name, _) in names.iter().zip(&found).filter(|(_, f)| f.is_none()) {
            let message = format!("`{name}` is missing; {}", expected());
            self.errors.push(ErrorKind::Value, path, message);
            complete = false;
        }
        complete.then(|| found.map(|f| f.unwrap_or(&Json::Null)))
    }

    fn bounds(&mut self) -> Option<Option<Bounds>> {
        let table = self.table;
        let (how, json) = match (table.get("clip"), table.get("redraw")) {
            (None, None) => return Some(None),
            (Some(json), None) => ("clip", json),
            (None, Some(json)) => ("redraw", json),
            (Some(_), Some(_)) => return self.fail("give clip or redraw, not both".to_owned()),
        };
        let (low, high) = self.range(json, &self.path.key(how))?;
        Some(Some(Bounds {
            low,
            high,
            redraw: how == "redraw",
        }))
    }

    /// `[low, high]`, `{ min = low }`, `{ max = high }` or both; infinite where not given.
    fn range(&mut self, json: &Json, path: &Path) -> Option<(f64, f64)> {
        let Json::Object(table) = json else {
            return self.pair(json, path);
        };
        let mut bound = |name: &str, absent: f64| match table.get(name) {
            None => Some(absent),
            Some(json) => self.quantity(json, self.unit, &path.key(name)),
        };
        let low = bound("min", f64::NEG_INFINITY);
        let high = bound("max", f64::INFINITY);
        if table.is_empty() || table.keys().any(|k| k != "min" && k != "max") {
            let message = format!(
                "expected [low, high], {{ min = low }} or {{ max = high }}, found {}",
                short(json)
            );
            self.errors.push(ErrorKind::Value, path, message);
            return None;
        }
        self.in_order(low?, high?, path)
    }

    /// `[low, high]` in order.
    fn pair(&mut self, json: &Json, path: &Path) -> Option<(f64, f64)> {
        let Some([low, high]) = json.as_array().map(Vec::as_slice) else {
            let message = format!("expected [low, high], found {}", short(json));
            self.errors.push(ErrorKind::Value, path, message);
            return None;
        };
        let low = self.quantity(low, self.unit, &path.index(0));
        let high = self.quantity(high, self.unit, &path.index(1));
        self.in_order(low?, high?, path)
    }

    fn in_order(&mut self, low: f64, high: f64, path: &Path) -> Option<(f64, f64)> {
        if low > high {
            self.errors
                .push(ErrorKind::Value, path, "the lower end is above the upper");
            return None;
        }
        Some((low, high))
    }

    fn quantity(&mut self, json: &Json, unit: &Unit, path: &Path) -> Option<f64> {
        read_quantity(json, unit, self.scope, path, self.errors)
    }

    fn not_negative(&mut self, json: &Json, unit: &Unit, path: &Path) -> Option<f64> {
        let x = self.quantity(json, unit, path)?;
        if x < 0.0 {
            self.errors.push(
                ErrorKind::Value,
                path,
                format!("{} is negative", short(json)),
            );
            return None;
        }
        Some(x)
    }

    fn fail<T>(&mut self, message: String) -> Option<T> {
        self.errors.push(ErrorKind::Value, self.path, message);
        None
    }
}

/// Share of a distribution in `[low, high]`.
fn mass_within(shape: &Shape, low: f64, high: f64) -> f64 {
    let value = Value::Drawn(Distribution {
        shape: *shape,
        bounds: None,
    });
    let (least, most) = support(&value);
    if low <= least && most <= high {
        // Covers what has no spread and sits on a bound.
        return 1.0;
    }
    mass_below(shape, high) - mass_below(shape, low)
}

/// Share of a distribution below `x`.
pub(super) fn mass_below(shape: &Shape, x: f64) -> f64 {
    match *shape {
        Shape::Uniform { low, high } if low < high => ((x - low) / (high - low)).clamp(0.0, 1.0),
        Shape::Uniform { low, .. } => indicator(x > low),
        Shape::Normal { mean, sd } => normal_below((x - mean) / sd, x - mean),
        Shape::Lognormal { scale, .. } if x / scale <= 0.0 => 0.0,
        Shape::Lognormal { mu, sigma, scale } => {
            let log = libm::log(x / scale) - mu;
            normal_below(log / sigma, log)
        }
        Shape::Exponential { mean } if mean > 0.0 => 1.0 - libm::exp(-x.max(0.0) / mean),
        Shape::Exponential { .. } => indicator(x > 0.0),
    }
}

/// Standard normal distribution function at `z`; without spread, `z` is not finite and the sign of
/// the distance decides.
fn normal_below(z: f64, distance: f64) -> f64 {
    if z.is_finite() {
        0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
    } else {
        indicator(distance > 0.0)
    }
}

fn indicator(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

/// Smallest interval that holds every value drawn.
pub(super) fn support(value: &Value) -> (f64, f64) {
    match value {
        Value::Constant(x) => (*x, *x),
        Value::List(values) => values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| {
                (a.min(x), b.max(x))
            }),
        Value::Drawn(d) => {
            let (low, high) = match d.shape {
                Shape::Uniform { low, high } => (low, high),
                Shape::Normal { mean, sd: 0.0 } => (mean, mean),
                Shape::Normal { .. } => (f64::NEG_INFINITY, f64::INFINITY),
                Shape::Lognormal { .. } | Shape::Exponential { .. } => (0.0, f64::INFINITY),
            };
            match d.bounds {
                None => (low, high),
                Some(b) => (low.clamp(b.low, b.high), high.clamp(b.low, b.high)),
            }
        }
    }
}
