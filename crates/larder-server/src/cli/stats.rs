//! The output of `larder stats`: the numbers that people look for first.

use serde_json::Value;
use std::fmt::Write;

/// Width of the column of names.
const NAME_WIDTH: usize = 12;

/// Formats the JSON of `/v1/stats` as lines of a name and its numbers.
pub(super) fn text(stats: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // Writing to a string does not fail.
        writeln!(out, "{name:NAME_WIDTH$}{text}").ok();
    };
    let health = word(stats, "/status");
    let version = word(stats, "/version");
    line(
        "status",
        format!("{health}, up {}, version {version}", up(number(stats, "/uptime_seconds"))),
    );
    for problem in stats.pointer("/problems").and_then(Value::as_array).into_iter().flatten() {
        line("", format!("! {}", problem.as_str().unwrap_or_default()));
    }
    line("store", format!("{}, feed {}", word(stats, "/store/url"), feed(stats)));
    line("tracking", tracking(stats));
    line("near cache", near(stats));
    for (name, path) in [("resp", "/resp/requests"), ("http", "/http/requests")] {
        line(name, requests(stats.pointer(path).unwrap_or(&Value::Null)));
    }
    let [resp, http] = ["/resp/writes", "/http/writes"].map(|path| writes(stats, path));
    line("writes", format!("resp: {resp}; http: {http}"));
    line("forwarded", forwarded(stats));
    line("clients", clients(stats));
    line("not cached", counts(stats.pointer("/fills_refused")));
    line("evicted", counts(stats.pointer("/near/evictions")));
    line("flushed", counts(stats.pointer("/flushes")));
    line("verified", counts(stats.pointer("/verified")));
    out.truncate(out.trim_end().len());
    out
}

fn feed(stats: &Value) -> String {
    let tracking = word(stats, "/feed/state");
    match stats.pointer("/feed/age_seconds").and_then(Value::as_f64) {
        Some(age) => format!("{tracking}, {:.0} ms old", age * 1000.0),
        None => tracking.to_owned(),
    }
}

fn tracking(stats: &Value) -> String {
    let count = |name: &str| number(stats, &format!("/feed/{name}"));
    format!(
        "{}; {} keys invalidated, {} of them not cached",
        tracking_table(stats),
        count("invalidations"),
        count("invalidations_uncached"),
    )
}

/// Formats the size of the store's tracking table, which Larder's user may not be allowed to read.
fn tracking_table(stats: &Value) -> String {
    let count = |name: &str| stats.pointer(&format!("/feed/{name}")).and_then(Value::as_u64);
    let sizes = [count("tracking_total_keys"), count("tracking_total_items")];
    let [Some(keys), Some(items)] = sizes else {
        return "unknown number of keys and items in the store".to_owned();
    };
    let limit = count("tracking_table_max_keys");
    let limit = limit.map_or_else(String::new, |limit| format!(" of at most {limit}"));
    format!("{keys} keys{limit} and {items} items in the store")
}

fn near(stats: &Value) -> String {
    let (items, bytes) = (number(stats, "/near/items"), number(stats, "/near/bytes"));
    let limit = number(stats, "/near/maxmemory");
    let part = percent(bytes, limit);
    format!("{items} entries, {} of {} ({part})", mib(bytes), mib(limit))
}

fn requests(requests: &Value) -> String {
    let count = |name: &str| number(requests, &format!("/{name}"));
    let bypass = requests.pointer("/bypass");
    let bypassed: u64 = bypass.map_or(0, |reasons| {
        reasons.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
    });
    let [hit, miss, collapsed, error] = ["hit", "miss", "collapsed", "error"].map(count);
    let all = hit + miss + collapsed + count("not-cached") + error + bypassed;
    let mut text = format!(
        "{all} reads: {hit} hits ({}), {miss} misses, {collapsed} collapsed, {bypassed} bypassed, \
         {error} failed",
        percent(hit, all)
    );
    if bypassed > 0 {
        write!(text, " [{}]", counts(bypass)).ok();
    }
    text
}

fn writes(stats: &Value, path: &str) -> String {
    let [done, refused, failed] =
        ["done", "refused", "error"].map(|result| number(stats, &format!("{path}/{result}")));
    format!("{done} done, {refused} refused, {failed} failed")
}

fn forwarded(stats: &Value) -> String {
    let count = |name: &str| number(stats, &format!("/resp/forwarded/{name}"));
    let fences = number(stats, "/resp/fences");
    format!(
        "{} reads, {} writes, {} others; {fences} fences",
        count("read"),
        count("write"),
        count("other")
    )
}

fn clients(stats: &Value) -> String {
    let count = |name: &str| number(stats, &format!("/resp/{name}"));
    format!(
        "{} connected ({} accepted, {} rejected), {} upstream connections",
        count("connected_clients"),
        count("connections_accepted"),
        count("connections_rejected"),
        count("upstream_connections")
    )
}

/// Formats the counts that are not 0.
fn counts(counts: Option<&Value>) -> String {
    let counts = counts.and_then(Value::as_object).into_iter().flatten();
    let some = counts.filter(|(_, count)| count.as_u64() != Some(0));
    let words: Vec<_> = some.map(|(name, count)| format!("{name} {count}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn word<'a>(stats: &'a Value, path: &str) -> &'a str {
    stats.pointer(path).and_then(Value::as_str).unwrap_or("?")
}

fn number(stats: &Value, path: &str) -> u64 {
    stats.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1}%", part as f64 * 100.0 / whole as f64),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn up(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {}s", seconds % 60),
        (0, hours) => format!("{hours}h {minutes}m"),
        (days, hours) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_numbers_leave_no_gap() {
        assert!(text(&json!({})).starts_with("status      ?, up 0m 0s"));
    }

    #[test]
    fn the_size_of_the_tracking_table_is_unknown_until_the_store_reports_it() {
        let unknown = "unknown number of keys and items in the store";
        assert_eq!(tracking_table(&json!({ "feed": { "tracking_total_keys": null } })), unknown);
        let feed = json!({ "tracking_total_keys": 0, "tracking_total_items": 0 });
        assert_eq!(tracking_table(&json!({ "feed": feed })), "0 keys and 0 items in the store");
    }

    #[test]
    fn the_hit_ratio_is_that_of_all_reads() {
        let bypass = json!({ "order": 2, "request": 0 });
        let shown = requests(&json!({ "hit": 7, "miss": 1, "collapsed": 0, "bypass": bypass }));
        assert_eq!(
            shown,
            "10 reads: 7 hits (70.0%), 1 misses, 0 collapsed, 2 bypassed, 0 failed [order 2]"
        );
        assert_eq!(
            (up(59), up(3_660), up(90_000)),
            ("0m 59s".into(), "1h 1m".into(), "1d 1h".into())
        );
    }
}
