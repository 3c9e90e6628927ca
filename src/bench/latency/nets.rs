//! The networks whose steps are timed, and what arrives at them.

use super::super::noise;

/// A network with one input.
pub(super) struct Net {
    /// How it is chosen.
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) n_inputs: u32,
    pub(super) text: &'static str,
    pub(super) streams: &'static [Stream],
    /// Hidden populations, each after the layer whose weights decide how many of it fire.
    pub(super) hidden: &'static [(&'static str, &'static str)],
    pub(super) output: &'static str,
}

/// What arrives.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// Spikes of this share of the inputs, at random in every step.
    Spikes(f64),
    /// Images of real values, each for so many steps.
    Images(usize),
}

const SPIKES: &[Stream] = &[
    Stream::Spikes(0.02),
    Stream::Spikes(0.1),
    Stream::Spikes(0.3),
];

pub(super) const NETS: &[Net] = &[
    Net {
        key: "mlp",
        name: "784-512-10",
        n_inputs: 784,
        text: include_str!("mlp.toml"),
        streams: SPIKES,
        hidden: &[("fc1", "hidden")],
        output: "out",
    },
    Net {
        key: "recurrent",
        name: "700-256 recurrent-20",
        n_inputs: 700,
        text: include_str!("recurrent.toml"),
        streams: SPIKES,
        hidden: &[("fc1", "hidden")],
        output: "out",
    },
    Net {
        key: "conv",
        name: "28x28 conv 32-32-512-10",
        n_inputs: 784,
        text: include_str!("conv.toml"),
        streams: &[Stream::Images(4), Stream::Images(1)],
        hidden: &[
            ("conv1", "spikes1"),
            ("conv2", "spikes2"),
            ("fc1", "spikes3"),
        ],
        output: "output",
    },
];

/// Different inputs that take turns.
const PATTERNS: u64 = 64;

impl Stream {
    /// For people and tables.
    pub(super) fn name(self) -> String {
        match self {
            Self::Spikes(share) => format!("{} %", 100.0 * share),
            Self::Images(1) => "an image a step".to_owned(),
            Self::Images(steps) => format!("an image for {steps} steps"),
        }
    }

    /// The steps' inputs: 0 and 1, or values from 0 to 1.
    pub(super) fn inputs(self, n_inputs: u32) -> Vec<Vec<f32>> {
        let spike = |pattern, i, share| {
            if noise(pattern, u64::from(i)) < share {
                1.0
            } else {
                0.0
            }
        };
        #[allow(clippy::cast_possible_truncation, reason = "24 bits")]
        let pixel = |pattern, i| noise(pattern, u64::from(i)) as f32;
        let input = |pattern: u64| -> Vec<f32> {
            let elements = 0..n_inputs;
            match self {
                Self::Spikes(share) => elements.map(|i| spike(pattern, i, share)).collect(),
                Self::Images(_) => elements.map(|i| pixel(pattern, i)).collect(),
            }
        };
        let repeated = match self {
            Self::Spikes(_) => 1,
            Self::Images(steps) => steps,
        };
        let patterns = (0..PATTERNS).map(input);
        patterns
            .flat_map(|x| std::iter::repeat_n(x, repeated))
            .collect()
    }
}
