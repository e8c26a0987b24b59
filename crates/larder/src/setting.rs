//! A setting of the builder, as it was given.

use larder_expiry::Expiry;
use std::time::Duration;

/// A duration or an expiry: a text such as `5m`, a [`Duration`], or an [`Expiry`]. A text is parsed
/// by `build`, which reports it with all other mistakes.
#[derive(Clone, Debug)]
pub struct Setting(Given);

#[derive(Clone, Debug)]
enum Given {
    Text(Box<str>),
    Expiry(Expiry),
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self(Given::Text(text.into()))
    }
}

impl From<Duration> for Setting {
    fn from(duration: Duration) -> Self {
        Self(Given::Expiry(duration.into()))
    }
}

impl From<Expiry> for Setting {
    fn from(expiry: Expiry) -> Self {
        Self(Given::Expiry(expiry))
    }
}

impl Setting {
    pub(crate) fn to_expiry(&self) -> Result<Expiry, String> {
        match &self.0 {
            Given::Text(text) => text.parse().map_err(|error| format!("{error}")),
            Given::Expiry(expiry) => Ok(expiry.clone()),
        }
    }

    pub(crate) fn to_duration(&self) -> Result<Duration, String> {
        let expiry = self.to_expiry()?;
        expiry
            .as_duration()
            .ok_or_else(|| format!("`{expiry}` is no duration such as 300, 1500ms, 5m, 48h or 7d"))
    }
}
