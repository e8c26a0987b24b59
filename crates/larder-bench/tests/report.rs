//! The document shows the raw figures, and lists the missed goals.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: a panic is a failure")]

use std::fs::{create_dir_all, read_to_string, write};
use std::path::Path;

use larder_bench::report::document::render;

/// Returns the figures of a run over RESP.
fn resp(larder_cpu_ns: u64) -> String {
    let row = |subject: &str, cpu_ns: u64| {
        format!(
            r#"{{"case": {{"workload": "hits", "transport": "tcp", "connections": 50, "pipeline": 16}},
            "subject": "{subject}", "samples": [{{"requests": 1000, "elapsed_ns": 9000000,
            "cpu_ns": {cpu_ns}, "backend_ns": null, "generator_ns": 1, "p50_ns": 1, "p99_ns": 2,
            "p999_ns": 3}}]}}"#
        )
    };
    format!(
        r#"{{"environment": {environment}, "plan": {{"rounds": 1, "round_millis": 9, "hot_keys": 10,
        "cold_keys": 0, "pipelines": [16], "connections": 50, "many_connections": 1000}},
        "rows": [{redis}, {larder}], "entries": null}}"#,
        environment = environment(),
        redis = row("redis", 1_000_000),
        larder = row("larder", larder_cpu_ns),
    )
}

fn environment() -> &'static str {
    r#"{"kernel": "6.18", "cpu": "some CPU", "cores": 2, "server_core": 0, "generator_core": 1,
        "load": "0.1 0.2 0.3", "remark": null, "versions": [["redis", "v=7.0"]],
        "commands": [["larder", "/some/where/larder serve --port 1"]]}"#
}

fn hit_ratio() -> String {
    let row = |entries: u32, larder: u32| {
        format!(
            r#"{{"trace": "multi1", "entries": {entries}, "reads": 100, "optimum_hits": 80,
            "hits": [{{"cache": "larder", "hits": {larder}}},
            {{"cache": "quick-cache", "hits": 60}}]}}"#
        )
    };
    format!(
        r#"{{"environment": {}, "rows": [{}, {}]}}"#,
        environment(),
        row(500, 40),
        row(1000, 60)
    )
}

fn rendered(files: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("bench"), folder.path().join("docs"));
    create_dir_all(&from).unwrap();
    for (name, json) in files {
        write(from.join(name), json).unwrap();
    }
    render(&from, &to).unwrap();
    let text = read_to_string(to.join("benchmarks.md")).unwrap();
    (folder, text)
}

/// Returns the rows of the table of missed goals.
fn missed_goals(text: &str) -> Vec<&str> {
    let (_, text) = text.split_once("## Missed goals").unwrap();
    let (text, _) = text.split_once("\n## ").unwrap();
    text.lines().filter(|line| line.starts_with('|')).skip(2).collect()
}

#[test]
fn missed_goals_are_listed_first() {
    let (_folder, text) =
        rendered(&[("resp.json", &resp(800_000)), ("hit-ratio.json", &hit_ratio())]);
    assert!(text.contains("2 of 2 required goals are missed"), "{text}");
    let rows = missed_goals(&text);
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].contains("0.80 x redis (CPU) | required: missed by 0.10"), "{}", rows[0]);
    // (40 / 80 + 60 / 80) / 2, and 60 / 80.
    assert!(rows[1].contains("0.625 (quick_cache 0.750)"), "{}", rows[1]);
    assert!(rows[1].contains("required: missed by 0.125"), "{}", rows[1]);
    assert!(text.contains("## Not measured: `make bench-libraries`"), "{text}");
}

#[test]
fn a_goal_that_is_met_is_not_listed() {
    let (_folder, text) = rendered(&[("resp.json", &resp(600_000))]);
    assert!(text.contains("All 1 required goals are met."), "{text}");
    assert!(missed_goals(&text).is_empty(), "{text}");
    assert!(text.contains("0.60 x redis (CPU) | required: met; target: met"), "{text}");
    assert!(text.contains("command of larder: `larder serve --port 1`"), "{text}");
}

#[test]
fn exactly_the_referenced_plots_are_written() {
    let (folder, _) = rendered(&[("resp.json", &resp(800_000)), ("hit-ratio.json", &hit_ratio())]);
    let (from, to) = (folder.path().join("bench"), folder.path().join("docs"));
    write(to.join("benchmarks/of-an-earlier-run.svg"), "<svg/>").unwrap();
    render(&from, &to).unwrap();
    let text = read_to_string(to.join("benchmarks.md")).unwrap();
    let shown: Vec<_> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(".svg)"))
        .map(|it| it.0)
        .collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    for plot in &shown {
        let svg = read_to_string(to.join(format!("{plot}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains("prefers-color-scheme"), "{svg}");
    }
    assert_eq!(to.join("benchmarks").read_dir().unwrap().count(), shown.len());
    let svg = read_to_string(to.join("benchmarks/resp-hits-tcp.svg")).unwrap();
    assert!(svg.contains("0.80 (0.80 us)") && svg.contains("relative to Redis"), "{svg}");
}

/// Returns the figures of a run at a fixed rate, in which the generator sent `late` requests late.
fn open_loop(late: u64) -> String {
    let open_loop = format!(
        r#"[{{"case": {{"connections": 50, "percent": 25, "per_second": 20000}}, "subject": "haproxy",
        "samples": [{{"requests": 10000, "elapsed_ns": 500000000, "cpu_ns": 170000000,
        "backend_ns": 1, "p50_ns": 40000, "p99_ns": 90000, "p999_ns": 200000, "max_ns": 700000,
        "late": {late}, "late_p999_ns": 60000}}]}}]"#
    );
    resp(600_000)
        .replace(r#""entries": null"#, &format!(r#""entries": null, "open_loop": {open_loop}"#))
}

#[test]
fn figures_with_late_requests_are_named() {
    let (_folder, text) = rendered(&[("resp.json", &open_loop(10))]);
    let row =
        "| 25 % | 20000 | haproxy |     40 |     90 |      200 |    700 |  17.00 |    0.10 % |";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("The generator kept its schedule."), "{text}");
    let (_folder, text) = rendered(&[("resp.json", &open_loop(11))]);
    assert!(text.contains("Warning: the generator was late in these rows"), "{text}");
    let (_folder, text) = rendered(&[("resp.json", &resp(600_000))]);
    assert!(!text.contains("schedule"), "{text}");
}

#[test]
fn malformed_figures_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = render(folder.path(), folder.path()).unwrap_err().to_string();
    assert!(error.contains("`make bench` measures them"), "{error}");
    write(folder.path().join("libraries.json"), "{}").unwrap();
    let error = render(folder.path(), Path::new("/nowhere")).unwrap_err().to_string();
    assert!(error.contains("libraries.json: missing field `environment`"), "{error}");
}
