//! Bars that lie: long names have room, and figures stand at their ends.

use crate::report::plot::Plot;
use crate::report::plot::svg::{Anchor, Svg, round, step};

/// A plot of bars on one axis.
pub(in crate::report) struct Bars {
    /// The file's name.
    pub(in crate::report) name: String,
    /// What is shown.
    pub(in crate::report) title: String,
    /// What the axis counts, with its unit.
    pub(in crate::report) axis: String,
    /// Whether the axis counts in powers of ten.
    pub(in crate::report) is_log: bool,
    /// Where the axis ends at the latest: what is longer is cut, and says so.
    pub(in crate::report) end: f64,
    /// Bars that are compared with each other.
    pub(in crate::report) groups: Vec<Group>,
}

/// Bars under one heading.
pub(in crate::report) struct Group {
    pub(in crate::report) name: String,
    pub(in crate::report) bars: Vec<Bar>,
}

/// A figure.
pub(in crate::report) struct Bar {
    /// Whose it is.
    pub(in crate::report) name: &'static str,
    pub(in crate::report) colour: &'static str,
    pub(in crate::report) value: f64,
    /// The figure as it is written.
    pub(in crate::report) text: String,
    /// How far it may reach, if somebody wants that.
    pub(in crate::report) must: Option<f64>,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 160.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 40.0;
const BAR: f64 = 14.0;
const ROW: f64 = 18.0;
const HEAD: f64 = 26.0;
const FOOT: f64 = 56.0;

/// From figures to places.
struct Axis {
    is_log: bool,
    first: f64,
    last: f64,
}

impl Bars {
    /// The picture; `None` without any figure.
    pub(in crate::report) fn plot(self) -> Option<Plot> {
        let axis = self.axis()?;
        let mut svg = Svg::new(WIDTH, &self.title);
        let rows = self.groups.iter().map(|group| HEAD + ROW * length(&group.bars)).sum::<f64>();
        let bottom = TOP + rows;
        for tick in axis.ticks() {
            let x = axis.place(tick);
            svg.line("grid", (x, TOP), (x, bottom));
            svg.text(x, bottom + 16.0, Anchor::Middle, "faint", &axis.label(tick));
        }
        let mut y = TOP;
        for group in &self.groups {
            svg.text(LEFT, y + 18.0, Anchor::Start, "head", &group.name);
            y += HEAD;
            for bar in &group.bars {
                bar.draw(&mut svg, &axis, y);
                y += ROW;
            }
        }
        let has_must = self.bars().any(|bar| bar.must.is_some());
        let note = if has_must { "; upright stroke: what Larder must not pass" } else { "" };
        svg.text(LEFT, bottom + 38.0, Anchor::Start, "faint", &format!("{}{note}", self.axis));
        Some(Plot { name: self.name, title: self.title, svg: svg.finish(bottom + FOOT) })
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.groups.iter().flat_map(|group| &group.bars)
    }

    fn axis(&self) -> Option<Axis> {
        let values = || self.bars().map(|bar| bar.value).filter(|value| value.is_finite());
        let musts = self.bars().filter_map(|bar| bar.must);
        let most = values().chain(musts).fold(0.0, f64::max).min(self.end);
        let least = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let is_log = self.is_log;
        (most > 0.0 && least.is_finite()).then(|| match is_log {
            true => Axis {
                is_log,
                first: 10_f64.powf(least.log10().floor()),
                last: 10_f64.powf(most.log10().ceil()),
            },
            false => Axis { is_log, first: 0.0, last: most },
        })
    }
}

impl Axis {
    fn place(&self, figure: f64) -> f64 {
        let part = match self.is_log {
            true => (figure / self.first).log10() / (self.last / self.first).log10().max(1.0),
            false => (figure - self.first) / (self.last - self.first),
        };
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = step(self.last);
        let next = |tick: &f64| Some(if self.is_log { tick * 10.0 } else { tick + step });
        let ticks = std::iter::successors(Some(self.first), next);
        ticks.take_while(|tick| *tick <= self.last * 1.001).collect()
    }

    fn label(&self, tick: f64) -> String {
        match self.is_log {
            true if tick >= 1e9 => format!("{}G", round(tick / 1e9)),
            true if tick >= 1e6 => format!("{}M", round(tick / 1e6)),
            true if tick >= 1e3 => format!("{}k", round(tick / 1e3)),
            _ => round(tick),
        }
    }
}

impl Bar {
    fn draw(&self, svg: &mut Svg, axis: &Axis, y: f64) {
        let end = axis.place(self.value);
        svg.text(LEFT - 8.0, y + 11.5, Anchor::End, "", self.name);
        svg.bar(self.colour, LEFT, y, (end - LEFT).max(1.0), BAR);
        let cut = if self.value > axis.last { "\u{bb} " } else { "" };
        let mut text_at = end;
        if let Some(must) = self.must {
            let x = axis.place(must);
            svg.line("mark", (x, y - 2.0), (x, y + BAR + 2.0));
            // The figure stands behind a stroke that it would cross.
            if (end - 2.0..end + 70.0).contains(&x) {
                text_at = x;
            }
        }
        svg.text(text_at + 6.0, y + 11.5, Anchor::Start, "", &format!("{cut}{}", self.text));
    }
}

fn length(bars: &[Bar]) -> f64 {
    u32::try_from(bars.len()).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64], is_log: bool, end: f64) -> Bars {
        let bar = |&value: &f64| Bar {
            name: "somebody",
            colour: "#123456",
            value,
            text: format!("{value} ns"),
            must: None,
        };
        let group = Group { name: "a case".to_owned(), bars: values.iter().map(bar).collect() };
        let (name, title) = ("plot".to_owned(), "A plot".to_owned());
        Bars { name, title, axis: "time, ns".to_owned(), is_log, end, groups: vec![group] }
    }

    fn widths(svg: &str) -> Vec<f64> {
        let rows = svg.lines().filter(|line| line.contains("#123456"));
        let width = |line: &str| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
        rows.filter_map(width).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let plot = bars(&[50.0, 100.0], false, f64::INFINITY).plot().unwrap();
        let widths = widths(&plot.svg);
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
        assert!(plot.svg.contains(">time, ns<") && plot.svg.contains(">100 ns<"), "{}", plot.svg);
    }

    #[test]
    fn each_power_of_ten_is_as_far_as_the_last() {
        let plot = bars(&[10.0, 100.0, 1000.0, 1.0], true, f64::INFINITY).plot().unwrap();
        let widths = widths(&plot.svg);
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
        assert!((widths[2] - 3.0 * widths[0]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn what_is_cut_says_so() {
        let plot = bars(&[1.0, 9.0], false, 2.0).plot().unwrap();
        assert!(plot.svg.contains("\u{bb} 9 ns") && !plot.svg.contains("\u{bb} 1 ns"));
    }

    #[test]
    fn nothing_makes_no_plot() {
        assert!(bars(&[], false, 1.0).plot().is_none());
        assert!(bars(&[f64::NAN, 0.0], true, 1.0).plot().is_none());
    }
}
