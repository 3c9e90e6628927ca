//! Philox4x32-10 on the device against the known answers of Random123 (kat_vectors of version 1.14).

use rheobase_engine::backend::gpu::{Kernel, Storage, Words};
use rheobase_shaders::{Role, Uniform, philox};

use crate::device;

/// Counter, key, block.
const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
    (
        [0; 4],
        [0; 2],
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
    ),
    (
        [u32::MAX; 4],
        [u32::MAX; 2],
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
    ),
    (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
        [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
    ),
];

#[test]
fn known_answers() {
    let Some(device) = device() else { return };
    let n = KNOWN.len();
    let mut sources = Vec::new();
    for word in 0..4 {
        sources.extend(KNOWN.iter().map(|(counter, ..)| counter[word]));
    }
    for word in 0..2 {
        sources.extend(KNOWN.iter().map(|(_, key, _)| key[word]));
    }
    let mut results = vec![0; n * philox::N_RESULTS as usize];
    let kernel = Kernel::new(&device, philox::blocks()).expect("compiles");
    let count = u32::try_from(n).expect("three");
    let uniform = Uniform {
        n: count,
        stride: count,
        time_ms: 0.0,
        places: &[],
    };
    let mut storage = [
        Storage {
            role: Role::Results,
            words: Words::Write(&mut results),
        },
        Storage {
            role: Role::Sources,
            words: Words::Read(&sources),
        },
    ];
    kernel.run(&uniform, &mut storage).expect("runs");
    for (i, (.., block)) in KNOWN.iter().enumerate() {
        for (word, expected) in block.iter().enumerate() {
            assert_eq!(results[word * n + i], *expected, "vector {i}, word {word}");
        }
    }
}
