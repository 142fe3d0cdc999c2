//! Undoes a run: the SQL is generated from the catalogue and reads the journal alone. It must not depend on why a run
//! is undone, nor commit.

use crate::change::context::RANK_ROOM;
use crate::change::kind::{Change, Changing, Kind, Pair};
use crate::db::{Columns, Conn, DbError, Dialect, Params};
use crate::moodle::tables;

/// The changes `c` of one kind in one rank of one pass.
const HERE: &str = "c.run = :run AND c.seq > :from AND c.seq < :to AND c.kind = :kind AND c.state = 0";

/// The changes with their run `r`, whose clock is in the rows that it wrote.
const CHANGES: &str = "{enrold_change} c JOIN {enrold_run} r ON r.id = c.run";

/// The outcome of undoing the changes of one kind in one rank of one pass.
#[derive(Clone, Copy, Debug)]
pub struct TakenBack {
    /// The kind.
    pub kind: &'static Kind,
    /// How many changes there are.
    pub changes: i64,
    /// How many rows still matched the journal and are restored.
    pub rows: i64,
}

/// Undoes the applied changes of a run in reverse order, where the rows still match the journal, in the transaction of
/// the caller. Runs one statement for each kind and rank of a pass, whatever the number of changes.
///
/// # Errors
/// The database's error, or a kind that this version of enrold does not know.
pub async fn take_back(conn: &mut Conn, columns: &Columns, run: i64) -> Result<Vec<TakenBack>, DbError> {
    let mut all = Vec::new();
    for (from, kind, changes) in places(conn, run).await? {
        let params = Params::new().with("run", run).with("from", from).with("to", from + RANK_ROOM).with("kind", kind);
        let sql = statement(kind, conn, columns);
        let rows = conn.exec(&sql, &params.fragment("here", HERE)).await? as i64;
        all.push(TakenBack { kind, changes, rows });
    }
    Ok(all)
}

/// The positions of the applied changes of a run, in the order in which they are undone: the sequence number before the
/// first, the kind and the number of changes.
async fn places(conn: &mut Conn, run: i64) -> Result<Vec<(i64, &'static Kind, i64)>, DbError> {
    let sql = "SELECT c.seq - c.seq % :room, c.kind, COUNT(*) FROM {enrold_change} c WHERE c.run = :run AND c.state = 0
        GROUP BY c.seq - c.seq % :room, c.kind";
    let mut places = Vec::new();
    for row in conn.rows(sql, &Params::new().with("run", run).with("room", RANK_ROOM)).await? {
        let kind = Kind::of(&row.text(1)).ok_or_else(|| {
            let name = row.text(1);
            DbError::other(format!(
                "run {run} has changes of the kind \"{name}\", which this version of enrold does not know: take it \
                 back with the version that made it"
            ))
        })?;
        places.push((row.int(0), kind, row.int(2)));
    }
    places.sort_by_key(|(from, kind, _)| {
        let (pass_no, at) = (from / RANK_ROOM / 100, from / RANK_ROOM % 100);
        let applied = kind.ranks().find(|rank| rank.at == at).map_or(at, |rank| rank.applied);
        std::cmp::Reverse((pass_no, applied, at))
    });
    Ok(places)
}

/// The statement that undoes the changes `:here` of a kind.
fn statement(kind: &Kind, conn: &Conn, columns: &Columns) -> String {
    let dialect = conn.dialect();
    match &kind.change {
        Change::Added { says, named, made, used_by } => {
            let found = found(kind, dialect, says, named, *made, used_by);
            delete(kind, dialect, &found)
        }
        Change::Changed(values) => set_back(kind, dialect, values),
        Change::Rewritten(values) => {
            let columns: Vec<&str> = values.iter().copied().filter(|column| columns.has(kind.table, column)).collect();
            let is_named = |name: &str| conn.alike("user", "y.username", name);
            rewrite(kind, dialect, &columns, CHANGES, HERE, ("oldrow", "newrow"), Some(&is_named))
        }
        Change::Removed { alone, .. } => insert(kind, dialect, &old_columns(columns, kind.table), alone),
    }
}

/// The condition that the row `y` is the one that the change `c` added, and that no other row refers to it.
fn found(
    kind: &Kind,
    dialect: Dialect,
    says: &[Pair],
    named: &[&str],
    made: Option<&str>,
    used_by: &[(&str, &str, &str)],
) -> String {
    let said = kind.key.iter().chain(says).map(|(own, journal)| format!("y.{own} = c.{journal}"));
    let named = named.iter().map(|column| {
        let old = dialect.json_text("c.oldrow", column);
        dialect.same_bytes(&format!("COALESCE(y.{}, '')", dialect.quote(column)), &format!("COALESCE({old}, '')"))
    });
    let made = made.map(|column| format!("y.{column} = r.clock"));
    let unused = used_by
        .iter()
        .map(|(table, column, own)| format!("NOT EXISTS (SELECT 1 FROM {{{table}}} u WHERE u.{column} = y.{own})"));
    said.chain(named).chain(made).chain(unused).collect::<Vec<_>>().join(" AND ")
}

/// Deletes an added row: the newest, if the table holds several; several changes that added the same delete one each.
fn delete(kind: &Kind, dialect: Dialect, found: &str) -> String {
    let table = format!("{{{}}}", kind.table);
    let own = format!(
        "(SELECT p.id FROM
            (SELECT y.id, ROW_NUMBER() OVER (PARTITION BY y.id ORDER BY c.seq) AS nth,
                    ROW_NUMBER() OVER (PARTITION BY c.seq ORDER BY y.id DESC) AS newest
               FROM {CHANGES} JOIN {table} y ON {found} WHERE :here) p
           WHERE p.newest = p.nth) d"
    );
    dialect.delete_joined(&table, "x", &own, "x.id = d.id")
}

