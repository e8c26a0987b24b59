//! Horizontal bars, which leave room for long names and for the figure at the end of each bar.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::HPos;
use plotters::style::{Color as _, TRANSPARENT};

use crate::report::plot::canvas::{
    Canvas, DrawError, FAINT, GRID, INK, Plot, draw, heading, short, text,
};
use crate::report::plot::color::Color;

/// A plot of bars on one axis.
pub(in crate::report) struct Bars {
    /// The name of the file.
    pub(in crate::report) name: String,
    pub(in crate::report) title: String,
    /// The label of the axis, with its unit.
    pub(in crate::report) axis: String,
    /// Whether the axis is logarithmic.
    pub(in crate::report) is_log: bool,
    /// The maximum of the axis. A longer bar is cut off and marked.
    pub(in crate::report) end: f64,
    /// Groups of bars that are compared with each other.
    pub(in crate::report) groups: Vec<Group>,
}

/// Bars under one heading.
pub(in crate::report) struct Group {
    pub(in crate::report) name: String,
    pub(in crate::report) bars: Vec<Bar>,
}

/// A bar.
pub(in crate::report) struct Bar {
    /// The name of the subject.
    pub(in crate::report) name: &'static str,
    pub(in crate::report) color: Color,
    pub(in crate::report) value: f64,
    /// The value as text, with its unit.
    pub(in crate::report) text: String,
    /// The value that a goal requires, if there is one.
    pub(in crate::report) must: Option<f64>,
}

// Sizes in pixels.
const WIDTH: u32 = 860;
const LEFT: u32 = 160;
const RIGHT: u32 = 130;
const TOP: u32 = 40;
const BAR: i32 = 14;
const ROW: u32 = 18;
const HEADING: u32 = 26;
const LABELS: u32 = 44;
const BOTTOM: u32 = 8;
/// The room that the text of a bar needs.
const TEXT: i32 = 100;

/// The range of the axis.
struct Axis {
    is_log: bool,
    first: f64,
    last: f64,
}

type Chart<'c, 'b, X> = ChartContext<'c, SVGBackend<'b>, Cartesian2d<X, RangedCoordf64>>;

impl Bars {
    /// Draws the plot; `None` without any value.
    pub(in crate::report) fn plot(self) -> Option<Plot> {
        let axis = self.axis()?;
        let height = TOP + self.rows_height() + LABELS + BOTTOM;
        let svg = draw((WIDTH, height), &self.title, |canvas| self.draw(canvas, &axis)).ok()?;
        Some(Plot { name: self.name, title: self.title, svg })
    }

    fn draw(&self, canvas: &Canvas<'_>, axis: &Axis) -> Result<(), DrawError> {
        let mut builder = ChartBuilder::on(canvas);
        builder.margin_top(TOP).margin_bottom(BOTTOM).margin_left(LEFT).margin_right(RIGHT);
        builder.x_label_area_size(LABELS);
        // One unit of the y axis is one pixel, from top to bottom.
        let rows = f64::from(self.rows_height())..0.0;
        if axis.is_log {
            let powers = axis.powers_of_ten();
            let range = (axis.first..axis.last).log_scale().with_key_points(powers);
            self.draw_chart(canvas, axis, builder.build_cartesian_2d(range, rows)?)
        } else {
            let range = axis.first..axis.last;
            self.draw_chart(canvas, axis, builder.build_cartesian_2d(range, rows)?)
        }
    }

    fn draw_chart<X: Ranged<ValueType = f64> + ValueFormatter<f64>>(
        &self,
        canvas: &Canvas<'_>,
        axis: &Axis,
        mut chart: Chart<'_, '_, X>,
    ) -> Result<(), DrawError> {
        let has_must = self.bars().any(|bar| bar.must.is_some());
        let note = if has_must { "; vertical stroke: the limit for Larder" } else { "" };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_labels(7)
            .x_label_formatter(&|value| axis.label(*value))
            .x_desc(format!("{}{note}", self.axis))
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(text(HPos::Left, FAINT))
            .draw()?;
        let mut y = 0;
        for group in &self.groups {
            let at = chart.backend_coord(&(axis.first, f64::from(y)));
            canvas.draw(&Text::new(&*group.name, (at.0, at.1 + 14), heading()))?;
            y += HEADING;
            for bar in &group.bars {
                let place = |value| chart.backend_coord(&(value, f64::from(y)));
                bar.draw(canvas, axis, place)?;
                y += ROW;
            }
        }
        Ok(())
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.groups.iter().flat_map(|group| &group.bars)
    }

    fn rows_height(&self) -> u32 {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        count(self.groups.len()) * HEADING + count(self.bars().count()) * ROW
    }

