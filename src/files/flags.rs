//! Reads the written forms of yes and no, as databases, spreadsheets and people write them, in every column that means
//! one of them. It must not know which column it is, nor what another text means there.

use unicode_normalization::UnicodeNormalization;

use super::is_unseen;

const YES: [&str; 8] = ["t", "true", "y", "yes", "oui", "vrai", "on", "-1"];
const NO: [&str; 7] = ["f", "false", "n", "no", "non", "faux", "off"];
/// What databases and people write for nothing.
const NOTHING: [&str; 4] = ["", "null", "\\n", "-"];

/// Yes or no, in any case; nothing is no. A number may have leading zeros and decimals (`0.0`, `1,00`). `None`:
/// neither.
pub fn parse(text: &str) -> Option<bool> {
    read(text).unwrap_or(Some(false))
}

/// Whether a text says no, and not nothing.
pub fn is_no(text: &str) -> bool {
    read(text) == Some(Some(false))
}

/// [`parse`]; the outer `None`: nothing.
fn read(text: &str) -> Option<Option<bool>> {
    let text: String = text.nfkc().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase).collect();
    let text = text.trim_matches(['\'', '"', '=']);
    (!NOTHING.contains(&text)).then(|| word(text).or_else(|| number(text)))
}

fn word(text: &str) -> Option<bool> {
    if YES.contains(&text) {
        return Some(true);
    }
    NO.contains(&text).then_some(false)
}

fn number(text: &str) -> Option<bool> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let zeros = |text: &str| text.bytes().all(|byte| byte == b'0');
    match whole.strip_suffix('1') {
        _ if whole.is_empty() || !zeros(decimals) => None,
        Some(leading) => zeros(leading).then_some(true),
        None => zeros(whole).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_and_spreadsheet_is_understood() {
        for no in [
            "",
            " ",
            "0",
            "0.0",
            "0,00",
            "00",
            "0.",
            "f",
            "F",
            "false",
            "FALSE",
            "N",
            "no",
            "Non",
            "FAUX",
            "off",
            "NULL",
            "\\N",
            "-",
            "\u{a0}0\u{200b}",
            "０",
            "'0",
            "=\"0\"",
        ] {
            assert_eq!(parse(no), Some(false), "{no:?}");
        }
        for yes in ["1", "1.0", "1,0", "01", "t", "T", "true", "True", "Y", "yes", "Oui", "VRAI", "on", " 1 ", "-1"] {
            assert_eq!(parse(yes), Some(true), "{yes:?}");
        }
        for (text, no) in
            [("0", true), ("off", true), ("", false), ("-", false), ("NULL", false), ("1", false), ("x", false)]
        {
            assert_eq!(is_no(text), no, "{text:?}");
        }
        for other in ["2", "0.5", "0.1", "11", ".0", "+", "0;0", "tutor", "10", "o", "x"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
