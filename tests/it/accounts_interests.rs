//! The interests of users files: the tags of accounts, their order, their events, and what two collations make of them.
//! It must not test other columns.

use enrold::config::{BlankCell, FileKind, Operation, Profile, Update};
use enrold::db::{Dialect, Params};
use enrold::outcome::{Note, Report, State};
use enrold::run::Engine;

use crate::campus::user;
use crate::meanwhile::When;
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    interests_are_tags_with_their_events,
    a_list_is_all_that_an_account_has,
    each_update_writes_what_it_says,
    defaults_are_interests_too,
    a_tag_that_exists_is_used,
    what_the_database_takes_as_equal_is_one_tag,
    what_cannot_be_a_tag_is_a_problem_of_its_line,
    a_column_of_three_bytes_takes_no_emoji,
    an_account_without_a_context_has_interests_too,
    another_writer_is_first,
    tags_of_users_can_be_off,
    the_last_row_about_an_account_counts,
    a_deleted_account_loses_them,
    statements_do_not_grow_with_interests,
);

/// The collection of the tags of users.
const COLLECTION: i64 = 4;

/// A profile that adds and updates accounts from the file.
fn profile() -> Profile {
    Profile { operation: Operation::AddUpdate, update: Update::File, ..Profile::of(FileKind::Users) }
}

fn updating(update: Update) -> Profile {
    Profile { update, ..profile() }
}

fn count(report: &Report, kind: &str) -> i64 {
    report.counts.get(kind).copied().unwrap_or(0)
}

/// The counts of tags made, and of interests added, moved and removed.
fn counts(report: &Report) -> [i64; 4] {
    ["tag.add", "tag-instance.add", "tag-instance.update", "tag-instance.remove"].map(|kind| count(report, kind))
}

impl Site {
    /// The campus with contexts of its users, where these have tags.
    async fn tagged_campus(&mut self) {
        self.campus().await;
        for number in 1..=9 {
            let id = 900 + number;
            self.context(id, 30, user(number), &format!("/1/{id}")).await;
        }
        self.tag_area(1).await;
        self.reset_sequences().await;
    }

    async fn tag_area(&mut self, enabled: i64) {
        self.sql("DELETE FROM {tag_area}").await;
        // The tags of courses are others.
        for (itemtype, collection, enabled) in [("course", 9, 1), ("user", COLLECTION, enabled)] {
            let row = [
                ("component", "core".into()),
                ("itemtype", itemtype.into()),
                ("enabled", enabled.into()),
                ("tagcollid", collection.into()),
            ];
            self.insert("tag_area", &row).await;
        }
    }

    async fn tag(&mut self, id: i64, collection: i64, name: &str, rawname: &str) {
        let row = [
            ("id", id.into()),
            ("userid", 1.into()),
            ("tagcollid", collection.into()),
            ("name", name.into()),
            ("rawname", rawname.into()),
            ("isstandard", 1.into()),
        ];
        self.insert("tag", &row).await;
    }

    async fn tag_lines(&mut self, sql: &str) -> Vec<String> {
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        rows.iter().map(|row| (0..row.0.len()).map(|at| row.text(at)).collect::<Vec<_>>().join(" ")).collect()
    }

    /// The tags: collection, name and spelling.
    async fn tags(&mut self) -> Vec<String> {
        self.tag_lines("SELECT t.tagcollid, t.name, t.rawname FROM {tag} t ORDER BY t.id").await
    }

    /// The accounts with the spellings of their interests, in the order of Moodle's pages.
    async fn interests(&mut self) -> Vec<String> {
        let rows = self
            .tag_lines(
                "SELECT u.username, t.rawname FROM {tag_instance} x JOIN {tag} t ON t.id = x.tagid
                   JOIN {user} u ON u.id = x.itemid
                  WHERE x.component = 'core' AND x.itemtype = 'user' AND x.tiuserid = 0 ORDER BY u.id, x.ordering",
            )
            .await;
        let mut all: Vec<String> = Vec::new();
        for row in rows {
            let (name, interest) = row.split_once(' ').unwrap();
            match all.last_mut().filter(|last| last.split(':').next() == Some(name)) {
                Some(last) => last.push_str(&format!(", {interest}")),
                None => all.push(format!("{name}: {interest}")),
            }
        }
        all
    }
}

