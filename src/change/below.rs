//! Selects the roles of users in courses, and in the activities and blocks below them. It must not depend on its
//! caller, nor remove anything.

use crate::db::{Dialect, statement};

const ROLES: &str = statement(include_str!("below.sql"), "roles");

/// A select of (id, userid, courseid): the roles that the users of a select (`userid`, each once) have in courses and
/// below.
///
/// It goes from the users to their roles, and from a role's context up its path, one context at a time by the index of
/// `path`: the cost grows with the roles of these users, not with the number of courses.
pub fn roles_of(users: &str) -> String {
    ROLES.replace(":users", users)
}

/// The joins that lead from `alias` (userid, courseid, contextid) to the roles `r` of its users in its courses and
/// below; `users` selects all its users, each once. PostgreSQL joins by path: hash joins read each table once.
pub fn roles_in(dialect: Dialect, alias: &str, users: &str) -> String {
    if dialect.joins_by_hash() {
        return format!(
            "JOIN {{context}} home ON home.id = {alias}.contextid
             JOIN {{role_assignments}} r ON r.userid = {alias}.userid
             JOIN {{context}} k ON k.id = r.contextid AND (k.id = home.id OR k.path LIKE home.path || '/%')"
        );
    }
    format!(
        ":then ({}) lies ON lies.userid = {alias}.userid AND lies.courseid = {alias}.courseid
         :then {{role_assignments}} r ON r.id = lies.id",
        roles_of(users)
    )
}
