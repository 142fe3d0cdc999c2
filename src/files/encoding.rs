//! Determines the encoding of a file from all its bytes, in one streaming pass that also digests and counts them.
//! It must not know lines beyond their ends, nor what a file contains.

use std::fmt;
use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};

use super::lines::END_MARK;
use super::{FileProblem, signature};
use crate::problem::{Code, Problem};

/// How many bytes are read at a time.
pub(super) const CHUNK: usize = 64 * 1024;

/// What stands for bytes that are malformed.
pub(super) const DAMAGE: char = '\u{fffd}';

pub use crate::config::EncodingFallback as Fallback;

/// The encoding found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
    Iso885915,
}

impl Encoding {
    /// Its usual name.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
            Encoding::Windows1252 => "Windows-1252",
            Encoding::Iso885915 => "ISO-8859-15",
        }
    }

    /// A decoder for the bytes after the byte order mark.
    pub(super) fn decoder(self) -> encoding_rs::Decoder {
        let encoding = match self {
            Encoding::Utf8 => encoding_rs::UTF_8,
            Encoding::Utf16Le => encoding_rs::UTF_16LE,
            Encoding::Utf16Be => encoding_rs::UTF_16BE,
            Encoding::Windows1252 => encoding_rs::WINDOWS_1252,
            Encoding::Iso885915 => encoding_rs::ISO_8859_15,
        };
        encoding.new_decoder_without_bom_handling()
    }

    /// The length in bytes of this encoding's byte order mark.
    pub(super) fn bom_length(self) -> usize {
        match self {
            Encoding::Utf8 => 3,
            Encoding::Utf16Le | Encoding::Utf16Be => 2,
            Encoding::Windows1252 | Encoding::Iso885915 => 0,
        }
    }

    fn of_bom(start: &[u8]) -> Option<Encoding> {
        match start {
            [0xef, 0xbb, 0xbf, ..] => Some(Encoding::Utf8),
            [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
            [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
            _ => None,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What all bytes of a file show.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub sha256: String,
    pub bytes: u64,
    pub encoding: Encoding,
    pub bom: bool,
    pub lines: u64,
    /// Whether some bytes are not of this encoding: each costs its line.
    pub damaged: bool,
}

/// Reads the whole file once. A byte order mark determines the encoding; else it is UTF-8 if fewer bytes are invalid
/// than sequences of several bytes are valid; else the fallback. So a single letter of the fallback in plain ASCII is
/// one of the fallback, whereas a single wrong byte among many right letters costs its line, and does not change how
/// the others are read. The file is refused if it is a spreadsheet or an archive, for a NUL, for too many bytes that
/// are invalid in the mark's encoding and, without a fallback, for any byte that is not UTF-8.
pub(super) fn survey(mut file: impl Read, fallback: Option<Fallback>) -> Result<Survey, FileProblem> {
    let mut start = [0u8; signature::LENGTH];
    let started = fill(&mut file, &mut start)?;
    let start = &start[..started];
    if let Some(format) = signature::of(start) {
        return Err(FileProblem::Rejected(Problem::new(0, Code::Spreadsheet, format, "")));
    }
    let marked = Encoding::of_bom(start);
    let mut digest = Sha256::new();
    let mut bytes = 0u64;
    let mut text: Box<dyn Text> = match marked {
        Some(encoding @ (Encoding::Utf16Le | Encoding::Utf16Be)) => Box::new(Utf16::new(encoding)),
        _ => Box::new(ByteText::default()),
    };
    let mut rest = start.chain(file);
    let mut chunk = vec![0u8; CHUNK];
    let mut mark = marked.map_or(0, Encoding::bom_length);
    loop {
        let read = fill(&mut rest, &mut chunk)?;
        digest.update(&chunk[..read]);
        bytes += read as u64;
        text.add(&chunk[mark..read], read < chunk.len());
        mark = 0;
        if read < chunk.len() {
            break;
        }
    }
    let verdict = text.verdict();
    if let Some(line) = verdict.nul_on {
        return Err(refused("NUL", line));
    }
    let (encoding, damaged) = match (marked, verdict.invalid_on) {
        (marked, None) => (marked.unwrap_or(Encoding::Utf8), false),
        (None | Some(Encoding::Utf8), Some(_)) if fallback.is_some() && verdict.invalid < verdict.valid => {
            (Encoding::Utf8, true)
        }
        (Some(encoding), Some(line)) => return Err(refused(encoding.as_str(), line)),
        (None, Some(line)) => match fallback {
            Some(Fallback::Windows1252) => (Encoding::Windows1252, false),
            Some(Fallback::Iso8859_15) => (Encoding::Iso885915, false),
            None => return Err(refused(Encoding::Utf8.as_str(), line)),
        },
    };
    Ok(Survey {
        sha256: format!("{:x}", digest.finalize()),
        bytes,
        encoding,
        bom: marked.is_some(),
        lines: verdict.lines,
        damaged,
    })
}

fn refused(what: &str, line: u64) -> FileProblem {
    FileProblem::Rejected(Problem::new(0, Code::EncodingInvalid, what, line.to_string()))
}

/// Reads until the buffer is full or the file ends.
pub(super) fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[derive(Clone, Copy, Default)]
struct Verdict {
    lines: u64,
    nul_on: Option<u64>,
    invalid_on: Option<u64>,
    /// How many bytes are invalid.
    invalid: u64,
    /// How many valid sequences have several bytes.
    valid: u64,
}

/// A text, without its byte order mark, that is checked piece by piece.
trait Text {
    fn add(&mut self, bytes: &[u8], last: bool);
    fn verdict(&self) -> Verdict;
}

/// Counts physical lines: LF, CRLF and CR end a line, and text after the last end is a line too, but for the mark with
/// which DOS ends a text.
#[derive(Clone, Copy, Default)]
struct LineCount {
    ended: u64,
    after_cr: bool,
    inside: bool,
}

impl LineCount {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => {
                    self.ended += 1;
                    self.inside = false;
                }
                _ => self.inside |= char::from(byte) != END_MARK,
            }
            self.after_cr = byte == b'\r';
        }
    }

    fn lines(&self) -> u64 {
        self.ended + u64::from(self.inside)
    }

    /// The line of the byte that follows `bytes`.
    fn line_after(mut self, bytes: &[u8]) -> u64 {
        self.add(bytes);
        self.ended + 1
    }
}