async fn interests_are_tags_with_their_events(mut site: Site) {
    site.tagged_campus().await;
    let text = "username,firstname,lastname,email,interests\nn1,Ada,Un,n1@example.org,\"maths, génie  civil , ,Maths\"\n\
                u1,,,,\"Maths,a\"\"/b\"\nu2,,,,\n";
    let report = site.users(&profile(), text).await;
    assert_eq!((report.state, counts(&report)), (State::Done, [3, 4, 0, 0]));
    assert_eq!(count(&report, "user.update"), 0, "interests alone do not change an account");
    assert_eq!(site.tags().await, ["4 maths Maths", "4 génie civil génie civil", "4 a\"/b a\"/b"]);
    assert_eq!(site.interests().await, ["u1: Maths, a\"/b", "n1: Maths, génie civil"]);
    let made =
        site.tag_lines("SELECT t.userid, t.isstandard, t.flag, t.descriptionformat, t.timemodified FROM {tag} t");
    assert_eq!(made.await, [format!("2 0 0 0 {NOW}"), format!("2 0 0 0 {NOW}"), format!("2 0 0 0 {NOW}")]);
    let placed = "SELECT u.username, x.ordering, x.timecreated, x.timemodified, k.instanceid - u.id, k.contextlevel
        FROM {tag_instance} x JOIN {user} u ON u.id = x.itemid JOIN {context} k ON k.id = x.contextid ORDER BY x.id";
    let row = |name: &str, place: i64| format!("{name} {place} {NOW} {NOW} 0 30");
    assert_eq!(site.tag_lines(placed).await, [row("n1", 0), row("n1", 1), row("u1", 0), row("u1", 1)]);

    let events = "SELECT l.eventname, l.crud, l.edulevel, l.objecttable, l.contextlevel, l.userid, l.courseid
        FROM {logstore_standard_log} l WHERE l.target = 'tag' ORDER BY l.id";
    let made = r"\core\event\tag_created c 0 tag 10 2 0";
    let added = r"\core\event\tag_added c 0 tag_instance 30 2 0";
    assert_eq!(site.tag_lines(events).await, [made, made, made, added, added, added, added]);
    let of_tags = "SELECT COUNT(*) FROM {logstore_standard_log} l JOIN {tag} t ON t.id = l.objectid
        WHERE l.action = 'created' AND l.target = 'tag' AND l.relateduserid = 2";
    assert_eq!(site.tag_lines(of_tags).await, ["3"]);
    let of_instances = "SELECT COUNT(*) FROM {logstore_standard_log} l JOIN {tag_instance} x ON x.id = l.objectid
        WHERE l.action = 'added' AND l.relateduserid = x.itemid AND l.contextid = x.contextid";
    assert_eq!(site.tag_lines(of_instances).await, ["4"]);
    let others =
        site.tag_lines("SELECT l.other FROM {logstore_standard_log} l WHERE l.target = 'tag' ORDER BY l.id").await;
    let read = |at: usize| serde_json::from_str::<serde_json::Value>(&others[at]).unwrap();
    assert_eq!(read(2), serde_json::json!({"name": "a\"/b", "rawname": "a\"/b"}));
    let id = user(1).to_string();
    let tag = site.conn.number("SELECT MAX(id) FROM {tag}", &Params::new()).await.unwrap();
    let last = serde_json::json!(
        {"tagid": tag, "tagname": "a\"/b", "tagrawname": "a\"/b", "itemid": id, "itemtype": "user"});
    assert_eq!(read(6), last);
}

