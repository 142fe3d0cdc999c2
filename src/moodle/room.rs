//! Checks whether texts fit into columns of the site, before a statement can fail.
//! It must not know which values are written, nor what happens to one that does not fit.

use crate::moodle::site::Site;
use crate::moodle::tables::{self, Kind};
use crate::problem::Code;

/// The capacity of one text column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Characters.
    pub width: usize,
}

impl Room {
    /// The capacity of a column of the site: its database's width, else (SQLite sets none) Moodle's; at most `most`,
    /// the width in enrold's own tables.
    pub fn of(site: &Site, table: &str, column: &str, most: usize) -> Self {
        let moodles = || match tables::table(table)?.column(column)?.kind {
            Kind::Char(width) => Some(usize::from(width)),
            Kind::Int(_) | Kind::Number(..) | Kind::Text => None,
        };
        Self { width: site.columns.width(table, column).or_else(moodles).map_or(most, |width| width.min(most)) }
    }

    /// The smaller of two capacities, for a value that must fit into both columns.
    pub fn and(self, other: Self) -> Self {
        Self { width: self.width.min(other.width) }
    }

    /// Checks whether the column can store this text.
    ///
    /// # Errors
    /// The code of the problem.
    pub fn fits(self, text: &str) -> Result<(), Code> {
        // A character has at least one byte, so that most texts need no counting.
        if text.len() <= self.width || text.chars().count() <= self.width { Ok(()) } else { Err(Code::ValueTooLong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_and_not_bytes() {
        let room = Room { width: 3 };
        assert_eq!([room.fits(""), room.fits("abc"), room.fits("ééé")], [Ok(()); 3]);
        assert_eq!([room.fits("abcd"), room.fits("éééé")], [Err(Code::ValueTooLong); 2]);
        assert_eq!(room.and(Room { width: 2 }).fits("abc"), Err(Code::ValueTooLong));
    }
}
