//! How much text a column of the site has room for: what does not fit is refused before a statement could be.
//! It must not know which values are put there, nor what becomes of one that does not fit.

use crate::moodle::site::Site;
use crate::moodle::tables::{self, Kind};
use crate::problem::Code;

/// The room of one text column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Characters.
    pub width: usize,
}

impl Room {
    /// The room of a column of the site: what its database says, else (SQLite sets no width) Moodle's own; at most
    /// `most`, which is what enrold's own tables hold of it.
    pub fn of(site: &Site, table: &str, column: &str, most: usize) -> Self {
        let moodles = || match tables::table(table)?.column(column)?.kind {
            Kind::Char(width) => Some(usize::from(width)),
            Kind::Int(_) | Kind::Number(..) | Kind::Text => None,
        };
        Self { width: site.columns.width(table, column).or_else(moodles).map_or(most, |width| width.min(most)) }
    }

    /// The smaller of two rooms, for a value that must fit into both columns.
    pub fn and(self, other: Self) -> Self {
        Self { width: self.width.min(other.width) }
    }

    /// Whether the column takes this text.
    ///
    /// # Errors
    /// The code of what is wrong.
    pub fn fits(self, text: &str) -> Result<(), Code> {
        // No character has less than a byte.
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