async fn a_list_is_all_that_an_account_has(mut site: Site) {
    site.tagged_campus().await;
    let file = |list: &str| format!("username,interests\nu1,\"{list}\"\nu2,\n");
    site.users(&profile(), &file("a,b,c")).await;
    site.at(NOW + 60);
    let report = site.users(&profile(), &file("c,a,d")).await;
    assert_eq!(counts(&report), [1, 1, 2, 1]);
    assert_eq!(site.interests().await, ["u1: c, a, d"]);
    assert_eq!(site.tags().await, ["4 a a", "4 b b", "4 c c", "4 d d"], "a tag that nobody has stays");
    let times = "SELECT x.ordering, x.timecreated, x.timemodified FROM {tag_instance} x ORDER BY x.ordering";
    let later = NOW + 60;
    assert_eq!(
        site.tag_lines(times).await,
        [format!("0 {NOW} {later}"), format!("1 {NOW} {later}"), format!("2 {later} {later}")]
    );
    let sql = "SELECT l.objecttable, l.crud, l.contextid, l.relateduserid, l.other FROM {logstore_standard_log} l
        WHERE l.action = 'removed'";
    let removed = site.tag_lines(sql).await;
    assert_eq!(removed.len(), 1);
    let (columns, other) = removed[0].split_once('{').unwrap();
    assert_eq!(columns, format!("tag_instance d 901 {} ", user(1)));
    assert!(other.contains("\"tagname\":\"b\"") && other.contains("\"itemtype\":\"user\""), "{other}");

    // Only blanks and commas are blank; a cell that erases leaves none.
    for blank in ["", " , ,"] {
        assert!(site.users(&profile(), &file(blank)).await.counts.is_empty());
    }
    let erases = Profile { blank: BlankCell::Erase, ..profile() };
    assert_eq!(counts(&site.users(&erases, &file("")).await), [0, 0, 0, 3]);
    assert_eq!(site.interests().await, Vec::<String>::new());
}

async fn each_update_writes_what_it_says(mut site: Site) {
    site.tagged_campus().await;
    site.users(&profile(), "username,interests\nu1,\"a,b\"\n").await;
    let text = "username,firstname,lastname,email,interests\nu1,,,,c\nu2,,,,c\n";
    let none = site.users(&updating(Update::None), text).await;
    assert!(none.counts.is_empty(), "{:?}", none.counts);
    site.users(&updating(Update::Missing), text).await;
    assert_eq!(site.interests().await, ["u1: a, b", "u2: c"]);
    let adds = Profile::of(FileKind::Users);
    let report = site.users(&adds, &format!("{text}n1,A,Un,n1@example.org,d\n")).await;
    assert_eq!(report.notes, [Note::AccountsExist(2)]);
    assert_eq!(site.interests().await, ["u1: a, b", "u2: c", "n1: d"], "who is skipped keeps what he has");
}

async fn defaults_are_interests_too(mut site: Site) {
    site.tagged_campus().await;
    let default = [("interests".to_owned(), "promo, %-f".to_owned())];
    let of = |update| Profile { default: default.clone().into(), ..updating(update) };
    let text = "username,firstname,lastname,email\nu1,Ada,,\nn1,Zoé,Un,n1@example.org\n";
    site.users(&of(Update::File), text).await;
    assert_eq!(site.interests().await, ["n1: promo, zoé"], "a default is for new accounts");
    site.users(&of(Update::FileAndDefaults), text).await;
    assert_eq!(site.interests().await, ["u1: promo, ada", "n1: promo, zoé"]);
    let report = site.users(&of(Update::FileAndDefaults), "username,interests\nu1,\nu2,x\n").await;
    assert_eq!(counts(&report), [1, 1, 0, 0], "the file has the column");
    site.users(&of(Update::Missing), "username,firstname\nu1,Eva\nu3,Léo\n").await;
    let all = ["u1: promo, ada", "u2: x", "u3: promo, léo", "n1: promo, zoé"];
    assert_eq!(site.interests().await, all);
}

async fn a_tag_that_exists_is_used(mut site: Site) {
    site.tagged_campus().await;
    site.tag(1, COLLECTION, "chimie", "CHIMIE").await;
    site.tag(2, 9, "maths", "Maths").await;
    let report = site.users(&profile(), "username,interests\nu1,\"Chimie,maths\"\nu2,\"CHIMIE\"\n").await;
    assert_eq!(counts(&report), [1, 3, 0, 0]);
    assert_eq!(site.tags().await, ["4 chimie CHIMIE", "9 maths Maths", "4 maths maths"]);
    assert_eq!(site.interests().await, ["u1: CHIMIE, maths", "u2: CHIMIE"]);
}

