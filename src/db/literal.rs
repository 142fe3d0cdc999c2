//! Writes texts as SQL literals: the only module that puts a text into a statement for a server.
//! It must not know templates, parameters or connections.

use std::fmt::{self, Write};

use super::dialect::Dialect;

/// A text as one dialect reads it under any settings of the session. Only the functions here create one, so that no
/// text enters a statement unescaped.
///
/// Texts are not bound on the servers. sqlx prepares a bound statement in a message of its own and waits for the
/// answer; on PostgreSQL nothing else fits into that message, so that waiting commands
/// ([`Conn::command_with_next`](super::Conn)) would need another. On MariaDB it closes the statement with a packet that
/// has no answer and leaves Nagle's algorithm on: each next statement waits 40 ms for the server's delayed
/// acknowledgement. `docs/architecture.md` has the measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// Any text. The literal of one with the character 0 contains it too, and the connection refuses the statement.
    pub(super) fn of(dialect: Dialect, text: &str) -> Self {
        Self(match dialect {
            _ if text.contains('\0') => "'\0'".to_owned(),
            Dialect::Postgres => postgres_text(text),
            Dialect::Maria => maria_text(text),
            Dialect::Lite => format!("'{}'", text.replace('\'', "''")),
        })
    }

    /// A text of letters, digits and `_-. ` alone, which every dialect reads alike; `None` for every other.
    pub fn plain(text: &str) -> Option<Self> {
        is_plain(text).then(|| Self(format!("'{text}'")))
    }

    /// A constant word of the program.
    ///
    /// # Panics
    /// If it is not plain ([`Literal::plain`]): a bug in enrold.
    pub fn word(word: &'static str) -> Self {
        Self::plain(word).unwrap_or_else(|| panic!("{word} is no plain word"))
    }

    /// The literal as SQL.
    pub(super) fn as_sql(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text in quotes means the same in every session.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte))
}

/// A text for MariaDB in hexadecimal digits, which no character can leave under any `sql_mode`; a plain text is in
/// quotes, to be readable.
///
/// A literal adopts the collation of the column that it is compared with (a cast would keep the session's). A column in
/// three-byte `utf8` cannot store a character of four bytes, and MariaDB refuses the comparison; a text with one gets
/// its own collation, and compares as not equal.
fn maria_text(text: &str) -> String {
    if is_plain(text) {
        return format!("'{text}'");
    }
    let mut hex = String::with_capacity(text.len() * 2 + 40);
    hex.push_str("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.push('\'');
    if text.bytes().any(|byte| byte >= FOUR_BYTES) {
        hex.push_str(" COLLATE utf8mb4_bin");
    }
    hex
}

/// The lowest first byte of a character that takes four bytes in UTF-8.
const FOUR_BYTES: u8 = 0xf0;

/// A text for PostgreSQL in quotes, where only a quote is doubled. A text with a backslash is written in the form that
/// means the same with and without `standard_conforming_strings` (a pooler, a trigger or a role's default may change
/// it).
fn postgres_text(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that a server reads in quotes, with or without `standard_conforming_strings`.
    fn read_back(literal: &str, conforming: bool) -> String {
        let (escapes, rest) = match literal.trim_start().strip_prefix('E') {
            Some(rest) => (true, rest),
            None => (!conforming, literal),
        };
        let inner = rest.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
        let mut read = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => assert_eq!(chars.next(), Some('\''), "{literal} ends early"),
                '\\' if escapes => {
                    read.push(chars.next().unwrap());
                    continue;
                }
                _ => {}
            }
            read.push(c);
        }
        read
    }

    #[test]
    fn a_text_stays_one_under_both_ways_of_reading_a_backslash() {
        for text in ["", "O'Hara", "\\", "a\\'b", "\\'); DROP TABLE x; --", "''\\\\''", "C:\\n"] {
            for conforming in [true, false] {
                assert_eq!(read_back(&postgres_text(text), conforming), text, "{text:?} {conforming}");
            }
        }
    }

    #[test]
    fn mariadb_gets_digits_and_what_is_as_harmless() {
        assert_eq!(maria_text("enrol_meta v1.2-3"), "'enrol_meta v1.2-3'");
        assert_eq!(maria_text(""), "''");
        assert_eq!(maria_text("a'\\"), "_utf8mb4 X'61275c'");
        assert_eq!(maria_text("é\u{ffff}"), "_utf8mb4 X'c3a9efbfbf'");
        assert_eq!(maria_text("🎓"), "_utf8mb4 X'f09f8e93' COLLATE utf8mb4_bin");
    }

    #[test]
    fn a_text_with_the_character_0_stays_recognisable() {
        for dialect in [Dialect::Postgres, Dialect::Maria, Dialect::Lite] {
            assert!(Literal::of(dialect, "a\0b").as_sql().contains('\0'), "{dialect:?}");
        }
    }

    #[test]
    #[should_panic(expected = "no plain word")]
    fn a_word_with_a_quote_is_none() {
        Literal::word("a'b");
    }
}
