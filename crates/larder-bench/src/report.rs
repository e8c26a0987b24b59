//! Figures as people read them: tables, and which goals are met.

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

use crate::facts::Facts;
use crate::goals::Goal;
use crate::report::table::Table;

pub use plot::Plot;

/// One part of a report.
pub struct Report {
    /// What was measured.
    pub title: &'static str,
    /// What a reader must know to compare it: names with what they mean.
    pub facts: Vec<(String, String)>,
    /// What was found.
    pub sections: Vec<Section>,
    /// What was wanted.
    pub verdicts: Vec<Verdict>,
}

/// What stands below a heading.
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Tables and words, as Markdown.
    pub body: String,
    /// The same as a picture.
    pub plot: Option<Plot>,
}

/// A figure beside its goal.
pub struct Verdict {
    what: String,
    figure: String,
    is_missed: bool,
    text: String,
}

impl Verdict {
    /// Lower is better; `unit` stands behind the figure.
    fn at_most(goal: Goal, what: String, figure: f64, digits: usize, unit: &str) -> Self {
        Self {
            what,
            figure: format!("{figure:.digits$} {unit}"),
            is_missed: goal.is_missed(figure, digits),
            text: goal.verdict(figure, digits),
        }
    }

    /// Higher is better.
    fn at_least(goal: Goal, what: String, figure: f64, digits: usize, unit: &str) -> Self {
        let goal = Goal { must: -goal.must, aim: -goal.aim };
        let verdict = Self::at_most(goal, what, -figure, digits, unit);
        Self { figure: format!("{figure:.digits$} {unit}"), ..verdict }
    }
}

impl Report {
    /// Adds a section, unless there is nothing to stand in it.
    fn section(&mut self, heading: impl Into<String>, plot: Option<Plot>, body: String) {
        if !body.is_empty() {
            self.sections.push(Section { heading: heading.into(), body, plot });
        }
    }

    /// All of it, for a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n\n{}", self.title, self.facts_text());
        for Section { heading, body, .. } in &self.sections {
            // Writing to a string does not fail.
            write!(text, "\n## {heading}\n\n{body}").ok();
        }
        let goals = verdicts(self.verdicts.iter());
        if !goals.is_empty() {
            let missed = self.verdicts.iter().filter(|verdict| verdict.is_missed).count();
            write!(text, "\n## Goals, {missed} missed\n\n{goals}").ok();
        }
        text
    }

    fn facts_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            writeln!(text, "- {name}: {value}").ok();
        }
        text
    }
}

/// Verdicts side by side; nothing of none.
fn verdicts<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let mut table = Table::new(&["what", "figure", "goal"]);
    for verdict in verdicts {
        table.row([verdict.what.clone(), verdict.figure.clone(), verdict.text.clone()]);
    }
    table.text()
}

/// Columns side by side.
pub(crate) fn plain_table<const COLUMNS: usize>(
    head: &[&str],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new(head);
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

/// The machine, and what else is to be said.
fn facts(
    facts: &Facts,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> Vec<(String, String)> {
    let machine = [
        ("kernel", facts.kernel.clone()),
        ("processor", format!("{}; cores for this run: {}", facts.cpu, facts.cores)),
        ("load before the run", facts.load.clone()),
    ];
    let remark = facts.remark.iter().map(|remark| ("beware", remark.clone()));
    let mut lines: Vec<_> = machine
        .into_iter()
        .chain(remark)
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let named =
        |what: &str, (name, value): &(String, String)| (format!("{what} of {name}"), value.clone());
    lines.extend(facts.versions.iter().map(|pair| named("version", pair)));
    let commands = facts.commands.iter().map(|pair| named("command", pair));
    lines.extend(commands.map(|(name, command)| (name, without_folder(&command))));
    lines
}

/// A command whose program is named without the place where it was built.
fn without_folder(command: &str) -> String {
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let name = program.rsplit('/').next().unwrap_or(program);
    format!("`{name} {arguments}`")
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
