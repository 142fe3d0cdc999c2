//! Tables of a name and numbers, as lines that fit a width.
//! It must not know what the numbers count.

use crate::report::width::{shortened, wrapped};

/// A cell that has nothing to say.
const EMPTY: &str = "-";
/// The fewest characters that a name keeps.
const NAME: usize = 16;
/// The blanks between two columns.
const GAP: usize = 2;

/// A row: its name and its cells, or a text in their place.
pub type Row = (String, Result<Vec<String>, String>);

/// The lines of a table, whose first row has the headings. With a width, columns that hold nothing in any row are left
/// out first, then names are shortened, then the columns go into two or more blocks, one below the other.
pub fn lines(rows: &[Row], width: Option<usize>) -> Vec<String> {
    let columns = rows.iter().filter_map(|(_, cells)| cells.as_ref().ok()).map(Vec::len).max().unwrap_or(0);
    let all: Vec<usize> = (0..columns).collect();
    let Some(width) = width else { return block(rows, &all, usize::MAX) };
    if name_width(rows) + needed(rows, &all) <= width {
        return text_fits(block(rows, &all, usize::MAX), rows, width);
    }
    let cells = |column: usize| rows.iter().skip(1).filter_map(move |(_, row)| row.as_ref().ok()?.get(column));
    let mut left: Vec<usize> = all.iter().copied().filter(|column| cells(*column).any(|cell| cell != EMPTY)).collect();
    if left.is_empty() {
        left = all;
    }
    let name = name_width(rows).min(width.saturating_sub(needed(rows, &left)).max(NAME));
    let mut lines = Vec::new();
    while !left.is_empty() {
        let fits = |count: &usize| name + needed(rows, &left[..*count]) <= width;
        let count = (1..=left.len()).rev().find(fits).unwrap_or(1);
        let (now, later) = left.split_at(count);
        lines.extend(block(rows, now, name));
        left = later.to_vec();
    }
    text_fits(lines, rows, width)
}

/// Wraps the rows that have a text in the place of cells.
fn text_fits(lines: Vec<String>, rows: &[Row], width: usize) -> Vec<String> {
    if rows.iter().all(|(_, cells)| cells.is_ok()) {
        return lines;
    }
    let indent = name_width(rows).min(width / 2) + GAP;
    lines.iter().flat_map(|line| wrapped(line, indent, width)).collect()
}

fn name_width(rows: &[Row]) -> usize {
    rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0)
}

fn column_width(rows: &[Row], column: usize) -> usize {
    let cells = rows.iter().filter_map(|(_, row)| row.as_ref().ok()?.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

/// The characters that these columns take, with the gaps before them.
fn needed(rows: &[Row], columns: &[usize]) -> usize {
    columns.iter().map(|column| column_width(rows, *column) + GAP).sum()
}

/// The lines with these columns; names have at most `most` characters.
fn block(rows: &[Row], columns: &[usize], most: usize) -> Vec<String> {
    let name_width = name_width(rows).min(most);
    let line = |(name, row): &Row| {
        let mut line = format!("{:<name_width$}", shortened(name, most));
        match row {
            Ok(cells) => columns.iter().for_each(|column| {
                let cell = cells.get(*column).map(String::as_str).unwrap_or_default();
                line += &format!("{:GAP$}{cell:>width$}", "", width = column_width(rows, *column));
            }),
            Err(text) => line += &format!("{:GAP$}{text}", ""),
        }
        line
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, cells: &[&str]) -> Row {
        (name.to_owned(), Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    fn rows() -> Vec<Row> {
        vec![
            row("course", &["added", "changed", "removed"]),
            row("L1-MATH-101-2026-2027", &["3", "-", "12"]),
            row("L2", &["-", "-", "1"]),
        ]
    }

    #[test]
    fn without_a_width_every_column_stands_there() {
        assert_eq!(
            lines(&rows(), None),
            [
                "course                 added  changed  removed",
                "L1-MATH-101-2026-2027      3        -       12",
                "L2                         -        -        1",
            ]
        );
        assert_eq!(lines(&rows(), Some(80)), lines(&rows(), None));
    }

    #[test]
    fn empty_columns_go_first_then_the_ends_of_names() {
        assert_eq!(
            lines(&rows(), Some(40)),
            [
                "course                 added  removed",
                "L1-MATH-101-2026-2027      3       12",
                "L2                         -        1",
            ]
        );
        assert_eq!(lines(&rows(), Some(34))[1], "L1-MATH-101-2026-…      3       12");
    }

    #[test]
    fn what_still_does_not_fit_goes_below() {
        assert_eq!(
            lines(&rows(), Some(27)),
            [
                "course            added",
                "L1-MATH-101-202…      3",
                "L2                    -",
                "course            removed",
                "L1-MATH-101-202…       12",
                "L2                      1",
            ]
        );
    }

    #[test]
    fn a_text_in_the_place_of_cells_is_wrapped() {
        let rows = [row("rule", &["added"]), ("cohort".to_owned(), Err("skipped: it is not enabled".to_owned()))];
        assert_eq!(lines(&rows, Some(24)), ["rule    added", "cohort  skipped: it is", "        not enabled"]);
    }
}
