//! `docs/benchmarks.md`, with its plots, from the raw figures of whatever was measured.

use std::fmt::Write;
use std::fs::{create_dir_all, read, remove_file, write};
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::report::table::Table;
use crate::report::{Report, Section, Verdict, hit_ratio, http, libraries, resp, verdicts};

/// A part of the document.
struct Part {
    /// The file with its raw figures.
    file: &'static str,
    /// The command that measures it.
    command: &'static str,
    report: fn(&[u8]) -> io::Result<Report>,
}

/// What is measured, in the order of the document.
const PARTS: [Part; 4] = [
    Part {
        file: "resp.json",
        command: "make bench-resp",
        report: |json| Ok(resp::report(&parsed(json)?)),
    },
    Part {
        file: "http.json",
        command: "make bench-http",
        report: |json| Ok(http::report(&parsed(json)?)),
    },
    Part {
        file: "libraries.json",
        command: "make bench-libraries",
        report: |json| Ok(libraries::report(&parsed(json)?)),
    },
    Part {
        file: "hit-ratio.json",
        command: "make bench-hit-ratio",
        report: |json| Ok(hit_ratio::report(&parsed(json)?)),
    },
];

/// The folder of the plots, beside the document and named as it is.
const PLOTS: &str = "benchmarks";

/// Reads the raw figures in one folder, and writes the document and its plots to another one.
///
/// # Errors
/// When there are no figures, or some that this program has not written.
pub fn render(from: &Path, to: &Path) -> io::Result<()> {
    let mut reports = Vec::new();
    for part in &PARTS {
        reports.push((part, part.read(from)?));
    }
    if reports.iter().all(|(_, report)| report.is_none()) {
        let text = format!("no figures in {}: `make bench` measures them", from.display());
        return Err(io::Error::other(text));
    }
    let plots = to.join(PLOTS);
    create_dir_all(&plots)?;
    clean(&plots)?;
    for section in
        reports.iter().filter_map(|(_, report)| report.as_ref()).flat_map(|it| &it.sections)
    {
        if let Some(plot) = &section.plot {
            write(plots.join(format!("{}.svg", plot.name)), &plot.svg)?;
        }
    }
    write(to.join(format!("{PLOTS}.md")), text(&reports))
}

impl Part {
    /// `None` if it was not measured.
    fn read(&self, from: &Path) -> io::Result<Option<Report>> {
        let path = from.join(self.file);
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        match read(&path) {
            Ok(json) => (self.report)(&json).map(Some).map_err(named),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(error)),
        }
    }
}

fn parsed<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(json)?)
}

/// Removes plots of earlier runs: some of them may have no place any more.
fn clean(plots: &Path) -> io::Result<()> {
    for entry in plots.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            remove_file(path)?;
        }
    }
    Ok(())
}

fn text(reports: &[(&Part, Option<Report>)]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Behind the goals\n\n");
    text.push_str(&behind(reports));
    for (part, report) in reports {
        match report {
            Some(report) => text.push_str(&chapter(part, report)),
            // Writing to a string does not fail.
            None => write!(text, "\n## Not measured: `{}`\n", part.command).unwrap_or_default(),
        }
    }
    text
}

const HEAD: &str = "\
# Benchmarks

`make bench` measured these figures and wrote this page: do not edit it. Compare what stands in one
table; another machine, or another day, gives other figures. [CONTRIBUTING.md](../CONTRIBUTING.md)
says how to read them, and the raw figures of all rounds are in `target/bench` after a run.
";

/// What Larder must reach and does not.
fn behind(reports: &[(&Part, Option<Report>)]) -> String {
    let reports = || reports.iter().filter_map(|(_, report)| report.as_ref());
    let all = reports().map(|report| report.verdicts.len()).sum::<usize>();
    let mut table = Table::new(&["part", "what", "figure", "goal"]);
    let mut missed = 0;
    for report in reports() {
        for Verdict { what, figure, text, .. } in report.verdicts.iter().filter(|it| it.is_missed) {
            table.row([report.title.to_owned(), what.clone(), figure.clone(), text.clone()]);
            missed += 1;
        }
    }
    format!("{missed} of {all} goals that must be met are missed in this run.\n\n{}", table.text())
}

fn chapter(part: &Part, report: &Report) -> String {
    let mut text = format!("\n## {}\n\nMeasured by `{}`.\n", report.title, part.command);
    for Section { heading, body, plot } in &report.sections {
        write!(text, "\n### {heading}\n\n").ok();
        if let Some(plot) = plot {
            write!(text, "![{}]({PLOTS}/{}.svg)\n\n", plot.title, plot.name).ok();
        }
        text.push_str(body);
    }
    let goals = verdicts(report.verdicts.iter());
    if !goals.is_empty() {
        write!(text, "\n### {}: goals\n\n{goals}", report.title).ok();
    }
    write!(text, "\n### {}: machine, versions and noise\n\n{}", report.title, report.facts_text())
        .ok();
    text
}
