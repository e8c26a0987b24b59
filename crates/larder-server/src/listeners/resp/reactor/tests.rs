//! The event loop serves any protocol: here a peer sends lines and gets them back.

use super::{
    event_loop::{EventLoop, Registration},
    handler::{Handler, Next},
    socket::{Ready, Socket, Stream},
};
use bytes::BytesMut;
use std::{
    future::poll_fn,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    pin::pin,
    rc::Rc,
};
use tokio::{
    runtime::Builder,
    task::{LocalSet, spawn_blocking},
};

/// Echoes whole lines; the last part of a line is left to the task. Panics on `!`.
struct LineEcho {
    socket: Socket,
    input: Vec<u8>,
    output: BytesMut,
}

impl Handler for LineEcho {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buf)
    }

    fn handle(&mut self, input: &[u8], output: &mut BytesMut) -> Next {
        for line in input.split_inclusive(|byte| *byte == b'\n') {
            assert_ne!(line, b"!\n", "a line that the handler cannot bear");
            match line.ends_with(b"\n") {
                true => output.extend_from_slice(line),
                false => self.input.extend_from_slice(line),
            }
        }
        if self.input.is_empty() { Next::StayParked } else { Next::WakeTask }
    }

    fn send(&mut self, replies: &[u8]) -> Next {
        let sent = self.socket.write(replies).unwrap();
        self.output.extend_from_slice(&replies[sent..]);
        if self.output.is_empty() { Next::StayParked } else { Next::WakeTask }
    }
}

/// Runs `test` beside an event loop, as a worker does.
fn with_event_loop<T>(test: impl AsyncFnOnce(&Rc<EventLoop<LineEcho>>) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (event_loop, poll) = EventLoop::new().unwrap();
        let mut work = pin!(async {
            tokio::select! {
                ended = event_loop.run(poll) => panic!("the event loop ended: {ended:?}"),
                result = test(&event_loop) => result,
            }
        });
        let shared = event_loop.shared();
        poll_fn(|context| shared.tick(context, |context| work.as_mut().poll(context))).await
    })
}

/// Returns a client's socket and the parked connection at its other end.
fn connect(event_loop: &Rc<EventLoop<LineEcho>>) -> (UnixStream, Registration<LineEcho>) {
    let (client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let stream = Stream::Unix(mio::net::UnixStream::from_std(server));
    let (socket, registration) = event_loop.register(stream).unwrap();
    let (input, output) = (Vec::new(), BytesMut::new());
    registration.park(Box::new(LineEcho { socket, input, output }));
    (client, registration)
}

/// Sends `text` and reads as many bytes back.
async fn echo(client: &UnixStream, text: &'static str) -> String {
    let mut client = client.try_clone().unwrap();
    spawn_blocking(move || {
        client.write_all(text.as_bytes()).unwrap();
        let mut echoed = vec![0; text.len()];
        client.read_exact(&mut echoed).unwrap();
        String::from_utf8(echoed).unwrap()
    })
    .await
    .unwrap()
}

#[test]
fn a_parked_connection_is_served_without_its_task() {
    with_event_loop(async |event_loop| {
        let (client, registration) = connect(event_loop);
        let (other, _other_registration) = connect(event_loop);
        assert_eq!(echo(&client, "one\ntwo\n").await, "one\ntwo\n");
        assert_eq!(echo(&other, "three\n").await, "three\n");
        assert!(registration.take_activity() && !registration.take_activity());
        assert!(registration.take().unwrap().input.is_empty());
    });
}

#[test]
fn input_that_the_handler_leaves_wakes_the_task() {
    with_event_loop(async |event_loop| {
        let (mut client, registration) = connect(event_loop);
        client.write_all(b"whole\npart").unwrap();
        registration.woken().await;
        let mut connection = registration.take().unwrap();
        assert_eq!(connection.input, b"part");

        // From here on the task reads for itself, until it parks the connection again.
        client.write_all(b"!").unwrap();
        let mut read = BytesMut::new();
        let ready = connection.socket.wait(Some(&mut read), false).await.unwrap();
        assert_eq!((ready, &read[..]), (Ready::Read, &b"!"[..]));
        connection.input.clear();
        registration.park(connection);
        let mut echoed = [0; 6];
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"whole\n");
        assert_eq!(echo(&client, "more\n").await, "more\n");
    });
}

#[test]
fn the_end_of_the_stream_wakes_the_task() {
    with_event_loop(async |event_loop| {
        let (client, registration) = connect(event_loop);
        drop(client);
        registration.woken().await;
        let mut connection = registration.take().unwrap();
        let ready = connection.socket.wait(Some(&mut BytesMut::new()), false).await.unwrap();
        assert_eq!(ready, Ready::End);
    });
}

#[test]
fn a_handler_that_panics_ends_its_own_connection_alone() {
    with_event_loop(async |event_loop| {
        let (mut client, registration) = connect(event_loop);
        let (other, _other_registration) = connect(event_loop);
        client.write_all(b"!\n").unwrap();
        registration.woken().await;
        assert!(registration.take().is_none());
        assert_eq!(echo(&other, "unharmed\n").await, "unharmed\n");
    });
}
