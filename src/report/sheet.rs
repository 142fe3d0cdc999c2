//! A table of cells as CSV, as a spreadsheet (xlsx, ods), or as lines of text.
//! It must not know what the cells say; none of them is a formula in any form.

use chrono::NaiveDateTime;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::report::set::quoted;
use crate::report::{inert, ods};

/// The characters that a cell of a spreadsheet can hold.
const ROOM: usize = 32_767;
/// The widest column of a spreadsheet, in characters.
const WIDEST: usize = 60;
/// The rows below the heading that a spreadsheet can hold.
const ROWS: usize = 1_048_575;

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A text of any origin.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A local time.
    Moment(NaiveDateTime),
}

impl Cell {
    /// The text of a cell.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Moment(at) => at.format("%Y-%m-%d %H:%M").to_string(),
        }
    }
}

/// A table with a heading.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What it is, in a few letters.
    pub title: String,
    /// The names of the columns.
    pub headings: Vec<String>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The heading and the rows as texts.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let shown = |row: &Vec<Cell>| row.iter().map(Cell::shown).collect();
        std::iter::once(self.headings.clone()).chain(self.rows.iter().map(shown)).collect()
    }

    /// As CSV (RFC 4180, UTF-8, with a header), the lines ended by a line feed. No text begins a formula.
    pub fn csv(&self) -> String {
        let cell = |text: &String| quoted(&inert(text));
        let row = |row: Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        self.lines().into_iter().map(row).collect()
    }

    /// As a workbook of Excel, whose texts are typed as texts.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn xlsx(&self) -> Result<Vec<u8>, String> {
        self.fits()?;
        self.workbook().map_err(|error| error.to_string())
    }

    /// As a document of LibreOffice Calc, whose texts are typed as texts.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn ods(&self) -> Result<Vec<u8>, String> {
        self.fits()?;
        ods::document(self).map_err(|error| error.to_string())
    }

    fn fits(&self) -> Result<(), String> {
        if self.rows.len() <= ROWS {
            return Ok(());
        }
        Err(format!("a spreadsheet has room for {ROWS} rows, these are {}: use --csv", self.rows.len()))
    }

    /// The width of each column, in characters.
    pub(super) fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.shown().chars().count());
            }
        }
        widths.into_iter().map(|width| width.min(WIDEST)).collect()
    }

    fn workbook(&self) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.set_name(self.title.as_str())?;
        let bold = Format::new().set_bold();
        for (column, heading) in (0..).zip(&self.headings) {
            sheet.write_string_with_format(0, column, fitting(heading), &bold)?;
        }
        let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        for (row, cells) in (1..).zip(&self.rows) {
            for (column, cell) in (0..).zip(cells) {
                write(sheet, (row, column), cell, &moment)?;
            }
        }
        for (column, width) in (0..).zip(self.widths()) {
            sheet.set_column_width(column, width as f64 + 2.0)?;
        }
        if let (Some(columns), Ok(rows)) = (self.headings.len().checked_sub(1), u32::try_from(self.rows.len())) {
            sheet.set_freeze_panes(1, 0)?;
            sheet.autofilter(0, 0, rows, columns as u16)?;
        }
        workbook.save_to_buffer()
    }
}

fn write(sheet: &mut Worksheet, (row, column): (u32, u16), cell: &Cell, moment: &Format) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) if text.is_empty() => {}
        Cell::Text(text) => drop(sheet.write_string(row, column, fitting(text))?),
        Cell::Number(number) => drop(sheet.write_number(row, column, *number as f64)?),
        Cell::Moment(at) => {
            // A local time is written as if it were UTC: a spreadsheet has no time zones.
            match ExcelDateTime::from_timestamp(at.and_utc().timestamp()) {
                Ok(value) => drop(sheet.write_datetime_with_format(row, column, value, moment)?),
                Err(_) => drop(sheet.write_string(row, column, cell.shown())?),
            }
        }
    }
    Ok(())
}

/// The text as far as a cell can hold it, without characters that XML cannot have.
pub(super) fn fitting(text: &str) -> String {
    let can_be = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let fits = |length: &mut usize, letter: char| {
        *length += letter.len_utf16();
        (*length <= ROOM).then_some(letter)
    };
    text.chars().filter(|l| can_be(l) && !matches!(l, '\u{fffe}' | '\u{ffff}')).scan(0, fits).collect()
}
