//! The sections of a rule's `.sql` file: a line `-- section NAME`, or `-- section NAME of TABLE`, then one SELECT. It
//! must not interpret a section.

/// The select of one section, without its heading; `None` if the rule has no such section.
pub fn section<'a>(sql: &'a str, name: &str) -> Option<&'a str> {
    find(sql, name).map(|(_, select)| select)
}

/// The temporary table that a section's heading names, if any: without its rows the section has none.
pub fn table_of<'a>(sql: &'a str, name: &str) -> Option<&'a str> {
    find(sql, name).and_then(|(table, _)| table)
}

fn find<'a>(sql: &'a str, name: &str) -> Option<(Option<&'a str>, &'a str)> {
    let mut rest = sql;
    while let Some(at) = rest.find(HEADING) {
        let after = &rest[at + HEADING.len()..];
        let (heading, body) = after.split_once('\n').unwrap_or((after, ""));
        let end = body.find(HEADING).unwrap_or(body.len());
        let (found, table) = match heading.trim().split_once(" of ") {
            Some((found, table)) => (found, Some(table)),
            None => (heading.trim(), None),
        };
        if found == name {
            return Some((table, body[..end].trim()));
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
    fn a_section_may_name_its_table() {
        let sql = "-- section groups of desired_group\nSELECT 1\n-- section roles\nSELECT 2\n";
        assert_eq!((section(sql, "groups"), table_of(sql, "groups")), (Some("SELECT 1"), Some("desired_group")));
        assert_eq!((section(sql, "roles"), table_of(sql, "roles")), (Some("SELECT 2"), None));
        assert_eq!(table_of(sql, "scope"), None);
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let sql = "-- A rule.\n-- section scope\nSELECT 1\n\n-- section roles\nSELECT 2\n  FROM t\n";
        assert_eq!(section(sql, "scope"), Some("SELECT 1"));
        assert_eq!(section(sql, "roles"), Some("SELECT 2\n  FROM t"));
        assert_eq!(section(sql, "groups"), None);
    }
}
