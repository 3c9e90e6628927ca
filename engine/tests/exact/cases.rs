//! The cases of `tests/golden/exact`, drawn as `mint_cases.py` draws them.

/// Kinds of neuron and synapse, in the order of their seeds.
pub(crate) const KINDS: [&str; 7] = [
    "delta",
    "exp",
    "alpha",
    "beta",
    "if_delta",
    "if_exp",
    "qif_delta",
];

const NEAR: [f64; 10] = [
    1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12,
];
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// One neuron and its input; units ms, mV, pA, pF.
#[derive(Clone, Default)]
pub(crate) struct Case {
    pub(crate) tau_m: f64,
    /// Decay and rise of either receptor; 0 where the kind has none.
    pub(crate) ex: [f64; 2],
    pub(crate) inh: [f64; 2],
    pub(crate) c_m: f64,
    pub(crate) e_l: f64,
    pub(crate) v_th: f64,
    pub(crate) v_reset: f64,
    pub(crate) t_ref: f64,
    pub(crate) i_e: f64,
    pub(crate) v0: f64,
    pub(crate) gap: f64,
    pub(crate) k: f64,
    pub(crate) v_r: f64,
    pub(crate) v_t: f64,
    /// Time and weight, ascending.
    pub(crate) events: Vec<(f64, f64)>,
}

impl Case {
    pub(crate) fn draw(kind: &str, case: u64) -> Self {
        let at = KINDS.iter().position(|k| *k == kind).unwrap() as u64;
        let u = uniforms((at + 1) * 1_000_000, case);
        let mut drawn = if kind == "qif_delta" {
            quadratic(&u)
        } else {
            linear(kind, &u)
        };
        drawn.events.sort_by(|a, b| a.0.total_cmp(&b.0));
        drawn
    }

    /// Every number, in the order of the fingerprint.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let mut all = vec![self.tau_m];
        all.extend(self.ex);
        all.extend(self.inh);
        all.extend([
            self.c_m,
            self.e_l,
            self.v_th,
            self.v_reset,
            self.t_ref,
            self.i_e,
        ]);
        all.extend([self.v0, self.gap, self.k, self.v_r, self.v_t]);
        all.extend(self.events.iter().flat_map(|(t, w)| [*t, *w]));
        all
    }
}

/// The bits of all numbers of cases 0 .. count folded into one word.
pub(crate) fn fingerprint(kind: &str, count: u64) -> String {
    let mut h = 0_u64;
    for case in 0..count {
        for x in Case::draw(kind, case).numbers() {
            h = (h.rotate_left(5) ^ x.to_bits()).wrapping_mul(GOLDEN);
        }
    }
    format!("{h:016x}")
}

#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
fn uniforms(seed: u64, case: u64) -> Vec<f64> {
    let number = |n: u64| {
        let mut z = seed.wrapping_add((64 * case + n + 1).wrapping_mul(GOLDEN));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    };
    (0..64).map(number).collect()
}

fn between(low: f64, high: f64, u: f64) -> f64 {
    low + (high - low) * u
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "u is within 0..1"
)]
fn choice(n: f64, u: f64) -> usize {
    (n * u) as usize
}

/// tau_m and the time constants of either receptor.
fn time_constants(kind: &str, u: &[f64]) -> (f64, [f64; 2], [f64; 2]) {
    let tau_m = if kind.starts_with("if_") {
        0.0
    } else {
        between(4.0, 30.0, u[0])
    };
    if kind.ends_with("delta") {
        return (tau_m, [0.0; 2], [0.0; 2]);
    }
    let mut decay = [between(0.5, 15.0, u[1]), between(0.5, 15.0, u[2])];
    let off = NEAR[choice(10.0, u[4])];
    if tau_m > 0.0 && u[3] < 0.15 {
        let factor = if u[3] < 0.05 {
            1.0
        } else if u[5] < 0.5 {
            1.0 + off
        } else {
            1.0 - off
        };
        if u[6] < 0.6 {
            decay[0] = tau_m * factor;
        }
        if u[6] >= 0.4 {
            decay[1] = tau_m * factor;
        }
    }
    let mut rise = [0.0; 2];
    if kind == "alpha" {
        rise = decay;
    }
    if kind == "beta" {
        rise = [
            decay[0] * between(0.2, 0.95, u[7]),
            decay[1] * between(0.2, 0.95, u[8]),
        ];
        if u[9] < 0.25 {
            let factor = if u[9] < 0.1 { 1.0 } else { 1.0 - off };
            rise = [decay[0] * factor, decay[1] * factor];
        }
    }
    (tau_m, [decay[0], rise[0]], [decay[1], rise[1]])
}

