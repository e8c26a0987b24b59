//! What a client hears that has not shown the password of `requirepass`: what Redis would say.

use super::{context::ProxyContext, hello::Hello, session::auth::Login};
use crate::listeners::resp::embedded::command_error::CommandError;
use larder_resp::{
    command::{Class, SessionCommand, Spec, Table},
    request::Command,
};

/// The answer to a command of a client that has not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BeforeAuth {
    /// It is the password.
    Accept,
    Refuse(CommandError),
    /// The store knows the user.
    Forward,
}

impl BeforeAuth {
    pub(super) fn of(
        spec: &Spec,
        command: &Command<'_>,
        table: &Table,
        context: &ProxyContext,
    ) -> Self {
        let is_open = is_open(spec);
        let checks_auth_first = context.checks_auth_first() && !is_open;
        let error = match lookup_error(spec, command, table).filter(|_| !checks_auth_first) {
            Some(error) => error,
            None if is_open => return Self::of_login(spec, command, context),
            None => CommandError::NO_AUTH,
        };
        Self::Refuse(match spec.class {
            Class::Session(SessionCommand::Exec) => error.aborting(),
            _ => error,
        })
    }

    fn of_login(spec: &Spec, command: &Command<'_>, context: &ProxyContext) -> Self {
        let is_hello = spec.class == Class::Session(SessionCommand::Hello);
        if let Some(error) = Hello::version_error(command).filter(|_| is_hello) {
            return Self::Refuse(error);
        }
        match Login::of(spec, command, &context.config().resp) {
            Login::Own if is_hello => Self::Forward,
            Login::Own => Self::Accept,
            Login::WrongPassword => Self::Refuse(CommandError::WRONG_PASSWORD),
            Login::BadHello(option) => Self::Refuse(CommandError::hello_option(option)),
            Login::AsSent if is_hello => match Hello::parse(command) {
                Ok(Hello { auth: Some(_), .. }) => Self::Forward,
                _ => Self::Refuse(
                    Hello::option_error(command).unwrap_or(CommandError::NO_AUTH_HELLO),
                ),
            },
            Login::AsSent if command.args().len() > 3 => Self::Refuse(CommandError::SYNTAX),
            Login::AsSent => Self::Forward,
        }
    }
}

/// Returns whether a client may send the command before it has authenticated.
fn is_open(spec: &Spec) -> bool {
    use SessionCommand::{Auth, Hello, Quit, Reset};
    matches!(spec.class, Class::Session(Auth | Hello | Quit | Reset))
}

/// Returns the error of a command that the store does not have, or that has too few or too many
/// arguments.
fn lookup_error(spec: &Spec, command: &Command<'_>, table: &Table) -> Option<CommandError> {
    // Until the store has listed its commands, nothing is known to be wrong.
    if !table.is_of_server() {
        return None;
    }
    let has_argument = command.args().len() > 1;
    let is_subcommand = spec.name.as_bytes().contains(&b'|');
    match spec.arity {
        Some(_) if spec.is_container() && has_argument => {
            Some(CommandError::unknown_subcommand(command))
        }
        Some(arity) if arity.allows(command.args().len()) => None,
        Some(_) => {
            let name = String::from_utf8_lossy(spec.name.as_bytes()).to_lowercase();
            Some(CommandError::wrong_arity(&name))
        }
        None if is_subcommand && table.find(command.name(), None).arity.is_some() => {
            Some(CommandError::unknown_subcommand(command))
        }
        None => Some(CommandError::unknown_command(command)),
    }
}
