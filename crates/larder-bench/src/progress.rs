//! A progress bar on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of a run. Shows nothing unless stderr is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts a run of this many steps.
    pub fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {eta} left, {msg:36}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Begins the next step.
    pub fn step(&self, label: String) {
        self.0.set_message(label);
        self.0.inc(1);
    }

    /// Ends the run. Debug builds check that it had the announced number of steps.
    pub fn finish(self) {
        debug_assert_eq!(Some(self.0.position()), self.0.length(), "steps done and announced");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
