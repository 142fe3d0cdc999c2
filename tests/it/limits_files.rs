//! Files that the database refuses while it accepts other statements: they fail with the reason, after limited tries.
//! It must not test a database that is away.

use std::fs;

use enrold::db::{Dialect, Params};

use crate::inbox::{good, report};
use crate::inbox_sets::{set, source};
use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_file_that_the_database_refuses_fails_after_its_tries,
    a_set_that_the_database_refuses_does_not_block_the_next,
);

impl Site {
    /// Makes the database refuse to enrol this user.
    async fn refuses(&mut self, who: &str) {
        let known = Params::new().with("who", who);
        let id = self.conn.number("SELECT u.id FROM {user} u WHERE u.username = :who", &known).await.unwrap();
        let table = self.conn.table("user_enrolments");
        let statements = match self.conn.dialect() {
            Dialect::Lite => vec![format!(
                "CREATE TRIGGER refusal BEFORE INSERT ON {table} WHEN NEW.userid = {id} BEGIN SELECT RAISE(ABORT, 'nobody may do this'); END"
            )],
            Dialect::Maria => vec![format!(
                "CREATE TRIGGER refusal BEFORE INSERT ON {table} FOR EACH ROW IF NEW.userid = {id} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'nobody may do this'; END IF"
            )],
            Dialect::Postgres => vec![
                format!(
                    "CREATE FUNCTION refusal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.userid = {id} THEN RAISE EXCEPTION 'nobody may do this'; END IF; RETURN NEW; END $$"
                ),
                format!("CREATE TRIGGER refusal BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refusal()"),
            ],
        };
        for statement in statements {
            self.conn.literal(&statement).await.unwrap();
        }
    }

    /// Makes the database accept all users again.
    async fn allows(&mut self) {
        let table = self.conn.table("user_enrolments");
        let of_table = if self.conn.dialect() == Dialect::Postgres { format!(" ON {table}") } else { String::new() };
        self.conn.literal(&format!("DROP TRIGGER refusal{of_table}")).await.unwrap();
    }
}

fn impatient(program: Program) -> Program {
    program
        .set("limits.tries=2")
        .set("limits.tries_over=0")
        .set("inbox.settle=0")
        .set("inbox.rescan=1")
        .set("guard.mode=off")
}

async fn a_file_that_the_database_refuses_fails_after_its_tries(mut site: Site) {
    let program = impatient(site.sampled().await);
    site.refuses("laurentn26").await;
    let bad = program.drop_file("a.csv", good("laurentn26"));
    program.drop_file("b.csv", good("moreaul26"));
    let mut daemon = program.start();
    daemon.until_there("b.csv.done");
    daemon.until_there("a.csv.failed");
    daemon.is_well("c.csv");
    let told = report(&daemon.inbox, "a.csv.report.json");
    assert_eq!((&told["state"], &told["errors"]), (&"failed".into(), &1.into()), "{told}");
    assert_eq!(
        (&told["problems"][0]["code"], &told["problems"][0]["value"]),
        (&"database-refuses".into(), &"2".into())
    );
    let message = told["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains("refused this file 2 times") && message.contains("trigger"), "{message}");
    let inbox = daemon.inbox.clone();
    daemon.stop();
    assert!(!bad.exists());
    let failed = "SELECT MAX(r.id) FROM {enrold_run} r WHERE r.state = 'failed'";
    assert_eq!(told["run"].as_i64().unwrap(), site.conn.number(failed, &Params::new()).await.unwrap());
    let sql = "SELECT COALESCE(r.message, '') FROM {enrold_run} r WHERE r.state = 'failed'";
    let runs = site.lines(sql, |row| row.text(0)).await;
    assert_eq!(runs.len(), 2, "one row for each try: {runs:?}");
    assert!(runs.iter().any(|message| message.contains("refused this file 2 times")), "{runs:?}");
    // After the cause is removed, the same file is a new order.
    fs::rename(inbox.join("a.csv.failed"), inbox.join("again.csv")).unwrap();
    site.allows().await;
    let mut daemon = program.start();
    daemon.until_there("again.csv.done");
    daemon.stop();
}

async fn a_set_that_the_database_refuses_does_not_block_the_next(mut site: Site) {
    let program = site.sampled().await;
    let program = impatient(source(&mut site, &program, "night-*.csv").await);
    site.refuses("simona26").await;
    program.drop_file("night-1.csv", set(2));
    let mut daemon = program.start();
    daemon.until_there("night-1.csv.failed");
    program.drop_file("night-2.csv", set(1));
    daemon.until_there("night-2.csv.done");
    let inbox = daemon.inbox.clone();
    daemon.stop();
    assert_eq!(site.of_sets().await, 1);
    let told = report(&inbox, "night-1.csv.report.json");
    assert_eq!((&told["kind"], &told["problems"][0]["code"]), (&"sync night".into(), &"database-refuses".into()));
    assert!(!names(&inbox).iter().any(|name| name.ends_with(".work")));
}
