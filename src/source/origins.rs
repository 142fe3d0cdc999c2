//! The origins of the rows of a snapshot in the files of the set: a list beside the snapshot, one line for each row.
//! It must not know what is wrong with a row.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use crate::disk::own;

/// The list of a snapshot, and the files that it refers to by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// The list: line in the snapshot, index of the file, line in that file; ascending.
    pub list: PathBuf,
    /// The names of the files, without their directory.
    pub files: Vec<String>,
}

impl Origins {
    /// Opens the list.
    ///
    /// # Errors
    /// The list cannot be opened.
    pub fn open(&self) -> io::Result<OriginsReader<'_>> {
        Ok(OriginsReader { entries: BufReader::new(own::open(&self.list)?).lines(), files: &self.files, next: None })
    }
}

/// Reads a list from its beginning.
pub struct OriginsReader<'a> {
    entries: io::Lines<BufReader<File>>,
    files: &'a [String],
    /// The entry that was read but not requested yet: line in the snapshot, file, line in that file.
    next: Option<(i64, &'a str, i64)>,
}

impl OriginsReader<'_> {
    /// Calls `take` with (line in the snapshot, file, line in that file) for each of `lines` that is in the list. The
    /// lines must be ascending and follow those of earlier calls.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn each(&mut self, lines: &[i64], take: &mut dyn FnMut(i64, &str, i64)) -> io::Result<()> {
        for wanted in lines {
            while self.next.is_none_or(|(line, ..)| line < *wanted) {
                let Some(entry) = self.entries.next() else { return Ok(()) };
                self.next = Some(place(&entry?, self.files)?);
            }
            if let Some((line, file, there)) = self.next.filter(|(line, ..)| line == wanted) {
                take(line, file, there);
            }
        }
        Ok(())
    }
}

fn place<'a>(entry: &str, files: &'a [String]) -> io::Result<(i64, &'a str, i64)> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a list of lines");
    let mut numbers = entry.split(',').map(|number| number.parse::<i64>());
    let (Some(Ok(line)), Some(Ok(file)), Some(Ok(there))) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err(broken());
    };
    let file = usize::try_from(file).ok().and_then(|file| files.get(file)).ok_or_else(broken)?;
    Ok((line, file.as_str(), there))
}

/// The list of a snapshot that is being written.
pub(super) struct OriginsWriter<W> {
    out: W,
    /// The line on which the next row begins.
    next: u64,
}

impl<W: Write> OriginsWriter<W> {
    /// An empty list; the header of the snapshot is its first line, so rows begin on the second.
    pub fn new(out: W) -> Self {
        Self { out, next: 2 }
    }

    /// Adds the next row, which begins on `line` of `file`; line breaks in `cells` take further lines of the snapshot.
    pub fn row<T: AsRef<[u8]>>(&mut self, cells: &[T], file: u16, line: u64) -> io::Result<()> {
        writeln!(self.out, "{},{file},{line}", self.next)?;
        let breaks = |cell: &T| cell.as_ref().iter().filter(|byte| **byte == b'\n').count() as u64;
        self.next += 1 + cells.iter().map(breaks).sum::<u64>();
        Ok(())
    }

    /// Returns what the list was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_snapshot_lead_to_their_files() {
        let mut writer = OriginsWriter::new(Vec::new());
        writer.row(&["u1", "c1"], 1, 9).unwrap();
        writer.row(&["two\nlines\n", "c1"], 0, 3).unwrap();
        writer.row(&["u3", "c1"], 1, 2).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), writer.into_inner()).unwrap();
        let files = vec!["a.csv".to_owned(), "b.csv".to_owned()];
        let origins = Origins { list: file.path().to_owned(), files };
        let told = |lines: &[i64]| {
            let mut told = Vec::new();
            // The second page continues where the first one ended.
            let (first, rest) = lines.split_at(lines.len() / 2);
            let mut reader = origins.open().unwrap();
            for page in [first, rest] {
                reader.each(page, &mut |line, file, there| told.push(format!("{line} {file} {there}"))).unwrap();
            }
            told
        };
        assert_eq!(told(&[2, 3, 6]), ["2 b.csv 9", "3 a.csv 3", "6 b.csv 2"]);
        assert_eq!(told(&[1, 4, 6, 7]), ["6 b.csv 2"]);
        assert!(told(&[]).is_empty());
        std::fs::write(file.path(), "2,7,1\n").unwrap();
        assert!(origins.open().unwrap().each(&[2], &mut |_, _, _| {}).is_err());
    }
}
