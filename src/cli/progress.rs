//! The bar that shows how far a build is, on a terminal.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::Progress;

/// How long a build takes before it is shown: most are done by then.
const PATIENCE: Duration = Duration::from_millis(300);

/// A bar on standard error, taken away when it is dropped.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar for the clusters of one entry point; none where standard error is
    /// no terminal.
    pub(super) fn new(entry: &str) -> Option<Arc<Bar>> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(entry.to_owned());
        Some(Arc::new(Bar(bar)))
    }
}

impl Progress for Bar {
    fn found(&self, count: usize) {
        self.0.inc_length(count as u64);
    }

    fn done(&self) {
        self.0.inc(1);
        if self.0.is_hidden() && self.0.elapsed() > PATIENCE {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
