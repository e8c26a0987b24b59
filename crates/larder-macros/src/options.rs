//! The options in `#[cached(...)]`. Their texts are parsed here, so that a mistake is an error of the
//! compiler.

use larder_expiry::{Expiry, parse_duration};
use proc_macro2::{Ident, Span};
use syn::{
    Error, LitFloat, LitInt, LitStr, Result, Token, parenthesized,
    parse::{Parse, ParseStream},
};

/// An option that is passed to the builder, by the name of its method.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// The value of an option, as it is written to the builder.
pub(crate) enum Value {
    Text(LitStr),
    Part(LitFloat),
    Entries(LitInt),
    Breaker(LitInt, LitStr),
}

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Options {
    /// The template of the key.
    pub(crate) key: Option<LitStr>,
    pub(crate) settings: Vec<Setting>,
}

const NAMES: &str = "`key`, `ttl`, `time_to_idle`, `negative_ttl`, `jitter`, `max_entries`, \
     `stale_while_revalidate`, `stale_if_error`, `soft_timeout`, `hard_timeout`, \
     `circuit_breaker`";

impl Options {
    /// Returns the option of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Ident> {
        self.settings.iter().map(|setting| &setting.name).find(|found| *found == name)
    }

    fn add(&mut self, name: Ident, input: ParseStream<'_>) -> Result<()> {
        let text = name.to_string();
        if self.find(&text).is_some() || (text == "key" && self.key.is_some()) {
            return Err(Error::new(name.span(), format!("`{text}` is set twice")));
        }
        let value = match text.as_str() {
            "key" => {
                self.key = Some(input.parse()?);
                return Ok(());
            }
            "ttl" => Value::Text(expiry(input)?),
            "time_to_idle"
            | "negative_ttl"
            | "stale_while_revalidate"
            | "stale_if_error"
            | "soft_timeout"
            | "hard_timeout" => Value::Text(duration(input)?),
            "jitter" => Value::Part(part(input)?),
            "max_entries" => Value::Entries(count(input)?),
            "circuit_breaker" => breaker(input)?,
            "refresh_ahead" => return Err(Error::new(name.span(), REFRESH_AHEAD)),
            _ => {
                let message = format!("there is no option `{text}`; there are {NAMES}");
                return Err(Error::new(name.span(), message));
            }
        };
        self.settings.push(Setting { name, value });
        Ok(())
    }
}

const REFRESH_AHEAD: &str = "a cached function runs in the task of its caller, so nothing can be \
     loaded ahead; build a `larder::Cache` and use `in_background` instead";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            options.add(name, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn expiry(input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = text(input)?;
    match text.value().parse::<Expiry>() {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::new(text.span(), error)),
    }
}

fn duration(input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = text(input)?;
    match parse_duration(&text.value()) {
        Some(duration) if !duration.is_zero() => Ok(text),
        Some(_) => Err(Error::new(text.span(), "must be longer than zero")),
        None => {
            let message = format!(
                "`{}` is no duration: write 300, 1500ms, 5m, 48h or 7d, in quotes",
                text.value()
            );
            Err(Error::new(text.span(), message))
        }
    }
}

fn text(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse().map_err(|error: Error| {
        Error::new(error.span(), "write the duration in quotes, with its unit: \"5m\", \"48h\"")
    })
}

fn part(input: ParseStream<'_>) -> Result<LitFloat> {
    let part: LitFloat = input.parse()?;
    let value: f64 = part.base10_parse()?;
    match (0.0..1.0).contains(&value) {
        true => Ok(part),
        false => Err(Error::new(part.span(), "must be from 0.0 to below 1.0")),
    }
}

fn count(input: ParseStream<'_>) -> Result<LitInt> {
    let count: LitInt = input.parse()?;
    if count.base10_parse::<u32>()? == 0 {
        return Err(Error::new(count.span(), "must be at least one"));
    }
    Ok(count)
}

fn breaker(input: ParseStream<'_>) -> Result<Value> {
    let inner;
    parenthesized!(inner in input);
    let failures = count(&inner)?;
    inner.parse::<Token![,]>()?;
    Ok(Value::Breaker(failures, duration(&inner)?))
}

/// Returns where an error about the attribute as a whole belongs.
pub(crate) fn attribute_span() -> Span {
    Span::call_site()
}
