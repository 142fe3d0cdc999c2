//! Determines whether the first line of a file is a header, with which delimiter, and what its problem is.
//! It must not know the lines that follow, nor what a value stands for.

use super::cells::{Cells, Quoting};
use super::columns::{Column, Columns, is_not_applied};
use super::names::folded;
use super::{Delimiter, Operation, is_blank, shown, trimmed};
use crate::problem::{Code, Problem, hint};

/// A valid header.
#[derive(Debug)]
pub(super) struct Header {
    pub delimiter: Delimiter,
    /// The names as written, without blanks around them.
    pub names: Vec<String>,
    pub columns: Columns,
}

/// A line split at one delimiter.
pub(super) struct Cut {
    delimiter: Delimiter,
    names: Vec<String>,
}

impl Cut {
    fn new(line: &str, delimiter: Delimiter) -> Cut {
        Cut { delimiter, names: names(line, delimiter) }
    }

    /// Split at the delimiter that gives the most columns.
    fn best(line: &str) -> Cut {
        let [mut best, others @ ..] = Delimiter::ALL.map(|delimiter| Cut::new(line, delimiter));
        for cut in others {
            if (cut.known(), cut.names.len()) > (best.known(), best.names.len()) {
                best = cut;
            }
        }
        best
    }

    fn known(&self) -> usize {
        known(self.names.iter().map(String::as_str))
    }

    fn begins_a_record(&self) -> bool {
        self.names.first().is_some_and(|name| Operation::parse(name).is_some())
    }
}

/// The names in a header line, without blanks around them and without empty ones at the end; none
/// if the quotes do not pair.
pub(super) fn names(line: &str, delimiter: Delimiter) -> Vec<String> {
    let mut cells = Cells::rfc4180();
    let mut names: Vec<String> = Vec::new();
    if cells.add_line(line, delimiter.as_char()) == Quoting::Complete {
        names = cells.iter().map(str::to_owned).collect();
    }
    while names.pop_if(|name| name.is_empty()).is_some() {}
    names
}

/// How many different columns are named.
fn known<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    let mut named = [false; Column::ALL.len()];
    for column in names.filter_map(Column::named) {
        named[column as usize] = true;
    }
    named.into_iter().filter(|&named| named).count()
}

/// A line as a header: it names two different columns and does not begin with an operation. `sep` is the delimiter that
/// the file names.
pub(super) fn recognise(line: &str, sep: Option<Delimiter>) -> Option<Cut> {
    let is_header = |cut: &Cut| cut.known() >= 2 && !cut.begins_a_record();
    if begins_with_operation(line) {
        return None;
    }
    let own = sep.map(|delimiter| Cut::new(line, delimiter)).filter(is_header);
    own.or_else(|| Some(Cut::best(line)).filter(is_header))
}

/// Reads a line that must be a header.
pub(super) fn forced(line_number: u64, line: &str, sep: Option<Delimiter>) -> Result<Header, Problem> {
    is_not_delimited_otherwise(line_number, line)?;
    understand(line_number, Cut::best(line), sep)
}

/// Refuses a line that would be a header if its columns were separated by a delimiter that is not accepted.
pub(super) fn is_not_delimited_otherwise(line_number: u64, line: &str) -> Result<(), Problem> {
    match other_delimiter(line).filter(|_| Cut::best(line).known() < 2) {
        Some(found) => Err(suspect(line_number, found, &Delimiter::ALL)),
        None => Ok(()),
    }
}

/// Whether the first cell of a line is an operation, without regard to its quotes: most lines of a file are such, so
/// they are not split.
pub(super) fn begins_with_operation(line: &str) -> bool {
    const QUOTES: [char; 2] = ['"', '\''];
    let start = line.trim_start_matches(|c: char| is_blank(c) || QUOTES.contains(&c));
    start.split_at_checked("add".len()).is_some_and(|(word, rest)| {
        let rest = rest.trim_start_matches([' ', '"', '\'']);
        Operation::parse(word).is_some() && (rest.is_empty() || rest.starts_with([',', ';', '\t']))
    })
}

/// The problem that columns are separated by `found`.
pub(super) fn suspect(line_number: u64, found: char, accepted: &[Delimiter]) -> Problem {
    let accepted: Vec<String> = accepted.iter().map(Delimiter::to_string).collect();
    let found = if found == '\t' { "tab".to_owned() } else { format!("\"{found}\"") };
    Problem::new(line_number, Code::DelimiterSuspect, found, accepted.join(" "))
}

