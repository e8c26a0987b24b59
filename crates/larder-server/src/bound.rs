//! The listeners of a configuration: first bound, then served once the app is wired.

use crate::{
    app::App,
    config::{Config, RespConfig},
    listeners::{http, listen, resp},
};
use std::{io, net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpListener, runtime::EnterGuard, sync::watch, task::JoinSet};

/// Listeners that are bound and not served yet.
pub(crate) struct BoundListeners {
    http: Option<TcpListener>,
    resp: Option<(resp::Listeners, resp::Workers)>,
}

/// A listener that cannot be bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error("{0} is in use by another program: choose another --http-port")]
    HttpInUse(SocketAddr),
    #[error("cannot listen on {0}: {1}")]
    Http(SocketAddr, #[source] io::Error),
    #[error("cannot listen for Redis clients: {0}; see --port, --tls-port and --unixsocket")]
    Resp(#[source] io::Error),
    #[error("cannot start the workers of the RESP listener: {0}")]
    Workers(#[source] io::Error),
}

impl BoundListeners {
    pub(crate) fn bind(config: &Config) -> Result<Self, BindError> {
        let http = config.http.address.map(bind_http).transpose()?;
        let resp = match bind_resp(&config.resp)? {
            Some(listeners) => {
                let workers =
                    resp::Workers::new(config.resp.workers).map_err(BindError::Workers)?;
                Some((listeners, workers))
            }
            None => None,
        };
        Ok(Self { http, resp })
    }

    /// Makes tasks that are spawned while the guard is held run on the first RESP worker. Where one
    /// thread serves all clients and owns the store's connections, a miss crosses no threads.
    pub(crate) fn enter_first_worker(&self) -> Option<EnterGuard<'_>> {
        self.resp.as_ref().and_then(|(_, workers)| workers.enter_first())
    }

    /// Serves every listener in tasks that end once `draining` is true and their clients have been
    /// answered.
    pub(crate) fn serve(self, app: &Arc<App>, draining: &watch::Receiver<bool>) -> JoinSet<()> {
        let store = app.backend().describe();
        let mut served = JoinSet::new();
        if let Some((http, address)) = self.http.zip(app.config().http.address) {
            served.spawn(http::serve(http, Arc::clone(app), draining.clone()));
            tracing::info!(%address, %store, "serving http://{address}/docs");
        }
        if let Some(listeners) = self.resp {
            let config = &app.config().resp;
            let address = listeners.0.address().map(tracing::field::display);
            let tls = config.tls.as_ref().map(|tls| tracing::field::display(tls.address));
            let unixsocket = config.unixsocket.as_deref().map(Path::display);
            let unixsocket = unixsocket.map(tracing::field::display);
            tracing::info!(address, tls, unixsocket, "serving Redis clients");
            served.spawn(resp::serve(listeners, Arc::clone(app), draining.clone()));
        }
        served
    }
}

fn bind_http(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::HttpInUse(address),
        _ => BindError::Http(address, error),
    })
}

/// Returns `None` if the only listener was to be on the default port and another program uses it.
fn bind_resp(config: &RespConfig) -> Result<Option<resp::Listeners>, BindError> {
    let listeners = resp::Listeners::bind(config).map_err(BindError::Resp)?;
    let is_off = config.address.is_some() && !listeners.are_open();
    Ok((!is_off).then_some(listeners))
}
