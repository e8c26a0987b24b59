//! Lines in small panels, one beside the other, with one legend for all.

use crate::report::plot::Plot;
use crate::report::plot::svg::{Anchor, Svg, round, step};

/// Panels with the same lines.
pub(in crate::report) struct Lines {
    /// The file's name.
    pub(in crate::report) name: String,
    /// What is shown.
    pub(in crate::report) title: String,
    /// What the axes count, with their units.
    pub(in crate::report) axes: (String, String),
    /// What the lines are.
    pub(in crate::report) series: Vec<Line>,
    pub(in crate::report) panels: Vec<Panel>,
}

/// A line's name and colour; dashed without one.
pub(in crate::report) struct Line {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) colour: Option<&'static str>,
}

/// One of several plots.
pub(in crate::report) struct Panel {
    pub(in crate::report) name: String,
    /// The points of each line, in the order of the lines, from left to right.
    pub(in crate::report) points: Vec<Vec<(f64, f64)>>,
}

const WIDTH: f64 = 900.0;
const COLUMNS: usize = 3;
const TOP: f64 = 76.0;
const PANEL: (f64, f64) = (290.0, 210.0);
const INSET: (f64, f64) = (58.0, 22.0);
const PLOT: (f64, f64) = (216.0, 136.0);

/// The corner of a panel's plot, and how much it holds.
struct Frame {
    left: f64,
    top: f64,
    most: (f64, f64),
}

impl Lines {
    /// The picture; `None` without any panel.
    pub(in crate::report) fn plot(self) -> Option<Plot> {
        if self.panels.is_empty() {
            return None;
        }
        let mut svg = Svg::new(WIDTH, &self.title);
        self.legend(&mut svg);
        for (at, panel) in self.panels.iter().enumerate() {
            let (column, row) = (number(at % COLUMNS), number(at / COLUMNS));
            let (left, top) = (14.0 + column * PANEL.0, TOP + row * PANEL.1);
            self.draw(panel, &mut svg, left, top);
        }
        let height = TOP + PANEL.1 * number(self.panels.len().div_ceil(COLUMNS)) + 6.0;
        Some(Plot { name: self.name, title: self.title, svg: svg.finish(height) })
    }

    fn legend(&self, svg: &mut Svg) {
        let mut x = 16.0;
        for Line { name, colour } in &self.series {
            svg.path(*colour, &[(x, 48.0), (x + 22.0, 48.0)]);
            svg.text(x + 27.0, 52.0, Anchor::Start, "", name);
            x += 42.0 + 7.0 * number(name.len());
        }
    }

    fn draw(&self, panel: &Panel, svg: &mut Svg, left: f64, top: f64) {
        let points = || panel.points.iter().flatten();
        let most = points()
            .fold((0.0, 0.0), |most: (f64, f64), point| (most.0.max(point.0), most.1.max(point.1)));
        let frame = Frame { left: left + INSET.0, top: top + INSET.1, most };
        svg.text(frame.left, top + 12.0, Anchor::Start, "head", &panel.name);
        frame.grid(svg);
        // The first ones are drawn last: they lie above those that they meet.
        for (line, points) in self.series.iter().zip(&panel.points).rev() {
            let places: Vec<_> = points.iter().map(|point| frame.place(*point)).collect();
            svg.path(line.colour, &places);
        }
        let (x, y) = &self.axes;
        let bottom = frame.top + PLOT.1;
        svg.text(frame.left + PLOT.0 / 2.0, bottom + 32.0, Anchor::Middle, "faint", x);
        svg.upright(left + 14.0, frame.top + PLOT.1 / 2.0, y);
    }
}

impl Frame {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part = |value: f64, most: f64| if most > 0.0 { value / most } else { 0.0 };
        let (right, up) = (part(x, self.most.0) * PLOT.0, part(y, self.most.1) * PLOT.1);
        (self.left + right, self.top + PLOT.1 - up)
    }

    fn grid(&self, svg: &mut Svg) {
        let (right, bottom) = (self.left + PLOT.0, self.top + PLOT.1);
        for tick in ticks(self.most.1) {
            let (_, y) = self.place((0.0, tick));
            svg.line("grid", (self.left, y), (right, y));
            svg.text(self.left - 5.0, y + 4.0, Anchor::End, "faint", &round(tick));
        }
        for tick in ticks(self.most.0) {
            let (x, _) = self.place((tick, 0.0));
            svg.line("grid", (x, self.top), (x, bottom));
            svg.text(x, bottom + 15.0, Anchor::Middle, "faint", &round(tick));
        }
    }
}

fn ticks(most: f64) -> Vec<f64> {
    let step = step(most);
    let ticks = std::iter::successors(Some(0.0), |tick| Some(tick + step));
    ticks.take_while(|tick| *tick <= most * 1.001).collect()
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_where_they_belong() {
        let frame = Frame { left: 10.0, top: 20.0, most: (100.0, 50.0) };
        assert_eq!(frame.place((0.0, 0.0)), (10.0, 20.0 + PLOT.1));
        assert_eq!(frame.place((100.0, 50.0)), (10.0 + PLOT.0, 20.0));
    }

    #[test]
    fn every_panel_has_every_line() {
        let line = |name, colour| Line { name, colour };
        let points = || vec![vec![(1.0, 2.0), (3.0, 4.0)], vec![(1.0, 5.0)]];
        let panel = |name: &str| Panel { name: name.to_owned(), points: points() };
        let lines = Lines {
            name: "lines".to_owned(),
            title: "Lines".to_owned(),
            axes: ("entries".to_owned(), "hits, %".to_owned()),
            series: vec![line("one", Some("#123456")), line("best", None)],
            panels: ["a", "b", "c", "d"].map(panel).into(),
        };
        let svg = lines.plot().unwrap().svg;
        // Four panels and the legend.
        assert_eq!(svg.matches("<polyline").count(), 10);
        assert_eq!(svg.matches(">entries<").count(), 4);
        assert_eq!(svg.matches(">hits, %<").count(), 4);
    }
}
