//! Reads the cohorts of the site that a file may mean.
//! It must not decide about them.

use std::collections::BTreeSet;

use crate::accounts::cohort_files::decide::{Cohort, Terms, Told};
use crate::change::context::RunContext;
use crate::config::{CohortKey, FileKind};
use crate::db::DbError;

/// The cohorts that have a key, a name or an idnumber of the rows, in one statement that reads all cohorts of the site:
/// Moodle has no index for either.
///
/// # Errors
/// The database's error.
pub async fn named(ctx: &mut RunContext<'_>, terms: &Terms, told: &[Told]) -> Result<Vec<Cohort>, DbError> {
    let members = terms.kind == FileKind::CohortMembers;
    let keys: BTreeSet<&str> = told.iter().filter(|row| !row.key.is_empty()).map(|row| row.key.as_str()).collect();
    // Of new cohorts without an idnumber, those of the same name may be the same.
    let names: BTreeSet<&str> =
        told.iter().filter(|row| members || row.key.is_empty()).map(|row| row.said.name.as_str()).collect();
    let numbers: BTreeSet<&str> = told.iter().map(|row| row.said.idnumber.as_str()).collect();
    let key = if members { terms.key } else { CohortKey::Idnumber };
    let mut found = Vec::new();
    let sql = "SELECT c.id, c.contextid, c.name, c.idnumber, c.description, c.descriptionformat, c.visible, c.theme,
                      c.component
                 FROM {cohort} c ORDER BY c.id";
    ctx.conn
        .each(sql, &ctx.params(), |row| {
            let cohort = Cohort {
                id: row.int(0),
                contextid: row.int(1),
                name: row.text(2),
                idnumber: row.text(3),
                description: row.text(4),
                format: row.int(5),
                visible: row.int(6) != 0,
                theme: row.text(7),
                component: row.text(8),
            };
            let by_number = !cohort.idnumber.is_empty() && numbers.contains(cohort.idnumber.as_str());
            let by_name = names.contains(cohort.name.as_str()) && (members || cohort.idnumber.is_empty());
            if keys.contains(cohort.key(key).as_str()) || by_number || by_name {
                found.push(cohort);
            }
            Ok(())
        })
        .await?;
    Ok(found)
}
