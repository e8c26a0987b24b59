//! Writes `docs/benchmarks.md` and its plots from the raw figures of all benchmarks.

use std::fmt::Write;
use std::fs::{create_dir_all, read, remove_file, write};
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::report::table::Table;
use crate::report::{Report, Section, Verdict, hit_ratio, http, libraries, resp, verdicts};

/// A benchmark in the document.
struct Chapter {
    /// The file with the raw figures.
    file: &'static str,
    /// The command that writes the file.
    command: &'static str,
    report: fn(&[u8]) -> io::Result<Report>,
}

/// The benchmarks, in the order of the document.
const CHAPTERS: [Chapter; 4] = [
    Chapter {
        file: "resp.json",
        command: "make bench-resp",
        report: |json| Ok(resp::report(&parsed(json)?)),
    },
    Chapter {
        file: "http.json",
        command: "make bench-http",
        report: |json| Ok(http::report(&parsed(json)?)),
    },
    Chapter {
        file: "libraries.json",
        command: "make bench-libraries",
        report: |json| Ok(libraries::report(&parsed(json)?)),
    },
    Chapter {
        file: "hit-ratio.json",
        command: "make bench-hit-ratio",
        report: |json| Ok(hit_ratio::report(&parsed(json)?)),
    },
];

/// The name of the document without its extension, and of the folder of its plots.
const PLOTS: &str = "benchmarks";

/// Reads the raw figures from one folder, and writes the document and its plots to another.
///
/// # Errors
/// When there are no figures, or a file of figures is malformed.
pub fn render(from: &Path, to: &Path) -> io::Result<()> {
    let mut reports = Vec::new();
    for chapter in &CHAPTERS {
        reports.push((chapter, chapter.read(from)?));
    }
    if reports.iter().all(|(_, report)| report.is_none()) {
        let text = format!("no figures in {}: `make bench` measures them", from.display());
        return Err(io::Error::other(text));
    }
    let plots = to.join(PLOTS);
    create_dir_all(&plots)?;
    remove_plots(&plots)?;
    for section in
        reports.iter().filter_map(|(_, report)| report.as_ref()).flat_map(|it| &it.sections)
    {
        if let Some(plot) = &section.plot {
            write(plots.join(format!("{}.svg", plot.name)), &plot.svg)?;
        }
    }
    write(to.join(format!("{PLOTS}.md")), text(&reports))
}

impl Chapter {
    /// Reads the report; `None` if the benchmark did not run.
    fn read(&self, from: &Path) -> io::Result<Option<Report>> {
        let path = from.join(self.file);
        let with_path = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        match read(&path) {
            Ok(json) => (self.report)(&json).map(Some).map_err(with_path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(with_path(error)),
        }
    }
}

fn parsed<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(json)?)
}

/// Removes the plots of earlier runs, as this run may have other ones.
fn remove_plots(plots: &Path) -> io::Result<()> {
    for entry in plots.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            remove_file(path)?;
        }
    }
    Ok(())
}

fn text(reports: &[(&Chapter, Option<Report>)]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Missed goals\n\n");
    text.push_str(&missed_goals(reports));
    for (chapter, report) in reports {
        match report {
            Some(report) => text.push_str(&chapter_text(chapter, report)),
            // Writing to a string cannot fail.
            None => write!(text, "\n## Not measured: `{}`\n", chapter.command).unwrap_or_default(),
        }
    }
    text
}

const HEAD: &str = "\
# Benchmarks

`make bench` measured these figures and generated this page: do not edit it. Compare figures within
one table only, as another machine or another day gives other figures.
[benchmarking.md](benchmarking.md) explains how to read them. After a run, `target/bench` holds the raw
figures of all rounds.
";

/// Lists the required goals that are missed.
fn missed_goals(reports: &[(&Chapter, Option<Report>)]) -> String {
    let reports = || reports.iter().filter_map(|(_, report)| report.as_ref());
    let all = reports().map(|report| report.verdicts.len()).sum::<usize>();
    let mut table = Table::new(&["benchmark", "what", "figure", "goal"]);
    let mut missed = 0;
    for report in reports() {
        for Verdict { label, figure, text, .. } in report.verdicts.iter().filter(|it| it.is_missed)
        {
            table.row([report.title.to_owned(), label.clone(), figure.clone(), text.clone()]);
            missed += 1;
        }
    }
    match missed {
        0 => format!("All {all} required goals are met.\n"),
        _ => {
            format!("{missed} of {all} required goals are missed in this run.\n\n{}", table.text())
        }
    }
}

fn chapter_text(chapter: &Chapter, report: &Report) -> String {
    let mut text = format!("\n## {}\n\nMeasured by `{}`.\n", report.title, chapter.command);
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
    write!(
        text,
        "\n### {}: machine, versions and noise\n\n{}",
        report.title,
        report.environment_text()
    )
    .ok();
    text
}
