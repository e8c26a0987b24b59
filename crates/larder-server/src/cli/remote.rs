//! Commands that talk to a running server over HTTP.

use super::stats;
use crate::config::Config;
use larder_redis::Secret;
use serde_json::Value;
use std::time::Duration;

/// Maximum time to wait for the server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A command to a running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemoteCommand {
    /// Shows the statistics, for people or as JSON.
    Stats { json: bool },
    /// Shows whether pass-through is on, after setting it if a state is given.
    Passthrough(Option<bool>),
}

impl RemoteCommand {
    /// Sends the command to the server of this configuration. Returns the text to print.
    pub(super) fn run(self, config: &Config) -> Result<String, String> {
        let server = Server::of(config)?;
        match self {
            Self::Stats { json: true } => server.get("/v1/stats"),
            Self::Stats { json: false } => Ok(stats::text(&read(&server.get("/v1/stats")?)?)),
            Self::Passthrough(None) => state(&server.get("/v1/passthrough")?),
            Self::Passthrough(Some(true)) => state(&server.put("/v1/passthrough/on")?),
            Self::Passthrough(Some(false)) => state(&server.put("/v1/passthrough/off")?),
        }
    }
}

/// The server's URL and the token to send.
struct Server {
    url: String,
    token: Option<Secret>,
    agent: ureq::Agent,
}

impl Server {
    fn of(config: &Config) -> Result<Self, String> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let url =
            config.url.as_deref().ok_or("url is not set and http-port is 0: set LARDER_URL")?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, token: config.http.token.clone(), agent })
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let request = self.agent.get(self.address(path));
        self.answer(self.authorized(request).call())
    }

    fn put(&self, path: &str) -> Result<String, String> {
        let request = self.agent.put(self.address(path));
        self.answer(self.authorized(request).send_empty())
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    fn answer(
        &self,
        answer: Result<http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, String> {
        let at = &self.url;
        let mut response = answer.map_err(|error| {
            format!(
                "cannot reach {at}: {error}; is the server running? Set LARDER_URL to its address"
            )
        })?;
        let body = response.body_mut().read_to_string();
        let body = body.map_err(|error| format!("cannot read the answer of {at}: {error}"))?;
        match response.status() {
            status if status.is_success() => Ok(body),
            status => Err(format!("{at} answered {status}: {}", detail(&body))),
        }
    }
}

/// Returns the detail of a problem+json.
fn detail(body: &str) -> String {
    let problem = read(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    detail.unwrap_or("the answer is not one of Larder's").to_owned()
}

fn read(body: &str) -> Result<Value, String> {
    serde_json::from_str(body).map_err(|_| "the answer is not JSON: is this a Larder?".to_owned())
}

fn state(body: &str) -> Result<String, String> {
    match read(body)?.get("passthrough").and_then(Value::as_bool) {
        Some(on) => Ok(format!("pass-through is {}", if on { "on" } else { "off" })),
        None => Err("the answer has no pass-through state: is this a Larder?".to_owned()),
    }
}
