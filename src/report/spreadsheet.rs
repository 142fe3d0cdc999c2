//! Makes foreign texts safe in lists that are opened in a spreadsheet: none of them begins a formula there.
//! It must not be used for lists that become input again, which keep their bytes.

use std::borrow::Cow;

/// What begins a formula or a command in one of the usual programs (OWASP: CSV injection), also in full width.
const BEGINS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
/// What such a program may read as the end of a cell, whatever the delimiter of the file is.
const ENDS: [char; 7] = [',', ';', '\t', '|', '\n', '\r', '"'];

/// The text for a cell that is only read: an apostrophe precedes each position where a formula could begin, at the
/// start and after each character that may end a cell.
pub fn inert(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut from = 0;
    let mut at_begin = true;
    for (at, letter) in text.char_indices() {
        if at_begin && BEGINS.contains(&letter) {
            out.push_str(&text[from..at]);
            out.push('\'');
            from = at;
        }
        // Some programs skip blanks before a formula.
        at_begin = ENDS.contains(&letter) || (at_begin && letter.is_whitespace());
    }
    // Some programs read a tab or a line end at the start as the begin of a formula, too.
    let begins_odd = text.starts_with(['\t', '\r', '\n']);
    if from == 0 && out.is_empty() && !begins_odd {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(if begins_odd { format!("'{out}") } else { out })
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn no_place_of_a_text_begins_a_formula() {
        for (text, expected) in [
            ("add,student,22612001,ELP4821", "add,student,22612001,ELP4821"),
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+33 6", "'+33 6"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("\rx", "'\rx"),
            ("  =1", "  '=1"),
            ("a;=1+1;\"=2\"", "a;'=1+1;\"'=2\""),
            ("a,+1", "a,'+1"),
            ("a-b+c@d=e", "a-b+c@d=e"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("line\n=1", "line\n'=1"),
            ("", ""),
        ] {
            assert_eq!(inert(text), expected, "{text:?}");
        }
    }
}