/// UTF-8, or a single-byte encoding: line ends are the same bytes in all of them.
#[derive(Default)]
struct ByteText {
    count: LineCount,
    nul_on: Option<u64>,
    invalid_on: Option<u64>,
    invalid: u64,
    valid: u64,
    /// The beginning of a character that the piece before left unfinished.
    carried: Vec<u8>,
}

impl ByteText {
    fn check_utf8(&mut self, bytes: &[u8], last: bool) {
        let mut joined = std::mem::take(&mut self.carried);
        let carried = joined.len();
        joined.extend_from_slice(bytes);
        let mut checked = 0;
        while let Err(error) = std::str::from_utf8(&joined[checked..]) {
            let invalid = checked + error.valid_up_to();
            self.valid += sequences(&joined[checked..invalid]);
            let length = match error.error_len() {
                None if !last => {
                    self.carried = joined.split_off(invalid);
                    return;
                }
                length => length.unwrap_or(joined.len() - invalid),
            };
            if self.invalid_on.is_none() {
                let before = &bytes[..invalid.saturating_sub(carried)];
                self.invalid_on = Some(self.count.line_after(before));
            }
            self.invalid += length as u64;
            checked = invalid + length;
        }
        self.valid += sequences(&joined[checked..]);
    }
}

/// How many sequences of several bytes there are in valid UTF-8.
fn sequences(valid: &[u8]) -> u64 {
    const LEAST_LEAD: u8 = 0xc0;
    valid.iter().filter(|&&byte| byte >= LEAST_LEAD).count() as u64
}

impl Text for ByteText {
    fn add(&mut self, bytes: &[u8], last: bool) {
        self.check_utf8(bytes, last);
        if self.nul_on.is_none()
            && let Some(at) = bytes.iter().position(|&byte| byte == 0)
        {
            self.nul_on = Some(self.count.line_after(&bytes[..at]));
        }
        self.count.add(bytes);
    }

    fn verdict(&self) -> Verdict {
        Verdict {
            lines: self.count.lines(),
            nul_on: self.nul_on,
            invalid_on: self.invalid_on,
            invalid: self.invalid,
            valid: self.valid,
        }
    }
}

/// UTF-16: checked after decoding.
struct Utf16 {
    decoder: encoding_rs::Decoder,
    decoded: String,
    count: LineCount,
    nul_on: Option<u64>,
    invalid_on: Option<u64>,
}

impl Utf16 {
    fn new(encoding: Encoding) -> Self {
        Utf16 {
            decoder: encoding.decoder(),
            decoded: String::new(),
            count: LineCount::default(),
            nul_on: None,
            invalid_on: None,
        }
    }
}

impl Text for Utf16 {
    fn add(&mut self, bytes: &[u8], last: bool) {
        self.decoded.clear();
        let malformed = decode(&mut self.decoder, bytes, &mut self.decoded, last);
        let decoded = self.decoded.as_bytes();
        if malformed && self.invalid_on.is_none() {
            let before = self.decoded.find(DAMAGE).unwrap_or(decoded.len());
            self.invalid_on = Some(self.count.line_after(&decoded[..before]));
        }
        if self.nul_on.is_none()
            && let Some(at) = decoded.iter().position(|&byte| byte == 0)
        {
            self.nul_on = Some(self.count.line_after(&decoded[..at]));
        }
        self.count.add(decoded);
    }

    fn verdict(&self) -> Verdict {
        Verdict { lines: self.count.lines(), nul_on: self.nul_on, invalid_on: self.invalid_on, ..Verdict::default() }
    }
}

/// Decodes all of `bytes` and appends them to `text`, [`DAMAGE`] for those that are malformed; true if any is.
pub(super) fn decode(decoder: &mut encoding_rs::Decoder, bytes: &[u8], text: &mut String, last: bool) -> bool {
    let mut rest = bytes;
    let mut malformed = false;
    loop {
        // If the size overflows, the decoder is called again for the rest.
        text.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
        let (result, read, replaced) = decoder.decode_to_string(rest, text, last);
        malformed |= replaced;
        rest = &rest[read..];
        if result == encoding_rs::CoderResult::InputEmpty {
            return malformed;
        }
    }
}
