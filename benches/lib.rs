//! Criterion benches; see RESULTS.md.
