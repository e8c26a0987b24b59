//! From a configuration to a running server, and from a signal to its end.

use crate::{
    app::App,
    background,
    bound::{BindError, BoundListeners},
    config::{BAD_CONFIGURATION, Config},
    logging, origins, rlimit,
    signals::Signals,
};
use std::{io, process::ExitCode, sync::Arc};
use tokio::{runtime::Runtime, sync::watch, task::JoinSet};

/// Tokio polls the runtime's global queue only every so many tasks, and a worker's own queue has
/// room for 256. With a thousand clients that send requests without pause, tasks in the global
/// queue would otherwise wait behind the others indefinitely.
const GLOBAL_QUEUE_INTERVAL: u32 = 2;

/// Serves until a signal ends the server.
pub fn serve(config: &Config) -> ExitCode {
    if let Err(error) = logging::start(&config.logs) {
        // A program that embeds the server may have set up logging of its own.
        tracing::debug!(%error, "logging is already set up");
    }
    match runtime().and_then(|runtime| block_on(runtime, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .global_queue_interval(GLOBAL_QUEUE_INTERVAL)
        .build()
        .map_err(StartError::Runtime)
}

/// Runs the server. Tasks that have not ended by then, such as a client in a blocking command, do
/// not delay the exit.
fn block_on(runtime: Runtime, config: &Config) -> Result<(), StartError> {
    let result = runtime.block_on(run(config));
    runtime.shutdown_background();
    result
}

async fn run(config: &Config) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let origins = origins::open(&config.origins).await?;
    let descriptors = rlimit::raise(config);
    let listeners = BoundListeners::bind(config)?;
    let (app, samples) = {
        let _guard = listeners.enter_first_worker();
        App::start(config, origins, descriptors)
    };
    let app = Arc::new(app);
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    background::start(&app, samples);
    let (drain, draining) = watch::channel(false);
    let served = listeners.serve(&app, &draining);

    let signal = signals.stop().await;
    app.start_draining();
    // The listeners hold the other end until they have drained.
    drain.send(true).ok();
    finish(served, config, signal, &mut signals).await;
    Ok(())
}

/// Waits until the listeners have drained, the timeout has expired or a second signal arrives.
async fn finish(
    mut served: JoinSet<()>,
    config: &Config,
    signal: &'static str,
    signals: &mut Signals,
) {
    let timeout = config.drain_timeout;
    tracing::info!(signal, ?timeout, "draining: waiting for requests in progress");
    tokio::select! {
        () = async { while served.join_next().await.is_some() {} } => tracing::info!("drained"),
        () = tokio::time::sleep(timeout) => tracing::warn!("drain-timeout expired"),
        signal = signals.stop() => tracing::warn!(signal, "second signal: stopping immediately"),
    }
}

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot install signal handlers: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Origin(#[from] origins::OpenError),
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl StartError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Origin(_) => BAD_CONFIGURATION.into(),
            Self::Runtime(_) | Self::Signals(_) | Self::Bind(_) => ExitCode::FAILURE,
        }
    }
}
