//! Writes a table as an OpenDocument spreadsheet: three small files in a zip archive.
//! It must not write a formula: each cell has its type.

use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::report::sheet::{Cell, Sheet, fitting};

/// The type of the document, which stands first in it and is not compressed.
const TYPE: &str = "application/vnd.oasis.opendocument.spreadsheet";

const MANIFEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2">
<manifest:file-entry manifest:full-path="/" manifest:version="1.2"
 manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>
"#;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document-content office:version="1.2"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0">
<office:automatic-styles>
<style:style style:name="bold" style:family="table-cell"><style:text-properties fo:font-weight="bold"/></style:style>
<number:date-style style:name="when">
<number:year number:style="long"/><number:text>-</number:text><number:month number:style="long"/>
<number:text>-</number:text><number:day number:style="long"/><number:text> </number:text>
<number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/>
</number:date-style>
<style:style style:name="moment" style:family="table-cell" style:data-style-name="when"/>
"#;

/// The bytes of the document.
///
/// # Errors
/// The archive cannot be made.
pub(super) fn document(sheet: &Sheet) -> io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // The same table gives the same bytes.
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
    let packed = options.compression_method(CompressionMethod::Deflated);
    let files = [
        ("mimetype", options.compression_method(CompressionMethod::Stored), TYPE.to_owned()),
        ("META-INF/manifest.xml", packed, MANIFEST.to_owned()),
        ("content.xml", packed, content(sheet)),
    ];
    for (name, options, text) in files {
        zip.start_file(name, options).map_err(io::Error::other)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish().map_err(io::Error::other)?.into_inner())
}

fn content(sheet: &Sheet) -> String {
    let mut xml = HEAD.to_owned();
    let widths = sheet.widths();
    for (column, width) in widths.iter().enumerate() {
        let width = (*width as f64 + 2.0) * 0.2;
        xml.push_str(&format!(
            r#"<style:style style:name="co{column}" style:family="table-column"><style:table-column-properties
 style:column-width="{width:.2}cm"/></style:style>"#
        ));
    }
    let name = escaped(&sheet.title);
    xml.push_str("</office:automatic-styles>\n<office:body><office:spreadsheet>\n");
    xml.push_str(&format!(r#"<table:table table:name="{name}">"#));
    for column in 0..widths.len() {
        xml.push_str(&format!(r#"<table:table-column table:style-name="co{column}"/>"#));
    }
    xml.push_str("<table:table-row>");
    sheet.headings.iter().for_each(|heading| text_cell(&mut xml, heading, r#" table:style-name="bold""#));
    xml.push_str("</table:table-row>\n");
    for row in &sheet.rows {
        xml.push_str("<table:table-row>");
        row.iter().for_each(|value| cell(&mut xml, value));
        xml.push_str("</table:table-row>\n");
    }
    xml.push_str("</table:table></office:spreadsheet></office:body></office:document-content>\n");
    xml
}

fn cell(xml: &mut String, cell: &Cell) {
    let shown = cell.shown();
    let (kind, value) = match cell {
        Cell::Text(text) if text.is_empty() => return xml.push_str("<table:table-cell/>"),
        Cell::Text(text) => return text_cell(xml, text, ""),
        Cell::Number(number) => ("float", format!(r#"office:value="{number}""#)),
        Cell::Moment(at) => {
            let value = at.format("%Y-%m-%dT%H:%M:%S");
            ("date", format!(r#"office:date-value="{value}" table:style-name="moment""#))
        }
    };
    xml.push_str(&format!(
        r#"<table:table-cell office:value-type="{kind}" {value}><text:p>{shown}</text:p></table:table-cell>"#
    ));
}

/// A cell with a text; each of its lines is a paragraph.
fn text_cell(xml: &mut String, text: &str, style: &str) {
    xml.push_str(&format!(r#"<table:table-cell office:value-type="string"{style}>"#));
    for line in fitting(text).split('\n') {
        xml.push_str(&format!("<text:p>{}</text:p>", escaped(line)));
    }
    xml.push_str("</table:table-cell>");
}

/// A text inside XML: several blanks stay several.
fn escaped(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    escaped.replace('\t', "<text:tab/>").replace("  ", r#" <text:s/>"#)
}
