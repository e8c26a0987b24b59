//! Half of the sentences that users send to a model are the same few: each is predicted once in 48
//! hours. When the model is down, its last answer is served for a week.
//!
//! `cargo run -p larder --example sentiment`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use larder::cached;

/// From -1.0, negative, to 1.0, positive.
pub(crate) type Score = f32;

/// The model is down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelError;

#[cached(ttl = "48h", key = "sentiment:{text}", stale_if_error = "7d", max_entries = 100_000)]
pub(crate) async fn sentiment(text: &str) -> Result<Score, ModelError> {
    predict(text).await
}

/// Stands for a model that takes a while.
async fn predict(text: &str) -> Result<Score, ModelError> {
    tokio::task::yield_now().await;
    match text {
        "" => Err(ModelError),
        text if text.contains("love") => Ok(1.0),
        text if text.contains("hate") => Ok(-1.0),
        _ => Ok(0.0),
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), ModelError> {
    for text in ["I love it", "I hate it", "I love it", "It is a table", "I love it"] {
        println!("{text}: {:+.1}", sentiment(text).await?);
    }
    let stats = sentiment_cache().stats();
    println!("{} predictions, {} hits", stats.loads, stats.hits);
    Ok(())
}
