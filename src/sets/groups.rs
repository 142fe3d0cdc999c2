//! Groups that a set names and nobody can mean: they are told, and whom they are named for keeps the groups that he has.
//! It must not make or change groups: the rule's sections do.

use crate::change::work::Work;
use crate::db::DbError;
use crate::problem::PlaceKind;
use crate::reconcile::groups as known;
use crate::sets::Terms;

/// The condition that the group `o` of `known_group` is the one that `t` names.
pub fn same(work: &Work<'_>, terms: &Terms) -> String {
    match terms.group_by_idnumber {
        true => work.conn.dialect().same_text("o.idnumber", "t.gkey"),
        false => work.conn.dialect().same_text("o.name", "t.gkey"),
    }
}

/// Tells each group of `set_group` that its course does not have and that will not be made (or cannot be: its name has a
/// character that the site's column has no room for), or has several times, once; makes `set_ungrouped`: who is named with
/// one. Grows with the groups that are named and those of their courses; one statement where none is named, else six at most.
///
/// # Errors
/// The engine's.
pub async fn tell_unusable(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    let lacking = "userid BIGINT NOT NULL, courseid BIGINT NOT NULL, PRIMARY KEY (courseid, userid)";
    work.conn.temporary("set_ungrouped", lacking);
    let named = "SELECT COUNT(*) FROM (SELECT 1 AS named FROM set_group g LIMIT 1) t";
    if work.conn.number(named, &work.params()).await? == 0 {
        return Ok(());
    }
    known::know(work, "SELECT DISTINCT courseid FROM set_group").await?;
    let same = same(work, terms);
    let columns: &[&str] = if terms.group_by_idnumber { &["idnumber", "name"] } else { &["name"] };
    let unstorable = columns.iter().find_map(|column| work.conn.unstorable("groups", column, "t.gkey"));
    let params = work
        .params()
        .with("made", i64::from(terms.create_groups))
        .with("column", format!("groups.{}", columns[0]))
        .fragment("same", same)
        .fragment("unstorable", format!("CASE WHEN {} THEN 1 ELSE 0 END", unstorable.as_deref().unwrap_or("1 = 0")));
    work.tell_problems(
            PlaceKind::Group,
            "SELECT ROW_NUMBER() OVER (ORDER BY c.shortname, q.gkey) AS number,
                    CASE WHEN q.found > 1 THEN 'group-ambiguous' WHEN :made = 0 THEN 'group-unknown' ELSE 'value-charset' END AS code, q.gkey AS value,
                    CASE WHEN q.found = 0 AND :made = 1 THEN :column ELSE c.shortname END AS hint
               FROM (SELECT t.courseid, t.gkey, :unstorable AS unstorable, COUNT(o.id) AS found
                       FROM (SELECT DISTINCT g.courseid, g.gkey FROM set_group g) t
                       LEFT JOIN known_group o ON o.courseid = t.courseid AND :same
                      GROUP BY t.courseid, t.gkey) q
               JOIN {course} c ON c.id = q.courseid
              WHERE q.found > 1 OR (q.found = 0 AND (:made = 0 OR q.unstorable = 1))",
            params.clone(),
        )
        .await?;
    work.conn
        .exec(
            "INSERT INTO set_ungrouped (userid, courseid) SELECT DISTINCT q.userid, q.courseid
               FROM (SELECT t.userid, t.courseid FROM set_group t LEFT JOIN known_group o ON o.courseid = t.courseid AND :same
                      GROUP BY t.userid, t.courseid, t.gkey HAVING COUNT(o.id) > 1 OR (COUNT(o.id) = 0 AND (:made = 0 OR :unstorable = 1))) q",
            &params,
        )
        .await?;
    if let Some(unstorable) = unstorable {
        let sql = format!("DELETE FROM set_group WHERE {}", unstorable.replace("t.gkey", "gkey"));
        work.conn.exec(&sql, &params).await?;
    }
    work.conn.analyse("set_ungrouped").await
}
