//! What all plots have in common: the drawn plot, the background, the fonts, and colors that adapt
//! to a dark theme.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontFamily, FontStyle, IntoFont, RGBColor, TextStyle};

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// An error of drawing. A string as the target makes it impossible in practice.
pub(super) type DrawError = DrawingAreaErrorKind<io::Error>;

pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub(super) const FAINT: RGBColor = RGBColor(0x59, 0x63, 0x6e);
pub(super) const GRID: RGBColor = RGBColor(0xd1, 0xd9, 0xe0);
const BACKGROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// Plotters writes colors as attributes, which a style sheet overrides.
const DARK_THEME: &str = "<style>@media(prefers-color-scheme:dark){\
    [fill=\"#1F2328\"]{fill:#e6edf3}[stroke=\"#1F2328\"]{stroke:#e6edf3}\
    [fill=\"#59636E\"]{fill:#9198a1}[stroke=\"#D1D9E0\"]{stroke:#3d444d}\
    [fill=\"#FFFFFF\"]{fill:#0d1117}}</style>\n";

/// Plotters divides font sizes by this when it writes SVG.
const FONT_SCALE: f64 = 1.24;

/// A plot in a file of its own.
pub struct Plot {
    /// The name of the file, without the extension.
    pub name: String,
    /// The title, which is also the alternative text.
    pub title: String,
    /// The SVG.
    pub svg: String,
}

/// Draws a plot of this size, with a title, and returns the SVG.
pub(super) fn draw(
    size: (u32, u32),
    title: &str,
    content: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        canvas.fill(&BACKGROUND)?;
        let style = font(15.0, FontStyle::Bold, INK);
        canvas.draw(&Text::new(title, (16, 12), style))?;
        content(&canvas)?;
        canvas.present()?;
    }
    let body = svg.find('\n').map_or(0, |end| end + 1);
    svg.insert_str(body, DARK_THEME);
    Ok(svg)
}

/// Returns the style of text with a height in pixels.
pub(super) fn font(pixels: f64, style: FontStyle, color: RGBColor) -> TextStyle<'static> {
    let family = FontFamily::Name("system-ui, sans-serif");
    let font = (family, pixels * FONT_SCALE, style).into_font();
    TextStyle { color: color.to_backend_color(), ..TextStyle::from(font) }
}

/// Returns the style of ordinary text, aligned to its position.
pub(super) fn text(horizontal: HPos, color: RGBColor) -> TextStyle<'static> {
    font(12.0, FontStyle::Normal, color).pos(Pos::new(horizontal, VPos::Center))
}

/// Returns the style of headings.
pub(super) fn heading() -> TextStyle<'static> {
    font(12.0, FontStyle::Bold, INK).pos(Pos::new(HPos::Left, VPos::Center))
}

/// Formats a number without trailing zeros.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_color_of_the_theme_is_replaced_on_a_dark_background() {
        for RGBColor(red, green, blue) in [INK, FAINT, GRID, BACKGROUND] {
            let attribute = format!("=\"#{red:02X}{green:02X}{blue:02X}\"");
            assert!(DARK_THEME.contains(&attribute), "{attribute}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let svg = draw((100, 50), "a < b & c", |_| Ok(())).unwrap();
        assert!(svg.contains("a &lt; b &amp; c"), "{svg}");
    }
}
