//! `MGET` on the tracking connection.

use super::*;

type Answer = oneshot::Receiver<Result<Reply, StoreError>>;

impl Fixture {
    /// Sends an `MGET` and returns the commands that were written.
    fn multi_get(&self, names: &[&str], session: &mut Session) -> (Vec<String>, Answer) {
        let (sender, answer) = oneshot::channel();
        let view = self.engine.batch_view().unwrap();
        let names_at = names.iter().map(|name| name.as_bytes()).enumerate();
        let lead = |(at, name)| Some((at, self.engine.lead_if_missing(Key::plain(name, 0), view)?));
        let fills: Vec<_> = names_at.filter_map(lead).collect();
        let mut command = BytesMut::new();
        let words = [&["MGET"][..], names].concat();
        write_command(&mut command, &words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        let multi_get = MultiGet::new(0, view.now(), (command, names.len()), fills, sender);
        (written(|out| session.send(Request::MultiGet(multi_get), out)), answer)
    }
}

fn reply(answer: &mut Answer) -> Option<String> {
    let reply = answer.try_recv().ok()?.unwrap();
    Some(String::from_utf8_lossy(reply.bytes()).replace("\r\n", " "))
}

#[test]
fn only_missing_keys_are_cached_and_each_once() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    fixture.cache("hot", "v", &mut session);
    let (written, mut answered) = fixture.multi_get(&["a", "hot", "none", "a", "b"], &mut session);
    assert_eq!(written, ["MGET a hot none a b", "PTTL a", "PTTL none", "PTTL b"]);
    let values = "*5\r\n$1\r\n1\r\n$1\r\nv\r\n_\r\n$1\r\n1\r\n$1\r\n2\r\n";
    for frame in [values, ":500\r\n", ":-2\r\n"] {
        answer(&mut session, frame);
        assert_eq!(reply(&mut answered), None, "all that may be cached is, before the answer");
    }
    answer(&mut session, ":-1\r\n");
    assert_eq!(reply(&mut answered).unwrap(), "*5 $1 1 $1 v _ $1 1 $1 2 ");
    assert_eq!(fixture.hit("a").as_deref(), Some("1"));
    assert_eq!(fixture.hit("none").as_deref(), Some("Absent"));
    assert_eq!(fixture.hit("b").as_deref(), Some("2"));
    fixture.clock.advance(Duration::from_millis(499));
    assert_eq!(fixture.hit("a"), None, "the entry expires before the key");
}

#[test]
fn a_push_between_the_replies_keeps_its_key_out_of_the_cache() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let (_, mut answered) = fixture.multi_get(&["a", "b"], &mut session);
    answer(&mut session, "*2\r\n$3\r\nold\r\n$3\r\nold\r\n");
    answer(&mut session, &push(&["b"]));
    answer(&mut session, ":-1\r\n");
    answer(&mut session, ":-1\r\n");
    assert!(reply(&mut answered).is_some());
    assert_eq!([fixture.hit("a").as_deref(), fixture.hit("b").as_deref()], [Some("old"), None]);
}

#[test]
fn a_key_that_another_reader_fetches_is_left_to_that_fetch() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let mut fetch = fixture.fetch("a", &mut session);
    let (written, mut answered) = fixture.multi_get(&["a"], &mut session);
    assert_eq!(written, ["MGET a"]);
    answer(&mut session, "$1\r\n1\r\n");
    answer(&mut session, ":-1\r\n");
    assert!(poll(&mut fetch).unwrap().is_ok());
    answer(&mut session, "*1\r\n$1\r\n1\r\n");
    assert_eq!(reply(&mut answered).unwrap(), "*1 $1 1 ");
}

#[test]
fn a_key_of_another_type_is_not_cached_and_others_read_it_themselves() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let (_, mut answered) = fixture.multi_get(&["list"], &mut session);
    let mut joined = fixture.fetch("list", &mut session);
    answer(&mut session, "*1\r\n_\r\n");
    answer(&mut session, ":-1\r\n");
    assert_eq!(reply(&mut answered).unwrap(), "*1 _ ");
    assert_eq!(fixture.hit("list"), None);
    let fetched = poll(&mut joined).unwrap().unwrap();
    assert_eq!(text(&fetched.value), "read elsewhere", "a GET of it is an error");
}

#[test]
fn an_error_fails_the_read_and_caches_nothing() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let (_, mut answered) = fixture.multi_get(&["a", "b"], &mut session);
    answer(&mut session, "-BUSY a script\r\n");
    answer(&mut session, "-BUSY a script\r\n");
    answer(&mut session, "-BUSY a script\r\n");
    assert!(matches!(answered.try_recv().unwrap(), Err(StoreError::Refused(_))));
    assert_eq!([fixture.hit("a"), fixture.hit("b")], [None, None]);
    fixture.cache("a", "later replies are matched", &mut session);
}

#[test]
fn an_overdue_read_fails_and_its_replies_are_dropped() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let (_, mut answered) = fixture.multi_get(&["a"], &mut session);
    fixture.clock.advance(BOUND * 2);
    written(|out| session.send_heartbeat(out).unwrap());
    assert!(matches!(answered.try_recv().unwrap(), Err(StoreError::TimedOut(_))));
    answer(&mut session, "*1\r\n$1\r\n1\r\n");
    answer(&mut session, ":-1\r\n");
    answer_heartbeat(&mut session);
    assert_eq!(fixture.hit("a"), None);
}

#[test]
fn the_end_of_the_session_fails_the_read() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let (_, mut answered) = fixture.multi_get(&["a"], &mut session);
    answer(&mut session, "*1\r\n$1\r\n1\r\n");
    drop(session);
    assert!(answered.try_recv().is_err());
    assert_eq!(fixture.hit("a"), None);
    assert_eq!(fixture.engine.counts().fills_in_flight, 0);
}
