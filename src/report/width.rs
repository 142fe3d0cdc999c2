//! Breaks texts into lines that fit a terminal.
//! It must not know what the texts say, nor how wide the terminal is.

/// The width that every report fits.
pub const WIDTH: usize = 80;

/// The text in lines of at most `width` characters, broken at blanks; the lines after the first begin with `indent`
/// blanks. A word that is longer than a line has a line of its own, whole: it may be a path or a command to copy.
pub fn wrapped(text: &str, indent: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    // Blanks at the start and between columns stay.
    for (at, word) in text.split(' ').enumerate() {
        let letters = word.chars().count();
        if at > 0 && length + 1 + letters > width && line.trim() != "" && letters > 0 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            line.push_str(&" ".repeat(indent));
            length = indent;
        } else if at > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += letters;
    }
    lines.push(line);
    lines
}

/// The text with at most `most` characters; the end of a longer one is replaced by `…`.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_are_indented() {
        assert_eq!(wrapped("  ! one two three four", 4, 12), ["  ! one two", "    three", "    four"]);
        assert_eq!(wrapped("short", 4, 12), ["short"]);
        assert_eq!(wrapped("", 4, 12), [""]);
    }

    #[test]
    fn a_long_word_stays_whole_and_columns_keep_their_blanks() {
        assert_eq!(wrapped("see /a/very/long/path now", 2, 10), ["see", "  /a/very/long/path", "  now"]);
        assert_eq!(wrapped("  code      text of it", 12, 18), ["  code      text", "            of it"]);
        assert_eq!(wrapped("été été été", 0, 7), ["été été", "été"]);
    }

    #[test]
    fn a_shortened_text_has_a_mark() {
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("été", 3), "été");
    }
}
