//! Splits one record into its cells and removes quotes.
//! It must not know what the cells mean, nor where the record is in its file.

use super::{is_blank, is_unseen, trimmed};

/// The state of a record's quotes after one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// The record ends with this line.
    Complete,
    /// A quote is open: the record continues on the next line.
    Open,
    /// Text follows a closing quote: the record has no clear meaning.
    Broken,
}

/// The cells of one record; the buffers are kept from record to record.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    ends: Vec<usize>,
    open: Option<char>,
    apostrophes: bool,
}

impl Cells {
    /// Double quotes as in RFC 4180; blanks around a quoted cell are allowed.
    pub fn rfc4180() -> Self {
        Cells::default()
    }

    /// As in Moodle's native form: apostrophes quote too (spec flatfile 3.6, but cell by cell). A cell that begins with
    /// an apostrophe but does not end with one is plain text.
    pub fn native() -> Self {
        Cells { apostrophes: true, ..Cells::default() }
    }

    /// Removes the previous record.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.open = None;
    }

    /// How many cells are complete.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell without blanks around it; empty if there is none at this position.
    pub fn get(&self, index: usize) -> &str {
        trimmed(self.as_written(index))
    }

    /// The cell with the blanks around it; empty if there is none at this position.
    pub fn as_written(&self, index: usize) -> &str {
        let Some(&end) = self.ends.get(index) else {
            return "";
        };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..end]
    }

    /// All complete cells, without blanks around them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Whether no complete cell holds a character that is seen.
    pub fn say_nothing(&self) -> bool {
        self.iter().all(|cell| cell.chars().all(is_unseen))
    }

    /// Adds what stands between the delimiters of a text, whether or not they are inside quotes; quotes around a part
    /// do not belong to it.
    pub fn add_parts(&mut self, text: &str, delimiter: char) {
        for part in text.split(delimiter) {
            self.text.push_str(part.trim_matches(|c| c == '"' || is_blank(c)));
            self.ends.push(self.text.len());
        }
    }

    /// Adds a physical line, the first of a record or one after an open quote.
    pub fn add_line(&mut self, line: &str, delimiter: char) -> Quoting {
        let mut rest = line;
        let mut quote = self.open.take();
        if quote.is_some() {
            self.text.push('\n');
        }
        loop {
            if quote.is_none()
                && let Some((opened, inside)) = self.opening(rest, delimiter)
            {
                (quote, rest) = (Some(opened), inside);
            }
            match quote.take() {
                Some(opened) => match self.take_quoted(rest, opened) {
                    Some(after) => rest = skip_blanks(after, delimiter),
                    None => {
                        self.open = Some(opened);
                        return Quoting::Open;
                    }
                },
                None => {
                    let end = rest.find(delimiter).unwrap_or(rest.len());
                    self.text.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
            }
            self.ends.push(self.text.len());
            if rest.is_empty() {
                return Quoting::Complete;
            }
            match rest.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None => return Quoting::Broken,
            }
        }
    }

    /// The quote with which a cell begins, and what follows it.
    fn opening<'a>(&self, cell: &'a str, delimiter: char) -> Option<(char, &'a str)> {
        let inside = skip_blanks(cell, delimiter);
        if let Some(inside) = inside.strip_prefix('"') {
            return Some(('"', inside));
        }
        let quoted = self.apostrophes && past_quotes(cell, &[delimiter]).is_some();
        inside.strip_prefix('\'').filter(|_| quoted).map(|inside| ('\'', inside))
    }

    /// Adds the text up to the closing quote and returns what follows it; `None` if the line ends first.
    fn take_quoted<'a>(&mut self, inside: &'a str, quote: char) -> Option<&'a str> {
        let mut rest = inside;
        loop {
            let Some((before, after)) = rest.split_once(quote) else {
                self.text.push_str(rest);
                return None;
            };
            self.text.push_str(before);
            match after.strip_prefix(quote) {
                Some(doubled) => {
                    self.text.push(quote);
                    rest = doubled;
                }
                None => return Some(after),
            }
        }
    }
}

/// What follows a quoted cell at the beginning of `cell`, if there is one that ends properly:
/// before one of `delimiters` or at the end of the line.
pub(super) fn past_quotes<'a>(cell: &'a str, delimiters: &[char]) -> Option<&'a str> {
    let blank = |c: char| is_blank(c) && !delimiters.contains(&c);
    let cell = cell.trim_start_matches(blank);
    let quote = cell.chars().next().filter(|&c| c == '"' || c == '\'')?;
    let mut rest = &cell[1..];
    loop {
        let (_, after) = rest.split_once(quote)?;
        match after.strip_prefix(quote) {
            Some(doubled) => rest = doubled,
            None => {
                let after = after.trim_start_matches(blank);
                return (after.is_empty() || after.starts_with(delimiters)).then_some(after);
            }
        }
    }
}

pub(super) fn skip_blanks(text: &str, delimiter: char) -> &str {
    text.trim_start_matches(|c| is_blank(c) && c != delimiter)
}
