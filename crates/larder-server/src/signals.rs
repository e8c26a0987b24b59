//! The signals that the server handles. SIGTERM, SIGINT and SIGQUIT ask it to stop. SIGHUP, SIGUSR1
//! and SIGUSR2, which would end a process that does not handle them, are ignored.

use std::{io, task::Poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The streams of all these signals.
pub(crate) struct Signals(Vec<Handled>);

struct Handled {
    name: &'static str,
    stream: Signal,
    meaning: Meaning,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Stop,
    Ignored,
}

impl Signals {
    /// Installs the handlers. From here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let signals = [
            ("SIGTERM", SignalKind::terminate(), Meaning::Stop),
            ("SIGINT", SignalKind::interrupt(), Meaning::Stop),
            ("SIGQUIT", SignalKind::quit(), Meaning::Stop),
            ("SIGHUP", SignalKind::hangup(), Meaning::Ignored),
            ("SIGUSR1", SignalKind::user_defined1(), Meaning::Ignored),
            ("SIGUSR2", SignalKind::user_defined2(), Meaning::Ignored),
        ];
        let handled = signals.map(|(name, kind, meaning)| {
            signal(kind).map(|stream| Handled { name, stream, meaning })
        });
        handled.into_iter().collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the next signal to stop, and returns its name. Logs the ignored ones.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            match self.next().await {
                (name, Meaning::Stop) => return name,
                (name, Meaning::Ignored) => tracing::info!(
                    "{name} is ignored: settings are read at the start, so restart to change them"
                ),
            }
        }
    }

    async fn next(&mut self) -> (&'static str, Meaning) {
        std::future::poll_fn(|context| {
            for Handled { name, stream, meaning } in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready((*name, *meaning));
                }
            }
            Poll::Pending
        })
        .await
    }
}
