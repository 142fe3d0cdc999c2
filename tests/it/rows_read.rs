//! How the rows that MariaDB reads grow with the rows of one user: groups in a course, courses, cohorts.
//! It must not measure time: the server counts the rows for an account that only this test uses.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use enrold::db::{Database, Dialect, Params};
use enrold::run::{Engine, SyncOrder};

use crate::campus::user;
use crate::golden_case::set_of;
use crate::servers::{PREFIX, run_on};
use crate::site::Site;

/// Number of users with many rows.
const PEOPLE: i64 = 3;
/// The first id of the courses, their instances and contexts.
const FIRST: i64 = 5_000;

/// Rows read for one item from which on a count that more than doubles is too much: MariaDB may have found a better plan
/// for the fewer ones. A quadratic statement reads hundreds.
const FEW: i64 = 10;

/// Counts the rows that a step reads with `n` and with `2 n` items per user: the count may double, but must stay below
/// three times (a quadratic statement would give four).
fn grows_with_what_there_is(n: i64, steps: fn(Reader, i64) -> Steps) {
    let read = |n: i64| {
        let (sender, receiver) = mpsc::channel();
        run_on(Dialect::Maria, move |site| async move {
            let reader = Reader::of(site).await;
            sender.send(steps(reader, n).await).unwrap();
        });
        receiver.recv().unwrap()
    };
    let (few, many) = (read(n), read(2 * n));
    println!("{few:?}\n{many:?}");
    for ((step, few), (_, many)) in few.into_iter().zip(many) {
        let linear = few.max(FEW * PEOPLE * n);
        assert!(many < 3 * linear, "{step}: {few} rows read, {many} for twice as much");
    }
}

