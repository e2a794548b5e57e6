use serde::Serialize;

use crate::Error;

/// Something in a data root that is damaged, missing or out of place, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The path in the tree, printable.
    pub path: String,
    /// What is wrong, in one line.
    pub problem: String,
    /// What cannot be told or recovered because of it, in one line.
    pub cost: &'static str,
}

impl Finding {
    pub(crate) fn new(path: &[u8], problem: impl Into<String>, cost: &'static str) -> Self {
        Self { path: format!("/{}", file_tree::printable(path)), problem: problem.into(), cost }
    }

    /// A finding that says what an error and those below it say.
    pub(crate) fn of(path: &[u8], error: &Error, cost: &'static str) -> Self {
        // The path stands beside the problem: no need to repeat that it cannot be read.
        let problem = match error {
            Error::Tree { source, .. } => chain(source),
            other => chain(other),
        };
        Self::new(path, problem, cost)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
