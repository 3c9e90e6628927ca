//! What expansions know about the float they work in, and shorthands to write them.

use crate::ir::{Binary, Builder, Unary, Value};
use crate::real::Precision;

/// Numbers that depend on the format.
#[derive(Debug)]
pub(super) struct Format {
    /// Bits of the stored mantissa.
    pub(super) mantissa: i64,
    /// Bias of the exponent.
    pub(super) bias: i64,
    /// Bits of √½.
    pub(super) sqrt_half_bits: i64,
    /// Clears the low half of the mantissa.
    pub(super) high_half_mask: i64,
    /// Smallest normal number.
    pub(super) smallest: f64,
    /// A little above ln of the smallest normal number.
    pub(super) exp_low: f64,
    /// A little below ln of the largest finite number.
    pub(super) exp_high: f64,
    /// ln 2 with so few bits that its product with any exponent is exact, and the rest.
    pub(super) ln2: [f64; 2],
    /// π/2 in parts, the first two with few bits.
    pub(super) half_pi: [f64; 3],
}

static F32: Format = Format {
    mantissa: 23,
    bias: 127,
    sqrt_half_bits: 0x3f35_04f3,
    high_half_mask: !0xfff,
    smallest: f32::MIN_POSITIVE as f64,
    exp_low: -87.336,
    exp_high: 88.722_83,
    ln2: [0.693_145_751_953_125, 1.428_606_820_309_417_2e-6],
    half_pi: [
        1.570_312_5,
        4.837_512_969_970_703e-4,
        7.549_789_954_891_882e-8,
    ],
};

static F64: Format = Format {
    mantissa: 52,
    bias: 1023,
    sqrt_half_bits: 0x3fe6_a09e_667f_3bcd,
    high_half_mask: !0x7ff_ffff,
    smallest: f64::MIN_POSITIVE,
    exp_low: -708.396,
    exp_high: 709.782_712_893,
    ln2: [
        f64::from_bits(0x3fe6_2e42_fee0_0000),
        f64::from_bits(0x3dea_39ef_3579_3c76),
    ],
    half_pi: [
        f64::from_bits(0x3ff9_21fb_5440_0000),
        f64::from_bits(0x3dd0_b461_1a60_0000),
        f64::from_bits(0x3ba3_198a_2e03_7073),
    ],
};

/// Writes expansions into a builder.
pub(super) struct Expander<'a> {
    pub(super) b: &'a mut Builder,
    pub(super) precision: Precision,
    pub(super) format: &'static Format,
}

impl<'a> Expander<'a> {
    pub(super) fn new(b: &'a mut Builder, precision: Precision) -> Self {
        let format = match precision {
            Precision::F32 => &F32,
            Precision::F64 => &F64,
        };
        Self {
            b,
            precision,
            format,
        }
    }

    /// The coefficients for this precision.
    pub(super) fn choose(&self, f32: &'static [f64], f64: &'static [f64]) -> &'static [f64] {
        match self.precision {
            Precision::F32 => f32,
            Precision::F64 => f64,
        }
    }

    pub(super) fn c(&mut self, x: f64) -> Value {
        self.b.constant(x)
    }

    pub(super) fn add(&mut self, x: Value, y: Value) -> Value {
        self.b.add(x, y)
    }

    pub(super) fn sub(&mut self, x: Value, y: Value) -> Value {
        self.b.sub(x, y)
    }

    pub(super) fn mul(&mut self, x: Value, y: Value) -> Value {
        self.b.mul(x, y)
    }

    pub(super) fn div(&mut self, x: Value, y: Value) -> Value {
        self.b.div(x, y)
    }

    pub(super) fn neg(&mut self, x: Value) -> Value {
        self.b.neg(x)
    }

    pub(super) fn abs(&mut self, x: Value) -> Value {
        self.b.unary(Unary::Abs, x)
    }

    /// x + c.
    pub(super) fn plus(&mut self, x: Value, c: f64) -> Value {
        let c = self.c(c);
        self.add(x, c)
    }

    /// c·x.
    pub(super) fn times(&mut self, c: f64, x: Value) -> Value {
        let c = self.c(c);
        self.mul(c, x)
    }

    /// x, at least `c`; NaN stays.
    pub(super) fn at_least(&mut self, x: Value, c: f64) -> Value {
        let c = self.c(c);
        self.b.binary(Binary::Max, x, c)
    }

    /// x, at most `c`; NaN stays.
    pub(super) fn at_most(&mut self, x: Value, c: f64) -> Value {
        let c = self.c(c);
        self.b.binary(Binary::Min, x, c)
    }

    /// x < c.
    pub(super) fn below(&mut self, x: Value, c: f64) -> Value {
        let c = self.c(c);
        self.b.binary(Binary::Lt, x, c)
    }

    pub(super) fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.b.select(condition, yes, no)
    }

    /// `magnitude` with a minus where x < 0.
    pub(super) fn with_sign_of(&mut self, x: Value, magnitude: Value) -> Value {
        let negative = self.below(x, 0.0);
        let minus = self.neg(magnitude);
        self.select(negative, minus, magnitude)
    }

    /// Σ cᵢ·xⁱ by Horner's rule.
    pub(super) fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let mut reversed = coefficients.iter().rev();
        let mut sum = self.c(reversed.next().copied().unwrap_or(0.0));
        for &coefficient in reversed {
            let product = self.mul(sum, x);
            sum = self.plus(product, coefficient);
        }
        sum
    }

    /// x·2ⁿ for a float n that holds an integer; neither x nor the result may be subnormal.
    pub(super) fn scaled(&mut self, x: Value, n: Value) -> Value {
        let n = self.b.unary(Unary::ToInt, n);
        let by = self.b.int(self.format.mantissa);
        let exponent = self.b.binary(Binary::Shl, n, by);
        let bits = self.b.unary(Unary::ToBits, x);
        let sum = self.b.binary(Binary::IntAdd, bits, exponent);
        self.b.unary(Unary::FromBits, sum)
    }

    /// The high half of the mantissa of x, so that products of two such are exact, and the rest.
    pub(super) fn split(&mut self, x: Value) -> (Value, Value) {
        let bits = self.b.unary(Unary::ToBits, x);
        let mask = self.b.int(self.format.high_half_mask);
        let high_bits = self.b.binary(Binary::IntAnd, bits, mask);
        let high = self.b.unary(Unary::FromBits, high_bits);
        (high, self.sub(x, high))
    }
}
