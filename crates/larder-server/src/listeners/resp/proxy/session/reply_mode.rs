//! CLIENT REPLY: which commands Redis answers.

/// Which replies the client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ReplyMode {
    #[default]
    On,
    Off,
    /// On again after one more command.
    SkipNext,
}

/// A command, as far as it matters here. One that Redis refuses is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyCommand {
    /// CLIENT REPLY ON.
    On,
    /// CLIENT REPLY OFF.
    Off,
    /// CLIENT REPLY SKIP.
    Skip,
    Other,
}

/// Whether a command gets a reply that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is answered in its turn.
    Counted,
    /// It is not answered, and neither are the next.
    SilenceBegins,
    /// It is not answered, or its reply cannot be told from others.
    Silent,
    /// It is answered, once all silent commands have been carried out.
    SilenceEnds,
}

impl ReplyMode {
    /// Returns the mode after a command, and whether the command is answered. Within a transaction
    /// CLIENT REPLY is queued, so it has no effect yet.
    #[allow(clippy::match_same_arms, reason = "one row for each case")]
    pub(super) fn after(self, command: ReplyCommand, in_multi: bool) -> (Self, Answer) {
        use ReplyCommand as C;
        match (self, command, in_multi) {
            (Self::On, C::Other | C::On, _) => (Self::On, Answer::Counted),
            (Self::On, C::Off | C::Skip, true) => (Self::On, Answer::Counted),
            (Self::On, C::Off, false) => (Self::Off, Answer::SilenceBegins),
            (Self::On, C::Skip, false) => (Self::SkipNext, Answer::SilenceBegins),

            (Self::Off, C::Other | C::Off | C::Skip, _) => (Self::Off, Answer::Silent),
            (Self::Off, C::On, true) => (Self::Off, Answer::Silent),
            (Self::Off, C::On, false) => (Self::On, Answer::SilenceEnds),

            (Self::SkipNext, C::Other, _) => (Self::On, Answer::Silent),
            (Self::SkipNext, C::Off, _) => (Self::Off, Answer::Silent),
            (Self::SkipNext, C::Skip, _) => (Self::SkipNext, Answer::Silent),
            (Self::SkipNext, C::On, true) => (Self::On, Answer::Silent),
            (Self::SkipNext, C::On, false) => (Self::On, Answer::SilenceEnds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer::*, ReplyMode, *};

    #[test]
    fn every_transition() {
        const ON: ReplyMode = ReplyMode::On;
        const OFF: ReplyMode = ReplyMode::Off;
        const SKIP: ReplyMode = ReplyMode::SkipNext;
        for (mode, command, outside, in_multi) in [
            (ON, ReplyCommand::Other, (ON, Counted), (ON, Counted)),
            (ON, ReplyCommand::On, (ON, Counted), (ON, Counted)),
            (ON, ReplyCommand::Off, (OFF, SilenceBegins), (ON, Counted)),
            (ON, ReplyCommand::Skip, (SKIP, SilenceBegins), (ON, Counted)),
            (OFF, ReplyCommand::Other, (OFF, Silent), (OFF, Silent)),
            (OFF, ReplyCommand::On, (ON, SilenceEnds), (OFF, Silent)),
            (OFF, ReplyCommand::Off, (OFF, Silent), (OFF, Silent)),
            (OFF, ReplyCommand::Skip, (OFF, Silent), (OFF, Silent)),
            (SKIP, ReplyCommand::Other, (ON, Silent), (ON, Silent)),
            (SKIP, ReplyCommand::On, (ON, SilenceEnds), (ON, Silent)),
            (SKIP, ReplyCommand::Off, (OFF, Silent), (OFF, Silent)),
            (SKIP, ReplyCommand::Skip, (SKIP, Silent), (SKIP, Silent)),
        ] {
            assert_eq!(mode.after(command, false), outside, "{mode:?} {command:?}");
            assert_eq!(mode.after(command, true), in_multi, "{mode:?} {command:?} in MULTI");
        }
    }
}
