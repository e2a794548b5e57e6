//! A progress bar on standard error, where that is a terminal.

use std::time::Duration;

use docker_rescue::file_tree::{Control, Event};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt;

/// Shows how far bulk work has come, with bytes, rate and the time left, and passes Ctrl-C on to it.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `total_bytes` of content. It draws nothing if `quiet`, or if standard error is no terminal.
    pub(crate) fn new(total_bytes: u64, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target);
        bar.set_style(
            ProgressStyle::with_template(
                "{wide_msg}\n{bar:40} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}  \
                 {decimal_bytes_per_sec}  {eta} left",
            )
            .expect("the template is valid"),
        );
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// A bar over so many steps of work, to be told with [`step`](Self::step).
    pub(crate) fn of_steps(quiet: bool) -> Self {
        let progress = Self::new(0, quiet);
        let style = ProgressStyle::with_template("{wide_msg}\n{bar:40} {percent:>3}%");
        progress.bar.set_style(style.expect("the template is valid"));
        progress
    }

    /// Says how far a step is.
    pub(crate) fn step(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Says what is worked on.
    pub(crate) fn say(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Runs bulk work under this bar.
    pub(crate) fn watch<T>(&self, work: impl FnOnce(&Control<'_>) -> T) -> T {
        let advance = |event: Event<'_>| {
            if let Event::Bytes(bytes) = event {
                self.bar.inc(bytes);
            }
        };
        work(&Control { progress: Some(&advance), cancel: Some(interrupt::flag()) })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
