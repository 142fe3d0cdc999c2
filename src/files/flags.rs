//! Reads the written forms of yes and no, as databases, spreadsheets and people write them, in every column that means
//! one of them. It must not know which column it is, nor what another text means there.

const YES: [&str; 7] = ["1", "t", "true", "y", "yes", "oui", "vrai"];
const NO: [&str; 8] = ["", "0", "f", "false", "n", "no", "non", "faux"];

/// Yes or no, in any case; an empty text is no. A number may have decimals (`0.0`, `1,00`). `None`: neither.
pub fn parse(text: &str) -> Option<bool> {
    let text = text.trim().to_lowercase();
    let text = match text.split_once(['.', ',']) {
        Some((whole @ ("0" | "1"), zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text.as_str(),
    };
    if YES.contains(&text) {
        return Some(true);
    }
    NO.contains(&text).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_and_spreadsheet_is_understood() {
        for no in ["", " ", "0", "0.0", "0,00", "f", "F", "false", "FALSE", "N", "no", "Non", "FAUX"] {
            assert_eq!(parse(no), Some(false), "{no:?}");
        }
        for yes in ["1", "1.0", "1,0", "t", "T", "true", "True", "Y", "yes", "Oui", "VRAI", " 1 "] {
            assert_eq!(parse(yes), Some(true), "{yes:?}");
        }
        for other in ["2", "0.5", "1.", "-", "0 0", "tutor", "10", "00.0"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
