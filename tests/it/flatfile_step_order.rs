//! Several lines for one user and course: the order in the file decides (flatfile 3), without a statement per line.
//! It must not test what single lines do.

use enrold::outcome::State;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    the_last_line_decides,
    del_and_add_make_a_new_enrolment,
    pairs_do_not_disturb_each_other,
    fifty_steps_are_done,
    fifty_one_steps_are_refused,
    five_thousand_steps_are_errors_not_statements,
    more_pairs_cost_no_more_statements,
);

async fn the_last_line_decides(mut site: Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    let file = "add,student,u1,c1\ndel,student,u1,c1\nadd,teacher,u1,c1\nadd,student,u2,c1\ndel,student,u2,c1\n";
    let report = site.import_churning(file).await;
    assert_eq!(report.state, State::Done);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
    assert_eq!(site.roles().await, ["u1 c1 teacher flatfile"]);
}

/// The old enrolment and its dependent rows are removed, then a new one is created; the log has the same order.
async fn del_and_add_make_a_new_enrolment(mut site: Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.instance("flatfile", 1, 0, "student").await;
    site.enrolled(1, 1, "flatfile").await;
    site.has_role(1, 1, "student", "flatfile").await;
    site.has_role(1, 1, "manager", "manual").await;
    let old = site.dump().await["user_enrolments"][0]["id"].clone();
    let file = site.write("del,student,u1,c1\nadd,student,u1,c1,1500000000\n");
    site.engine().import(&file, false).await.unwrap();
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 1500000000..0"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    assert_ne!(site.dump().await["user_enrolments"][0]["id"], old);
    assert_eq!(
        site.events().await,
        [
            "u1 role unassigned",
            "u1 role unassigned",
            "u1 user_enrolment deleted",
            "u1 user_enrolment created",
            "u1 role assigned",
        ]
    );
    site.import_churning("del,student,u1,c1\nadd,student,u1,c1,1500000000\n").await;
}

/// Suspended by one line and reactivated by the next; the other pairs of the file take one step each.
async fn pairs_do_not_disturb_each_other(mut site: Site) {
    site.campus().await;
    let file = "add,student,u1,c1\nadd,student,u1,c2\ndel,student,u1,c1\nadd,student,u2,c1\nadd,student,u1,c1\ndel,student,u1,c2\n";
    site.import_churning(file).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u1 c2 flatfile suspended", "u2 c1 flatfile"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u2 c1 student flatfile"]);
}

/// `add` and `del` in turn.
fn steps(count: usize, who: &str) -> String {
    ["add", "del"].iter().cycle().take(count).map(|verb| format!("{verb},student,{who},c1\n")).collect()
}

async fn fifty_steps_are_done(mut site: Site) {
    site.campus().await;
    let report = site.import_churning(&steps(50, "u1")).await;
    assert_eq!(report.state, State::Done);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended"]);
}

/// All lines of the pair are refused, the others are applied.
async fn fifty_one_steps_are_refused(mut site: Site) {
    site.campus().await;
    let report = site.import(&format!("{}add,student,u2,c1\n", steps(51, "u1"))).await;
    assert_eq!(report.state, State::DoneWithErrors);
    let expected: Vec<String> = (1..=51).map(|line| format!("{line} too-many-steps")).collect();
    assert_eq!(site.errors(&report).await, expected);
    assert_eq!(site.enrolments().await, ["u2 c1 flatfile"]);
}

async fn five_thousand_steps_are_errors_not_statements(mut site: Site) {
    site.campus().await;
    let one = site.statements_of("add,student,u2,c1\ndel,student,u3,c1\n").await;
    let file = format!("{}add,student,u2,c1\ndel,student,u3,c1\n", steps(5000, "u1"));
    let many = site.statements_of(&file).await;
    assert_eq!(site.count_errors().await, 5000);
    // Loading 5,000 lines and errors takes a few messages.
    assert!(many < one + 50, "{many} statements for 5,000 steps, {one} for two lines");
}

/// Ten steps for one pair or for eight: the same number of steps, the same number of statements.
async fn more_pairs_cost_no_more_statements(mut site: Site) {
    site.campus().await;
    site.import_once("add,student,u9,c1\n").await;
    let one = site.statements_of(&steps(10, "u1")).await;
    let all: String = (1..=8).map(|number| steps(10, &format!("u{number}"))).collect();
    let eight = site.statements_of(&all).await;
    assert!(eight <= one + 5, "{eight} statements for eight pairs, {one} for one");
}

impl Site {
    /// The number of statements of an import.
    async fn statements_of(&mut self, text: &str) -> u64 {
        let file = self.write(text);
        let engine = self.engine();
        let before = engine.database.statements();
        engine.import(&file, false).await.unwrap();
        engine.database.statements() - before
    }

    async fn count_errors(&mut self) -> i64 {
        let sql = "SELECT COUNT(*) FROM {enrold_error} WHERE code = 'too-many-steps'";
        self.conn.number(sql, &enrold::db::Params::new()).await.unwrap()
    }
}
