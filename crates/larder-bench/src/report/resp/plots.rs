//! Plots of the figures over RESP as bars.

use crate::goals::{self, Goal};
use crate::report::Plot;
use crate::report::plot::{Bar, Bars, Group, of_server};
use crate::resp::{Row, Sample, Transport};
use crate::servers::ServerKind;

/// Where the axis ends. A proxy without a cache takes several times as long as the others.
const TIMES_REDIS_MAX: f64 = 1.6;

/// Plots the CPU time per hit, relative to Redis.
pub(super) fn hits(rows: &[&Row], transport: Transport, name: &str) -> Option<Plot> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let group = format!("{} per write", requests(row.case.pipeline));
        let Some(bar) = hit(row, rows) else { continue };
        match groups.iter_mut().find(|other| other.name == group) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { name: group, bars: vec![bar] }),
        }
    }
    let short = if transport == Transport::Tcp { "tcp" } else { "unix" };
    let bars = Bars {
        name: format!("resp-hits-{short}"),
        title: format!("CPU of the server per GET hit over {name}: shorter is better"),
        axis: "CPU per request, relative to Redis in the same round".to_owned(),
        is_log: false,
        end: TIMES_REDIS_MAX,
        groups,
    };
    bars.plot()
}

fn requests(pipeline: usize) -> String {
    if pipeline == 1 { "1 request".to_owned() } else { format!("{pipeline} requests") }
}

fn hit(row: &Row, rows: &[&Row]) -> Option<Bar> {
    let value = row.ratio_to(row.row_of(rows, ServerKind::Redis)?, Sample::cpu_micros);
    let must = goals::hits(row.case.transport, row.case.pipeline).map(|goal| goal.must);
    Some(Bar {
        text: format!("{value:.2} ({:.2} us)", row.median(Sample::cpu_micros)),
        must: must.filter(|_| row.subject == ServerKind::Larder),
        ..bar(row, value)
    })
}

/// Plots the CPU time per miss: that of the proxy, and with its Redis.
pub(super) fn misses(rows: &[&Row]) -> Option<Plot> {
    let proxy = rows.iter().find(|row| row.subject == ServerKind::Nutcracker);
    let figure = |micros: fn(&Sample) -> f64, goal: Goal| {
        let must = proxy.map(|proxy| goal.must * proxy.median(micros));
        let bar = move |row: &&Row| {
            let value = row.median(micros);
            let must = must.filter(|_| row.subject == ServerKind::Larder);
            Bar { text: format!("{value:.2} us"), must, ..bar(row, value) }
        };
        rows.iter().map(bar).collect()
    };
    let own = figure(Sample::cpu_micros, goals::MISS_OWN);
    let bars = Bars {
        name: "resp-misses".to_owned(),
        title: "CPU per GET miss over TCP: shorter is better".to_owned(),
        axis: "CPU per request, microseconds".to_owned(),
        is_log: false,
        end: f64::INFINITY,
        groups: vec![
            Group { name: "of the proxy itself".to_owned(), bars: own },
            Group {
                name: "with its Redis".to_owned(),
                bars: figure(Sample::total_micros, goals::MISS_TOTAL),
            },
        ],
    };
    bars.plot()
}

fn bar(row: &Row, value: f64) -> Bar {
    let color = of_server(row.subject);
    Bar { name: row.subject.name(), color, value, text: String::new(), must: None }
}
