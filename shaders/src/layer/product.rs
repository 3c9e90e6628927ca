//! Products of matrices in tiles: what convolutions and linear layers are made of.

use std::fmt::Write as _;

use super::{Grid, LayerKernel};
use crate::module::{Access, Assembly, Element, Entry, Role, UniformLayout};

/// Invocations of a workgroup; each has 4 × 4 elements of a tile.
const INVOCATIONS: u32 = 256;

/// Workgroups that keep a large device busy.
const MANY: u32 = 512;

/// Most parts that a depth is cut into.
const MAX_PARTS: u32 = 256;

/// What a workgroup computes at a time: [`INVOCATIONS`] · 16 elements.
#[derive(Clone, Copy)]
struct Tile {
    lines: u32,
    columns: u32,
    /// Both factors, so deep, fit into 16 KiB.
    depth: u32,
}

/// From wide to narrow.
const TILES: [Tile; 3] = [
    Tile {
        lines: 64,
        columns: 64,
        depth: 16,
    },
    Tile {
        lines: 128,
        columns: 32,
        depth: 16,
    },
    Tile {
        lines: 256,
        columns: 16,
        depth: 8,
    },
];

/// Lines of a product.
#[derive(Clone, Copy)]
pub(super) enum Lines {
    /// So many for each row.
    OfRows(u32),
    /// So many. The depth grows with the rows, and is cut into parts.
    Fixed(u32),
}

/// A product: lines and columns of each slice, in tiles.
pub(super) struct Product<'a> {
    pub(super) name: &'a str,
    pub(super) heading: &'a str,
    pub(super) lines: Lines,
    pub(super) columns: u32,
    /// Products side by side.
    pub(super) slices: u32,
    /// Elements of the left factor that follow one another in memory: those along the depth, rather
    /// than lines.
    pub(super) left_by_depth: bool,
    /// The same for the right factor, rather than columns.
    pub(super) right_by_depth: bool,
    /// The left factor is mostly 0.
    pub(super) is_sparse: bool,
    /// Columns of the right factor are summed too.
    pub(super) sums_columns: bool,
    /// The functions that a product calls, and their constants.
    pub(super) functions: &'a str,
    pub(super) storage: &'a [(Role, Access)],
}

/// The tile that takes the least time for so many columns: those it has too many cost, and a narrow
/// one reads more for each product.
fn tile(columns: u32) -> Tile {
    let cost = |tile: &Tile| {
        let each = match tile.columns {
            64.. => 20,
            32.. => 23,
            _ => 32,
        };
        u64::from(columns.div_ceil(tile.columns)) * u64::from(tile.columns) * each
    };
    TILES.into_iter().min_by_key(cost).unwrap_or(TILES[0])
}

/// Parts of the depth of a product with fixed lines: as many as keep a device busy. The number does
/// not depend on the device, so sums do not either.
pub(super) fn parts(lines: u32, columns: u32, slices: u32) -> u32 {
    let tile = tile(columns);
    let tiles = lines.div_ceil(tile.lines) * columns.div_ceil(tile.columns);
    (MANY / tiles.saturating_mul(slices).max(1)).clamp(1, MAX_PARTS)
}

impl Product<'_> {
    pub(super) fn finish(self) -> LayerKernel {
        let tile = tile(self.columns);
        let across = self.columns.div_ceil(tile.columns) * self.slices;
        let (grid, parts) = match self.lines {
            Lines::OfRows(lines) => (
                Grid::RowTiles {
                    lines,
                    height: tile.lines,
                    across,
                },
                1,
            ),
            Lines::Fixed(lines) => {
                let parts = parts(lines, self.columns, self.slices);
                let groups = across.saturating_mul(lines.div_ceil(tile.lines));
                (Grid::flat(groups.saturating_mul(parts)), parts)
            }
        };
        let mut text = String::new();
        for (name, n) in [
            ("TILE_LINES", tile.lines),
            ("TILE_COLUMNS", tile.columns),
            ("TILE_DEPTH", tile.depth),
            ("COLUMNS", self.columns),
            ("SLICES", self.slices),
            ("PARTS", parts),
        ] {
            let _ = writeln!(text, "const {name} = {n}u;");
        }
        for (name, is_so) in [
            ("A_BY_DEPTH", self.left_by_depth),
            ("B_BY_DEPTH", self.right_by_depth),
            ("SPARSE", self.is_sparse),
            ("SUMS_COLUMNS", self.sums_columns),
        ] {
            let _ = writeln!(text, "const {name} = {is_so};");
        }
        let product = include_str!("../wgsl/layer/product.wgsl");
        let text = format!("{text}{}{product}", self.functions);
        let entry = (
            "product_kernel",
            Entry::Own {
                workgroup_size: INVOCATIONS,
            },
        );
        kernel(self.name, self.heading, entry, &text, self.storage, grid)
    }
}

/// A kernel on rows of floats.
pub(super) fn kernel(
    name: &str,
    heading: &str,
    (entry_point, entry): (&str, Entry<'_>),
    functions: &str,
    storage: &[(Role, Access)],
    grid: Grid,
) -> LayerKernel {
    let of_floats = |&(role, access)| (role, access, Element::F32, 0);
    let storage: Vec<_> = storage.iter().map(of_floats).collect();
    let module = Assembly {
        name,
        entry_point,
        heading,
        entry,
        functions,
        uniform: UniformLayout::Rows,
        storage: &storage,
        has_guard: false,
    }
    .finish();
    LayerKernel { module, grid }
}

/// A kernel that calls the function `body` for each of `n` elements of every row.
pub(super) fn per_row_element(
    body: &str,
    heading: &str,
    n: u32,
    functions: &str,
    storage: &[(Role, Access)],
) -> LayerKernel {
    let limit = format!("params.rows * {n}u");
    let entry = Entry::PerIndex {
        body,
        limit: &limit,
    };
    let entry = (format!("{body}_kernel"), entry);
    let grid = Grid::RowElements(n);
    kernel(body, heading, (&entry.0, entry.1), functions, storage, grid)
}

/// A kernel that calls the function `body` for each of `n` elements.
pub(super) fn per_element(
    body: &str,
    heading: &str,
    n: u32,
    functions: &str,
    storage: &[(Role, Access)],
) -> LayerKernel {
    let limit = format!("{n}u");
    let entry = Entry::PerIndex {
        body,
        limit: &limit,
    };
    let entry = (format!("{body}_kernel"), entry);
    let grid = Grid::Elements(n);
    kernel(body, heading, (&entry.0, entry.1), functions, storage, grid)
}

/// Constants in front of a text.
pub(super) fn constants(sizes: &[(&str, u32)]) -> String {
    let mut text = String::new();
    for (name, n) in sizes {
        let _ = writeln!(text, "const {name} = {n}u;");
    }
    text
}

/// A constant: the nearest f32, kept finite as WGSL demands.
#[allow(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is the purpose"
)]
pub(super) fn constant(name: &str, value: f64) -> String {
    let rounded = (value as f32).clamp(f32::MIN, f32::MAX);
    let rounded = if rounded.is_nan() { 0.0 } else { rounded };
    format!("const {name} = f32({rounded:?});\n")
}
