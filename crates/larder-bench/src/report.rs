//! Reports: tables, plots, and which goals are met.

pub mod document;
pub mod hit_ratio;
pub mod http;
pub mod libraries;
mod plot;
pub mod resp;
mod table;

use std::fmt::Write;
use std::fs::{create_dir_all, write};
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::environment::Environment;
use crate::goals::Goal;
use crate::report::table::Table;

pub use plot::Plot;

/// The report of one benchmark.
pub struct Report {
    /// The title.
    pub title: &'static str,
    /// The machine, the versions and the noise, as names and values.
    pub environment: Vec<(String, String)>,
    /// The results.
    pub sections: Vec<Section>,
    /// The figures that have a goal.
    pub verdicts: Vec<Verdict>,
}

/// A section of a report.
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Tables and text, as Markdown.
    pub body: String,
    /// A plot of the same figures.
    pub plot: Option<Plot>,
}

/// A figure beside its goal.
pub struct Verdict {
    label: String,
    figure: String,
    is_missed: bool,
    text: String,
}

impl Verdict {
    /// Compares a figure with a goal that it should not exceed.
    fn at_most(goal: Goal, label: String, figure: f64, digits: usize, unit: &str) -> Self {
        Self {
            label,
            figure: format!("{figure:.digits$} {unit}"),
            is_missed: goal.is_missed(figure, digits),
            text: goal.verdict(figure, digits),
        }
    }

    /// Compares a figure with a goal that it should reach.
    fn at_least(goal: Goal, label: String, figure: f64, digits: usize, unit: &str) -> Self {
        let goal = Goal { must: -goal.must, aim: -goal.aim };
        let verdict = Self::at_most(goal, label, -figure, digits, unit);
        Self { figure: format!("{figure:.digits$} {unit}"), ..verdict }
    }
}

impl Report {
    /// Adds a section unless its body is empty.
    fn section(&mut self, heading: impl Into<String>, plot: Option<Plot>, body: String) {
        if !body.is_empty() {
            self.sections.push(Section { heading: heading.into(), body, plot });
        }
    }

    /// Formats the whole report for a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n\n{}", self.title, self.environment_text());
        for Section { heading, body, .. } in &self.sections {
            // Writing to a string cannot fail.
            write!(text, "\n## {heading}\n\n{body}").ok();
        }
        let goals = verdicts(self.verdicts.iter());
        if !goals.is_empty() {
            let missed = self.verdicts.iter().filter(|verdict| verdict.is_missed).count();
            write!(text, "\n## Goals, {missed} missed\n\n{goals}").ok();
        }
        text
    }

    fn environment_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.environment {
            writeln!(text, "- {name}: {value}").ok();
        }
        text
    }
}

/// Formats verdicts as a table. Empty without verdicts.
fn verdicts<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let mut table = Table::new(&["what", "figure", "goal"]);
    for verdict in verdicts {
        table.row([verdict.label.clone(), verdict.figure.clone(), verdict.text.clone()]);
    }
    table.text()
}

/// Formats rows as a table.
pub(crate) fn plain_table<const COLUMNS: usize>(
    header: &[&str],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new(header);
    rows.for_each(|row| table.row(row));
    table.text()
}

/// Writes raw figures as JSON.
pub fn save(results: &impl Serialize, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    write(path, serde_json::to_vec_pretty(results)?)
}

/// Lists the environment of a run: the machine, then `more`, then versions and command lines.
fn environment(
    environment: &Environment,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> Vec<(String, String)> {
    let machine = [
        ("kernel", environment.kernel.clone()),
        ("processor", format!("{}; cores for this run: {}", environment.cpu, environment.cores)),
        ("load before the run", environment.load.clone()),
    ];
    let remark = environment.remark.iter().map(|remark| ("warning", remark.clone()));
    let mut lines: Vec<_> = machine
        .into_iter()
        .chain(remark)
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let prefixed = |prefix: &str, (name, value): &(String, String)| {
        (format!("{prefix} of {name}"), value.clone())
    };
    lines.extend(environment.versions.iter().map(|pair| prefixed("version", pair)));
    let commands = environment.commands.iter().map(|pair| prefixed("command", pair));
    lines.extend(commands.map(|(name, command)| (name, without_folder(&command))));
    lines
}

/// Drops the folder of the program from a command line.
fn without_folder(command: &str) -> String {
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let name = program.rsplit('/').next().unwrap_or(program);
    format!("`{name} {arguments}`")
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn percent(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}
