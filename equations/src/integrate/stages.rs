//! Explicit Runge–Kutta methods.

use std::collections::HashMap;

use super::Load;
use crate::ir::{Builder, Slot, Value};
use crate::model::Model;

/// What one step works on.
pub(super) struct Step<'a, 'l> {
    pub(super) model: &'a Model,
    pub(super) now: &'a [Value],
    pub(super) refractory: Option<Value>,
    pub(super) load: &'a mut Load<'l>,
}

impl Step<'_, '_> {
    pub(super) fn euler(&mut self, b: &mut Builder) -> Vec<Value> {
        let dt = (self.load)(b, Slot::Dt);
        let k = self.rates(b, self.now);
        self.moved(b, &k, dt)
    }

    pub(super) fn heun(&mut self, b: &mut Builder) -> Vec<Value> {
        let dt = (self.load)(b, Slot::Dt);
        let half = b.constant(0.5);
        let half_dt = b.mul(dt, half);
        let k1 = self.rates(b, self.now);
        let predicted = self.moved(b, &k1, dt);
        let k2 = self.rates(b, &predicted);
        let sum = combine(b, &k1, &k2, |b, p, q| b.add(p, q));
        self.moved(b, &sum, half_dt)
    }

    pub(super) fn runge_kutta_4(&mut self, b: &mut Builder) -> Vec<Value> {
        let dt = (self.load)(b, Slot::Dt);
        let (half, sixth) = (b.constant(0.5), b.constant(1.0 / 6.0));
        let half_dt = b.mul(dt, half);
        let sixth_dt = b.mul(dt, sixth);
        let two = b.constant(2.0);
        let k1 = self.rates(b, self.now);
        let x2 = self.moved(b, &k1, half_dt);
        let k2 = self.rates(b, &x2);
        let x3 = self.moved(b, &k2, half_dt);
        let k3 = self.rates(b, &x3);
        let x4 = self.moved(b, &k3, dt);
        let k4 = self.rates(b, &x4);
        let middle = combine(b, &k2, &k3, |b, p, q| {
            let sum = b.add(p, q);
            b.mul(two, sum)
        });
        let start = combine(b, &k1, &middle, |b, p, q| b.add(p, q));
        let sum = combine(b, &start, &k4, |b, p, q| b.add(p, q));
        self.moved(b, &sum, sixth_dt)
    }

    /// The rate of every state at `at`; `None` for states without an equation.
    fn rates(&mut self, b: &mut Builder, at: &[Value]) -> Vec<Option<Value>> {
        let mut rates = vec![None; self.now.len()];
        let mut memo = HashMap::new();
        let load = &mut *self.load;
        for equation in &self.model.equations {
            let mut resolve = |b: &mut Builder, slot| match slot {
                Slot::State(j) => at[j as usize],
                other => load(b, other),
            };
            let mut rate = b.import(&self.model.ops, equation.rate, &mut memo, &mut resolve);
            if let Some(refractory) = self.refractory.filter(|_| equation.unless_refractory) {
                let zero = b.constant(0.0);
                rate = b.select(refractory, zero, rate);
            }
            rates[equation.state as usize] = Some(rate);
        }
        rates
    }

    /// now + h·k.
    fn moved(&self, b: &mut Builder, k: &[Option<Value>], h: Value) -> Vec<Value> {
        let pairs = self.now.iter().zip(k);
        pairs
            .map(|(&x, k)| match k {
                None => x,
                Some(k) => {
                    let change = b.mul(h, *k);
                    b.add(x, change)
                }
            })
            .collect()
    }
}

fn combine(
    b: &mut Builder,
    p: &[Option<Value>],
    q: &[Option<Value>],
    mut f: impl FnMut(&mut Builder, Value, Value) -> Value,
) -> Vec<Option<Value>> {
    let pairs = p.iter().zip(q);
    pairs.map(|(p, q)| Some(f(b, (*p)?, (*q)?))).collect()
}
