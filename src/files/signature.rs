//! Recognises spreadsheets and archives by their first bytes, to name what was sent in place of a text.
//! It must not read them.

/// How many bytes of a file are enough.
pub(super) const LENGTH: usize = 128;

/// The format of a file that begins with these bytes: `xlsx`, `ods`, `xls`, or `zip` for any other archive.
pub(super) fn of(start: &[u8]) -> Option<&'static str> {
    const OLE2: &[u8] = b"\xd0\xcf\x11\xe0";
    if start.starts_with(OLE2) {
        return Some("xls");
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
            (b"PK;course;role".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(of(&start), format, "{start:?}");
        }
    }
}