async fn what_the_database_takes_as_equal_is_one_tag(mut site: Site) {
    site.tagged_campus().await;
    let one = site.conn.dialect() == Dialect::Maria;
    let text = "username,interests\nu1,\"été,Ete,hiver\"\nu2,\"ÉTÉ\"\nu3,\"ete,pâques\"\n";
    let report = site.users(&profile(), text).await;
    assert_eq!(counts(&report), if one { [3, 5, 0, 0] } else { [4, 6, 0, 0] });
    let interests = match one {
        true => ["u1: été, hiver", "u2: été", "u3: été, pâques"],
        false => ["u1: été, Ete, hiver", "u2: été", "u3: Ete, pâques"],
    };
    assert_eq!(site.interests().await, interests);
    let places = "SELECT x.ordering FROM {tag_instance} x WHERE x.itemid = 11 ORDER BY x.ordering";
    assert_eq!(site.tag_lines(places).await.len(), if one { 2 } else { 3 });
    // A tag that exists is the one that a similar interest means.
    let report = site.users(&profile(), "username,interests\nu4,\"Pâques,paques\"\n").await;
    assert_eq!(counts(&report), if one { [0, 1, 0, 0] } else { [1, 2, 0, 0] });
}

async fn what_cannot_be_a_tag_is_a_problem_of_its_line(mut site: Site) {
    site.tagged_campus().await;
    site.users(&profile(), "username,interests\nu2,old\n").await;
    let (fits, long) = ("é".repeat(50), "é".repeat(51));
    let text = format!(
        "username,firstname,lastname,email,city,interests\nn1,A,Un,n1@example.org,Caen,\"a,{long}\"\n\
         u1,,,,Caen,\"{fits}\"\nu2,,,,Caen,<b>\n"
    );
    let report = site.users(&profile(), &text).await;
    assert_eq!(site.errors(&report).await, ["2 value-too-long", "4 value-invalid"]);
    assert_eq!((count(&report, "user.add"), count(&report, "user.update")), (1, 2), "all else is applied");
    assert_eq!(site.interests().await, [format!("u1: {fits}"), "u2: old".to_owned()]);
    let hints: Vec<&str> = report.problems.iter().map(|problem| problem.hint.as_str()).collect();
    assert_eq!(hints[0], "interests 50");
}

async fn a_column_of_three_bytes_takes_no_emoji(mut site: Site) {
    site.tagged_campus().await;
    let narrow = site.conn.dialect() == Dialect::Maria;
    if narrow {
        site.sql("ALTER TABLE {tag} CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci").await;
    }
    let report = site.users(&profile(), "username,interests\nu1,\"🎉,a\"\nu2,\"é,e\"\nu3,b\n").await;
    let (errors, interests): (&[&str], &[&str]) = match narrow {
        true => (&["2 value-charset"], &["u2: é", "u3: b"]),
        false => (&[], &["u1: 🎉, a", "u2: é, e", "u3: b"]),
    };
    assert_eq!(site.errors(&report).await, errors);
    assert_eq!(site.interests().await, interests);
}

/// Moodle makes contexts when it needs them; the log has no event without one.
async fn an_account_without_a_context_has_interests_too(mut site: Site) {
    site.tagged_campus().await;
    site.sql("DELETE FROM {context} WHERE contextlevel = 30").await;
    site.users(&profile(), "username,interests\nu1,\"a,b\"\n").await;
    site.users(&profile(), "username,interests\nu1,\"b,c\"\n").await;
    assert_eq!(site.interests().await, ["u1: b, c"]);
    let sql = "SELECT COUNT(*) FROM {tag_instance} x WHERE x.contextid IS NULL";
    assert_eq!(site.tag_lines(sql).await, ["2"]);
}

