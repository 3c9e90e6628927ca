//! The uniform buffer of kernels that work on rows: layers, losses, sums.

use std::fmt::Write as _;

/// Rows that a kernel works on. A row is a step of a sample: row r belongs to sample r mod batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// How many.
    pub rows: u32,
    /// The first one in [`Role::X`](crate::Role::X) and its cotangent.
    pub x_first: u32,
    /// The first one in [`Role::Y`](crate::Role::Y) and its cotangent.
    pub y_first: u32,
    /// Samples.
    pub batch: u32,
    /// Step of the first row.
    pub first_step: u32,
    /// Steps that each row stands for.
    pub repeats: u32,
    /// 1 in training, 0 in evaluation.
    pub training: u32,
    /// Number of the pass.
    pub pass: u32,
    /// Key of the random stream.
    pub key: [u32; 2],
    /// The pass is computed again: what it leaves behind, it has left.
    pub again: u32,
}

impl Rows {
    const FIELDS: [&'static str; 12] = [
        "rows",
        "x_first",
        "y_first",
        "batch",
        "first_step",
        "repeats",
        "training",
        "pass_number",
        "key_low",
        "key_high",
        "again",
        "zero",
    ];

    /// Bytes of the buffer.
    pub const BYTES: usize = 4 * Self::FIELDS.len();

    /// The buffer's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let words: [u32; Rows::FIELDS.len()] = [
            self.rows,
            self.x_first,
            self.y_first,
            self.batch,
            self.first_step,
            self.repeats,
            self.training,
            self.pass,
            self.key[0],
            self.key[1],
            self.again,
            0,
        ];
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    pub(crate) fn declaration() -> String {
        let mut text = String::from("struct Params {\n");
        for field in Self::FIELDS {
            let _ = writeln!(text, "    {field}: u32,");
        }
        text.push_str("}\n");
        text
    }
}
