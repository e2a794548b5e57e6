/// Something worth knowing about a disk that did not stop it from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// One line, lower case, without a full stop.
    pub message: String,
}

/// How much a [`Note`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing is lost by it.
    Info,
    /// Data may be missing or out of date because of it.
    Warning,
}

impl Note {
    pub(super) fn info(message: impl Into<String>) -> Self {
        Self { level: Level::Info, message: message.into() }
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self { level: Level::Warning, message: message.into() }
    }
}
