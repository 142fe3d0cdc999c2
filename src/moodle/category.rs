//! The categories of a site with their contexts and their names from the top.
//! It must not know who looks for one.

use std::collections::BTreeMap;

use crate::db::{Conn, DbError, Params};

/// Between the names of a path, as Moodle writes it.
pub const SEPARATOR: &str = " / ";

/// A category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// `course_categories.id`
    pub id: i64,
    /// `context.id` of its context.
    pub contextid: i64,
    /// Its idnumber, or an empty text.
    pub idnumber: String,
    /// The names from the top: `Sciences / Chimie`.
    pub path: String,
}

/// All categories that have a context, by id, in one statement.
///
/// # Errors
/// The database's error.
pub async fn all(conn: &mut Conn) -> Result<Vec<Category>, DbError> {
    let mut rows = Vec::new();
    let sql = "SELECT k.id, k.parent, x.id, k.name, k.idnumber FROM {course_categories} k
        JOIN {context} x ON x.contextlevel = 40 AND x.instanceid = k.id ORDER BY k.id";
    conn.each(sql, &Params::new(), |row| {
        rows.push((row.int(0), row.int(1), row.int(2), row.text(3), row.text(4)));
        Ok(())
    })
    .await?;
    Ok(with_paths(&rows))
}

/// The categories of these rows: id, parent, context, name, idnumber.
fn with_paths(rows: &[(i64, i64, i64, String, String)]) -> Vec<Category> {
    let names: BTreeMap<i64, (i64, &str)> =
        rows.iter().map(|(id, parent, _, name, _)| (*id, (*parent, name.as_str()))).collect();
    let path = |id: i64| {
        let (mut path, mut next) = (Vec::new(), id);
        // A broken tree may be a circle.
        while let Some((parent, name)) = names.get(&next).filter(|_| path.len() <= names.len()) {
            path.push(*name);
            next = *parent;
        }
        path.reverse();
        path.join(SEPARATOR)
    };
    let category = |(id, _, contextid, _, idnumber): &(i64, i64, i64, String, String)| Category {
        id: *id,
        contextid: *contextid,
        idnumber: idnumber.clone(),
        path: path(*id),
    };
    rows.iter().map(category).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_names_from_the_top() {
        let row = |id, parent, name: &str| (id, parent, id + 10, name.to_owned(), String::new());
        let found = with_paths(&[row(2, 0, "Sciences"), row(4, 2, "Chimie"), row(5, 6, "A"), row(6, 5, "B")]);
        assert_eq!((found[1].path.as_str(), found[1].contextid), ("Sciences / Chimie", 14));
        assert!(found[2].path.ends_with("B / A"), "a circle ends");
    }
}
