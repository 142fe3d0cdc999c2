//! The inverse of each kind of change: which rows it needs, and that it leaves later changes of others alone.
//! It must not run whole runs; that those can be reverted is proved with each run (`rebuild.rs`).

use enrold::change::inverse::take_back;
use enrold::change::kind::Change;
use enrold::change::kinds::ALL;
use enrold::db::{Columns, Params, Value};
use enrold::moodle::tables::{self, Column, Kind};
use serde_json::Value as Json;

use crate::campus::{course, user};
use crate::dump::{EFFECTS, assert_same, dump_tables, show, text, without};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    every_kind_has_a_way_back,
    a_kind_of_another_version_is_refused,
    what_was_added_goes_only_as_it_was_added,
    what_was_changed_is_set_back_only_while_it_has_the_new_values,
    what_was_removed_returns_with_all_that_it_held,
    what_was_removed_returns_only_where_nothing_has_taken_its_place,
);

const RUN: i64 = 1;

impl Site {
    /// A run without changes.
    async fn past_run(&mut self) {
        let row = [
            ("id", RUN.into()),
            ("kind", "import".into()),
            ("source", "".into()),
            ("state", "done".into()),
            ("clock", NOW.into()),
            ("started", NOW.into()),
            ("version", "".into()),
            ("effects", 0.into()),
            ("effectseq", 0.into()),
        ];
        self.own("enrold_run", &row).await;
    }

    /// Removes all runs and changes.
    async fn forget_runs(&mut self) {
        self.sql("DELETE FROM {enrold_change}").await;
        self.sql("DELETE FROM {enrold_run}").await;
    }

    async fn own(&mut self, table: &str, row: &[(&'static str, Value)]) {
        let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
        let values: Vec<String> = names.iter().map(|name| format!(":{name}")).collect();
        let params = row.iter().cloned().fold(Params::new(), |params, (name, value)| params.with(name, value));
        let sql = format!("INSERT INTO {{{table}}} ({}) VALUES ({})", names.join(", "), values.join(", "));
        self.conn.exec(&sql, &params).await.unwrap();
    }

    /// The rows of a table, each in one line.
    async fn whole(&mut self, table: &str) -> Vec<String> {
        let columns = Columns::read(&mut self.conn).await.unwrap();
        let rows = dump_tables(&mut self.conn, &columns, |name| name == table).await;
        rows[table].iter().map(show).collect()
    }

    /// The number of changes of the run and of rows reverted, for each kind with changes.
    async fn taken_back(&mut self) -> Vec<(&'static str, i64, i64)> {
        let columns = Columns::read(&mut self.conn).await.unwrap();
        let steps = take_back(&mut self.conn, &columns, RUN).await.unwrap();
        steps.iter().map(|step| (step.kind.name, step.changes, step.rows)).collect()
    }
}

/// A whole row of a table, with a value in every column that its type can hold.
fn row_of(table: &str, id: i64) -> serde_json::Map<String, Json> {
    let value = |column: &Column| match column.kind {
        Kind::Int(digits) if digits > 4 => id.into(),
        Kind::Int(_) => 1.into(),
        Kind::Number(..) => 1.5.into(),
        Kind::Char(room) => ODD.chars().take(usize::from(room)).collect::<String>().into(),
        Kind::Text => ODD.into(),
    };
    tables::table(table).unwrap().columns.iter().map(|column| (column.name.to_owned(), value(column))).collect()
}

/// A change of each kind. Rows said to be added or changed do not exist and are not found; removed rows are restored as
/// the journal has them, in every column.
async fn every_kind_has_a_way_back(mut site: Site) {
    site.past_run().await;
    for (seq, kind) in (1..).zip(ALL) {
        let id = 1_000 + seq;
        let oldrow = Json::Object(row_of(kind.table, id)).to_string();
        let mut row = vec![("run", RUN.into()), ("seq", seq.into()), ("kind", (*kind).into())];
        row.extend([("component", "nothing".into()), ("oldrow", oldrow.into())]);
        let names = ["userid", "courseid", "enrolid", "contextid", "roleid", "itemid", "groupid", "targetid"];
        row.extend(names.map(|name| (name, id.into())));
        row.extend(["status", "timestart", "timeend", "oldstatus"].map(|name| (name, 1.into())));
        site.own("enrold_change", &row).await;
    }
    let steps = site.taken_back().await;
    assert_eq!(steps.len(), ALL.len());
    for (seq, kind) in (1..).zip(ALL) {
        let (_, changes, rows) = steps.iter().find(|(name, ..)| *name == kind.name).unwrap();
        let removed = matches!(kind.change, Change::Removed { .. });
        assert_eq!((*changes, *rows), (1, i64::from(removed)), "{}", kind.name);
        if removed {
            let columns = Columns::read(&mut site.conn).await.unwrap();
            let stands = dump_tables(&mut site.conn, &columns, |table| table == kind.table).await;
            let id = (1_000 + seq).to_string();
            let row = stands[kind.table].iter().find(|row| text(row, "id") == id).unwrap();
            for (column, value) in row_of(kind.table, 1_000 + seq).iter().filter(|(column, _)| *column != "password") {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(text(row, column), value, "{} {column}", kind.name);
            }
        }
    }
}

async fn a_kind_of_another_version_is_refused(mut site: Site) {
    site.past_run().await;
    site.own("enrold_change", &[("run", RUN.into()), ("seq", 1.into()), ("kind", "thing.add".into())]).await;
    let columns = Columns::read(&mut site.conn).await.unwrap();
    let error = take_back(&mut site.conn, &columns, RUN).await.unwrap_err().to_string();
    assert!(error.contains("thing.add") && error.contains("run 1"), "{error}");
}

/// A file enrols two users, with their roles.
async fn enrolled(site: &mut Site) {
    site.campus().await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(report.run, RUN);
}

async fn what_was_added_goes_only_as_it_was_added(mut site: Site) {
    enrolled(&mut site).await;
    let of = |user: i64| format!("WHERE userid = {user}");
    site.sql(&format!("UPDATE {{user_enrolments}} SET timeend = 5 {}", of(user(1)))).await;
    // Another writer assigns the same role again.
    site.sql(&format!("UPDATE {{role_assignments}} SET timemodified = timemodified + 60 {}", of(user(2)))).await;
    assert_eq!(site.taken_back().await, [("role.add", 2, 1), ("enrolment.add", 2, 1), ("instance.add", 1, 0)]);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..5"], "and the instance that it is in");
    assert_eq!(site.roles().await, ["u2 c1 student flatfile"]);
}

async fn what_was_changed_is_set_back_only_while_it_has_the_new_values(mut site: Site) {
    enrolled(&mut site).await;
    site.forget_runs().await;
    let before = site.dump().await;
    let later = NOW + 5_000;
    site.at(later);
    let file =
        site.write(format!("add,student,u1,c1,{},{}\nadd,student,u2,c1,{},{}\n", NOW, later * 2, NOW, later * 2));
    assert_eq!(site.engine().import(&file, false).await.unwrap().counts["enrolment.update"], 2);
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(2))).await;
    assert_eq!(site.taken_back().await, [("enrolment.update", 2, 1)]);
    let restore = "UPDATE {user_enrolments} SET status = 0, timestart = 0, timeend = 0, timemodified = :then WHERE userid = :user";
    let params = Params::new().with("then", NOW).with("user", user(2));
    assert_eq!(site.conn.exec(restore, &params).await.unwrap(), 1);
    assert_same(
        &without(before, &EFFECTS),
        &without(site.dump().await, &EFFECTS),
        "u1 is as before, and so is u2 by hand",
    );
}

