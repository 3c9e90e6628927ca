//! Whole figures: golden documents, pictures, limits and bad input.

mod training;

use super::*;
use crate::{PopulationSpikes, Spikes};

/// Sorted columns of irregular but fixed spikes: a linear congruential generator decides.
struct Columns {
    steps: Vec<u64>,
    neurons: Vec<u32>,
}

fn irregular(neurons: u32, steps: u64, one_in: u64, seed: u64) -> Columns {
    let mut state = seed;
    let mut columns = Columns {
        steps: vec![],
        neurons: vec![],
    };
    for step in 1..=steps {
        for neuron in 0..neurons {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if (state >> 33).is_multiple_of(one_in) {
                columns.steps.push(step);
                columns.neurons.push(neuron);
            }
        }
    }
    columns
}

impl Columns {
    fn of<'a>(&'a self, name: &'a str, size: u32) -> PopulationSpikes<'a> {
        PopulationSpikes {
            name,
            size,
            spikes: Spikes::new(&self.steps, &self.neurons).unwrap(),
        }
    }
}

/// Compares with a committed document; `RHEOBASE_MINT=1` writes it anew.
fn golden(name: &str, svg: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("RHEOBASE_MINT").is_some() {
        crate::atomic_write(&path, svg.as_bytes()).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let line = svg.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(
        svg == expected,
        "{name} differs from line {line:?}; RHEOBASE_MINT=1 accepts it"
    );
}

#[test]
fn the_raster_is_the_committed_one() {
    let (e, i) = (irregular(40, 300, 60, 1), irregular(10, 300, 30, 2));
    let populations = [e.of("E", 40), i.of("I <&>", 10)];
    golden(
        "raster.svg",
        &Raster::new("Golden", 0.5, 20, 300)
            .draw(&populations)
            .unwrap()
            .svg(),
    );
}

#[test]
fn the_traces_are_the_committed_ones() {
    let time_ms: Vec<f64> = (1..=50).map(|i| f64::from(i) * 0.5).collect();
    let v: Vec<f64> = (0..50).map(|i| -65.0 + f64::from(i % 12)).collect();
    let w: Vec<f64> = (0..50)
        .map(|i| {
            if i == 25 {
                f64::NAN
            } else {
                f64::from(i) * 0.1
            }
        })
        .collect();
    let panels = [
        TracePanel {
            label: "v (mV)",
            series: vec![Series {
                label: "neuron 0",
                values: &v,
            }],
        },
        TracePanel {
            label: "w (pA)",
            series: vec![Series {
                label: "neuron 0",
                values: &w,
            }],
        },
    ];
    let plot = TracePlot {
        title: "Golden",
        time_ms: &time_ms,
        panels: &panels,
    };
    golden("traces.svg", &plot.draw().unwrap().svg());
}

fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    (info.width, info.height, bytes)
}

#[test]
fn the_picture_has_its_size_and_the_colours_of_the_populations() {
    let (e, i) = (irregular(40, 300, 60, 1), irregular(10, 300, 30, 2));
    let populations = [e.of("E", 40), i.of("I", 10)];
    let figure = Raster::new("Picture", 0.5, 0, 300)
        .draw(&populations)
        .unwrap();
    let png = figure.png().unwrap();
    let (width, height, bytes) = pixels(&png);
    assert_eq!((width, height), (1600, 1000));
    let count = |color: [u8; 3]| bytes.chunks(3).filter(|p| *p == color).count();
    for color in [color::of(0), color::of(1)] {
        assert!(count(color) > 1000, "{color:?}: {} pixels", count(color));
    }
    let white = count(color::WHITE);
    assert!(
        white > 1_200_000 && white < 1_590_000,
        "{white} white pixels"
    );
    // The corners are empty, the title is not.
    assert_eq!(bytes[..3], color::WHITE);
    let title = (30..48).flat_map(|y| &bytes[3 * (1600 * y + 112)..3 * (1600 * y + 300)]);
    assert!(title.filter(|&&b| b < 64).count() > 500);
    assert_eq!(png, figure.png().unwrap(), "twice the same");
}

#[test]
fn large_populations_are_thinned_and_the_labels_say_so() {
    let columns = irregular(5000, 200, 50, 3);
    let populations = [columns.of("E", 5000)];
    let raster = Raster::new("Large", 0.1, 0, 200).max_neurons(100);
    let svg = raster.draw(&populations).unwrap().svg();
    assert!(svg.contains("100 of 5,000 neurons"), "band");
    assert!(svg.contains("Neuron index (the same share of each population drawn)"));
    let marks = |svg: &str| svg.matches('v').count();
    let by_neurons = marks(&svg);
    let svg = raster.max_spikes(50).draw(&populations).unwrap().svg();
    let drawn = columns.neurons.len() / 50;
    assert!(
        by_neurons > drawn / 2 && by_neurons < 2 * drawn,
        "{by_neurons} of {drawn}"
    );
    assert!(marks(&svg) < 80 && marks(&svg) > 10, "{}", marks(&svg));
    assert!(!svg.contains("100 of 5,000"), "fewer neurons, other label");
}

