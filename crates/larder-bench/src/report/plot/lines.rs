//! Lines in small panels, side by side, with one legend for all panels.

use plotters::chart::ChartBuilder;
use plotters::element::{DashedPathElement, PathElement, Text};
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color as _, ShapeStyle, TRANSPARENT};

use crate::report::plot::canvas::{
    Canvas, DrawError, FAINT, GRID, INK, Plot, draw, heading, short, text,
};
use crate::report::plot::color::Color;

/// Panels that show the same lines.
pub(in crate::report) struct Lines {
    /// The name of the file.
    pub(in crate::report) name: String,
    pub(in crate::report) title: String,
    /// The labels of the x axis and the y axis, with their units.
    pub(in crate::report) axes: (String, String),
    pub(in crate::report) series: Vec<Line>,
    pub(in crate::report) panels: Vec<Panel>,
}

/// The name and color of a line, which is dashed without a color.
pub(in crate::report) struct Line {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) color: Option<Color>,
}

/// One panel.
pub(in crate::report) struct Panel {
    pub(in crate::report) name: String,
    /// The points of each line, in the order of the lines, from left to right.
    pub(in crate::report) points: Vec<Vec<(f64, f64)>>,
}

// Sizes in pixels.
const WIDTH: u32 = 900;
const COLUMNS: usize = 3;
const TOP: u32 = 72;
const PANEL_HEIGHT: u32 = 210;
const HEADING: u32 = 22;
const LABELS: u32 = 42;
/// The length of a dash and of the gap after it.
const DASH: (u32, u32) = (4, 3);

impl Lines {
    /// Draws the plot; `None` without any panel.
    pub(in crate::report) fn plot(self) -> Option<Plot> {
        if self.panels.is_empty() {
            return None;
        }
        let rows = self.panels.len().div_ceil(COLUMNS);
        let height = TOP + PANEL_HEIGHT * u32::try_from(rows).ok()?;
        let svg = draw((WIDTH, height), &self.title, |canvas| self.draw(canvas, rows)).ok()?;
        Some(Plot { name: self.name, title: self.title, svg })
    }

    fn draw(&self, canvas: &Canvas<'_>, rows: usize) -> Result<(), DrawError> {
        self.draw_legend(canvas)?;
        let (_, panels) = canvas.split_vertically(TOP);
        let areas = panels.split_evenly((rows, COLUMNS));
        areas.iter().zip(&self.panels).try_for_each(|(area, panel)| self.draw_panel(area, panel))
    }

    fn draw_legend(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let mut x = 16;
        for line in &self.series {
            let (stroke, (dash, gap)) = ([(x, 48), (x + 22, 48)], DASH);
            match line.color {
                Some(_) => canvas.draw(&PathElement::new(stroke, line.style()))?,
                None => canvas.draw(&DashedPathElement::new(stroke, dash, gap, line.style()))?,
            }
            canvas.draw(&Text::new(line.name, (x + 27, 48), text(HPos::Left, INK)))?;
            x += 42 + 7 * i32::try_from(line.name.len()).unwrap_or_default();
        }
        Ok(())
    }

    fn draw_panel(&self, area: &Canvas<'_>, panel: &Panel) -> Result<(), DrawError> {
        area.draw(&Text::new(&*panel.name, (14 + 44, 8), heading()))?;
        let points = || panel.points.iter().flatten();
        let max = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MIN_POSITIVE, f64::max);
        let (x_max, y_max) =
            (max(&mut points().map(|point| point.0)), max(&mut points().map(|point| point.1)));
        let mut chart = ChartBuilder::on(area)
            .margin_top(HEADING)
            .margin_left(14)
            .margin_right(20)
            .x_label_area_size(LABELS)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(0.0..x_max, 0.0..y_max)?;
        chart
            .configure_mesh()
            .x_labels(5)
            .y_labels(6)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .x_desc(&self.axes.0)
            .y_desc(&self.axes.1)
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(text(HPos::Left, FAINT))
            .draw()?;
        // The first lines are drawn last, on top of the others.
        for (line, points) in self.series.iter().zip(&panel.points).rev() {
            let points = points.iter().copied();
            let (dash, gap) = DASH;
            match line.color {
                Some(_) => chart.draw_series(LineSeries::new(points, line.style()))?,
                None => {
                    chart.draw_series(DashedLineSeries::new(points, dash, gap, line.style()))?
                }
            };
        }
        Ok(())
    }
}

impl Line {
    fn style(&self) -> ShapeStyle {
        match self.color {
            Some(color) => color.stroke_width(2),
            None => INK.stroke_width(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_has_every_line_and_its_axes() {
        let line = |name, color| Line { name, color };
        let points = || vec![vec![(1.0, 2.0), (3.0, 4.0)], vec![(1.0, 5.0), (2.0, 5.0)]];
        let panel = |name: &str| Panel { name: name.to_owned(), points: points() };
        let color = plotters::style::RGBColor(0x12, 0x34, 0x56);
        let lines = Lines {
            name: "lines".to_owned(),
            title: "Lines".to_owned(),
            axes: ("entries".to_owned(), "hits, %".to_owned()),
            series: vec![line("one", Some(color)), line("best", None)],
            panels: ["a", "b", "c", "d"].map(panel).into(),
        };
        let svg = lines.plot().unwrap().svg;
        // Four panels and the legend.
        assert_eq!(svg.matches("stroke=\"#123456\"").count(), 5, "{svg}");
        assert_eq!(svg.matches("\nentries\n").count(), 4);
        assert_eq!(svg.matches("\nhits, %\n").count(), 4);
    }
}
