//! The report of a full set: its counts by course or cohort, its consequences, its trend, and the mail about it.
//! It must not test the effects of a set on the site, nor the delivery of mails.

use enrold::db::Params;
use enrold::outcome::{Report, SetReport, State};
use enrold::problem::{Code, Problem};
use enrold::report::set;
use enrold::sets::SetOrder;

use crate::campus::{course, user};
use crate::golden_case::set_of;
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    figures_by_course_are_those_of_the_rows,
    suspended_reactivated_and_changed_are_told_apart,
    two_sources_are_counted_apart,
    a_plan_that_is_held_has_its_figures,
    a_set_that_is_refused_at_once_is_foreseen,
    an_absence_with_grace_is_foreseen_as_a_suspension,
    figures_by_cohort_are_those_of_the_rows,
    the_trend_names_the_runs_before,
    the_history_has_the_report_and_keeps_it,
    a_held_and_a_failed_set_are_mailed_once,
    who_asked_for_changes_or_all_gets_them,
    the_mail_leaves_in_french,
    grades_that_go_to_history_are_counted,
);

impl Site {
    async fn reported(&mut self, source: &str) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        self.reads_from(source);
    }

    fn reads_from(&mut self, source: &str) {
        for (key, value) in
            [("files", "x*.csv"), ("user_key", "idnumber"), ("course_key", "idnumber"), ("default_role", "student")]
        {
            self.set(&format!("sources.{source}.{key}"), value);
        }
    }

    async fn set_applied(&mut self, source: &str, rows: &str) -> Report {
        let order = set_of(source, &self.write(rows).path);
        self.engine().apply_set(&order, false).await.unwrap()
    }

    /// A set that is simulated first: both report the same places.
    async fn rehearsed(&mut self, source: &str, rows: &str) -> SetReport {
        let order = set_of(source, &self.write(rows).path);
        let rehearsal = self.engine().apply_set(&order, true).await.unwrap().set.unwrap();
        let report = self.engine().apply_set(&order, false).await.unwrap().set.unwrap();
        assert_eq!(rehearsal.places, report.places, "the rehearsal announced the figures");
        assert_eq!(rehearsal.totals, report.totals);
        report
    }

    /// The mails about sets of a run: address, state.
    async fn reports_of(&mut self, run: i64) -> Vec<String> {
        let sql = "SELECT address, state FROM {enrold_outbox} WHERE kind = 'set-report' AND run = :run ORDER BY id";
        let rows = self.conn.rows(sql, &Params::new().with("run", run)).await.unwrap();
        rows.iter().map(|row| format!("{} {}", row.text(0), row.text(1))).collect()
    }
}

/// The places as CSV lines, without the header.
fn places(report: &SetReport) -> Vec<String> {
    set::csv(report).lines().skip(1).map(str::to_owned).collect()
}

/// Rows for users `from` to `to` in a course.
fn rows(course: &str, from: i64, to: i64) -> String {
    (from..=to).map(|number| format!("u{number},{course}\n")).collect()
}

async fn figures_by_course_are_those_of_the_rows(mut site: Site) {
    site.reported("database").await;
    let first = site.rehearsed("database", "user,course\nu1,c1\nu2,c1\nu3,c1\nu1,c2\nu2,c2\n").await;
    assert_eq!(places(&first), ["course,c1,3,0,0,0,0,0,0,0", "course,c2,2,0,0,0,0,0,0,0"]);
    assert_eq!((first.rows, first.last_rows, first.foreseen), (5, None, false));
    let rows = "user,course\nu1,c1\nu2,c1\nu4,c1\nnobody,c1\nu5,c3\nu1,nowhere\n";
    let report = site.rehearsed("database", rows).await;
    assert_eq!(
        places(&report),
        ["course,c2,0,0,0,0,2,0,0,0", "course,c1,1,0,0,0,1,2,1,0", "course,c3,1,0,0,0,0,0,0,0"],
        "those that lose most come first"
    );
    assert_eq!((report.rows, report.last_rows, report.unknown), (6, Some(5), 2));
    let totals = report.totals;
    assert_eq!((totals.added, totals.removed, totals.unchanged, totals.unknown), (2, 3, 2, 1));
    assert_eq!((report.last_enrolments, report.grades), (3, 0));
    let again = site.rehearsed("database", rows).await;
    assert_eq!(places(&again), ["course,c1,0,0,0,0,0,3,1,0", "course,c3,0,0,0,0,0,1,0,0"], "nothing but what stands");
    assert_eq!(again.last_enrolments, 0);
}