/// Moodle makes a tag, and then gives an interest, between plan and application.
async fn another_writer_is_first(mut site: Site) {
    site.tagged_campus().await;
    let engine = site.conn.dialect();
    let of_moodle = NOW - 1;
    let tag = format!(
        "INSERT INTO {{tag}} (userid, tagcollid, name, rawname, timemodified)
         VALUES (1, {COLLECTION}, 'a', 'A', {of_moodle})"
    );
    let instance = format!(
        "INSERT INTO {{tag_instance}} (tagid, component, itemtype, itemid, contextid, ordering, timecreated)
         SELECT t.id, 'core', 'user', {}, 902, 0, {of_moodle} FROM {{tag}} t WHERE t.name = 'a'",
        user(2)
    );
    for (who, statement) in [("u1", tag), ("u2", instance)] {
        let (observer, outcome) = site.writer(When::Planned(1), &[&statement]);
        let file = site.users_file(&profile(), &format!("username,interests\n{who},\"a,b\"\n"));
        let since = site.last_run().await;
        let report = Engine { observer, ..site.engine() }.import(&file, false).await.unwrap();
        let overtaken = outcome.settled(engine);
        assert_eq!(report.overtaken, i64::from(overtaken));
        let made = if who == "u1" { 2 } else { 0 };
        let (lost_tag, lost_place) = (i64::from(overtaken && who == "u1"), i64::from(overtaken && who == "u2"));
        assert_eq!(counts(&report), [made - lost_tag, 2 - lost_place, 0, 0]);
        // All that the journal holds can be taken back.
        let after = site.dump().await;
        let before = rebuild(&mut site, since, &after).await;
        assert_eq!(before["tag_instance"].len(), after["tag_instance"].len() - 2 + lost_place as usize);
        site.engine().import(&file, false).await.unwrap();
        site.nothing_changed(&after, "again").await;
    }
    let first = if engine == Dialect::Lite { "a" } else { "A" };
    assert_eq!(site.interests().await, [format!("u1: {first}, b"), format!("u2: {first}, b")]);
}

async fn tags_of_users_can_be_off(mut site: Site) {
    site.tagged_campus().await;
    let text = "username,city,interests\nu1,Caen,a\nu2,Caen,\nu3,Caen,b\n";
    site.tag_area(0).await;
    let off = site.users(&profile(), text).await;
    assert_eq!(off.notes, [Note::InterestsOff(2)]);
    assert_eq!(count(&off, "user.update"), 3);
    site.tag_area(1).await;
    site.insert("config", &[("name", "usetags".into()), ("value", "0".into())]).await;
    assert_eq!(site.users(&profile(), text).await.notes, [Note::InterestsOff(2)]);
    site.sql("UPDATE {config} SET value = '1' WHERE name = 'usetags'").await;
    site.sql("DELETE FROM {tag_area}").await;
    assert_eq!(site.users(&profile(), text).await.notes, [Note::InterestsOff(2)]);
    assert_eq!((site.tags().await.len(), site.interests().await.len()), (0, 0));
    site.tag_area(1).await;
    assert_eq!(counts(&site.users(&profile(), text).await), [2, 2, 0, 0]);
}

async fn the_last_row_about_an_account_counts(mut site: Site) {
    site.tagged_campus().await;
    let text = "username,firstname,lastname,email,interests\nu1,,,,\"a,b\"\nu1,,,,\nu1,,,,\"b,c\"\n\
                n1,A,Un,n1@example.org,a\nn1,,,,d\n";
    let report = site.users(&profile(), text).await;
    assert_eq!(site.interests().await, ["u1: b, c", "n1: d"]);
    assert_eq!(count(&report, "tag-instance.remove"), 1, "of the new account alone");
}

async fn a_deleted_account_loses_them(mut site: Site) {
    site.tagged_campus().await;
    site.users(&profile(), "username,interests\nu1,\"a,b\"\nu2,a\n").await;
    let profile = Profile { delete: Some(true), ..profile() };
    // The same file again does not find the account.
    let file = site.users_file(&profile, "username,deleted\nu1,1\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(counts(&report), [0, 0, 0, 2]);
    assert_eq!(site.interests().await, ["u2: a"]);
    let sql = "SELECT COUNT(*) FROM {logstore_standard_log} l WHERE l.action = 'removed' AND l.target = 'tag'";
    assert_eq!(site.tag_lines(sql).await, ["2"]);
}

async fn statements_do_not_grow_with_interests(mut site: Site) {
    site.tagged_campus().await;
    site.set("run.lease_ttl", "3600");
    let rows = |from: i64, to: i64| -> String {
        (from..to).map(|n| format!("p{n},P,N{n},p{n}@example.org,\"i{n},all,j{}\"\n", n % 7)).collect()
    };
    let header = "username,firstname,lastname,email,interests\n";
    let few = site.users_once(&profile(), &format!("{header}{}", rows(0, 10))).await;
    let many = site.users_once(&profile(), &format!("{header}{}", rows(10, 210))).await;
    assert_eq!((count(&few, "tag-instance.add"), count(&many, "tag-instance.add")), (30, 600));
    assert!(many.statements <= few.statements + 8, "{} for 200 rows, {} for 10", many.statements, few.statements);
}
