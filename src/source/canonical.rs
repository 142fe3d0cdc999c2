//! Sorts rows into canonical order without duplicates: pieces that fit in memory are sorted, spilled and merged.
//! It must not know where rows come from; the same rows give the same order, however they were sent.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use super::rows::SetRow;
use crate::disk::own;

/// How many bytes of rows are kept in memory before they are spilled.
const PIECE: usize = 32 * 1024 * 1024;

/// How many rows were passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    pub rows: u64,
    /// Rows whose values all equal those of an earlier row.
    pub doubles: u64,
}

/// Collects rows in any order and returns them in canonical order.
pub struct Canonical {
    scratch: PathBuf,
    piece: usize,
    rows: Vec<SetRow>,
    bytes: usize,
    spilled: Vec<File>,
}

impl Canonical {
    /// `scratch` is a directory for rows that do not fit in memory; its files are unlinked and vanish when closed.
    pub fn new(scratch: &Path) -> Canonical {
        Canonical::with_piece(scratch, PIECE)
    }

    fn with_piece(scratch: &Path, piece: usize) -> Canonical {
        Canonical { scratch: scratch.to_owned(), piece, rows: Vec::new(), bytes: 0, spilled: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the scratch directory cannot be written.
    pub fn push(&mut self, row: SetRow) -> io::Result<()> {
        self.bytes += size_of::<SetRow>() + row.values().iter().map(|value| value.len()).sum::<usize>();
        self.rows.push(row);
        if self.bytes >= self.piece { self.spill() } else { Ok(()) }
    }

    /// Passes all distinct rows to `take`, in canonical order.
    ///
    /// # Errors
    /// Those of the scratch directory and of `take`.
    pub fn finish(mut self, take: &mut dyn FnMut(&SetRow) -> io::Result<()>) -> io::Result<Sorted> {
        self.rows.sort_unstable_by(order);
        let mut pieces = vec![Piece::Memory(self.rows.into_iter())];
        for mut file in self.spilled {
            file.seek(SeekFrom::Start(0))?;
            pieces.push(Piece::Spilled(BufReader::new(file)));
        }
        let mut heap = BinaryHeap::with_capacity(pieces.len());
        for (piece, rows) in pieces.iter_mut().enumerate() {
            heap.extend(rows.next()?.map(|row| Head { row, piece }));
        }
        let mut sorted = Sorted::default();
        let mut last: Option<SetRow> = None;
        while let Some(Head { row, piece }) = heap.pop() {
            heap.extend(pieces[piece].next()?.map(|row| Head { row, piece }));
            if last.as_ref().is_some_and(|last| last.values() == row.values()) {
                sorted.doubles += 1;
                continue;
            }
            take(&row)?;
            sorted.rows += 1;
            last = Some(row);
        }
        Ok(sorted)
    }

    fn spill(&mut self) -> io::Result<()> {
        self.rows.sort_unstable_by(order);
        let mut file = BufWriter::new(nameless(&self.scratch)?);
        for row in self.rows.drain(..) {
            write_row(&mut file, &row)?;
        }
        self.spilled.push(file.into_inner().map_err(io::IntoInnerError::into_error)?);
        self.bytes = 0;
        Ok(())
    }
}

/// Creates a file for its owner only, open for reading and writing, and unlinks it.
pub(super) fn nameless(directory: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Atomic::Relaxed);
    let path = directory.join(format!(".scratch-{}-{number}", std::process::id()));
    let file = own::create_new(&path)?;
    own::remove(&path)?;
    Ok(file)
}

/// By values, then by file and line: of equal rows the first line comes first.
fn order(a: &SetRow, b: &SetRow) -> Ordering {
    a.values().cmp(&b.values()).then((a.file, a.line).cmp(&(b.file, b.line)))
}

enum Piece {
    Memory(std::vec::IntoIter<SetRow>),
    Spilled(BufReader<File>),
}

impl Piece {
    fn next(&mut self) -> io::Result<Option<SetRow>> {
        match self {
            Piece::Memory(rows) => Ok(rows.next()),
            Piece::Spilled(file) => read_row(file),
        }
    }
}

/// The first row of a piece. The order is reversed: the greatest in the heap is the row that comes first.
struct Head {
    row: SetRow,
    piece: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&other.row, &self.row).then(other.piece.cmp(&self.piece))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

fn write_row(file: &mut impl Write, row: &SetRow) -> io::Result<()> {
    file.write_all(&row.line.to_le_bytes())?;
    file.write_all(&row.file.to_le_bytes())?;
    for value in row.values() {
        file.write_all(&(value.len() as u64).to_le_bytes())?;
        file.write_all(value.as_bytes())?;
    }
    Ok(())
}

/// The next row of a spilled piece; `None` at its end.
fn read_row(file: &mut impl Read) -> io::Result<Option<SetRow>> {
    let mut number = [0; 8];
    match file.read_exact(&mut number) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut of = [0; 2];
    file.read_exact(&mut of)?;
    let mut row = SetRow { line: u64::from_le_bytes(number), file: u16::from_le_bytes(of), ..SetRow::default() };
    let values = [
        &mut row.course,
        &mut row.cohort,
        &mut row.user,
        &mut row.role,
        &mut row.group,
        &mut row.other,
        &mut row.timestart,
        &mut row.timeend,
        &mut row.status,
        &mut row.name,
    ];
    for value in values {
        file.read_exact(&mut number)?;
        let length = u64::from_le_bytes(number);
        let read = file.by_ref().take(length).read_to_string(value)?;
        if read as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(rows: &[SetRow], piece: usize) -> (Vec<SetRow>, Sorted) {
        let mut canonical = Canonical::with_piece(&std::env::temp_dir(), piece);
        for row in rows {
            canonical.push(row.clone()).unwrap();
        }
        let mut out = Vec::new();
        let counts = canonical.finish(&mut |row| {
            out.push(row.clone());
            Ok(())
        });
        (out, counts.unwrap())
    }

    fn row() -> impl Strategy<Value = SetRow> {
        let text = || prop::sample::select(vec!["", "a", "b", "é", "a\nb", "\u{10ffff}"]);
        (text(), text(), text(), text(), 1u64..9).prop_map(|(user, course, role, name, line)| SetRow {
            user: user.into(),
            course: course.into(),
            role: role.into(),
            name: name.into(),
            line,
            ..SetRow::default()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_order_and_any_size_of_pieces_give_the_same_rows(
            (rows, shuffled) in prop::collection::vec(row(), 0..60)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            piece in 1usize..3000,
        ) {
            let (one, counts) = sorted(&rows, usize::MAX);
            prop_assert_eq!(&one, &sorted(&shuffled, piece).0);
            prop_assert_eq!(counts.rows + counts.doubles, rows.len() as u64);
            prop_assert!(one.is_sorted_by(|a, b| a.values() < b.values()));
            for row in &rows {
                prop_assert!(one.iter().any(|kept| kept.values() == row.values() && kept.line <= row.line));
            }
        }
    }

    #[test]
    fn scratch_files_leave_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut canonical = Canonical::with_piece(directory.path(), 1);
        canonical.push(SetRow { user: "u".into(), ..SetRow::default() }).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(canonical.spilled.len(), 1);
    }
}