type Steps = std::pin::Pin<Box<dyn Future<Output = Vec<(&'static str, i64)>> + Send>>;

/// A site, and an account on its server that enrold uses for it.
struct Reader {
    site: Site,
    account: String,
    database: Arc<Database>,
    counted: Vec<(&'static str, i64)>,
}

impl Reader {
    async fn of(mut site: Site) -> Self {
        site.records("records").await;
        site.set("sources.records.create_groups", "true");
        site.set("sources.records.create_cohorts", "true");
        let schema = site.conn.row("SELECT CAST(DATABASE() AS CHAR)", &Params::new()).await.unwrap().unwrap().text(0);
        // MariaDB limits account names to 80 characters.
        let account = schema.replace("enrold_test", "rows");
        for statement in [
            format!("CREATE USER {account}@'127.0.0.1' IDENTIFIED BY 'secret'"),
            format!("GRANT ALL ON {schema}.* TO {account}@'127.0.0.1'"),
            "SET GLOBAL userstat = 1".to_owned(),
        ] {
            site.conn.command(&statement).await.unwrap();
        }
        let server = std::env::var("ENROLD_TEST_MARIADB").unwrap();
        let host = server.trim_end_matches('/').rsplit('@').next().unwrap();
        let url = format!("mysql://{account}:secret@{host}/{schema}");
        let seconds = Duration::from_secs;
        let database = Arc::new(Database::new(&url, PREFIX, seconds(30), seconds(10)).unwrap());
        Self { site, account, database, counted: Vec::new() }
    }

    fn engine(&self) -> Engine {
        Engine { database: Arc::clone(&self.database), ..self.site.engine() }
    }

    async fn rows(&mut self) -> i64 {
        let params = Params::new().with("account", self.account.as_str());
        let sql = "SELECT CAST(COALESCE(SUM(rows_read), 0) AS SIGNED) FROM information_schema.user_statistics WHERE user = :account";
        self.site.conn.number(sql, &params).await.unwrap()
    }

    /// Applies a set of rows `user,course,role,group` or `user,cohort`.
    async fn set(&mut self, step: &'static str, rows: impl Iterator<Item = String>) {
        let cohorts = self.site.engine().settings.sources["records"].target == enrold::config::Target::Cohorts;
        let header = if cohorts { "user,cohort\n" } else { "user,course,role,group\n" };
        let text: String = std::iter::once(header.to_owned()).chain(rows).collect();
        let path = self.site.write(text).path;
        let before = self.rows().await;
        let report = self.engine().apply_set(&set_of("records", &path), false).await.unwrap();
        assert_eq!(report.errors, 0, "{step}");
        self.counted(step, before).await;
    }

    async fn import(&mut self, step: &'static str, lines: impl Iterator<Item = String>) {
        let file = self.site.write(lines.collect::<String>());
        let before = self.rows().await;
        assert_eq!(self.engine().import(&file, false).await.unwrap().errors, 0, "{step}");
        self.counted(step, before).await;
    }

    async fn sync(&mut self, step: &'static str, job: &'static str) {
        let before = self.rows().await;
        self.engine().sync(&SyncOrder::of(job), false).await.unwrap();
        self.counted(step, before).await;
    }

    async fn counted(&mut self, step: &'static str, before: i64) {
        let rows = self.rows().await - before;
        assert!(rows > 0, "{step}: the server counts nothing");
        self.counted.push((step, rows));
    }

    async fn done(mut self) -> Vec<(&'static str, i64)> {
        self.site.conn.command(&format!("DROP USER {}@'127.0.0.1'", self.account)).await.unwrap();
        self.counted
    }

    /// Courses `k0`, `k1`, …, identified by these idnumbers.
    async fn courses(&mut self, n: i64) {
        let rows = |row: fn(i64) -> String| (0..n).map(row).collect::<Vec<_>>().join(", ");
        let courses = rows(|k| format!("({}, 1, 'k{k}', 'k{k}', 'k{k}', '')", FIRST + k));
        let contexts = rows(|k| format!("({}, 50, {}, '/1/3/{}', 3)", FIRST + k, FIRST + k, FIRST + k));
        self.site
            .sql(&format!(
                "INSERT INTO {{course}} (id, category, fullname, shortname, idnumber, summary) VALUES {courses}"
            ))
            .await;
        self.site
            .sql(&format!("INSERT INTO {{context}} (id, contextlevel, instanceid, path, depth) VALUES {contexts}"))
            .await;
    }

    /// An instance of `method` in each of these courses.
    async fn instances(&mut self, method: &str, n: i64, customint1: i64) {
        let rows: Vec<String> =
            (0..n).map(|k| format!("({}, '{method}', 0, {}, 5, {customint1})", FIRST + k, FIRST + k)).collect();
        let rows = rows.join(", ");
        self.site
            .sql(&format!("INSERT INTO {{enrol}} (id, enrol, status, courseid, roleid, customint1) VALUES {rows}"))
            .await;
    }
}

fn each(n: i64, row: fn(i64, i64) -> String) -> impl Iterator<Item = String> {
    (1..=PEOPLE).flat_map(move |who| (0..n).map(move |what| row(who, what)))
}

#[test]
fn groups_of_a_person_in_a_course() {
    grows_with_what_there_is(150, |mut reader, n| {
        Box::pin(async move {
            let all = |n| each(n, |who, group| format!("u{who},c1,student,Group {group}\n"));
            reader.site.set("sources.records.unenrolaction", "unenrol");
            reader.set("groups are made and joined", all(n)).await;
            reader.set("the same groups", all(n)).await;
            reader.set("half of the groups are left", all(n).step_by(2)).await;
            reader.set("and joined again", all(n)).await;
            reader.set("all leave the course", ["u4,c1,student,\n".to_owned()].into_iter()).await;
            reader.done().await
        })
    });
}

#[test]
fn courses_of_a_person() {
    grows_with_what_there_is(150, |mut reader, n| {
        Box::pin(async move {
            let all = |n| each(n, |who, course| format!("u{who},k{course},student,TD {who}\n"));
            reader.courses(n).await;
            reader.set("courses", all(n)).await;
            reader.set("the same courses", all(n)).await;
            reader.site.set("sources.records.unenrolaction", "suspendnoroles");
            reader.set("half of them suspended", all(n).step_by(2)).await;
            reader.set("and active again", all(n)).await;
            reader.site.set("sources.records.unenrolaction", "unenrol");
            reader.set("half of them left", all(n).step_by(2)).await;
            reader.set("and entered again", all(n)).await;
            reader.set("all left", ["u4,c1,student,\n".to_owned()].into_iter()).await;
            reader.done().await
        })
    });
}

#[test]
fn lines_of_a_person_in_a_file() {
    grows_with_what_there_is(150, |mut reader, n| {
        Box::pin(async move {
            let lines = |n, of| each(n, of);
            reader.courses(n).await;
            reader.import("add", lines(n, |who, k| format!("add,student,u{who},k{k}\n"))).await;
            reader.import("add again", lines(n, |who, k| format!("add,student,u{who},k{k}\n"))).await;
            reader.import("del", lines(n, |who, k| format!("del,student,u{who},k{k}\n"))).await;
            reader.import("add for a time", lines(n, |who, k| format!("add,student,u{who},k{k},0,1795255300\n"))).await;
            reader.import("add for later", lines(n, |who, k| format!("add,teacher,u{who},k{k},1795255300,0\n"))).await;
            reader
                .import("again for later", lines(n, |who, k| format!("add,teacher,u{who},k{k},1795255300,0\n")))
                .await;
            reader.site.at(1_795_256_000);
            reader.sync("what was for later", "flatfile").await;
            reader.sync("what is over", "expirations").await;
            reader.done().await
        })
    });
}

#[test]
fn instances_of_a_person() {
    grows_with_what_there_is(150, |mut reader, n| {
        Box::pin(async move {
            reader.courses(n).await;
            reader.site.insert("cohort", &[("id", 7.into()), ("contextid", 1.into()), ("name", "all".into())]).await;
            let members: Vec<String> = (1..=PEOPLE).map(|who| format!("(7, {})", user(who))).collect();
            let join = format!("INSERT INTO {{cohort_members}} (cohortid, userid) VALUES {}", members.join(", "));
            reader.site.sql(&join).await;
            reader.instances("cohort", n, 7).await;
            reader.sync("a cohort in many courses", "cohort").await;
            reader.sync("the same cohort", "cohort").await;
            reader.site.sql("DELETE FROM {cohort_members}").await;
            reader.sync("all leave it", "cohort").await;
            reader.done().await
        })
    });
}

#[test]
fn cohorts_of_a_person() {
    grows_with_what_there_is(150, |mut reader, n| {
        Box::pin(async move {
            let all = |n| each(n, |who, cohort| format!("u{who},cohort {cohort}\n"));
            reader.site.set("sources.records.target", "cohorts");
            reader.set("cohorts are made and joined", all(n)).await;
            reader.set("the same cohorts", all(n)).await;
            reader.set("half of them left", all(n).step_by(2)).await;
            reader.done().await
        })
    });
}
