//! Colours: the palette of Okabe and Ito (2008), extended by muted tones of Tol (2021).

/// Red, green, blue in sRGB.
pub(super) type Color = [u8; 3];

pub(super) const WHITE: Color = [255, 255, 255];
/// Titles and axis titles.
pub(super) const INK: Color = [26, 26, 26];
/// Tick labels and notes.
pub(super) const GREY: Color = [96, 96, 96];
/// Axes and frames.
pub(super) const AXIS: Color = [120, 120, 120];
/// Grid lines.
pub(super) const GRID: Color = [228, 228, 228];

const PALETTE: [Color; 11] = [
    [0, 114, 178],   // blue
    [213, 94, 0],    // vermillion
    [0, 158, 115],   // bluish green
    [204, 121, 167], // reddish purple
    [230, 159, 0],   // orange
    [86, 180, 233],  // sky blue
    [51, 34, 136],   // indigo
    [136, 34, 85],   // wine
    [17, 119, 51],   // green
    [153, 153, 51],  // olive
    [80, 80, 80],    // dark grey
];

/// The colour of the `index`-th population or series; they repeat after eleven.
pub(super) fn of(index: usize) -> Color {
    PALETTE[index % PALETTE.len()]
}