    fn axis(&self) -> Option<Axis> {
        let values = || self.bars().map(|bar| bar.value).filter(|value| value.is_finite());
        let musts = self.bars().filter_map(|bar| bar.must);
        let max = values().chain(musts).fold(0.0, f64::max).min(self.end);
        let min = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let is_log = self.is_log;
        (max > 0.0 && min.is_finite()).then(|| match is_log {
            true => {
                let first = 10_f64.powf(min.log10().floor());
                Axis { is_log, first, last: 10_f64.powf(max.log10().ceil()).max(10.0 * first) }
            }
            false => Axis { is_log, first: 0.0, last: max },
        })
    }
}

impl Axis {
    fn powers_of_ten(&self) -> Vec<f64> {
        let powers = std::iter::successors(Some(self.first), |tick| Some(tick * 10.0));
        powers.take_while(|tick| *tick <= self.last * 1.001).collect()
    }

    fn label(&self, tick: f64) -> String {
        match self.is_log {
            true if tick >= 1e9 => format!("{}G", short(tick / 1e9)),
            true if tick >= 1e6 => format!("{}M", short(tick / 1e6)),
            true if tick >= 1e3 => format!("{}k", short(tick / 1e3)),
            _ => short(tick),
        }
    }
}

impl Bar {
    /// Draws the bar. `place` returns the pixel of a value on the axis, at the top of the bar.
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        axis: &Axis,
        place: impl Fn(f64) -> (i32, i32),
    ) -> Result<(), DrawError> {
        let clamped = |value: f64| value.clamp(axis.first, axis.last);
        let (left, top) = place(axis.first);
        let (right, _) = place(clamped(if self.value.is_nan() { 0.0 } else { self.value }));
        let middle = top + BAR / 2;
        canvas.draw(&Text::new(self.name, (left - 8, middle), text(HPos::Right, INK)))?;
        let corners = [(left, top), (right.max(left + 1), top + BAR)];
        canvas.draw(&Rectangle::new(corners, self.color.filled()))?;
        let mut text_x = right;
        if let Some(must) = self.must {
            let (x, _) = place(clamped(must));
            let stroke = vec![(x, top - 2), (x, top + BAR + 2)];
            canvas.draw(&PathElement::new(stroke, INK))?;
            // The text starts after a stroke that would cross it.
            if (right - 2..right + TEXT).contains(&x) {
                text_x = x;
            }
        }
        let cut = if self.value > axis.last { "\u{bb} " } else { "" };
        let label = format!("{cut}{}", self.text);
        canvas.draw(&Text::new(label, (text_x + 6, middle), text(HPos::Left, INK)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64], is_log: bool, end: f64) -> Bars {
        let bar = |&value: &f64| Bar {
            name: "subject",
            color: plotters::style::RGBColor(0x12, 0x34, 0x56),
            value,
            text: format!("{value} ns"),
            must: None,
        };
        let group = Group { name: "a case".to_owned(), bars: values.iter().map(bar).collect() };
        let (name, title) = ("plot".to_owned(), "A plot".to_owned());
        Bars { name, title, axis: "time, ns".to_owned(), is_log, end, groups: vec![group] }
    }

    fn widths(svg: &str) -> Vec<i32> {
        let rows = svg.lines().filter(|line| line.contains("#123456"));
        let width = |line: &str| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
        rows.filter_map(width).collect()
    }

    #[test]
    fn the_length_of_a_bar_is_proportional_to_its_value() {
        let plot = bars(&[50.0, 100.0], false, f64::INFINITY).plot().unwrap();
        let widths = widths(&plot.svg);
        assert!((widths[1] - 2 * widths[0]).abs() <= 2, "{widths:?}");
        assert!(plot.svg.contains("time, ns") && plot.svg.contains("100 ns"), "{}", plot.svg);
    }

    #[test]
    fn powers_of_ten_have_equal_distances_on_a_logarithmic_axis() {
        let plot = bars(&[10.0, 100.0, 1000.0, 1.0], true, f64::INFINITY).plot().unwrap();
        let widths = widths(&plot.svg);
        assert!((widths[1] - 2 * widths[0]).abs() <= 2, "{widths:?}");
        assert!((widths[2] - 3 * widths[0]).abs() <= 2, "{widths:?}");
        assert!(plot.svg.contains("\n1k\n"), "{}", plot.svg);
    }

    #[test]
    fn a_bar_that_is_cut_off_is_marked() {
        let plot = bars(&[1.0, 9.0], false, 2.0).plot().unwrap();
        assert!(plot.svg.contains("\u{bb} 9 ns") && !plot.svg.contains("\u{bb} 1 ns"));
    }

    #[test]
    fn the_same_figures_give_the_same_text() {
        let svg = || bars(&[1.0, 9.0], true, 20.0).plot().unwrap().svg;
        assert_eq!(svg(), svg());
    }

    #[test]
    fn there_is_no_plot_without_values() {
        assert!(bars(&[], false, 1.0).plot().is_none());
        assert!(bars(&[f64::NAN, 0.0], true, 1.0).plot().is_none());
    }
}
