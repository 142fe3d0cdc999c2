//! Recognises spreadsheets, archives and documents by their first bytes, to name what was sent in place of a table.
//! It must not read them.

/// How many bytes of a file are enough.
pub(super) const LENGTH: usize = 128;

/// What other formats begin with.
const MARKS: [(&[u8], &str); 9] = [
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
];

/// The format of a file that begins with these bytes: `xlsx`, `ods`, `xls`, `html`, `xml`, `pdf` and others, or `zip`
/// for an archive of anything else.
pub(super) fn of(start: &[u8]) -> Option<&'static str> {
    if let Some((_, format)) = MARKS.iter().find(|(mark, _)| start.starts_with(mark)) {
        return Some(format);
    }
    if let Some(format) = markup(start) {
        return Some(format);
    }
    [&b"PK\x03\x04"[..], b"PK\x05\x06", b"PK\x07\x08"].iter().any(|mark| start.starts_with(mark)).then(|| {
        // The name of the first entry follows its header; an OpenDocument file has its type there.
        const NAME: usize = 30;
        const OFFICE: [&[u8]; 5] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"customXml/"];
        let name = start.get(NAME..).unwrap_or_default();
        if OFFICE.iter().any(|entry| name.starts_with(entry)) {
            "xlsx"
        } else if name.starts_with(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet") {
            "ods"
        } else {
            "zip"
        }
    })
}

/// A web page or another document of tags, in an encoding of bytes: what a server sends in place of a file, or a
/// program calls a spreadsheet.
fn markup(start: &[u8]) -> Option<&'static str> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |mark: &&str| start.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark.as_bytes()));
    if ["<!doctype", "<html", "<head", "<body", "<table", "<meta", "<script", "<!--"].iter().any(begins) {
        return Some("html");
    }
    ["<?xml"].iter().any(begins).then_some("xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_are_known_by_their_first_bytes() {
        let zip = |entry: &[u8]| [&b"PK\x03\x04"[..], &[0; 26][..], entry].concat();
        for (start, format) in [
            (zip(b"[Content_Types].xml"), Some("xlsx")),
            (zip(b"xl/workbook.xml"), Some("xlsx")),
            (zip(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK"), Some("ods")),
            (zip(b"enrollments.csv"), Some("zip")),
            (b"PK\x05\x06".to_vec(), Some("zip")),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0".to_vec(), Some("xls")),
            (b"\x1f\x8b\x08\0".to_vec(), Some("gzip")),
            (b"%PDF-1.7\n%\xe2\xe3".to_vec(), Some("pdf")),
            (b"\xef\xbb\xbf\r\n <!DOCTYPE html>".to_vec(), Some("html")),
            (b"<HTML xmlns:x=\"urn:schemas-microsoft-com:office:excel\">".to_vec(), Some("html")),
            (b"<?xml version=\"1.0\"?>".to_vec(), Some("xml")),
            (b"PK;course;role".to_vec(), None),
            (b"<user>;course;role".to_vec(), None),
            (b"BZ;course;role".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(of(&start), format, "{start:?}");
        }
    }
}