#[test]
fn many_long_named_and_silent_populations_fit() {
    let columns = irregular(20, 400, 40, 4);
    let name = "a population whose name is longer than the margin";
    let mut populations = vec![columns.of(name, 20); 40];
    populations[3] = PopulationSpikes {
        name,
        size: 70_000,
        spikes: Spikes::default(),
    };
    let svg = Raster::new(&name.repeat(5), 0.1, 0, 400)
        .draw(&populations)
        .unwrap()
        .svg();
    assert!(svg.contains("the first 24 populations, 16 more not drawn"));
    assert!(svg.contains("no spikes"));
    assert!(!svg.contains(&format!(">{name}<")), "shortened");
    assert!(svg.contains('…'));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn nothing_at_all_is_still_a_figure() {
    let populations = [PopulationSpikes {
        name: "E",
        size: 1,
        spikes: Spikes::default(),
    }];
    let figure = Raster::new("", 0.1, 0, 1).draw(&populations).unwrap();
    assert!(!figure.svg().contains("NaN"));
    assert!(!figure.png().unwrap().is_empty());
}

#[test]
fn bad_input_is_named() {
    let columns = Columns {
        steps: vec![5],
        neurons: vec![7],
    };
    let draw = |start, end, populations: &[PopulationSpikes<'_>]| {
        Raster::new("", 0.1, start, end)
            .draw(populations)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(draw(0, 10, &[]), "nothing to plot: no population");
    assert_eq!(
        draw(10, 10, &[columns.of("E", 8)]),
        "nothing to plot between step 10 and step 10"
    );
    assert_eq!(
        draw(0, 10, &[columns.of("E", 7)]),
        "spikes of E: neuron 7 in a population of 7"
    );
    let panels = [TracePanel {
        label: "v",
        series: vec![Series {
            label: "a",
            values: &[1.0],
        }],
    }];
    let trace = |time_ms: &[f64]| {
        TracePlot {
            title: "",
            time_ms,
            panels: &panels,
        }
        .draw()
        .unwrap_err()
        .to_string()
    };
    assert_eq!(trace(&[0.1, 0.2]), "series \"a\" has 1 values at 2 times");
    assert!(trace(&[0.2, 0.1]).contains("entry 1 does not"));
    assert!(trace(&[f64::NAN]).contains("entry 0 does not"));
}

#[test]
fn both_files_are_written() {
    let parent = tempfile::tempdir().unwrap();
    let folder = crate::ResultFolder::create(&parent.path().join("out"), false).unwrap();
    let columns = irregular(5, 50, 10, 5);
    let populations = [columns.of("E", 5)];
    let figure = Raster::new("Files", 0.1, 0, 50).draw(&populations).unwrap();
    let [svg, png] = figure.write(&folder, "raster").unwrap();
    assert_eq!(std::fs::read_to_string(svg).unwrap(), figure.svg());
    assert_eq!(std::fs::read(png).unwrap(), figure.png().unwrap());
}

#[test]
fn histograms_and_spectra_are_drawn_of_whatever_there_is() {
    use crate::analysis::{Distribution, Spectrum};
    let some = Distribution::of([0.0, 1.5, 7.25, 7.5].into_iter());
    let none = Distribution::of([].into_iter());
    for count in [1, 2, 5, 8, 13, 30] {
        let populations: Vec<(&str, &Distribution)> = (0..count)
            .map(|k| ("a population", if k % 3 == 1 { &none } else { &some }))
            .collect();
        let histograms = Histograms {
            title: "Rates",
            quantity: "Rate (Hz)",
            populations: &populations,
        };
        let svg = histograms.draw().unwrap().svg();
        assert!(svg.contains("mean 4.062 of 4"), "{count}");
        assert_eq!(svg.contains("no neuron has one"), count > 1);
        assert_eq!(svg.contains("the first 24 of 30 populations"), count == 30);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
    let spectrum = |density: Vec<f64>| Spectrum {
        step_hz: 1.0,
        density,
        segments: 1,
    };
    let (rich, silent) = (
        spectrum(vec![0.0, 1e-30, 2.0, 500.0, 0.0]),
        spectrum(vec![0.0; 5]),
    );
    for populations in [
        [("A", &rich), ("B", &silent)],
        [("A", &silent), ("B", &silent)],
    ] {
        let spectra = Spectra {
            title: "Spectra",
            populations: &populations,
        };
        let svg = spectra.draw().unwrap().svg();
        assert!(svg.contains("Frequency (Hz)"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
