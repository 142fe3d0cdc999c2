//! Sites whose tables and columns have different collations, or a character set without emoji: all operations of enrold
//! have the same result as on a site of one collation. It must not test what runs do; only MariaDB has such sites.

use enrold::db::{Dialect, Params};
use enrold::doctor::{self, Level};
use enrold::outcome::{Note, Report, State};
use enrold::run::SyncOrder;
use enrold::sets::SetOrder;

use crate::doctor_rights::assert_applied;
use crate::mails_send::round;
use crate::rights_rules::{completions, conditions, links, undo_links};
use crate::servers::{on_each_database, run_on};
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};
use crate::traces::site_with_traces;

on_each_database!(emoji_in_names);

/// Two collations that MariaDB refuses to compare with each other.
const UNLIKE: [&str; 2] = ["utf8mb4_unicode_ci", "utf8mb4_general_ci"];

/// For any two columns there is a round in which their collations differ: bit `n` of a column's number selects its
/// collation in round `n`. Three tests share the rounds.
fn rounds_of(test: usize) {
    run_on(Dialect::Maria, async move |mut site: Site| {
        site.full().await;
        let columns = site.text_columns().await;
        let bits = usize::BITS - columns.len().leading_zeros();
        let expected = site.does_everything().await;
        for bit in (0..bits).filter(|bit| *bit as usize % 3 == test) {
            site.anew().await;
            site.convert(&columns, |at| UNLIKE[at >> bit & 1]).await;
            assert_eq!(site.does_everything().await, expected, "bit {bit} of {} columns", columns.len());
        }
    });
}

#[test]
fn any_two_columns_may_differ_1() {
    rounds_of(0);
}

#[test]
fn any_two_columns_may_differ_2() {
    rounds_of(1);
}

#[test]
fn any_two_columns_may_differ_3() {
    rounds_of(2);
}

/// All columns in utf8mb3, every other one, or binary collations of both sets; each with another database default.
#[test]
fn three_bytes_and_binary_collations() {
    run_on(Dialect::Maria, async |mut site: Site| {
        site.full().await;
        let columns = site.text_columns().await;
        let expected = site.does_everything().await;
        for mix in [
            ["utf8mb3_unicode_ci", "utf8mb3_unicode_ci"],
            ["utf8mb3_general_ci", "utf8mb4_unicode_520_ci"],
            ["utf8mb4_bin", "utf8mb3_bin"],
        ] {
            site.anew().await;
            site.convert(&columns, |at| mix[at % 2]).await;
            let database = site.conn.row("SELECT DATABASE()", &Params::new()).await.unwrap().unwrap().text(0);
            site.conn
                .command(&format!("ALTER DATABASE {database} CHARACTER SET utf8mb3 COLLATE utf8mb3_swedish_ci"))
                .await
                .unwrap();
            assert_eq!(site.does_everything().await, expected, "{mix:?}");
        }
    });
}

#[test]
fn the_doctor_names_what_differs() {
    run_on(Dialect::Maria, async |mut site: Site| {
        site.full().await;
        let codes = async |site: &Site| {
            let engine = site.engine();
            let findings = doctor::run(&engine.database, &engine.settings, NOW).await;
            let named = ["collation", "charset", "own-collation", "broken-off"];
            let found = findings.into_iter().filter(|finding| named.contains(&finding.code));
            found.map(|finding| (finding.level, finding.code, finding.en.found)).collect::<Vec<_>>()
        };
        assert_eq!(codes(&site).await, []);
        site.sql("ALTER TABLE {role} CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci").await;
        site.sql("ALTER TABLE {enrold_run} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci").await;
        let found = codes(&site).await;
        let told: Vec<_> = found.iter().map(|(level, code, _)| (*level, *code)).collect();
        let warnings = ["charset", "collation", "own-collation"].map(|code| (Level::Warning, code));
        assert_eq!(told, warnings, "{found:?}");
        assert!(found[0].2.contains("mdl_role (utf8mb3_general_ci)"), "{found:?}");
    });
}

