//! Request bodies, of which no byte stays unread.
//!
//! Many clients read the response only after they have sent the whole body, and the kernel resets
//! a connection that is closed over unread bytes, which discards the response. So the rest of a
//! refused upload is read and discarded for a while, beside the response.

use bytes::Bytes;
use http::{HeaderMap, header::EXPECT};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::timeout;

/// How long the rest of a body is read.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The body of a request. Dropping it drains what the client still sends.
pub(super) struct RequestBody {
    /// `None` once it has ended.
    body: Option<Incoming>,
    /// Whether the client sends the body. With `Expect: 100-continue` it waits until the body is
    /// first polled, which makes hyper send 100.
    is_sent: bool,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, headers: &HeaderMap) -> Self {
        Self { body: Some(body), is_sent: !headers.contains_key(EXPECT) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_sent = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.is_sent
            && !self.is_end_stream()
            && let Some(mut body) = self.body.take()
        {
            let drain = async move { while let Some(Ok(_)) = body.frame().await {} };
            tokio::spawn(timeout(DRAIN_TIMEOUT, drain));
        }
    }
}
