//! Plots as SVG, drawn by `plotters`: bars and lines, readable on a light background and on a dark one.

mod bars;
mod canvas;
mod color;
mod lines;

pub(super) use bars::{Bar, Bars, Group};
pub use canvas::Plot;
pub(super) use color::{of_cache, of_http, of_server};
pub(super) use lines::{Line, Lines, Panel};