/// On a site with utf8mb3, a name with an emoji is a problem of its own; on others it is a normal name.
async fn emoji_in_names(mut site: Site) {
    site.full().await;
    let narrow = site.conn.dialect() == Dialect::Maria;
    if narrow {
        let columns = site.text_columns().await;
        site.convert(&columns, |_| "utf8mb3_unicode_ci").await;
    }
    let told =
        |problems: &[&str]| if narrow { problems.iter().map(|text| (*text).to_owned()).collect() } else { Vec::new() };

    let set = "user,course,group\nmoreaul26,L1-MATH-101,A\nrichardh26,L1-MATH-101,🎉\nrobertz26,L1-MATH-101,B\n";
    let courses = "fullname,shortname,idnumber\nFine,NEW-1,\n🎉,NEW-2,\nParty,🎉,\nThird,NEW-3,🎉\n🎉,NEW-2,\n";
    let report = site.set_with_courses("records", set, Some(courses)).await;
    assert_eq!(
        site.told(&report).await,
        told(&[
            "groups.name 🎉",
            "course.fullname NEW-2",
            "course.shortname 🎉",
            "course.idnumber NEW-3",
            "course.fullname NEW-2"
        ])
    );
    assert_eq!(report.counts["enrolment.add"], 3, "nobody loses a place by a group");
    assert_eq!(report.counts["course.add"], if narrow { 1 } else { 4 });
    assert_eq!(report.counts["group.add"], if narrow { 2 } else { 3 });

    let set = "user,cohort,name\nmoreaul26,C-1,Fine\nrichardh26,C-🎉,Party\nrobertz26,C-3,Three 🎉\n";
    let report = site.set_with_courses("promo", set, None).await;
    assert_eq!(site.told(&report).await, told(&["cohort.name Three 🎉", "cohort.idnumber C-🎉"]));
    assert_eq!(report.counts["cohort.add"], if narrow { 2 } else { 3 });
    assert_eq!(report.counts["cohort-member.add"], if narrow { 2 } else { 3 });

    // Keys that no column of the site can hold are unknown, like any other.
    let file = site.write("operation,username,course,role\nadd,🎉,L1-INFO-110,student\nadd,moreaul26,🎓,student\nadd,moreaul26,L1-INFO-110,student\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_applied(&report, State::DoneWithErrors);
    assert_eq!(site.errors(&report).await, ["2 user-unknown", "3 course-unknown"]);

    // If autoenrol would give a group such a name, its instance is reported; the enrolments are created.
    if narrow {
        site.sql("ALTER TABLE {user} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci").await;
    }
    let params = Params::new().with("text", "F {profile_field_institution}").with("who", "🎉");
    site.conn.exec("UPDATE {enrol} SET customchar1 = :text WHERE id = 9210", &params).await.unwrap();
    site.conn.exec("UPDATE {user} SET institution = :who", &params).await.unwrap();
    let report = site.engine().sync(&SyncOrder::of("autoenrol"), false).await.unwrap();
    assert!(report.counts["enrolment.add"] > 0);
    let told: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(told.contains(&"group-name"), narrow, "{told:?}");
    assert_eq!(report.counts.contains_key("group.add"), !narrow);
    assert!(!report.notes.iter().any(|note| matches!(note, Note::EffectsPending(_))), "{:?}", report.notes);
}

/// A text column of the site: its table, its name, and its definition without the collation.
struct TextColumn {
    table: String,
    name: String,
    kind: String,
    rest: String,
}

impl Site {
    /// The sample site with rows for every rule, traces of every kind, and two sources.
    async fn full(&mut self) {
        for (key, value) in [
            ("records.files", "r*.csv"),
            ("records.user_key", "username"),
            ("records.course_key", "shortname"),
            ("records.default_role", "student"),
            ("records.create_groups", "true"),
            ("promo.files", "p*.csv"),
            ("promo.target", "cohorts"),
            ("promo.user_key", "username"),
            ("promo.create_cohorts", "true"),
        ] {
            self.set(&format!("sources.{key}"), value);
        }
        self.fill().await;
    }

    async fn fill(&mut self) {
        site_with_traces(self).await;
        let methods = "manual,self,flatfile,database,cohort,category,coursecompleted,autoenrol,meta";
        self.sql(&format!("UPDATE {{config}} SET value = '{methods}' WHERE name = 'enrol_plugins_enabled'")).await;
        self.sql("UPDATE {config_plugins} SET value = '0' WHERE plugin LIKE 'enrol%' AND name = 'unenrolaction'").await;
        links(self).await;
        conditions(self).await;
        completions(self).await;
        // Enrolments that end soon and are notified.
        self.sql("UPDATE {enrol} SET expirynotify = 2, notifyall = 1, expirythreshold = 864000 WHERE enrol IN ('manual', 'self')").await;
        self.sql(&format!("UPDATE {{user_enrolments}} SET timeend = {} WHERE id < 20", NOW + 300_000)).await;
    }

    /// The same site again, with the columns as they were.
    async fn anew(&mut self) {
        self.emptied().await;
        for table in ["run", "change", "error", "completion", "outbox", "letter", "notice"] {
            self.sql(&format!("DELETE FROM {{enrold_{table}}}")).await;
        }
        self.fill().await;
    }

    async fn text_columns(&mut self) -> Vec<TextColumn> {
        let sql = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR), CAST(is_nullable AS CHAR), CAST(column_default AS CHAR)
            FROM information_schema.columns WHERE table_schema = DATABASE() AND collation_name IS NOT NULL AND table_name LIKE 'mdl%'
            ORDER BY table_name, ordinal_position";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let column = |row: &enrold::db::Row| {
            let null = if row.text(3) == "NO" { " NOT NULL" } else { "" };
            let default = if row.is_null(4) { String::new() } else { format!(" DEFAULT {}", row.text(4)) };
            TextColumn { table: row.text(0), name: row.text(1), kind: row.text(2), rest: format!("{null}{default}") }
        };
        rows.iter().map(column).collect()
    }

    /// Sets the collation of each column by its number, in one statement per table.
    async fn convert(&mut self, columns: &[TextColumn], collation: impl Fn(usize) -> &'static str) {
        let mut from = 0;
        while let Some(first) = columns.get(from) {
            let of_table = columns[from..].iter().take_while(|column| column.table == first.table).count();
            let modify = |at: usize| {
                let (TextColumn { name, kind, rest, .. }, collation) = (&columns[at], collation(at));
                let charset = collation.split('_').next().unwrap_or_default();
                format!("MODIFY `{name}` {kind} CHARACTER SET {charset} COLLATE {collation}{rest}")
            };
            let all: Vec<String> = (from..from + of_table).map(modify).collect();
            self.conn.command(&format!("ALTER TABLE `{}` {}", first.table, all.join(", "))).await.unwrap();
            from += of_table;
        }
    }

    /// Applies a set, with a table of courses if there is one; the effects are written too.
    async fn set_with_courses(&mut self, source: &str, rows: &str, courses: Option<&str>) -> Report {
        let courses = courses.map(|text| self.write(text).path);
        let order = SetOrder { snapshot: self.write(rows).path, courses, ..SetOrder::of(source) };
        let report = self.engine().apply_set(&order, false).await.unwrap();
        assert!(!report.notes.iter().any(|note| matches!(note, Note::EffectsPending(_))), "{:?}", report.notes);
        report
    }

    /// The problems `value-charset` of a run, as `column value`, those of courses first.
    async fn told(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT hint, value FROM {enrold_error} WHERE run = :run AND code = 'value-charset'
            ORDER BY CASE place WHEN 'cohort' THEN 1 WHEN 'group' THEN 2 WHEN 'course' THEN 3 ELSE 4 END, number";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        rows.iter().map(|row| format!("{} {}", row.text(0), row.text(1))).collect()
    }

    /// Files, sets, all rules and the expirations, then the same again without any change; returns the results.
    async fn does_everything(&mut self) -> Vec<String> {
        let mut outcomes = Vec::new();
        let server = Server::start(Manners::default()).await;
        send_through(self, &server);
        let file = self.write(format!(
            "operation,username,course,role,timestart,timeend\n\
             add,simona26,L1-MATH-101,student,,\nadd,simona26,Médecine-P2,student,,\nadd,moreaul26,L1-MATH-101,student,,{}\n\
             add,moreaul26,L1-INFO-110,student,{},\ndel,petitl25,L1-MATH-101,student,,\nadd,nobody,L1-MATH-101,student,,\nadd,🎉,é,student,,\n",
            NOW + 500,
            NOW + 1000,
        ));
        for _ in 0..2 {
            let report = self.engine().import(&file, false).await.unwrap();
            assert_applied(&report, State::DoneWithErrors);
            outcomes.push(format!("file {:?} {:?}", report.counts, report.errors));
        }
        let courses = "fullname,shortname,idnumber\nNée,NEW-1,N1\nTaken,L1-MATH-101,\nAgain,new-1,\nOther,NEW-9,N1\n";
        for (source, rows, courses) in [
            (
                "records",
                "user,course,group\nmoreaul26,L1-MATH-101,É\nsimona26,NEW-1,B\nnobody,L1-MATH-101,B\n",
                Some(courses),
            ),
            ("records", "user,course,group\nmoreaul26,L1-MATH-101,B\n", Some(courses)),
            ("promo", "user,cohort,name\nmoreaul26,K-1,Née\nsimona26,k-1,\nnobody,K-1,\n", None),
            ("promo", "user,cohort,name\nmoreaul26,K-1,Née\n", None),
        ] {
            for _ in 0..2 {
                let report = self.set_with_courses(source, rows, courses).await;
                outcomes.push(format!("{source} {:?} {:?}", report.counts, report.errors));
            }
        }
        self.every_job(&mut outcomes).await;
        undo_links(self).await;
        self.every_job(&mut outcomes).await;
        self.at(NOW + 2_000);
        self.every_job(&mut outcomes).await;
        let sent = round(self, NOW + 3_000).await.map(|round| (round.sent, round.skipped, round.problem));
        outcomes.push(format!("mails {sent:?}"));
        self.at(NOW);
        let engine = self.engine();
        let findings = doctor::run(&engine.database, &engine.settings, NOW).await;
        outcomes.extend(
            findings
                .iter()
                .map(|finding| finding.code.to_owned())
                .filter(|code| !code.ends_with("collation") && code != "charset"),
        );
        outcomes
    }

    async fn every_job(&mut self, outcomes: &mut Vec<String>) {
        for job in enrold::run::jobs::all() {
            let report =
                self.engine().sync(&SyncOrder::of(job), false).await.unwrap_or_else(|error| panic!("{job}: {error}"));
            assert!(
                !report.notes.iter().any(|note| matches!(note, Note::EffectsPending(_))),
                "{job}: {:?}",
                report.notes
            );
            outcomes.push(format!("{job} {:?}", report.counts));
        }
    }
}
