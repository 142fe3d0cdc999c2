//! Finds a statement in a module's `.sql` file, where each follows a line `-- statement NAME`.
//! It must not know what a statement means.

/// The heading of a statement in a file.
const HEADING: &[u8] = b"-- statement ";

/// The statement of this name in a file: from the line after its heading to the next heading. Rendering removes its
/// comments. It is evaluated at compile time: a name that the file does not have fails the build.
pub const fn statement(file: &'static str, name: &str) -> &'static str {
    let bytes = file.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if begins(bytes, at, HEADING) && begins(bytes, at + HEADING.len(), name.as_bytes()) {
            let from = at + HEADING.len() + name.len();
            if from < bytes.len() && bytes[from] == b'\n' {
                let mut to = from + 1;
                while to < bytes.len() && !begins(bytes, to, HEADING) {
                    to += 1;
                }
                return trimmed(file, from, to);
            }
        }
        at += 1;
    }
    panic!("the file has no statement of this name")
}

/// The text between two offsets, without the line break at its start and the blanks at its end.
const fn trimmed(file: &'static str, from: usize, mut to: usize) -> &'static str {
    while to > from && file.as_bytes()[to - 1].is_ascii_whitespace() {
        to -= 1;
    }
    let (head, _) = file.split_at(to);
    let (_, text) = head.split_at(if from + 1 < to { from + 1 } else { to });
    text
}

const fn begins(bytes: &[u8], at: usize, with: &[u8]) -> bool {
    if at + with.len() > bytes.len() {
        return false;
    }
    let mut offset = 0;
    while offset < with.len() {
        if bytes[at + offset] != with[offset] {
            return false;
        }
        offset += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::statement;

    const FILE: &str =
        "-- Two of them.\n-- statement one\nSELECT 1\n  FROM t\n\n-- statement one more\n-- A remark.\nSELECT 2\n";
    const ONE: &str = statement(FILE, "one");

    #[test]
    fn a_statement_ends_where_the_next_begins() {
        assert_eq!(ONE, "SELECT 1\n  FROM t");
        assert_eq!(statement(FILE, "one more"), "-- A remark.\nSELECT 2");
    }

    #[test]
    #[should_panic(expected = "no statement")]
    fn a_name_that_is_missing_is_refused() {
        statement(FILE, "two");
    }
}
