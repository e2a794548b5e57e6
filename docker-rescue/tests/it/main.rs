//! Tests of the whole: the library's facade and the command.

mod arrows;