async fn suspended_reactivated_and_changed_are_told_apart(mut site: Site) {
    site.reported("database").await;
    site.set("sources.database.unenrolaction", "suspend");
    site.set_applied("database", "user,course,timeend\nu1,c1,\nu2,c1,\nu3,c2,\n").await;
    let report = site.rehearsed("database", "user,course,timeend\nu1,c1,2027-06-30\nu3,c2,\n").await;
    assert_eq!(places(&report), ["course,c1,0,0,1,1,0,0,0,0", "course,c2,0,0,0,0,0,1,0,0"]);
    let report = site.rehearsed("database", "user,course,timeend\nu1,c1,2027-06-30\nu2,c1,\nu3,c2,\n").await;
    assert_eq!(places(&report), ["course,c1,0,1,0,0,0,1,0,0", "course,c2,0,0,0,0,0,1,0,0"]);
}

async fn two_sources_are_counted_apart(mut site: Site) {
    site.reported("database").await;
    site.reads_from("sports");
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.link(2, 1).await;
    site.set_applied("database", "user,course\nu1,c1\nu2,c1\n").await;
    let report = site.set_applied("sports", "user,course\nu2,c1\nu3,c1\n").await;
    assert!(report.rules.iter().any(|rule| rule.rule == "meta" && rule.consequence), "it is told beside the places");
    let report = report.set.unwrap();
    assert_eq!(places(&report), ["course,c1,2,0,0,0,0,0,0,0"], "neither the other source nor the linked course");
    assert_eq!((report.last_rows, report.trend.len()), (None, 0));
}

async fn a_plan_that_is_held_has_its_figures(mut site: Site) {
    site.reported("database").await;
    site.set("guard.mode", "hold");
    site.set_applied("database", &format!("user,course\n{}{}", rows("c1", 1, 9), rows("c2", 1, 9))).await;
    let fewer = format!("user,course\n{}{}{}", rows("c1", 1, 3), rows("c2", 1, 9), rows("c3", 1, 4));
    let report = site.rehearsed("database", &fewer).await;
    assert_eq!(
        places(&report),
        ["course,c1,0,0,0,0,6,3,0,0", "course,c3,4,0,0,0,0,0,0,0", "course,c2,0,0,0,0,0,9,0,0"]
    );
    let run = site.last_run().await;
    let kept = site.engine().recall(run).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.set.as_ref()), (State::Held, Some(&report)));
    let approved = site.engine().approve(run).await.unwrap();
    assert_eq!((approved.state, approved.set.unwrap().places), (State::Done, report.places));
}

async fn a_set_that_is_refused_at_once_is_foreseen(mut site: Site) {
    site.reported("database").await;
    site.set("guard.mode", "hold");
    site.set_applied("database", &format!("user,course\n{}{}", rows("c1", 1, 9), rows("c2", 1, 9))).await;
    let few = "user,course\nu1,c1\nnobody,c1\nu9,c3\nu9,nowhere\n";
    let report = site.rehearsed("database", few).await;
    assert_eq!(
        places(&report),
        ["course,c2,0,0,0,0,9,0,0,0", "course,c1,0,0,0,0,8,1,1,0", "course,c3,1,0,0,0,0,0,0,0"]
    );
    assert!(report.foreseen);
    let empty = site.rehearsed("database", "user,course\n").await;
    assert_eq!(places(&empty), ["course,c1,0,0,0,0,9,0,0,0", "course,c2,0,0,0,0,9,0,0,0"]);
    site.set("sources.database.unenrolaction", "keep");
    assert_eq!(places(&site.rehearsed("database", "user,course\n").await), [""; 0]);
}