/// Texts that are special in JSON, SQL and paths.
const ODD: &str = "it's \"so\\, {x} :y é 🎓\n\ttwo -- lines";

/// Column names that are special there.
const NAMES: [&str; 6] = ["we'ird:col{x}--y", "q\"u`o\"te", "back\\slash/*", "$.a[0] é", ":id", "plain"];

async fn what_was_removed_returns_with_all_that_it_held(mut site: Site) {
    enrolled(&mut site).await;
    site.forget_runs().await;
    for name in NAMES {
        let name = site.conn.dialect().quote(name);
        site.conn.command(&format!("ALTER TABLE {{grade_grades}} ADD COLUMN {name} VARCHAR(80)")).await.unwrap();
    }
    let item = [("id", 5.into()), ("courseid", course(1).into()), ("itemtype", "manual".into())];
    site.insert("grade_items", &item).await;
    let row = [
        ("id", 9.into()),
        ("itemid", 5.into()),
        ("userid", user(1).into()),
        ("finalgrade", Value::Sql("12.34567".to_owned())),
        ("feedback", ODD.into()),
    ];
    site.insert("grade_grades", &row).await;
    for name in NAMES {
        let sql = format!("UPDATE {{grade_grades}} SET {} = :odd", site.conn.dialect().quote(name));
        site.conn.exec(&sql, &Params::new().with("odd", ODD)).await.unwrap();
    }
    site.setting("unenrolaction", Some("0")).await;
    let before = site.whole("grade_grades").await;
    let file = site.write("del,student,u1,c1\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(report.counts.get("grade.remove"), Some(&1), "{:?}", report.counts);
    assert_eq!(site.whole("grade_grades").await, [""; 0]);
    let steps = site.taken_back().await;
    assert!(steps.iter().all(|(_, changes, rows)| changes == rows), "{steps:?}");
    assert_eq!(site.whole("grade_grades").await, before);
}

async fn what_was_removed_returns_only_where_nothing_has_taken_its_place(mut site: Site) {
    enrolled(&mut site).await;
    site.forget_runs().await;
    site.setting("unenrolaction", Some("0")).await;
    let file = site.write("del,student,u1,c1\ndel,student,u2,c1\n");
    assert_eq!(site.engine().import(&file, false).await.unwrap().counts["enrolment.remove"], 2);
    let instance = "SELECT MIN(id) FROM {enrol} WHERE enrol = 'flatfile'";
    let instance = site.conn.number(instance, &Params::new()).await.unwrap();
    let anew = [("id", 999.into()), ("enrolid", instance.into()), ("userid", user(1).into()), ("status", 1.into())];
    site.insert("user_enrolments", &[&anew[..], &[("timeend", 0.into())]].concat()).await;
    let steps = site.taken_back().await;
    assert!(steps.contains(&("enrolment.remove", 2, 1)) && steps.contains(&("role.remove", 2, 2)), "{steps:?}");
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended", "u2 c1 flatfile"]);
}
