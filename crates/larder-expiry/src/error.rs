//! What is wrong with the text of an expiry.

use thiserror::Error;

/// Why a text is no expiry. The message quotes the part that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseExpiryError {
    /// It has none of the known forms.
    #[error(
        "`{0}` is no expiry: write a duration such as 300, 1500ms, 5m, 48h or 7d, \
         `daily 00:00 Europe/Brussels`, `cron 0 0 * * 1 Europe/Brussels`, or `never`"
    )]
    Unknown(Box<str>),
    /// It begins with `daily`, and the rest is not a time and a time zone.
    #[error("`{0}` is no expiry: the form is `daily HH:MM Zone/City`")]
    Daily(Box<str>),
    /// There is no such time of day.
    #[error("`{0}` is no time of day: write 00:00 to 23:59, seconds may follow")]
    Time(Box<str>),
    /// There is no such time zone.
    #[error("`{0}` is no time zone: write a name such as Europe/Brussels or UTC")]
    Zone(Box<str>),
    /// A cron expression does not have five fields.
    #[error(
        "a cron expression has five fields (minute, hour, day of month, month, day of week), and a \
         time zone may follow; `{0}` has {1}"
    )]
    CronFields(Box<str>, usize),
    /// A cron expression has a field that is wrong.
    #[error("`{0}` is no cron expression: {1}")]
    Cron(Box<str>, Box<str>),
    /// No date ever fits a cron expression.
    #[error("the cron expression `{0}` names no time")]
    CronNever(Box<str>),
}