/// Sets the old values of a changed row that still has the new ones: those in the journal, or else the run's clock.
fn set_back(kind: &Kind, dialect: Dialect, values: &[Changing]) -> String {
    let table = format!("{{{}}}", kind.table);
    let only_old: Vec<String> =
        values.iter().filter(|(_, _, old)| old.is_none()).map(|(column, ..)| (*column).to_owned()).collect();
    let (join, of_row) = dialect.json_record("c.oldrow", "o", &table, &only_old);
    let mut of_row = of_row.into_iter();
    let old = values.iter().map(|(column, _, old)| {
        let value = old.map(|journal| format!("c.{journal}")).or_else(|| of_row.next());
        (*column, value.unwrap_or_default())
    });
    let old: Vec<(&str, String)> = old.collect();
    let set: Vec<(&str, &str)> = old.iter().map(|(column, value)| (*column, value.as_str())).collect();
    let journaled = |new: &str| new.starts_with("c.");
    let by_clock = !values.iter().any(|(_, new, _)| journaled(new));
    let new = values.iter().filter_map(|(column, new, _)| match *new {
        ":now" if by_clock => Some(format!(" AND x.{column} = r.clock")),
        new if journaled(new) => Some(format!(" AND x.{column} = {new}")),
        _ => None,
    });
    let condition = format!(":here AND x.id = c.targetid{}", new.collect::<String>());
    dialect.update_joined(&table, "x", &set, &format!("{CHANGES} {join}"), &condition)
}

/// The statement that gives the rows of the changes `c` in `from` the values that the journal's column `to` holds of
/// the `columns`, where they have those of its column `of`. A column that did not change is not in `newrow`. With
/// `is_named`, the condition that the account `y` has a user name, an account whose new name another one has is left.
pub(super) fn rewrite(
    kind: &Kind,
    dialect: Dialect,
    columns: &[&str],
    from: &str,
    here: &str,
    (to, of): (&str, &str),
    is_named: Option<&dyn Fn(&str) -> String>,
) -> String {
    let table = format!("{{{}}}", kind.table);
    let names: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let record = |column: &str, alias: &str| dialect.json_record(&format!("c.{column}"), alias, &table, &names);
    let ((join_to, to_values), (join_of, of_values)) = (record(to, "t"), record(of, "o"));
    let marks = if to == "newrow" { &to_values } else { &of_values };
    let quoted: Vec<String> = columns.iter().map(|column| dialect.quote(column)).collect();
    let values: Vec<String> = (quoted.iter().zip(marks).zip(&to_values))
        .map(|((column, mark), value)| format!("CASE WHEN {mark} IS NULL THEN x.{column} ELSE {value} END"))
        .collect();
    let set: Vec<(&str, &str)> = quoted.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    // The time of the change says nothing about the other columns.
    let same = (quoted.iter().zip(columns).zip(marks.iter().zip(&of_values)))
        .filter(|((_, column), _)| **column != "timemodified")
        .map(|((column, _), (mark, value))| {
            let same = dialect.same_bytes(&format!("x.{column}"), value);
            format!(" AND ({mark} IS NULL OR {same} OR (x.{column} IS NULL AND {value} IS NULL))")
        });
    let name = columns.iter().position(|column| *column == "username");
    let (others, free) = match name.zip(is_named) {
        Some((at, is_named)) => {
            let named = is_named(&to_values[at]);
            let own = format!("JOIN {table} z ON z.id = c.targetid");
            let other = format!("LEFT JOIN {table} y ON y.mnethostid = z.mnethostid AND y.id <> z.id AND {named}");
            (format!("{own} {other}"), " AND y.id IS NULL")
        }
        None => (String::new(), ""),
    };
    let condition = format!("{here} AND x.id = c.targetid{}{free}", same.collect::<String>());
    dialect.update_joined(&table, "x", &set, &format!("{from} {join_to} {join_of} {others}"), &condition)
}

/// Inserts a removed row again, unless another row has its id or its unique values.
fn insert(kind: &Kind, dialect: Dialect, columns: &[String], alone: &[&str]) -> String {
    let table = format!("{{{}}}", kind.table);
    let (join, values) = dialect.json_record("c.oldrow", "o", &table, columns);
    let of_column = |column: &str| {
        let journaled = kind.key.iter().find(|(own, _)| *own == column).map(|(_, journal)| format!("c.{journal}"));
        let at = || columns.iter().position(|known| known == column);
        journaled.or_else(|| at().map(|at| dialect.to_int(&values[at])))
    };
    let same = alone.iter().filter_map(|column| Some(format!("y.{column} = {}", of_column(column)?)));
    let same: Vec<String> = same.collect();
    let alone = match same.is_empty() {
        true => String::new(),
        false => format!(" AND NOT EXISTS (SELECT 1 FROM {table} y WHERE {})", same.join(" AND ")),
    };
    let names = columns.iter().map(|column| dialect.quote(column)).collect::<Vec<_>>().join(", ");
    let select = format!("SELECT {} FROM {{enrold_change}} c {join} WHERE :here{alone}", values.join(", "));
    dialect.insert_absent(&table, &names, &select)
}

/// The columns of a table that an old row holds: all that the site has. Of an instance only Moodle's own, without its
/// enrolment key: enrold's database account needs no access to others.
pub fn old_columns(site: &Columns, table: &str) -> Vec<String> {
    let columns = site.of(table);
    if table != "enrol" {
        return columns.to_vec();
    }
    let known = |name: &str| tables::table(table).is_some_and(|known| known.column(name).is_some());
    columns.iter().filter(|name| known(name) && *name != "password").cloned().collect()
}