async fn an_absence_with_grace_is_foreseen_as_a_suspension(mut site: Site) {
    site.reported("database").await;
    site.set("guard.mode", "hold");
    site.set("sources.database.removal_grace", "3d");
    site.set_applied("database", &format!("user,course\n{}", rows("c1", 1, 9))).await;
    let report = site.rehearsed("database", &format!("user,course\n{}", rows("c1", 1, 2))).await;
    assert_eq!(places(&report), ["course,c1,0,0,0,7,0,2,0,0"]);
    assert!(report.foreseen);
}

async fn figures_by_cohort_are_those_of_the_rows(mut site: Site) {
    site.reported("people").await;
    site.set("sources.people.target", "cohorts");
    site.set("sources.people.create_cohorts", "true");
    site.set_applied("people", "user,cohort\nu1,L1\nu2,L1\n").await;
    site.set_applied("people", "user,cohort\nu1,L1\nu2,L1\nu3,L2\n").await;
    let report = site.rehearsed("people", "user,cohort\nu1,L1\nu3,L1\nu3,L2\nu4,L2\nnobody,L2\n").await;
    assert_eq!(places(&report), ["cohort,L1,1,0,0,0,1,1,0,0", "cohort,L2,1,0,0,0,0,1,1,0"]);
    site.set("guard.mode", "hold");
    let report = site.rehearsed("people", "user,cohort\nu1,L1\n").await;
    assert_eq!(places(&report), ["cohort,L1,0,0,0,0,1,1,0,0"]);
    assert!(report.foreseen);
}

async fn the_trend_names_the_runs_before(mut site: Site) {
    site.reported("database").await;
    site.set_applied("database", "user,course\nu1,c1\nu2,c1\n").await;
    site.at(NOW + 86_400);
    site.set_applied("database", "user,course\nu1,c1\nnobody,c1\nu3,c1\n").await;
    let gone = Problem::new(0, Code::SourceUnreadable, "database", "no route to host");
    let order = SetOrder { refused: Some(gone), ..SetOrder::of("database") };
    assert_eq!(site.engine().apply_set(&order, false).await.unwrap().state, State::Failed);
    let report = site.set_applied("database", "user,course\nu1,c1\n").await.set.unwrap();
    let points: Vec<_> = report
        .trend
        .iter()
        .map(|point| (point.clock - NOW, point.rows, point.added, point.removed, point.failed, point.state))
        .collect();
    assert_eq!(
        points,
        [
            (86_400, 0, 0, 0, 1, State::Failed),
            (86_400, 3, 1, 1, 1, State::DoneWithErrors),
            (0, 2, 2, 0, 0, State::Done),
        ]
    );
    for _ in 0..30 {
        site.set_applied("database", "user,course\nu1,c1\n").await;
    }
    assert_eq!(site.set_applied("database", "user,course\nu1,c1\n").await.set.unwrap().trend.len(), 30);
}

async fn the_history_has_the_report_and_keeps_it(mut site: Site) {
    site.reported("database").await;
    site.set_applied("database", "user,course\nu1,c1\n").await;
    let quiet = site.set_applied("database", "user,course\nu1,c1\n").await;
    site.set_applied("database", "user,course\nu1,c1\n").await;
    let forgotten = enrold::run::history::forget_quiet(&mut site.conn, NOW + 1).await.unwrap();
    assert_eq!(forgotten, 0, "the next set is measured against them");
    let kept = site.engine().recall(quiet.run).await.unwrap().unwrap();
    assert_eq!((kept.set.is_some(), kept.set), (true, quiet.set));
}

