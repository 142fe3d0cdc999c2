//! What uses groups and groupings of the courses in `group_course`, so that they are not removed: enrolment methods,
//! restrictions, activities, conversations. It must not know which of them are to be removed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::change::context::RunContext;
use crate::db::{DbError, statement};
use crate::files::GroupType;

const METHODS: &str = statement(include_str!("groups.sql"), "groups of methods");
const RESTRICTIONS: [&str; 3] = [
    statement(include_str!("groups.sql"), "restrictions"),
    statement(include_str!("groups.sql"), "restrictions of sections"),
    statement(include_str!("groups.sql"), "restrictions of methods"),
];
const ACTIVITIES: &str = statement(include_str!("groups.sql"), "groupings of activities");
const DEFAULTS: &str = statement(include_str!("groups.sql"), "groupings of courses by default");
const CONVERSATIONS: &str = statement(include_str!("groups.sql"), "conversing groups");

/// What uses which group or grouping.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    by: BTreeMap<(GroupType, i64), &'static str>,
}

impl Usage {
    /// What uses it, in a word for messages; empty if nothing does.
    pub fn of(&self, of: GroupType, id: i64) -> &'static str {
        self.by.get(&(of, id)).copied().unwrap_or_default()
    }

    fn add(&mut self, of: GroupType, id: i64, by: &'static str) {
        self.by.entry((of, id)).or_insert(by);
    }
}

/// Reads what uses the groups and groupings of the courses in `group_course`.
///
/// # Errors
/// The database's error.
pub async fn read(ctx: &mut RunContext<'_>) -> Result<Usage, DbError> {
    let mut usage = Usage::default();
    let mut sources = vec![(METHODS, GroupType::Group, "enrol"), (DEFAULTS, GroupType::Grouping, "course")];
    if ctx.site.columns.has_table("course_modules") {
        sources.push((ACTIVITIES, GroupType::Grouping, "course_modules"));
    }
    if ctx.site.columns.has_table("message_conversations") {
        sources.push((CONVERSATIONS, GroupType::Group, "message_conversations"));
    }
    for (sql, of, by) in sources {
        for row in ctx.conn.rows(sql, &ctx.params()).await? {
            usage.add(of, row.int(0), by);
        }
    }
    for (sql, table) in RESTRICTIONS.into_iter().zip(["course_modules", "course_sections", "enrol"]) {
        if !ctx.site.columns.has_table(table) {
            continue;
        }
        for row in ctx.conn.rows(sql, &ctx.params()).await? {
            if let Ok(tree) = serde_json::from_str(&row.text(0)) {
                walk(&tree, &mut usage);
            }
        }
    }
    Ok(usage)
}

/// Adds the groups and groupings that a tree of conditions names.
fn walk(tree: &Value, usage: &mut Usage) {
    let of = match tree["type"].as_str() {
        Some("group") => Some(GroupType::Group),
        Some("grouping") => Some(GroupType::Grouping),
        _ => None,
    };
    if let Some((of, id)) = of.zip(tree["id"].as_i64()) {
        usage.add(of, id, "availability");
    }
    for branch in tree["c"].as_array().into_iter().flatten() {
        walk(branch, usage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_found_at_any_depth() {
        let tree =
            r#"{"op":"&","c":[{"type":"group","id":7},{"op":"|","c":[{"type":"grouping","id":8},{"type":"group"}]}]}"#;
        let mut usage = Usage::default();
        walk(&serde_json::from_str(tree).unwrap(), &mut usage);
        assert_eq!(usage.of(GroupType::Group, 7), "availability");
        assert_eq!(usage.of(GroupType::Grouping, 8), "availability");
        assert_eq!((usage.by.len(), usage.of(GroupType::Group, 8)), (2, ""));
    }
}
