//! Constants as WGSL literals that read back as the same bits.

use crate::error::EmitError;

/// The f32 nearest to `value`, as the shortest decimal that reads back as the same float.
///
/// WGSL rejects infinities and NaN in constant expressions, so they are an error here. A negative
/// literal is in parentheses: WGSL has no negative literals, only negated ones.
pub(crate) fn float(value: f64, index: usize) -> Result<String, EmitError> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is the purpose"
    )]
    let rounded = value as f32;
    if !rounded.is_finite() {
        return Err(EmitError::Constant { index, value });
    }
    let digits = format!("{:?}f", rounded.abs());
    Ok(if rounded.is_sign_negative() {
        format!("(-{digits})")
    } else {
        digits
    })
}

/// A 32-bit integer. Values from 2³¹ to 2³² − 1 are taken as the bit patterns they are.
pub(crate) fn int(value: i64, index: usize) -> Result<String, EmitError> {
    let signed = i32::try_from(value)
        .or_else(|_| u32::try_from(value).map(u32::cast_signed))
        .map_err(|_| EmitError::Integer { index, value })?;
    Ok(match signed {
        // −2³¹ is the negation of a literal that does not fit.
        i32::MIN => "bitcast<i32>(0x80000000u)".to_owned(),
        0.. => format!("{signed}i"),
        _ => format!("(-{}i)", signed.unsigned_abs()),
    })
}

#[cfg(test)]
mod tests {
    use super::{float, int};
    use crate::EmitError;

    #[test]
    fn floats_read_back_as_the_same_bits() {
        for value in [
            0.0_f32,
            -0.0,
            1.0,
            0.1,
            -65.0,
            1e-38,
            3.402_823_5e38,
            1.5e-45,
            8_388_609.0,
        ] {
            let text = float(f64::from(value), 0).expect("finite");
            let digits: String = text
                .chars()
                .filter(|c| !matches!(c, '(' | ')' | 'f'))
                .collect();
            assert_eq!(
                digits.parse::<f32>().expect(&text).to_bits(),
                value.to_bits(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_finite_f32_is_refused() {
        for value in [f64::NAN, f64::INFINITY, 1e39] {
            assert!(matches!(
                float(value, 3),
                Err(EmitError::Constant { index: 3, .. })
            ));
        }
    }

    #[test]
    fn integers_keep_their_bits() {
        assert_eq!(int(5, 0).as_deref(), Ok("5i"));
        assert_eq!(int(-5, 0).as_deref(), Ok("(-5i)"));
        assert_eq!(int(0xffff_ffff, 0).as_deref(), Ok("(-1i)"));
        assert_eq!(
            int(i64::from(i32::MIN), 0).as_deref(),
            Ok("bitcast<i32>(0x80000000u)")
        );
        assert!(matches!(
            int(1 << 32, 7),
            Err(EmitError::Integer { index: 7, .. })
        ));
    }
}