fn linear(kind: &str, u: &[f64]) -> Case {
    let (tau_m, ex, inh) = time_constants(kind, u);
    let c_m = between(50.0, 500.0, u[10]);
    let e_l = if u[11] < 0.5 {
        0.0
    } else {
        between(-70.0, -40.0, u[12])
    };
    let gap = between(10.0, 25.0, u[13]);
    let v_reset = if u[14] < 0.5 {
        e_l
    } else {
        e_l + gap * between(-0.5, 0.5, u[15])
    };
    let graze = u[19] < if kind == "if_exp" { 0.3 } else { 0.2 };
    let i_e = if u[22] < 0.5 {
        0.0
    } else if tau_m > 0.0 {
        c_m / tau_m * gap * between(-0.5, if graze { 0.7 } else { 1.5 }, u[23])
    } else {
        c_m * gap * between(-0.04, if graze { 0.0 } else { 0.04 }, u[23])
    };
    let delta = kind.ends_with("delta");
    let mut events: Vec<(f64, f64)> = Vec::new();
    for j in 0..=choice(6.0, u[24]) {
        let mut t = between(0.0, 50.0, u[30 + 3 * j]);
        if j == 1 && u[25] < 0.1 {
            t = events[0].0;
        }
        let mut size = between(0.2, if delta { 1.5 } else { 2.5 }, u[31 + 3 * j]);
        if u[32 + 3 * j] < 0.3 && !(graze && j == 0) {
            size = -size;
        }
        let weight = if delta {
            size * gap
        } else {
            let charge = size * gap * c_m / if size < 0.0 { inh[0] } else { ex[0] };
            charge * if kind.ends_with("exp") { 1.0 } else { 0.6 }
        };
        events.push((t, weight));
    }
    Case {
        tau_m,
        ex,
        inh,
        c_m,
        e_l,
        v_th: e_l + gap,
        v_reset,
        t_ref: refractory(u[16], u[17]),
        i_e,
        v0: e_l + gap * between(-0.5, 0.7, u[18]),
        gap,
        events,
        ..Case::default()
    }
}

fn refractory(none: f64, u: f64) -> f64 {
    if none < 0.2 {
        0.0
    } else {
        between(0.1, 5.0, u)
    }
}

fn quadratic(u: &[f64]) -> Case {
    let (mut k, mut c_m) = (between(0.02, 0.06, u[0]), between(50.0, 500.0, u[1]));
    let (mut v_r, mut half) = (between(-70.0, -55.0, u[2]), between(4.0, 12.0, u[3]));
    let graze = u[4] < 0.2;
    if !graze && u[7] < 0.05 {
        let whole = u32::try_from(choice(8.0, u[3])).unwrap();
        (k, c_m, v_r, half) = (0.015_625, 128.0, -60.0, f64::from(2 + whole));
    }
    let v_t = v_r + 2.0 * half;
    let vanishing = c_m * k * half * half;
    let i_e = if graze || (0.05..0.5).contains(&u[7]) {
        if u[8] < 0.5 {
            0.0
        } else {
            vanishing * between(-1.0, 0.95, u[9])
        }
    } else if u[7] < 0.05 {
        vanishing
    } else if u[7] < 0.6 {
        let off = NEAR[choice(4.0, u[8])];
        vanishing * if u[9] < 0.5 { 1.0 + off } else { 1.0 - off }
    } else {
        vanishing * between(1.05, 4.0, u[9])
    };
    let mut events: Vec<(f64, f64)> = Vec::new();
    for j in 0..=choice(6.0, u[15]) {
        let mut t = between(0.0, 50.0, u[30 + 3 * j]);
        if j == 1 && u[16] < 0.1 {
            t = events[0].0;
        }
        let weight = 2.0 * half * between(0.2, 1.5, u[31 + 3 * j]);
        events.push((t, if u[32 + 3 * j] < 0.3 { -weight } else { weight }));
    }
    Case {
        c_m,
        v_th: v_t + between(20.0, 60.0, u[10]),
        v_reset: v_r + between(-5.0, 5.0, u[11]),
        t_ref: refractory(u[12], u[13]),
        i_e,
        v0: v_r + 2.0 * half * between(-0.5, 0.7, u[14]),
        gap: 2.0 * half,
        k,
        v_r,
        v_t,
        events,
        ..Case::default()
    }
}
