//! Tables in the manner of Docker's own.

use std::io::{self, Write, stdout};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Prints rows below headings. Columns named in `right` are numbers.
pub(crate) fn print<const N: usize>(
    headings: [&str; N],
    right: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings);
    table.add_rows(rows);
    for (position, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 3));
        if right.contains(&position) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out = stdout().lock();
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
