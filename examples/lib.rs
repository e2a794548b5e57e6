//! Examples: one file per task.
