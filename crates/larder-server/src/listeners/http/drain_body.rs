//! The rest of an upload that was refused.
//!
//! Whoever uploads often reads the answer only when all is sent, and a connection that is closed
//! over unread bytes is reset, which loses the answer. So the rest is read and thrown away, for a
//! while, next to the answer.

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::timeout;

/// How long the rest is read.
const READ_ON: Duration = Duration::from_secs(3);

/// Sees to what the handler leaves of the body.
pub(super) async fn drain_body(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who expects to be asked for the body sends none before.
    let sent = !request.headers().contains_key(EXPECT);
    next.run(request.map(|body| Body::new(DrainOnDrop { body: Some(body), sent }))).await
}

/// A body that is read on when it is dropped.
struct DrainOnDrop {
    /// `None` once it has ended.
    body: Option<Body>,
    sent: bool,
}

impl HttpBody for DrainOnDrop {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.sent = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for DrainOnDrop {
    fn drop(&mut self) {
        if self.sent
            && !self.is_end_stream()
            && let Some(mut body) = self.body.take()
        {
            tokio::spawn(timeout(
                READ_ON,
                async move { while let Some(Ok(_)) = body.frame().await {} },
            ));
        }
    }
}
