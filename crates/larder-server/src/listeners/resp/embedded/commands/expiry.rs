//! When keys expire.

use crate::listeners::resp::embedded::{
    args::Args,
    command_error::{CommandError, Outcome},
    command_table::{
        Entry,
        Run::{Fallible, Plain},
        entry,
    },
    context::{CommandContext, Keyed},
    expire_arg::{ExpireArg, Unit, from_date, to_date},
};
use larder_core::memory_store::Expiry;

pub(super) const COMMANDS: &[Entry] = &[
    entry(
        "EXPIRE",
        -3,
        "write fast",
        Fallible(|ctx, args| expire(ctx, args, "expire", Unit::Seconds, false)),
    ),
    entry(
        "PEXPIRE",
        -3,
        "write fast",
        Fallible(|ctx, args| expire(ctx, args, "pexpire", Unit::Millis, false)),
    ),
    entry(
        "EXPIREAT",
        -3,
        "write fast",
        Fallible(|ctx, args| expire(ctx, args, "expireat", Unit::Seconds, true)),
    ),
    entry(
        "PEXPIREAT",
        -3,
        "write fast",
        Fallible(|ctx, args| expire(ctx, args, "pexpireat", Unit::Millis, true)),
    ),
    entry("TTL", 2, "readonly fast", Plain(|ctx, args| left(ctx, args, Unit::Seconds))),
    entry("PTTL", 2, "readonly fast", Plain(|ctx, args| left(ctx, args, Unit::Millis))),
    entry("EXPIRETIME", 2, "readonly fast", Plain(|ctx, args| date(ctx, args, Unit::Seconds))),
    entry("PEXPIRETIME", 2, "readonly fast", Plain(|ctx, args| date(ctx, args, Unit::Millis))),
    entry("PERSIST", 2, "write fast", Plain(persist)),
];

fn expire(
    ctx: &mut CommandContext<'_>,
    args: Args<'_>,
    command: &str,
    unit: Unit,
    is_date: bool,
) -> Outcome {
    let condition = Condition::of(args)?;
    let value = args.integer(2)?;
    let expire = ExpireArg { unit, is_date, text: args.get(2) };
    let date = expire.date(ctx, value).ok_or_else(|| CommandError::expire_time(command))?;
    let time = from_date(ctx, date);
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let before = txn.get(db, args.get(1)).map(|entry| entry.expires);
    let may = before.is_some_and(|before| condition.allows(before, time));
    reply.boolean(may && txn.set_expiry(db, args.get(1), Expiry::At(time)));
    Ok(())
}

/// The conditions of an EXPIRE: whether the key must have a time to live, and whether the new one
/// must be longer.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    is_volatile: Option<bool>,
    is_longer: Option<bool>,
}

impl Condition {
    fn of(args: Args<'_>) -> Result<Self, CommandError> {
        let words: Vec<_> = args.from(3).map(<[u8]>::to_ascii_uppercase).collect();
        let known = |word: &&[u8]| {
            [b"NX", b"XX", b"GT", b"LT"].iter().any(|it| word.eq_ignore_ascii_case(*it))
        };
        if let Some(word) = args.from(3).find(|word| !known(word)) {
            return Err(CommandError::quoting("ERR Unsupported option ", word, ""));
        }
        let has = |word: &[u8]| words.iter().any(|it| it == word);
        let (nx, xx, gt, lt) = (has(b"NX"), has(b"XX"), has(b"GT"), has(b"LT"));
        let text = match () {
            () if nx && (xx || gt || lt) => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            () if gt && lt => "ERR GT and LT options at the same time are not compatible",
            () => {
                let one_of = |yes: bool, no: bool| (yes || no).then_some(yes);
                return Ok(Self { is_volatile: one_of(xx, nx), is_longer: one_of(gt, lt) });
            }
        };
        Err(CommandError::new(text))
    }

    /// Returns whether the conditions hold. A key without a time to live outlives any time.
    fn allows(self, before: Option<i64>, time: i64) -> bool {
        let longer = before.is_some_and(|before| time > before);
        let shorter = before.is_none_or(|before| time < before);
        self.is_volatile.is_none_or(|wanted| wanted == before.is_some())
            && self.is_longer.is_none_or(|wanted| if wanted { longer } else { shorter })
    }
}

fn left(ctx: &mut CommandContext<'_>, args: Args<'_>, unit: Unit) {
    let now = ctx.txn().now();
    answer(ctx, args, unit, |_, time| time - now);
}

fn date(ctx: &mut CommandContext<'_>, args: Args<'_>, unit: Unit) {
    answer(ctx, args, unit, to_date);
}

fn answer(
    ctx: &mut CommandContext<'_>,
    args: Args<'_>,
    unit: Unit,
    shown: impl FnOnce(&mut CommandContext<'_>, i64) -> i64,
) {
    let Keyed { txn, db, counts, .. } = ctx.keyed();
    let found = txn.get(db, args.get(1)).map(|entry| entry.expires);
    counts.read(found.is_some());
    let value = match (found, unit) {
        (None, _) => -2,
        (Some(None), _) => -1,
        (Some(Some(time)), Unit::Millis) => shown(ctx, time),
        // Rounded to the nearest second.
        (Some(Some(time)), Unit::Seconds) => shown(ctx, time).saturating_add(500) / 1000,
    };
    ctx.reply.integer(value);
}

fn persist(ctx: &mut CommandContext<'_>, args: Args<'_>) {
    let Keyed { txn, db, reply, .. } = ctx.keyed();
    let expires = txn.get(db, args.get(1)).and_then(|entry| entry.expires);
    reply.boolean(expires.is_some() && txn.set_expiry(db, args.get(1), Expiry::Never));
}
