//! Plots as SVG, drawn by `plotters`: bars and lines, readable on a light background and on a dark one.

mod bars;
mod canvas;
mod color;
mod lines;

pub(super) use bars::{Bar, Bars, Group};
pub(super) use color::{Color, of_cache, of_http, of_server};
pub(super) use lines::{Line, Lines, Panel};

/// A plot in a file of its own.
pub struct Plot {
    /// The name of the file, without the extension.
    pub name: String,
    /// The title, which is also the alternative text.
    pub title: String,
    /// The SVG.
    pub svg: String,
}
