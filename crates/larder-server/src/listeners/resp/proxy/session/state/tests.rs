use super::{super::auth::Principal, *};

const OK: &[u8] = b"+OK\r\n";
const QUEUED: &[u8] = b"+QUEUED\r\n";
const ERROR: &[u8] = b"-ERR no\r\n";

/// A client that has sent `changes`, each of which got the reply beside it.
fn after(changes: &[(StateChange, &[u8])]) -> ClientState {
    let mut state = ClientState::new(0);
    for (change, reply) in changes {
        send(&mut state, change.clone(), reply);
    }
    state
}

/// Sends a change. Applies the reply if one is counted.
fn send(state: &mut ClientState, change: StateChange, reply: &[u8]) -> Answer {
    let answer = state.record_sent(Some(&change));
    match answer {
        Answer::Counted => match state.sent(&change) {
            SentChange::Answered(id) => {
                state.replied(change, id, &Frame::parse(reply).unwrap());
            }
            SentChange::Exec { id, .. } => state.transaction_ended(id),
            SentChange::NotCounted => {}
        },
        Answer::Silent => state.sent_without_reply(&change),
        Answer::SilenceBegins | Answer::SilenceEnds => {}
    }
    answer
}

fn receive(state: &mut ClientState, frame: &[u8]) -> bool {
    state.apply_unsolicited(&Frame::parse(frame).unwrap(), true)
}

/// A client that is subscribed to a channel, in the given protocol.
fn subscriber(protocol: Protocol) -> ClientState {
    let hello = StateChange::Hello { protocol: Some(protocol), principal: None };
    let mut state = after(&[(hello, OK), (StateChange::Subscribe, OK)]);
    let kind = if protocol == Protocol::Resp3 { '>' } else { '*' };
    assert!(receive(&mut state, format!("{kind}3\r\n+subscribe\r\n+c\r\n:1\r\n").as_bytes()));
    state
}

#[test]
fn client_reply_in_every_state() {
    use Answer::{Counted, SilenceBegins, SilenceEnds, Silent};
    use StateChange::{Multi, ReplyOff, ReplyOn, ReplySkip, Select};
    type Start = fn() -> ClientState;
    /// What ON, OFF, SKIP and SELECT lead to.
    type Outcomes = [(Answer, ReplyMode); 4];
    let off: Start = || after(&[(ReplyOff, OK)]);
    let skip: Start = || after(&[(ReplySkip, OK)]);
    let starts: [(&str, Start, Outcomes); 8] = [
        (
            "at first",
            || ClientState::new(0),
            [
                (Counted, ReplyMode::On),
                (SilenceBegins, ReplyMode::Off),
                (SilenceBegins, ReplyMode::SkipNext),
                (Counted, ReplyMode::On),
            ],
        ),
        (
            "off",
            off,
            [
                (SilenceEnds, ReplyMode::On),
                (Silent, ReplyMode::Off),
                (Silent, ReplyMode::Off),
                (Silent, ReplyMode::Off),
            ],
        ),
        (
            "skip",
            skip,
            [
                (SilenceEnds, ReplyMode::On),
                (Silent, ReplyMode::Off),
                (Silent, ReplyMode::SkipNext),
                (Silent, ReplyMode::On),
            ],
        ),
        ("in MULTI", || after(&[(Multi, OK)]), [(Counted, ReplyMode::On); 4]),
        ("off, in MULTI", || after(&[(ReplyOff, OK), (Multi, OK)]), [(Silent, ReplyMode::Off); 4]),
        ("subscribed in RESP2", || subscriber(Protocol::Resp2), [(Counted, ReplyMode::On); 4]),
        (
            "subscribed in RESP3",
            || subscriber(Protocol::Resp3),
            [
                (Counted, ReplyMode::On),
                (SilenceBegins, ReplyMode::Off),
                (SilenceBegins, ReplyMode::SkipNext),
                (Counted, ReplyMode::On),
            ],
        ),
        ("a monitor", || after(&[(StateChange::Monitor, OK)]), [(Silent, ReplyMode::On); 4]),
    ];
    for (name, start, expected) in starts {
        for (change, expected) in
            [ReplyOn, ReplyOff, ReplySkip, Select(1)].into_iter().zip(expected)
        {
            let mut state = start();
            let answer = send(&mut state, change.clone(), OK);
            assert_eq!((answer, state.reply_mode), expected, "{name}: {change:?}");
        }
    }
}

#[test]
fn a_resp2_subscriber_changes_nothing_while_it_wants_no_replies() {
    let confined = |mode| {
        let mut state = subscriber(Protocol::Resp2);
        state.reply_mode = mode;
        state
    };
    for (mode, after) in [(ReplyMode::Off, ReplyMode::Off), (ReplyMode::SkipNext, ReplyMode::On)] {
        for change in [
            StateChange::ReplyOn,
            StateChange::ReplyOff,
            StateChange::ReplySkip,
            StateChange::Multi,
            StateChange::Hello { protocol: Some(Protocol::Resp3), principal: None },
        ] {
            let mut state = confined(mode);
            assert_eq!(send(&mut state, change.clone(), OK), Answer::Silent, "{change:?}");
            assert_eq!(state.reply_mode, after, "{change:?}");
            assert!(state.transaction.multi.is_none() && state.protocol == Protocol::Resp2);
        }
    }
}

