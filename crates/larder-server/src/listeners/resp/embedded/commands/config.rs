//! `CONFIG GET`: the parameters that clients and `redis-benchmark` ask for.

use super::limits::{DBS, STRING_BYTES_MAX};
use crate::{
    config::Config,
    listeners::resp::embedded::{args::Args, context::CommandContext, glob},
};

pub(super) fn get(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let mut found = parameters(ctx.proxy.config());
    found.retain_mut(|(name, _)| match args.from(2).find(|wanted| matches(wanted, name)) {
        // A name is returned as the client spelled it.
        Some(wanted) if wanted.eq_ignore_ascii_case(name.as_bytes()) => {
            *name = String::from_utf8_lossy(wanted).into_owned();
            true
        }
        wanted => wanted.is_some(),
    });
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
}

fn matches(pattern: &[u8], name: &str) -> bool {
    glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes())
}

fn parameters(config: &Config) -> Vec<(String, String)> {
    let port = config.resp.address.map_or(0, |address| address.port());
    let bind = config.resp.address.map(|address| address.ip().to_string()).unwrap_or_default();
    let socket = config.resp.unixsocket.as_ref().map(|path| path.display().to_string());
    let text = str::to_owned;
    let parameters = [
        ("appendonly", text("no")),
        ("bind", bind),
        ("cluster-enabled", text("no")),
        ("databases", DBS.to_string()),
        ("io-threads", config.resp.workers.to_string()),
        ("maxclients", config.maxclients.to_string()),
        ("maxmemory", config.store.maxmemory.to_string()),
        ("maxmemory-policy", text("noeviction")),
        ("notify-keyspace-events", String::new()),
        ("port", port.to_string()),
        ("proto-max-bulk-len", STRING_BYTES_MAX.to_string()),
        ("save", String::new()),
        ("timeout", config.resp.timeout.as_secs().to_string()),
        ("unixsocket", socket.unwrap_or_default()),
    ];
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
