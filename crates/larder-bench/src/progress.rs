//! How far the run is, on a terminal; nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {eta} left, {msg:36}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// The next step begins.
    pub(crate) fn step(&self, what: String) {
        self.0.set_message(what);
        self.0.inc(1);
    }

    /// All is done. Whoever has promised another number of steps is found out by the tests.
    pub(crate) fn finish(self) {
        debug_assert_eq!(Some(self.0.position()), self.0.length(), "steps done and promised");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
