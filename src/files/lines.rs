//! Splits decoded text into physical lines, through a window that never grows beyond a few times the longest line.
//! It must not know what a line holds, nor handle records, quotes or columns.

use std::io::{Read, Seek, SeekFrom};

use super::encoding::{CHUNK, decode, fill};
use super::{Encoding, FileProblem};
use crate::problem::{Code, Problem};

/// The longest line, and the longest record, that is read: 1 MiB of UTF-8, without its end.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// The character with which DOS ends a text (Ctrl-Z). At the end of a file it is no text.
pub(super) const END_MARK: char = '\u{1a}';

/// A physical line in the window; positions are bytes from the first line not yet consumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub from: usize,
    pub to: usize,
    /// Where the line after it begins.
    pub next: usize,
}

/// What is at a position of the window.
pub(super) enum Ahead {
    Line(Span),
    TooLong,
    End,
}

/// The physical lines of a file.
pub(super) struct Lines<R> {
    source: R,
    encoding: Encoding,
    /// Whether bytes that are not of this encoding are expected.
    damaged: bool,
    decoder: encoding_rs::Decoder,
    raw: Box<[u8]>,
    text: String,
    /// Where the first line not yet consumed begins in `text`.
    start: usize,
    source_ended: bool,
    /// How many physical lines were consumed.
    taken: u64,
}

impl<R: Read + Seek> Lines<R> {
    /// Begins at the first line, after the byte order mark if there is one. `damaged`: whether some bytes are not of
    /// this encoding.
    pub fn open(mut source: R, encoding: Encoding, bom: bool, damaged: bool) -> Result<Self, FileProblem> {
        let begin = if bom { encoding.bom_length() } else { 0 };
        source.seek(SeekFrom::Start(begin as u64))?;
        Ok(Lines {
            source,
            encoding,
            damaged,
            decoder: encoding.decoder(),
            raw: vec![0; CHUNK].into_boxed_slice(),
            text: String::new(),
            start: 0,
            source_ended: false,
            taken: 0,
        })
    }
}

impl<R: Read> Lines<R> {
    /// How many physical lines were consumed so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The text between two positions of the window.
    pub fn text(&self, from: usize, to: usize) -> &str {
        &self.window()[from..to]
    }

    /// The physical line that begins at `from`, without consuming it.
    pub fn ahead(&mut self, from: usize) -> Result<Ahead, FileProblem> {
        let mut scanned = from;
        loop {
            let window = self.window().as_bytes();
            // The mark at the end of the file may have been removed.
            scanned = scanned.min(window.len());
            match line_end(&window[scanned..]) {
                Some(at) if scanned + at - from > LINE_LIMIT => return Ok(Ahead::TooLong),
                Some(at) => {
                    let to = scanned + at;
                    if let Some(next) = after_line_end(window, to, self.source_ended) {
                        return Ok(Ahead::Line(Span { from, to, next }));
                    }
                    scanned = to;
                }
                None if window.len() - from > LINE_LIMIT => return Ok(Ahead::TooLong),
                None if self.source_ended && window.len() == from => return Ok(Ahead::End),
                None if self.source_ended => {
                    let end = window.len();
                    return Ok(Ahead::Line(Span { from, to: end, next: end }));
                }
                None => scanned = window.len(),
            }
            self.refill()?;
        }
    }

    /// Where the first few characters of the window end, enough to recognise a line that is too long.
    pub fn beginning(&self) -> usize {
        const SHOWN: usize = 200;
        let window = self.window();
        window.char_indices().nth(SHOWN).map_or(window.len(), |(at, _)| at)
    }

    /// Consumes `lines` physical lines, which end before the position `next`.
    pub fn take(&mut self, next: usize, lines: u64) {
        self.start += next;
        self.taken += lines;
    }

    /// Consumes the first line without storing it, however long it is.
    pub fn skip_long(&mut self) -> Result<(), FileProblem> {
        self.taken += 1;
        loop {
            let window = self.window().as_bytes();
            match line_end(window) {
                Some(to) => {
                    if let Some(next) = after_line_end(window, to, self.source_ended) {
                        self.start += next;
                        return Ok(());
                    }
                    self.start += to;
                }
                None => self.start = self.text.len(),
            }
            if self.source_ended {
                return Ok(());
            }
            self.refill()?;
        }
    }

    fn window(&self) -> &str {
        &self.text[self.start..]
    }

    /// Appends the next decoded piece of the file to the window. If the bytes were valid when the file was scanned, but
    /// are not any more, the file has changed and is refused.
    fn refill(&mut self) -> Result<(), FileProblem> {
        self.text.drain(..self.start);
        self.start = 0;
        let read = fill(&mut self.source, &mut self.raw)?;
        self.source_ended = read < self.raw.len();
        let ended = self.source_ended;
        if decode(&mut self.decoder, &self.raw[..read], &mut self.text, ended) && !self.damaged {
            let line = (self.taken + 1).to_string();
            let problem = Problem::new(0, Code::EncodingInvalid, self.encoding.as_str(), line);
            return Err(FileProblem::Rejected(problem));
        }
        if ended {
            let kept = self.text.trim_end_matches(END_MARK).len();
            self.text.truncate(kept);
        }
        Ok(())
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n' || byte == b'\r')
}

/// Where the line after the end at `to` begins; `None` if the last known byte is a CR, which an LF that was not read
/// yet may follow.
fn after_line_end(window: &[u8], to: usize, source_ended: bool) -> Option<usize> {
    match (window[to], window.get(to + 1)) {
        (b'\r', Some(b'\n')) => Some(to + 2),
        (b'\r', None) if !source_ended => None,
        _ => Some(to + 1),
    }
}
