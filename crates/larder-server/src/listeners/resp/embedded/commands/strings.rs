//! Commands on whole values: `GET`, `SET` and their variants.

use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::{CommandContext, Keyed},
    expire_arg::{ExpireArg, Unit},
};
use larder_core::memory_store::Expiry;

pub(super) const COMMANDS: &[Entry] = &[
    entry("GET", 2, "readonly fast", Plain(get)),
    entry("SET", -3, "write denyoom", Fallible(set)),
    entry("SETEX", 4, "write denyoom", Fallible(setex)),
    entry("PSETEX", 4, "write denyoom", Fallible(psetex)),
    entry("SETNX", 3, "write denyoom fast", Fallible(setnx)),
    entry("GETSET", 3, "write denyoom fast", Fallible(getset)),
    entry("GETDEL", 2, "write fast", Plain(getdel)),
    entry("GETEX", -2, "write fast", Fallible(getex)),
    entry("MGET", -2, "readonly fast", Plain(mget)),
    entry("MSET", -3, "write denyoom", Fallible(mset)),
    entry("MSETNX", -3, "write denyoom", Fallible(msetnx)),
];

fn get(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    read(ctx, args.get(1));
}

/// Replies with a key's value. Returns whether there is one.
fn read(ctx: &mut CommandContext<'_>, name: &[u8]) -> bool {
    let Keyed { txn, db, reply, counts } = ctx.keyed();
    let found = txn.get(db, name);
    counts.read(found.is_some());
    reply.bulk_or_null(found.map(|entry| entry.payload));
    found.is_some()
}

fn set(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let options = Options::of_set(args)?;
    let life = match options.expire {
        Some(expire) => expire.life(ctx, "set")?,
        None if options.keeps_ttl => Expiry::Keep,
        None => Expiry::Never,
    };
    if options.gets {
        read(ctx, args.get(1));
    }
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let exists = txn.contains(db, args.get(1));
    let may = options.must_exist.is_none_or(|wanted| wanted == exists);
    if may {
        txn.set(db, args.get(1), args.get(2), life)?;
    }
    match may {
        _ if options.gets => {}
        true => reply.ok(),
        false => reply.null(),
    }
    Ok(())
}

fn setex(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    set_for(ctx, args, Unit::Seconds, "setex")
}

fn psetex(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    set_for(ctx, args, Unit::Millis, "psetex")
}

fn set_for(ctx: &mut CommandContext<'_>, args: Args<'_>, unit: Unit, command: &str) -> Outcome {
    let life = ExpireArg { unit, is_date: false, text: args.get(2) }.life(ctx, command)?;
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    txn.set(db, args.get(1), args.get(3), life)?;
    reply.ok();
    Ok(())
}

fn setnx(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let is_new = !txn.contains(db, args.get(1));
    if is_new {
        txn.set(db, args.get(1), args.get(2), Expiry::Never)?;
    }
    reply.boolean(is_new);
    Ok(())
}

fn getset(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    read(ctx, args.get(1));
    let Keyed { txn, db, .. } = ctx.keyed();
    Ok(txn.set(db, args.get(1), args.get(2), Expiry::Never)?)
}

fn getdel(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    read(ctx, args.get(1));
    let Keyed { txn, db, .. } = ctx.keyed();
    txn.remove(db, args.get(1));
}

fn getex(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    let options = Options::of_getex(args)?;
    if !read(ctx, args.get(1)) {
        return Ok(());
    }
    let life = match options.expire {
        Some(expire) => expire.life(ctx, "getex")?,
        None if options.persists => Expiry::Never,
        None => return Ok(()),
    };
    let Keyed { txn, db, .. } = ctx.keyed();
    let expires = txn.get(db, args.get(1)).and_then(|entry| entry.expires);
    if life != Expiry::Never || expires.is_some() {
        txn.set_expiry(db, args.get(1), life);
    }
    Ok(())
}

fn mget(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let names = args.from(1);
    ctx.reply.array(names.len());
    for name in names {
        read(ctx, name);
    }
}

fn mset(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    set_all(ctx, args, "mset")?;
    ctx.reply.ok();
    Ok(())
}

fn msetnx(ctx: &mut CommandContext<'_>, args: Args<'_>) -> Outcome {
    check_pairs(args, "msetnx")?;
    let Keyed { txn, db, .. } = ctx.keyed();
    let are_new = args.pairs().all(|(name, _)| !txn.contains(db, name));
    if are_new {
        set_all(ctx, args, "msetnx")?;
    }
    ctx.reply.boolean(are_new);
    Ok(())
}

/// Sets all keys or none.
fn set_all(ctx: &mut CommandContext<'_>, args: Args<'_>, command: &str) -> Outcome {
    check_pairs(args, command)?;
    let Keyed { txn, db, .. } = ctx.keyed();
    txn.has_room_for(db, args.pairs())?;
    for (name, payload) in args.pairs() {
        txn.set(db, name, payload, Expiry::Never)?;
    }
    Ok(())
}

fn check_pairs(args: Args<'_>, command: &str) -> Outcome {
    match args.len() % 2 {
        1 => Ok(()),
        _ => Err(CommandError::wrong_arity(command)),
    }
}

/// The options of `SET` and `GETEX`.
#[derive(Default)]
struct Options<'a> {
    must_exist: Option<bool>,
    gets: bool,
    keeps_ttl: bool,
    persists: bool,
    expire: Option<ExpireArg<'a>>,
}

impl<'a> Options<'a> {
    fn of_set(args: Args<'a>) -> Result<Self, CommandError> {
        Self::parse(args, 3, |options, word| {
            match word {
                b"NX" if options.must_exist != Some(true) => options.must_exist = Some(false),
                b"XX" if options.must_exist != Some(false) => options.must_exist = Some(true),
                b"GET" => options.gets = true,
                b"KEEPTTL" if options.expire.is_none() => options.keeps_ttl = true,
                _ => return false,
            }
            true
        })
    }

    fn of_getex(args: Args<'a>) -> Result<Self, CommandError> {
        Self::parse(args, 2, |options, word| {
            let persists = word == b"PERSIST" && options.expire.is_none();
            options.persists |= persists;
            persists
        })
    }

    /// Parses options from index `first` on. `other` accepts an option that is not a time, or
    /// returns false. A time may be given twice by the same option; the last one counts.
    fn parse(
        args: Args<'a>,
        first: usize,
        other: impl Fn(&mut Self, &[u8]) -> bool,
    ) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut words = args.from(first);
        while let Some(word) = words.next() {
            let may = !options.keeps_ttl && !options.persists;
            let value = words.clone().next().filter(|_| may);
            let expire = value.and_then(|text| ExpireArg::option(word, text));
            match expire.filter(|new| options.expire.is_none_or(|old| old.is_like(new))) {
                Some(expire) => {
                    options.expire = Some(expire);
                    words.next();
                }
                None if other(&mut options, &word.to_ascii_uppercase()) => {}
                None => return Err(CommandError::SYNTAX),
            }
        }
        Ok(options)
    }
}
