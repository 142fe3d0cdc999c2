//! Makes foreign texts harmless on a terminal: none of their characters moves the cursor or hides another.
//! It must not be used for lists that become input again, which keep their bytes.

use std::borrow::Cow;

/// Characters that show nothing and change how others are shown: line and paragraph separators, and what turns the
/// direction of writing.
const TURNING: [char; 14] = [
    '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{061c}',
];

/// The text in one line: each control character, such as a line end or the begin of a terminal sequence, is `\u{fffd}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |letter: char| letter.is_control() || TURNING.contains(&letter);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|letter| if harmful(letter) { '\u{fffd}' } else { letter }).collect())
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_moves_the_cursor_is_replaced() {
        for (text, expected) in [
            ("Amphithéâtre 3 – été", "Amphithéâtre 3 – été"),
            ("a\u{1b}[2Jb", "a\u{fffd}[2Jb"),
            ("a\nb\tc\r", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("\u{9b}31m\u{7f}", "\u{fffd}31m\u{fffd}"),
            ("L1\u{202e}gpj", "L1\u{fffd}gpj"),
            ("", ""),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
    }
}
