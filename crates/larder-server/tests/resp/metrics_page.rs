//! `docs/metrics.md` names every metric, and no other.

use std::{collections::BTreeSet, fs, path::Path};

use tempfile::TempDir;

use larder_testkit::{Harness, LIMIT, eventually, http};

use crate::setup::RespHarness;

/// Returns the names in the tables of metrics, and those that a paragraph begins with, as `# TYPE`
/// has them: without the suffix of counters.
fn documented(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut in_table = false;
    for line in page.lines() {
        in_table = line.starts_with('|') && (in_table || line.starts_with("| metric |"));
        let cell = line.strip_prefix("| ").and_then(|row| row.split(" |").next());
        let in_backquotes =
            |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(bare).collect() };
        if let Some(cell) = cell.filter(|_| in_table) {
            names.extend(in_backquotes(cell));
        } else if line.starts_with("`larder_") {
            names.extend(in_backquotes(line).into_iter().take(1));
        }
    }
    names
}

fn bare(name: &str) -> String {
    let name = name.split('{').next().unwrap_or_default();
    let name = name.strip_prefix("larder_").unwrap_or(name);
    name.strip_suffix("_total").unwrap_or(name).to_owned()
}

#[test]
fn the_page_of_metrics_names_each_of_them_and_no_other() {
    let rows = TempDir::with_prefix("larder-rows-").unwrap();
    let file = rows.path().join("users.json");
    fs::write(&file, "{}").unwrap();
    // The response times of an origin are a metric.
    let origin = format!(
        "[[origin]]\nname = 'users'\nkind = 'json'\nfile = '{}'\nkey = 'users:{{id}}'\npath = '/u/{{id}}'",
        file.display()
    );
    let harness = Harness::builder(env!("CARGO_BIN_EXE_larder"))
        .flags(&["--near-verify", "100%", "--staleness-bound", "200ms"])
        .configure(|larder| larder.config_text(origin))
        .start();
    let Some(harness) = harness else { return };
    harness.wire().expect("GET k", "$-1");
    let exported = || -> BTreeSet<String> {
        let metrics = http::get(&harness.larder.url("/metrics"), &[]).text();
        let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE larder_"));
        types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    eventually(LIMIT, "the tracking table", || exported().contains("tracking_max_keys"));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let documented = documented(&fs::read_to_string(page).unwrap());
    assert_eq!(documented, exported());
}
