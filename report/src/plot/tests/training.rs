//! Learning curves and confusion matrices.

use super::{golden, pixels};
use crate::plot::{ConfusionMatrix, Curve, LearningCurves, MAX_CLASSES, color};

fn curve<'a>(label: &'a str, epochs: &'a [f64], values: &'a [f64]) -> Curve<'a> {
    Curve {
        label,
        epochs,
        values,
    }
}

#[test]
fn the_learning_curves_are_the_committed_ones() {
    let epochs: Vec<f64> = (1..=20).map(f64::from).collect();
    let fall: Vec<f64> = epochs.iter().map(|e| 2.4 / (1.0 + 0.5 * e)).collect();
    let mut slow: Vec<f64> = epochs.iter().map(|e| 0.2 + 2.2 / (1.0 + 0.4 * e)).collect();
    slow[7] = f64::NAN;
    let rise: Vec<f64> = fall.iter().map(|loss| 1.0 - 0.35 * loss).collect();
    let every_fifth = [5.0, 10.0, 15.0, 20.0];
    let figure = LearningCurves {
        title: "Golden <&>",
        loss: &[
            curve("train", &epochs, &fall),
            curve("test", &epochs, &slow),
        ],
        accuracy: &[
            curve("train", &epochs, &rise),
            curve("test", &every_fifth, &[0.6, 0.75, 0.82, 0.84]),
        ],
    };
    let figure = figure.draw().unwrap();
    golden("learning.svg", &figure.svg());
    let (width, height, bytes) = pixels(&figure.png().unwrap());
    assert_eq!((width, height), (1600, 1000));
    for color in [color::of(0), color::of(1)] {
        assert!(bytes.chunks(3).filter(|p| *p == color).count() > 500);
    }
}

#[test]
fn the_confusion_matrix_is_the_committed_one() {
    let mut counts = [0_u64; 16];
    for (k, count) in counts.iter_mut().enumerate() {
        *count = if k % 5 == 0 {
            90 + k as u64
        } else {
            (k as u64 * 7) % 11
        };
    }
    let figure = ConfusionMatrix {
        title: "Golden",
        classes: 4,
        names: &["T-shirt", "a name longer than its column", "<&>"],
        counts: &counts,
    };
    let figure = figure.draw().unwrap();
    golden("confusion.svg", &figure.svg());
    let (_, _, bytes) = pixels(&figure.png().unwrap());
    // A cell of the diagonal, near its corner, is dark; one beside it light.
    let at = |x: usize, y: usize| bytes[3 * (1600 * y + x)];
    assert!(
        at(310, 118) < 60 && at(510, 118) > 200,
        "{} {}",
        at(310, 118),
        at(510, 118)
    );
}

#[test]
fn curves_of_any_kind_are_drawn_or_refused() {
    let svg = |loss: &[Curve<'_>], accuracy: &[Curve<'_>]| {
        let title = "t";
        let figure = LearningCurves {
            title,
            loss,
            accuracy,
        };
        figure.draw().map(|figure| figure.svg())
    };
    let many: Vec<f64> = (0..5000).map(f64::from).collect();
    let (nan, large) = ([f64::NAN], [1e300]);
    for one in [
        curve("a", &[3.0], &[0.5]),
        curve("a", &[3.0], &nan),
        curve("a", &[-1.0], &large),
        curve("a", &[0.0, 1.0], &[0.0, 0.0]),
        curve("a", &[0.0, 1.0], &[-1.0, f64::INFINITY]),
        curve("a", &many, &many),
    ] {
        for svg in [svg(&[one], &[]), svg(&[], &[one]), svg(&[one; 40], &[one])] {
            let svg = svg.unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
    let fail = |one: Curve<'_>| svg(&[one], &[]).unwrap_err().to_string();
    assert_eq!(
        svg(&[], &[]).unwrap_err().to_string(),
        "nothing to plot: no curve has a value"
    );
    assert_eq!(
        fail(curve("a", &[], &[])),
        "nothing to plot: no curve has a value"
    );
    assert_eq!(
        fail(curve("a", &[1.0], &[])),
        "series \"a\" has 0 values at 1 times"
    );
    let text = "curve \"a\": epochs must be finite and ascend; entry 1 does not";
    assert_eq!(fail(curve("a", &[1.0, 1.0], &[0.0; 2])), text);
    assert_eq!(fail(curve("a", &[1.0, f64::NAN], &[0.0; 2])), text);
}

#[test]
fn matrices_of_any_kind_are_drawn_or_refused() {
    let draw = |classes: usize, counts: &[u64]| {
        let matrix = ConfusionMatrix {
            title: "t",
            classes,
            names: &[],
            counts,
        };
        matrix.draw().map(|figure| figure.svg())
    };
    for classes in [1, 2, 10, 100, MAX_CLASSES] {
        for value in [0, 1, 1_000_000, u64::MAX] {
            let svg = draw(classes, &vec![value; classes * classes]).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
            assert_eq!(svg.contains("no samples"), value == 0);
        }
    }
    for (classes, counts) in [(0, 0), (2, 3), (MAX_CLASSES + 1, 201 * 201)] {
        let error = draw(classes, &vec![0; counts]).unwrap_err().to_string();
        assert!(error.contains("are no matrix of"), "{error}");
    }
}