/// A delimiter that is not accepted, but with which the line would clearly be a header.
fn other_delimiter(line: &str) -> Option<char> {
    const NAMED: usize = 3;
    [' ', '|', ':', '^'].into_iter().find(|&other| known(line.split(other)) >= NAMED)
}

/// Replaces the text of a line that is not understood: its file may not be meant for enrold, and then no report may
/// show any of its content.
pub const UNTOLD: &str = "…";

/// The names of an invalid header for a message, those that are not `known` as `?`.
pub(super) fn told(names: &[String], known: impl Fn(&str) -> bool) -> String {
    shown(&names.iter().map(|name| if known(name) { name.as_str() } else { "?" }).collect::<Vec<_>>().join(", "))
}

/// A column whose name is not shown, by its number.
pub(super) fn place(at: usize) -> String {
    format!("#{}", at + 1)
}

/// Reads a header; it must use the delimiter `sep` if the file names one.
pub(super) fn understand(line_number: u64, cut: Cut, sep: Option<Delimiter>) -> Result<Header, Problem> {
    if let Some(sep) = sep.filter(|sep| *sep != cut.delimiter) {
        return Err(suspect(line_number, cut.delimiter.as_char(), &[sep]));
    }
    let problem = |code, value: &str, hint: &str| Err(Problem::new(line_number, code, shown(value), hint));
    let is_named = |column: &Column| cut.names.iter().any(|name| Column::named(name) == Some(*column));
    let is_ours = Column::REQUIRED.iter().all(is_named);
    let mut order: Vec<Column> = Vec::with_capacity(cut.names.len());
    for (at, name) in cut.names.iter().enumerate() {
        let Some(column) = Column::named(name) else {
            let inside = [',', ';', '\t', '|'].into_iter().find(|&other| name.contains(other));
            return match inside {
                Some(other) if known(name.split(other)) > 0 => Err(suspect(line_number, other, &Delimiter::ALL)),
                _ => {
                    let hint = unknown_hint(name);
                    // A misspelt known name reveals nothing.
                    let tells = is_ours || name.is_empty() || !matches!(hint, "" | hint::SEVERAL_RECORDS);
                    let value = if tells { shown(name) } else { place(at) };
                    Err(Problem::new(line_number, Code::ColumnUnknown, value, hint))
                }
            };
        };
        if let Some(first) = order.iter().position(|&other| other == column) {
            return problem(Code::ColumnTwice, name, &shown(&cut.names[first]));
        }
        order.push(column);
    }
    let missing: Vec<_> =
        Column::REQUIRED.into_iter().filter(|column| !order.contains(column)).map(|column| column.names()[0]).collect();
    if !missing.is_empty() {
        return problem(
            Code::ColumnMissing,
            &missing.join(", "),
            &told(&cut.names, |name| Column::named(name).is_some()),
        );
    }
    Ok(Header { delimiter: cut.delimiter, columns: Columns::of_header(&order), names: cut.names })
}

fn unknown_hint(name: &str) -> &'static str {
    if is_not_applied(name) {
        hint::NOT_APPLIED
    } else if ends_with_operation(name) {
        hint::SEVERAL_RECORDS
    } else {
        nearest(name)
    }
}

/// Whether the last of several words is an operation: several records on one line, separated by blanks (the layout
/// accident of spec files 2.1), leave such cells.
pub(super) fn ends_with_operation(cell: &str) -> bool {
    trimmed(cell).rsplit_once(char::is_whitespace).is_some_and(|(_, last)| Operation::parse(last).is_some())
}

/// The known name nearest to a misspelt one; nothing if none is near.
fn nearest(name: &str) -> &'static str {
    const LONGEST: usize = 40;
    let name = folded(name);
    let length = name.chars().count();
    if length > LONGEST {
        return "";
    }
    Column::ALL
        .into_iter()
        .flat_map(|column| column.names())
        .map(|&known| (distance(&name, known), known))
        .min_by_key(|&(far, _)| far)
        .filter(|&(far, _)| far <= 1 + length / 4)
        .map_or("", |(_, known)| known)
}

/// Edits between two words: letters inserted, removed or replaced.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