async fn a_held_and_a_failed_set_are_mailed_once(mut site: Site) {
    site.reported("database").await;
    site.set("smtp.enabled", "true");
    site.set("guard.mode", "hold");
    site.set("sources.database.mail_to", "it@example.org\ndesk@example.org");
    let first = site.set_applied("database", &format!("user,course\n{}", rows("c1", 1, 9))).await;
    assert_eq!(site.reports_of(first.run).await, [""; 0], "nothing was wrong");
    let few = set_of("database", &site.write("user,course\nu1,c1\n").path);
    site.engine().apply_set(&few, true).await.unwrap();
    assert_eq!(site.reports_of(0).await, [""; 0], "a rehearsal tells nobody");
    let held = site.engine().apply_set(&few, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    let both = ["it@example.org queued", "desk@example.org queued"];
    assert_eq!(site.reports_of(held.run).await, both);
    let gone = Problem::new(0, Code::SourceUnreadable, "database", "no route to host");
    let order = SetOrder { refused: Some(gone), ..SetOrder::of("database") };
    let failed = site.engine().apply_set(&order, false).await.unwrap();
    assert_eq!(site.reports_of(failed.run).await, both);
    // This run fails after its snapshot was opened.
    let broken = set_of("database", &site.write("user\nu1\n").path);
    site.engine().apply_set(&broken, false).await.unwrap_err();
    let run = site.last_run().await;
    assert_eq!(site.reports_of(run).await, both);
    assert_eq!(site.engine().recall(run).await.unwrap().unwrap().state, State::Failed);
    assert_eq!(site.count("enrold_outbox").await, 6);
}

async fn who_asked_for_changes_or_all_gets_them(mut site: Site) {
    site.reported("database").await;
    site.set("smtp.enabled", "true");
    site.set("sources.database.mail_to", "it@example.org");
    let mut told = Vec::new();
    for (when, rows) in [
        ("changes", "user,course\nu1,c1\n"),
        ("changes", "user,course\nu1,c1\n"),
        ("always", "user,course\nu1,c1\n"),
        ("problems", "user,course\nu2,c1\n"),
        ("problems", "user,course\nu2,c1\nnobody,c1\n"),
    ] {
        site.set("sources.database.mail_when", when);
        let run = site.set_applied("database", rows).await.run;
        told.push(site.reports_of(run).await.len());
    }
    assert_eq!(told, [1, 0, 1, 0, 1]);
    site.set("smtp.enabled", "false");
    let run = site.set_applied("database", "user,course\nu3,c1\nnobody,c1\n").await.run;
    assert_eq!(site.reports_of(run).await.len(), 0, "mails are off");
}

async fn the_mail_leaves_in_french(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    site.reported("database").await;
    site.set("smtp.enabled", "true");
    send_through(&mut site, &server);
    site.set("guard.mode", "hold");
    site.set("locale", "fr");
    site.set("sources.database.mail_to", "it@example.org");
    site.set_applied("database", &format!("user,course\n{}", rows("c1", 1, 9))).await;
    let held = site.set_applied("database", "user,course\nu1,c1\n").await;
    let sent = round(&mut site, NOW).await.unwrap();
    assert_eq!((sent.sent, sent.problem), (1, None));
    let mail = &server.taken()[0];
    assert_eq!(mail.to, "it@example.org");
    let body = mail.body().replace("\r\n", "\n");
    for told in [
        "le lot de database a 1 lignes, le dernier valable en avait 9",
        "cours     ajouts",
        "suspendue avant toute planification",
        "tendance : lignes 1 (dernière exécution 9, d'habitude 9)",
        &format!("enrold approve {}", held.run),
    ] {
        assert!(body.contains(told), "{told}: {body}");
    }
    assert_eq!(round(&mut site, NOW + 60).await, None, "once");
}

async fn grades_that_go_to_history_are_counted(mut site: Site) {
    site.reported("database").await;
    site.set_applied("database", &format!("user,course\n{}", rows("c1", 1, 3))).await;
    site.insert("grade_items", &[("id", 1.into()), ("courseid", course(1).into())]).await;
    for who in [1, 2, 3] {
        site.insert("grade_grades", &[("itemid", 1.into()), ("userid", user(who).into())]).await;
    }
    // Also enrolled by hand: this user loses no data.
    site.enrolled(3, 1, "manual").await;
    let report = site.rehearsed("database", "user,course\nu1,c1\n").await;
    assert_eq!((report.totals.removed, report.last_enrolments, report.grades), (2, 1, 1));
    assert_eq!((site.count("grade_grades").await, site.count("grade_grades_history").await), (2, 1));
    let kept = site.engine().recall(site.last_run().await).await.unwrap().unwrap();
    assert_eq!(kept.set, Some(report));
}
