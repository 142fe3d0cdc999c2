//! The lines before the header of a file: `sep=`, which names the delimiter, and a few title lines.
//! It must not know which columns a header names, nor read a record.

use super::header::{begins_with_operation, names, suspect};
use super::scan::Line;
use super::{Delimiter, is_blank, shown, trimmed};
use crate::problem::{Code, Problem};

/// How many title lines may stand before a header.
const MOST_TITLES: usize = 5;

/// A title line before the header, which is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its physical line.
    pub line: u64,
    /// Its beginning.
    pub text: String,
}

impl Title {
    /// The problem that it is not read; the rest of the file is.
    pub fn problem(&self) -> Problem {
        Problem::new(self.line, Code::LineSkipped, self.text.clone(), "")
    }
}

/// The title lines of a file with their numbers, for a note; `None` if it has none.
pub fn titles_said(titles: &[Title]) -> Option<String> {
    let said: Vec<String> = titles.iter().map(|title| format!("{} ({})", title.line, title.text)).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The lines before the header that are not blank.
#[derive(Debug, Default)]
pub(super) struct Preface {
    /// The first lines, as long as they are titles.
    pub titles: Vec<Title>,
    /// The line `sep=`, and the delimiter that it names.
    pub sep: Option<(u64, Delimiter)>,
    /// The first line that is no title.
    other: Option<u64>,
}

impl Preface {
    /// Whether this line names the delimiter; one of the first lines may.
    ///
    /// # Errors
    /// `delimiter-suspect`: the delimiter is not among those that are `accepted`.
    pub fn takes_sep(&mut self, line: &Line, accepted: &[Delimiter]) -> Result<bool, Problem> {
        let named = if self.sep.is_none() && self.admits_header() { named_delimiter(&line.text) } else { None };
        let Some(named) = named else { return Ok(false) };
        match accepted.iter().find(|delimiter| delimiter.as_char() == named) {
            Some(&delimiter) => {
                self.sep = Some((line.number, delimiter));
                Ok(true)
            }
            None => Err(suspect(line.number, named, accepted)),
        }
    }

    /// Adds a line that is no header.
    pub fn add(&mut self, line: &Line) {
        if self.other.is_none() && self.titles.len() < MOST_TITLES && is_title(line) {
            self.titles.push(Title { line: line.number, text: shown(trimmed(&line.text)) });
        } else {
            self.other.get_or_insert(line.number);
        }
    }

    /// Whether the next line may be a header: all lines before it are titles.
    pub fn admits_header(&self) -> bool {
        self.other.is_none()
    }

    /// The problem of a header that stands behind other lines than titles. Without it the lines before would be read by
    /// the native form, or those behind by none.
    pub fn misplaced(&self, header: u64) -> Problem {
        let other = self.other.unwrap_or_default().to_string();
        Problem::new(header, Code::HeaderMisplaced, other, MOST_TITLES.to_string())
    }

    /// The same without titles: no header was found behind them.
    pub fn of_no_header(self) -> Preface {
        Preface { titles: Vec::new(), ..self }
    }

    /// The delimiter that the line `sep=` names.
    pub fn delimiter(&self) -> Option<Delimiter> {
        self.sep.map(|(_, delimiter)| delimiter)
    }
}

/// The delimiter that a line `sep=;` names, as Excel writes and reads it.
fn named_delimiter(line: &str) -> Option<char> {
    let line = line.trim_start_matches(is_blank);
    let line = line.strip_prefix('"').unwrap_or(line);
    let (word, rest) = line.split_at_checked("sep=".len())?;
    let mut rest = rest.chars();
    let named = rest.next().filter(|_| word.eq_ignore_ascii_case("sep="))?;
    // Programs that save the file again fill the row with empty cells.
    rest.all(|c| c == named || c == '"' || is_blank(c)).then_some(named)
}

/// Whether the line has one value only, whatever the delimiter is.
fn is_title(line: &Line) -> bool {
    let values = |delimiter| names(&line.text, delimiter).iter().filter(|name| !name.is_empty()).count();
    !line.too_long
        && !begins_with_operation(&line.text)
        && Delimiter::ALL.into_iter().all(|delimiter| values(delimiter) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_delimiter_as_excel_writes_it() {
        for (line, named) in [
            ("sep=;", Some(';')),
            ("SEP=,", Some(',')),
            ("\"sep=;\"", Some(';')),
            ("sep=;;;;", Some(';')),
            ("sep=\t", Some('\t')),
            (" sep=| ", Some('|')),
            ("sep=", None),
            ("sep=;x", None),
            ("step=;", None),
            ("sép=;", None),
            ("separator", None),
        ] {
            assert_eq!(named_delimiter(line), named, "{line}");
        }
    }

    #[test]
    fn a_title_is_one_value() {
        let is = |text: &str| is_title(&Line { number: 1, text: text.to_owned(), too_long: false });
        for title in ["Export du 28/11/2026", "Export;;;", "\"Export, du 28/11\"", "# operation username", ";;Export"] {
            assert!(is(title), "{title}");
        }
        for other in ["Export;28/11/2026", "add", "add;", "\"Export", "a,b", ";;;"] {
            assert!(!is(other), "{other}");
        }
    }
}
