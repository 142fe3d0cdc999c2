//! The sections of a rule's `.sql` file: a line `-- section NAME`, then one SELECT.
//! It must not know what a section means.

/// The select of one section, without its heading; `None` if the rule has no such set.
pub fn section<'a>(sql: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = sql;
    while let Some(at) = rest.find(HEADING) {
        let after = &rest[at + HEADING.len()..];
        let (heading, body) = after.split_once('\n').unwrap_or((after, ""));
        let end = body.find(HEADING).unwrap_or(body.len());
        if heading.trim() == name {
            return Some(body[..end].trim());
        }
        rest = &body[end..];
    }
    None
}

const HEADING: &str = "-- section ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let sql = "-- A rule.\n-- section scope\nSELECT 1\n\n-- section roles\nSELECT 2\n  FROM t\n";
        assert_eq!(section(sql, "scope"), Some("SELECT 1"));
        assert_eq!(section(sql, "roles"), Some("SELECT 2\n  FROM t"));
        assert_eq!(section(sql, "groups"), None);
    }
}
