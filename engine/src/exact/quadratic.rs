//! Quadratic neurons in closed form.

use rheobase_equations::quadratic::QuadraticSystem;

use super::flow::{Crossing, Flow};
use super::linear::Events;
use super::make::NotExact;

/// Distances from a fixed point this small, relative to the potentials they are differences of,
/// could go either way.
const GRAZING: f64 = 1e-12;

/// A neuron with dv/dt = q·u² + a·u + b, u = v − o, between events: quadratic integrate-and-fire.
///
/// With w = q·u + a/2 this is dw/dt = w² − s, s = a²/4 − q·b. For s < 0 w is a tangent: v passes
/// from −∞ to +∞ in π/√−s. For s > 0 there are fixed points at w = ±√s, the lower one stable; for
/// s = 0 they coincide. v moves in one direction all the time, so a crossing is one formula.
///
/// Without a threshold in its way, v reaches infinity in finite time; advanced beyond, it stays
/// there.
#[derive(Clone, Debug)]
pub struct QuadraticFlow {
    square: f64,
    origin: f64,
    half_rate: f64,
    s: f64,
    held: bool,
    /// Margin: factor of v, and constant.
    margin: Option<(f64, f64)>,
    events: Events,
}

impl QuadraticFlow {
    /// Prepares the closed form.
    ///
    /// # Errors
    /// If a coefficient is not finite, or that of v² is 0 (then the neuron is linear).
    pub fn new(system: &QuadraticSystem) -> Result<Self, NotExact> {
        let linear = &system.linear;
        let half_rate = 0.5 * system.rate;
        let s = half_rate * half_rate - system.square * system.drive;
        let firing = linear.firing.as_ref();
        let margin = firing.map(|f| (f.margin.row[0], f.margin.constant));
        let (m, c) = margin.unwrap_or_default();
        if !(s + system.origin + m + c).is_finite() || system.square == 0.0 {
            return Err(NotExact::NotFinite);
        }
        Ok(Self {
            square: system.square,
            origin: system.origin,
            half_rate,
            s,
            held: linear.held.first().copied().unwrap_or(false),
            margin,
            events: Events::of(&linear.jumps, firing),
        })
    }

    /// w of v.
    fn scaled(&self, v: f64) -> f64 {
        self.square * (v - self.origin) + self.half_rate
    }

    /// Where the flow from w towards `end` stops short of it: a fixed point.
    fn obstacle(&self, w: f64, end: f64) -> Option<f64> {
        if self.s < 0.0 {
            return None;
        }
        let root = self.s.sqrt();
        let (low, high) = (w.min(end), w.max(end));
        [-root, root]
            .into_iter()
            .find(|fixed| (low..=high).contains(fixed))
    }

    /// The time from w to `end`, both on the same side of all fixed points, `end` ahead of w.
    fn duration(&self, w: f64, end: f64) -> f64 {
        if self.s < 0.0 {
            let omega = (-self.s).sqrt();
            libm::atan2(omega * (end - w), w * end - self.s) / omega
        } else if self.s == 0.0 {
            // 1/w − 1/end.
            (end - w) / (w * end)
        } else {
            let root = self.s.sqrt();
            let growth = (end - w) / ((w - root) * (end + root));
            libm::log1p(2.0 * root * growth) / (2.0 * root)
        }
    }
}

/// w a time t later, for dw/dt = w² − s; +∞ once it has got there.
fn advanced(w: f64, s: f64, t: f64) -> f64 {
    if s < 0.0 {
        let omega = (-s).sqrt();
        // The angle of w runs to π/2 at the rate ω.
        if omega * t >= libm::atan2(omega, w) {
            return f64::INFINITY;
        }
        let (sin, cos) = libm::sincos(omega * t);
        return (w * cos + omega * sin) / (cos - w * sin / omega);
    }
    // From the upper fixed point r: (w − r)/(decay − (w − r)·span), which no difference spoils.
    let root = s.sqrt();
    let decay = libm::exp(-2.0 * root * t);
    let span = if root == 0.0 {
        t
    } else {
        -libm::expm1(-2.0 * root * t) / (2.0 * root)
    };
    let distance = w - root;
    let denominator = decay - distance * span;
    if denominator > 0.0 {
        root + distance / denominator
    } else {
        f64::INFINITY
    }
}

impl Flow for QuadraticFlow {
    fn n_states(&self) -> usize {
        1
    }

    fn advance(&mut self, states: &mut [f64], elapsed_ms: f64, refractory: bool) {
        if elapsed_ms > 0.0 && !(refractory && self.held) {
            let w = advanced(self.scaled(states[0]), self.s, elapsed_ms);
            states[0] = self.origin + (w - self.half_rate) / self.square;
        }
    }

    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing {
        let mut crossing = Crossing::default();
        if self.fires(states) {
            crossing.after_ms = Some(0.0);
            return crossing;
        }
        let Some((factor, constant)) = self.margin.filter(|(factor, _)| *factor != 0.0) else {
            return crossing;
        };
        let v = states[0];
        let threshold = -constant / factor;
        let (w, end) = (self.scaled(v), self.scaled(threshold));
        let size = self.square.abs() * v.abs().max(threshold.abs()).max(self.origin.abs());
        // Signs of w² − s and of the way to go agree where v moves towards the threshold.
        if let Some(fixed) = self.obstacle(w, end) {
            let nearest = (w - fixed).abs().min((end - fixed).abs());
            crossing.grazing = nearest <= GRAZING * size;
            return crossing;
        }
        let rate = w * w - self.s;
        if !w.is_finite() || (rate > 0.0) != (end > w) {
            return crossing;
        }
        let after = self.duration(w, end).max(0.0);
        if after <= horizon_ms {
            crossing.after_ms = Some(after);
        }
        if self.s >= 0.0 {
            let root = self.s.sqrt();
            let from = [w - root, w + root, end - root, end + root];
            crossing.grazing = from.iter().any(|d| d.abs() <= GRAZING * size);
        }
        crossing
    }

    fn fires(&self, states: &[f64]) -> bool {
        self.events.fires(states)
    }

    fn input(&self, states: &mut [f64], port: usize, weight: f64, refractory: bool) {
        self.events.input(states, port, weight, refractory);
    }

    fn reset(&self, states: &mut [f64]) {
        self.events.reset(states);
    }

    fn refractory_ms(&self) -> f64 {
        self.events.refractory_ms()
    }
}

#[cfg(test)]
mod tests;
