//! The columns of a flat file: their names, their aliases and their positions.
//! It must not know bytes or quotes, nor what a value stands for.

use super::cells::Cells;
use super::header::begins_with_operation;
use super::names::{self, folded};

/// A column that enrold applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Operation,
    User,
    Course,
    Role,
    TimeStart,
    TimeEnd,
}

impl Column {
    pub const ALL: [Column; 6] =
        [Column::Operation, Column::User, Column::Course, Column::Role, Column::TimeStart, Column::TimeEnd];

    /// The columns without which a header is refused (spec files 2.1).
    pub const REQUIRED: [Column; 4] = [Column::Operation, Column::User, Column::Course, Column::Role];

    /// The name, then its aliases.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Column::Operation => names::OPERATION,
            Column::User => names::USER,
            Column::Course => names::COURSE,
            Column::Role => names::ROLE,
            Column::TimeStart => names::TIME_START,
            Column::TimeEnd => names::TIME_END,
        }
    }

    /// The column with this name or alias; case, accents and blanks around it do not matter.
    pub fn named(text: &str) -> Option<Column> {
        const LONGEST: usize = 40;
        let text = super::trimmed(text);
        // A file that is no flat file is searched for a header too, and most of its cells are no names.
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let text = folded(text);
        Column::ALL.into_iter().find(|column| column.names().contains(&text.as_str()))
    }
}

/// Whether this is a column of other programs, which this version does not ignore but refuses (spec files 2.1, 2.3).
pub(super) fn is_not_applied(text: &str) -> bool {
    let text = folded(text);
    let numbered = text.strip_prefix('g').is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    numbered || matches!(text.as_str(), "group" | "groups" | "groupe" | "gcmd" | "enrol" | "hidden")
}

/// The position of each column in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    places: [Option<usize>; 6],
    /// The positions of the columns of a table that must be filled.
    required: Vec<usize>,
    /// How many cells a whole record has.
    width: usize,
    /// How many cells a record must have at least.
    least: usize,
    /// Whether empty cells may follow the last column.
    lenient: bool,
    /// Whether problems do not quote records, because one of the columns holds passwords.
    pub quiet: bool,
    /// Whether the first delimiter of each record is that of the record: a key comes first, which holds none.
    pub of_list: bool,
}

impl Columns {
    /// Moodle's positional form: operation, role, user, course, start, end (spec files 2.2).
    pub fn native() -> Self {
        let places = [Some(0), Some(2), Some(3), Some(1), Some(4), Some(5)];
        Columns { places, required: Vec::new(), width: 6, least: 4, lenient: false, quiet: false, of_list: false }
    }

    /// From the columns of a header, in its order, each at most once and the required ones among them.
    pub fn of_header(order: &[Column]) -> Self {
        let places = Column::ALL.map(|column| order.iter().position(|&other| other == column));
        let least =
            Column::REQUIRED.into_iter().filter_map(|column| places[column as usize]).max().map_or(0, |last| last + 1);
        Columns { places, required: Vec::new(), width: order.len(), least, lenient: true, quiet: false, of_list: false }
    }

    /// For a table: none of the flat file's columns, and `width` cells, of which those at `required` must be filled.
    pub fn of_table(width: usize, required: Vec<usize>) -> Self {
        let least = required.iter().max().map_or(0, |last| last + 1);
        Columns { places: [None; 6], required, width, least, lenient: true, quiet: false, of_list: false }
    }

    /// For rows without header: a key, and any number of cells.
    pub fn of_list() -> Self {
        Columns { of_list: true, ..Columns::of_table(usize::MAX, vec![0]) }
    }

    /// The cell of a column; empty if the record ends before it.
    pub fn of<'a>(&self, column: Column, cells: &'a Cells) -> &'a str {
        self.places[column as usize].map_or("", |place| cells.get(place))
    }

    /// The position of a column.
    pub fn place(&self, column: Column) -> Option<usize> {
        self.places[column as usize]
    }

    /// Whether a record has the right number of cells: optional ones may be missing at its end,
    /// and with a header empty ones may follow.
    pub fn fit(&self, cells: &Cells) -> bool {
        cells.len() >= self.least && !self.exceeded_by(cells)
    }

    /// Whether a record has more cells than there are columns; with a header empty ones do not count.
    pub fn exceeded_by(&self, cells: &Cells) -> bool {
        (self.width..cells.len()).any(|place| !self.lenient || !cells.get(place).is_empty())
    }

    /// Whether a line is a record itself: of a table if it has as many parts as there are columns, of a flat file if it
    /// begins with an operation.
    pub fn are_in(&self, line: &str, delimiter: char) -> bool {
        match self.places[Column::Operation as usize] {
            Some(place) => place == 0 && begins_with_operation(line),
            None => self.required.len() > 1 && line.split(delimiter).count() == self.width,
        }
    }

    /// Whether the quotes of a record pair: no cell has a line that is a record itself, and none of a table that must
    /// be filled has both lines and delimiters.
    pub fn pair(&self, cells: &Cells, delimiter: char) -> bool {
        cells.iter().enumerate().all(|(place, cell)| {
            let Some((_, further)) = cell.split_once('\n') else { return true };
            let must_be_filled = self.required.contains(&place) && cell.contains(delimiter);
            !must_be_filled && !further.split('\n').any(|line| self.are_in(line, delimiter))
        })
    }

    /// Whether the cell after those that are complete still belongs to a column.
    pub fn has_room(&self, cells: &Cells) -> bool {
        cells.len() < self.width
    }

    /// The number of cells expected, for a message: `6` or `4-6`.
    pub fn expected(&self) -> String {
        match (self.least, self.width) {
            (least, width) if least == width => width.to_string(),
            (least, width) => format!("{least}-{width}"),
        }
    }
}