#[test]
fn without_replies_a_change_takes_effect_as_it_is_sent() {
    let mut state = after(&[(StateChange::ReplyOff, OK), (StateChange::Multi, OK)]);
    assert!(state.transaction.multi.is_some());
    send(&mut state, StateChange::Discard, OK);
    assert!(!state.transaction.is_open());
    let hello = StateChange::Hello { protocol: Some(Protocol::Resp3), principal: None };
    send(&mut state, hello, OK);
    assert_eq!(state.protocol, Protocol::Resp3);
    send(&mut state, StateChange::Select(3), OK);
    assert_eq!(state.db, 0, "Redis may have refused it");
    assert!(state.is_detached());
}

#[test]
fn a_transaction_lasts_from_multi_to_its_end() {
    use StateChange::{Discard, Exec, Multi, Unwatch, Watch};
    for (changes, is_open) in [
        (vec![(Multi, OK)], true),
        (vec![(Multi, ERROR)], false),
        (vec![(Multi, OK), (Multi, ERROR)], true),
        (vec![(Multi, OK), (Multi, ERROR), (Multi, ERROR)], true),
        (vec![(Multi, OK), (Multi, ERROR), (Exec, OK)], false),
        (vec![(Multi, OK), (Multi, ERROR), (Discard, OK)], false),
        (vec![(Multi, OK), (Exec, OK)], false),
        (vec![(Multi, OK), (Discard, OK)], false),
        (vec![(Multi, OK), (Discard, ERROR)], true),
        (vec![(Watch, OK)], true),
        (vec![(Watch, OK), (Unwatch, OK)], false),
        (vec![(Watch, OK), (Multi, OK), (Unwatch, QUEUED)], true),
        (vec![(Watch, OK), (Multi, OK), (Unwatch, QUEUED), (Exec, OK)], false),
    ] {
        assert_eq!(after(&changes).is_stateful(), is_open, "{changes:?}");
    }
}

#[test]
fn a_reply_ends_no_transaction_that_was_sent_after_its_command() {
    let mut state = after(&[(StateChange::Multi, OK)]);
    let SentChange::Exec { id, flushes: false } = state.sent(&StateChange::Exec) else {
        panic!("EXEC ends a transaction")
    };
    state.sent(&StateChange::Multi);
    state.transaction_ended(id);
    assert!(state.is_stateful());
}

#[test]
fn prepared_names_are_lost_with_the_connection_and_change_no_read() {
    let state = after(&[(StateChange::Prepare, OK)]);
    assert!(state.is_known() && !state.is_initial());
}

#[test]
fn a_flush_within_a_transaction_takes_effect_with_exec() {
    let mut state = after(&[(StateChange::Multi, OK)]);
    state.flush_sent();
    let flushes = |state: &mut ClientState| match state.sent(&StateChange::Exec) {
        SentChange::Exec { flushes, .. } => flushes,
        sent => panic!("{sent:?}"),
    };
    assert!(flushes(&mut state));
    assert!(!flushes(&mut state));

    let mut state = ClientState::new(0);
    state.flush_sent();
    assert!(!flushes(&mut state));
}

#[test]
fn what_is_queued_leaves_the_state_to_redis() {
    for (change, is_detached) in [
        (StateChange::Select(1), true),
        (StateChange::ReplyOff, true),
        (StateChange::Monitor, true),
        (StateChange::Unwatch, false),
        (StateChange::Prepare, false),
    ] {
        let state = after(&[(StateChange::Multi, OK), (change.clone(), QUEUED)]);
        assert_eq!(state.is_detached(), is_detached, "{change:?}");
        assert_eq!((state.db, state.stream), (0, ReplyStream::Replies));
    }
}

#[test]
fn a_hello_that_fails_after_its_auth_leaves_the_user_unknown() {
    let hello = || StateChange::Hello { protocol: None, principal: Some(Principal::Own) };
    let plain = StateChange::Hello { protocol: None, principal: None };
    for (change, reply, is_detached, shown) in [
        (hello(), OK, false, true),
        (hello(), b"-WRONGPASS no\r\n", false, false),
        (hello(), b"-NOPROTO no\r\n", false, false),
        (hello(), ERROR, true, false),
        (plain, ERROR, false, false),
    ] {
        let state = after(&[(change, reply)]);
        let text = String::from_utf8_lossy(reply);
        assert_eq!(
            (state.is_detached(), state.auth.has_shown_password()),
            (is_detached, shown),
            "{text}"
        );
    }
}

#[test]
fn messages_and_subscriptions_are_unsolicited() {
    let message = b"*3\r\n+message\r\n+c\r\n+hello\r\n";
    let push = b">3\r\n+message\r\n+c\r\n+hello\r\n";
    let list = b"*3\r\n+a\r\n+b\r\n+c\r\n";
    let mut state = ClientState::new(0);
    assert!(!receive(&mut state, message) && receive(&mut state, push));

    let mut state = subscriber(Protocol::Resp2);
    assert!(receive(&mut state, message) && !receive(&mut state, list));
    assert!(receive(&mut state, b"*3\r\n+unsubscribe\r\n+c\r\n:0\r\n"));
    assert!(!receive(&mut state, message) && !state.is_listening());

    let mut state = subscriber(Protocol::Resp3);
    assert!(!receive(&mut state, message) && receive(&mut state, push));

    let mut monitor = after(&[(StateChange::Monitor, OK)]);
    assert!(receive(&mut monitor, OK), "a line");
    assert!(!monitor.apply_unsolicited(&Frame::parse(OK).unwrap(), false), "a reply");
}
