//! `INFO`: the fields of Redis that have a meaning here, and Larder's own section.

use super::limits::REDIS_VERSION;
use crate::listeners::resp::{
    embedded::{args::Args, context::CommandContext},
    proxy::{info::write_with_section, read_context::Protocol},
};
use larder_resp::reply::Frame;
use std::fmt::{Display, Write};

/// A section and the function that writes it.
type Section = (&'static str, fn(&mut CommandContext<'_>, &mut Text));

const SECTIONS: [Section; 7] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Keyspace", keyspace),
];

pub(super) fn info(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let mut text = Text(String::new());
    for (name, write) in SECTIONS.into_iter().filter(|(name, _)| wants(args, name)) {
        if !text.0.is_empty() {
            text.0.push_str("\r\n");
        }
        text.0.extend(["# ", name, "\r\n"]);
        write(ctx, &mut text);
    }
    if !wants(args, "Larder") {
        ctx.reply.verbatim(text.0.as_bytes());
        return;
    }
    let text = text.0.as_bytes();
    let reply = match ctx.reply.protocol {
        Protocol::Resp3 => Frame::Verbatim { format: *b"txt", text },
        Protocol::Resp2 => Frame::Bulk(text),
    };
    write_with_section(&reply, &ctx.proxy.info_section(), ctx.reply.out());
}

fn wants(args: Args<'_>, section: &str) -> bool {
    args.len() == 1
        || (1..args.len()).any(|at| {
            [section, "default", "all", "everything"].into_iter().any(|word| args.is(at, word))
        })
}

struct Text(String);

impl Text {
    fn line(&mut self, name: &str, value: impl Display) {
        // Writing to a string does not fail.
        write!(self.0, "{name}:{value}\r\n").ok();
    }
}

fn server(ctx: &mut CommandContext<'_>, text: &mut Text) {
    let config = ctx.proxy.config();
    let uptime = ctx.proxy.uptime().as_secs();
    text.line("redis_version", REDIS_VERSION);
    text.line("redis_mode", "standalone");
    text.line("os", std::env::consts::OS);
    text.line("arch_bits", usize::BITS);
    text.line("process_id", std::process::id());
    text.line("tcp_port", config.resp.address.map_or(0, |address| address.port()));
    text.line("uptime_in_seconds", uptime);
    text.line("uptime_in_days", uptime / (24 * 60 * 60));
    text.line("io_threads_active", u8::from(config.resp.workers > 1));
}

fn clients(ctx: &mut CommandContext<'_>, text: &mut Text) {
    text.line("connected_clients", ctx.proxy.stats().counts().clients);
    text.line("maxclients", ctx.proxy.config().maxclients);
    text.line("blocked_clients", 0);
}

fn memory(ctx: &mut CommandContext<'_>, text: &mut Text) {
    text.line("used_memory", ctx.txn().bytes());
    text.line("maxmemory", ctx.proxy.config().store.maxmemory);
    text.line("maxmemory_policy", "noeviction");
}

fn persistence(_: &mut CommandContext<'_>, text: &mut Text) {
    text.line("loading", 0);
    text.line("rdb_bgsave_in_progress", 0);
    text.line("aof_enabled", 0);
}

fn stats(ctx: &mut CommandContext<'_>, text: &mut Text) {
    let stats = ctx.proxy.stats().counts();
    let counts = ctx.session.handle.registry().counts();
    text.line("total_connections_received", stats.accepted);
    text.line("total_commands_processed", counts.commands);
    text.line("rejected_connections", stats.rejected);
    text.line("evicted_keys", 0);
    text.line("keyspace_hits", counts.hits);
    text.line("keyspace_misses", counts.misses);
}

fn replication(_: &mut CommandContext<'_>, text: &mut Text) {
    text.line("role", "master");
    text.line("connected_slaves", 0);
}

fn keyspace(ctx: &mut CommandContext<'_>, text: &mut Text) {
    for size in ctx.txn().sizes() {
        let (keys, expires) = (size.keys, size.volatile);
        text.line(
            &format!("db{}", size.keyspace),
            format!("keys={keys},expires={expires},avg_ttl=0"),
        );
    }
}
