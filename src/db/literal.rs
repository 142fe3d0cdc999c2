//! Texts as SQL: the only place that writes a text into a statement for a server.
//! It must not know templates, parameters or connections.

use std::fmt::{self, Write};

use super::dialect::Dialect;

/// A text as one dialect reads it, whatever its session is set to. Only the functions here make one, so that no text
/// comes into a statement as it is.
///
/// Texts are not bound on the servers. sqlx prepares a bound statement in a message of its own and waits for the
/// answer; on PostgreSQL nothing else can go in that message, so that what waits for the next statement
/// ([`Conn::command_with_next`](super::Conn)) goes alone as well. On MariaDB it closes the statement with a packet that
/// has no answer and leaves Nagle's algorithm on: each next statement waits 40 ms for the server's delayed
/// acknowledgement. What it costs without that is in `docs/architecture.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// Any text. One that holds the character 0 becomes a literal that holds it too, and the connection sends no
    /// statement that does.
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

    /// A word of the program's own.
    ///
    /// # Panics
    /// If it is not plain ([`Literal::plain`]): a mistake of ours.
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

/// Whether every session reads a text in quotes as it stands there.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte))
}

/// A text for MariaDB as hexadecimal digits, which no character can leave whatever the session's `sql_mode` says; one
/// of letters, digits and little else in quotes, to be read.
///
/// It is a literal, so that a column that it is compared with lends it its collation (a cast would insist on the
/// session's). A column in three-byte `utf8` has no room for a character of four bytes, and MariaDB refuses the
/// comparison; such a text brings its own collation, and is simply not equal.
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

/// The least first byte of a character that takes four in UTF-8.
const FOUR_BYTES: u8 = 0xf0;

/// A text for PostgreSQL in quotes, which only a quote could end: it is doubled. A text with a backslash is written in
/// the form that reads the same whether the session has `standard_conforming_strings` or has lost it (a pooler, a
/// trigger, a default of the role); every other text does so anyway.
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

    /// What a server reads in quotes, with or without `standard_conforming_strings`.
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
