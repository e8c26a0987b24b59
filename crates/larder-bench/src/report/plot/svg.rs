//! The words of SVG that plots are made of.

use std::fmt::Write;

/// A picture in the making. Lengths are in pixels, from the upper left corner.
pub(super) struct Svg {
    width: f64,
    body: String,
}

/// Where a text stands relative to its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}\
.head{font-weight:600}.faint{fill:#59636e}.back{fill:#fff}.grid{stroke:#d1d9e0}\
.mark{stroke:#1f2328}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9198a1}.back{fill:#0d1117}\
.grid{stroke:#3d444d}.mark{stroke:#e6edf3}}";

impl Svg {
    pub(super) fn new(width: f64, title: &str) -> Self {
        let mut svg = Self { width, body: String::new() };
        svg.text(16.0, 26.0, Anchor::Start, "title", title);
        svg
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.add(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{}</text>",
            escaped(text)
        ));
    }

    /// Text that is read upwards.
    pub(super) fn upright(&mut self, x: f64, y: f64, text: &str) {
        self.add(&format!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" \
             class=\"faint\">{}</text>",
            escaped(text)
        ));
    }

    /// A line of a class: `grid` or `mark`.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.add(&format!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    pub(super) fn bar(&mut self, colour: &str, x: f64, y: f64, width: f64, height: f64) {
        self.add(&format!(
            "<rect fill=\"{colour}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"/>"
        ));
    }

    /// A line through points; in the colour of the ink and dashed without a colour of its own.
    pub(super) fn path(&mut self, colour: Option<&str>, points: &[(f64, f64)]) {
        let mut places = String::new();
        for (x, y) in points {
            // Writing to a string does not fail.
            write!(places, "{x:.1},{y:.1} ").ok();
        }
        let look = match colour {
            Some(colour) => format!("stroke=\"{colour}\" stroke-width=\"2\""),
            None => "class=\"mark\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"".to_owned(),
        };
        self.add(&format!("<polyline fill=\"none\" {look} points=\"{}\"/>", places.trim_end()));
    }

    /// The picture, down to this height.
    pub(super) fn finish(self, height: f64) -> String {
        let (width, body) = (self.width, self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\">\n<style>{STYLE}</style>\n\
             <rect class=\"back\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The distance of round numbers of which up to six reach `most`.
pub(super) fn step(most: f64) -> f64 {
    let mut step = 1e-6;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if !most.is_finite() || step * 6.0 >= most {
            break;
        }
        step *= factor;
    }
    step
}

/// A round number, as short as it can be said.
pub(super) fn round(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (most, due) in [(1.6, "0.5"), (100.0, "20"), (0.9, "0.2"), (2400.0, "500")] {
            assert_eq!(round(step(most)), due, "up to {most}");
        }
        assert!(step(f64::INFINITY) > 0.0);
    }

    #[test]
    fn words_are_no_markup() {
        let mut svg = Svg::new(10.0, "a < b & c");
        svg.upright(0.0, 0.0, "<g>");
        let text = svg.finish(10.0);
        assert!(text.contains("a &lt; b &amp; c") && text.contains("&lt;g&gt;"), "{text}");
    }
}
