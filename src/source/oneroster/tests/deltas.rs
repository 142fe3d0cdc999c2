//! Bulk and delta: what the two columns of status must contain, and which rows exist after a delta.
//! It must not know archives.

use super::*;

const HEAD: &str =
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n";
const WHEN: &str = "2026-11-20T02:00:00.000Z";

/// Archives of one source, one after the other.
struct Feed {
    place: Place,
    form: OneRosterForm,
    oneroster_base: Option<OneRosterBase>,
}

impl Feed {
    fn new(form: OneRosterForm) -> Feed {
        Feed { place: Place::new(), form, oneroster_base: None }
    }

    /// After a bulk set.
    fn after(form: OneRosterForm, export: &Export) -> Feed {
        let mut feed = Feed::new(form);
        feed.take(export).unwrap();
        feed
    }

    fn take(&mut self, export: &Export) -> Result<(Kept, OneRosterRead), SetError> {
        let dir = self.place.0.path();
        self.place.write(&export.entries(), CompressionMethod::Deflated);
        let path = self
            .oneroster_base
            .as_ref()
            .map(|base| OneRosterBase::path(dir, "school", &base.sha256))
            .unwrap_or_default();
        let base = self.oneroster_base.as_ref().map(|base| Base { path: &path, oneroster_base: base });
        let mut keep = BaseWriter::begin(dir, "school").unwrap();
        let mut kept = Kept::default();
        let sent = Sent::named(&dir.join("export.zip")).unwrap();
        let read = read_archive(&sent, &self.form, dir, base, Some(&mut keep), &mut kept)?;
        let newest = read.newest.max(self.oneroster_base.as_ref().map_or(0, |base| base.newest));
        let sha256 = keep.finish().unwrap().sha256;
        self.oneroster_base = Some(OneRosterBase { sha256, newest, ..OneRosterBase::default() });
        Ok((kept, read))
    }

    fn lines(&mut self, export: &Export) -> Vec<String> {
        let (kept, _) = self.take(export).unwrap();
        assert_eq!(kept.told(), [""; 0]);
        kept.lines()
    }

    fn sha256(&self) -> String {
        self.oneroster_base.as_ref().unwrap().sha256.clone()
    }
}

/// A delta of enrolments only: identifier, status, and the rest from the class on.
fn delta(rows: &[(&str, &str, &str)]) -> Export {
    delta_at(WHEN, rows)
}

fn delta_at(when: &str, rows: &[(&str, &str, &str)]) -> Export {
    let rows: String = rows.iter().map(|(id, status, rest)| format!("{id},{status},{when},{rest},,\n")).collect();
    let none = bulk().without("users").without("classes").without("courses").without("orgs");
    none.with("enrollments", "delta", HEAD.to_owned() + &rows)
}

fn changed(columns: &str, rows: &[(&str, &str, &str)]) -> String {
    let rows: String = rows.iter().map(|(id, status, rest)| format!("{id},{status},{WHEN},{rest}\n")).collect();
    format!("sourcedId,status,dateLastModified,{columns}\n{rows}")
}

/// A delta of users only.
fn users(rows: &[(&str, &str, &str)]) -> Export {
    let none = bulk().without("enrollments").without("classes").without("courses").without("orgs");
    none.with("users", "delta", changed("enabledUser,username,identifier,email", rows))
}

#[test]
fn a_delta_adds_changes_and_takes_away_by_source_id() {
    let mut feed = Feed::after(by("users.username", "classes.classCode"), &bulk());
    let export = delta(&[
        ("e-1", "tobedeleted", "k-1,o-1,s-1,student,"),
        ("e-2", "active", "k-1,o-1,s-2,student,"),
        ("e-9", "active", "k-2,o-1,s-1,student,"),
        ("e-8", "tobedeleted", ",,,,"),
    ]);
    let expected =
        ["MATH1-A|alan|student", "MATH1-A|grace|editingteacher", "MATH1-B|ada|student", "MATH1-B|grace|editingteacher"];
    let (kept, read) = feed.take(&export).unwrap();
    assert_eq!((kept.lines(), kept.told()), (expected.map(str::to_owned).to_vec(), Vec::new()));
    assert_eq!((read.kind, read.enrolments.rows, read.sorted.rows), (SnapshotKind::Delta, 4, 4));
    let after = feed.sha256();
    assert_eq!(feed.lines(&export), expected, "the same delta again");
    assert_eq!(feed.sha256(), after, "the same rows are the same bytes");
    let next = delta_at("2026-11-21T02:00:00Z", &[("e-9", "tobedeleted", "k-2,o-1,s-1,student,")]);
    assert_eq!(feed.lines(&next).len(), 3);
}

#[test]
fn users_and_classes_change_by_delta_too() {
    let mut feed = Feed::after(by("users.username", "classes.classCode"), &bulk());
    assert_eq!(
        feed.lines(&users(&[("s-1", "active", "true,lovelace,,")]))[1],
        "MATH1-A|lovelace|student|2026-09-01|2027-01-31"
    );
    let classes = changed("title,courseSourcedId,classCode", &[("k-1", "active", "Analysis A,c-1,MATH1-Z")]);
    let export = users(&[("s-3", "active", "true,emmy,,")]).with("classes", "delta", classes);
    let export = export.with(
        "enrollments",
        "delta",
        delta(&[("e-9", "active", "k-1,o-1,s-3,student,")]).files["enrollments.csv"].clone(),
    );
    let lines = feed.lines(&export);
    assert_eq!(lines[2], "MATH1-Z|emmy|student");
    assert_eq!(lines.iter().filter(|line| line.starts_with("MATH1-Z|")).count(), 3);
}

#[test]
fn with_a_user_or_a_class_that_is_deleted_the_enrolments_go() {
    let mut feed = Feed::after(by("", ""), &bulk());
    let (kept, read) = feed.take(&users(&[("t-1", "tobedeleted", "true,grace,,")])).unwrap();
    assert_eq!(kept.lines(), ["k-1|s-1|student|2026-09-01|2027-01-31", "k-2|s-2|student"]);
    assert_eq!((kept.told(), read.enrolments.rows), (Vec::new(), 0));
    let none = delta(&[("e-9", "active", "k-2,o-1,s-2,student,"), ("e-7", "active", "k-1,o-1,s-2,student,")]);
    let classes = changed("title,courseSourcedId,classCode", &[("k-2", "tobedeleted", ",,")]);
    let (kept, _) = feed.take(&none.with("classes", "delta", classes)).unwrap();
    assert_eq!(kept.lines(), ["k-1|s-1|student|2026-09-01|2027-01-31", "k-1|s-2|student"]);
    assert_eq!(kept.told(), ["enrollments.csv:2 status-unusable tobedeleted (s-2, )"], "the delta contradicts itself");
    // A class that a delta deleted is unknown afterwards.
    let (kept, _) = feed.take(&delta(&[("e-6", "active", "k-2,o-1,s-1,student,")])).unwrap();
    assert_eq!(kept.told(), ["enrollments.csv:2 reference-unknown k-2 (s-1, )"]);
}

#[test]
fn a_mix_of_bulk_and_delta_takes_each_file_as_it_is_sent() {
    let mut feed = Feed::after(by("users.username", ""), &bulk());
    let renamed = USERS.replace(",ada,", ",lovelace,");
    let export = delta(&[("e-2", "tobedeleted", "k-2,o-1,s-2,student,")]).with("users", "bulk", &renamed);
    assert_eq!(
        feed.lines(&export),
        ["k-1|grace|editingteacher", "k-1|lovelace|student|2026-09-01|2027-01-31", "k-2|grace|editingteacher"]
    );
    // Enrolments in bulk, users as a delta: enrolments that are not sent any more end.
    let few = HEAD.to_owned() + "e-5,,,k-2,o-1,s-1,student,,,\n";
    let export = users(&[("s-1", "active", "true,countess,,")]).with("enrollments", "bulk", few);
    assert_eq!(feed.lines(&export), ["k-2|countess|student"]);
}

#[test]
fn in_a_delta_the_status_must_be_there() {
    let mut feed = Feed::after(by("", ""), &bulk());
    let mut export = delta(&[
        ("e-1", "", "k-2,o-1,s-1,student,"),
        ("e-2", "inactive", "k-1,o-1,s-2,student,"),
        ("", "active", "k-1,o-1,s-2,student,"),
    ]);
    let rows = "e-5,active,,k-2,o-1,s-1,student,,,\ne-6,active,yesterday,k-1,o-1,s-2,student,,,\n";
    export.files.get_mut("enrollments.csv").unwrap().extend_from_slice(rows.as_bytes());
    let (kept, read) = feed.take(&export).unwrap();
    assert_eq!(
        kept.told(),
        [
            "enrollments.csv:2 status-unusable  (s-1, k-2)",
            "enrollments.csv:3 status-unusable inactive (s-2, k-1)",
            "enrollments.csv:4 empty-identifier sourcedId (s-2, k-1)",
            "enrollments.csv:5 status-unusable  +",
        ]
    );
    assert_eq!((read.enrolments.bad, kept.lines().len()), (3, 6), "what was sent before stays as it was");
}

#[test]
fn in_a_bulk_file_the_status_must_be_blank() {
    let text = ENROLMENTS
        .replace("e-1,,", "e-1,active,")
        .replace("e-2,,", "e-2,tobedeleted,")
        .replace("e-3,,", &format!("e-3,,{WHEN}"));
    let mut feed = Feed::new(by("", ""));
    let (kept, read) = feed.take(&bulk().with("enrollments", "bulk", text)).unwrap();
    assert_eq!(
        kept.told(),
        ["enrollments.csv:2 status-unusable active +", "enrollments.csv:3 status-unusable tobedeleted (s-2, k-2)"]
    );
    assert_eq!((read.sorted.rows, read.enrolments.bad), (3, 1));
    // The row protects its user after a delta as before.
    let (kept, _) = feed.take(&delta(&[("e-9", "active", "k-2,o-1,s-1,student,")])).unwrap();
    assert_eq!(kept.told(), ["enrollments.csv (as sent before):3 status-unusable tobedeleted (s-2, k-2)"]);
    assert_eq!(kept.lines().len(), 4);
}

#[test]
fn what_could_not_be_used_may_become_usable() {
    let mut feed = Feed::new(by("users.username", ""));
    let orphan = bulk().with("users", "bulk", USERS.replace("t-1,", "t-9,"));
    assert_eq!(feed.take(&orphan).unwrap().0.told().len(), 2);
    let lines = feed.lines(&users(&[("t-1", "active", "true,grace,,")]));
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_delta_that_says_two_things_of_one_row_changes_nothing_of_it() {
    let mut feed = Feed::after(by("", ""), &bulk());
    let export = delta(&[
        ("e-1", "tobedeleted", "k-1,o-1,s-1,student,"),
        ("e-1", "active", "k-2,o-1,s-1,student,"),
        ("e-2", "active", "k-1,o-1,s-2,student,"),
        ("e-2", "active", "k-1,o-1,s-2,student,"),
    ]);
    let (kept, _) = feed.take(&export).unwrap();
    assert_eq!(
        kept.told(),
        [
            "enrollments.csv:2 reference-ambiguous e-1 (s-1, k-1)",
            "enrollments.csv:3 reference-ambiguous e-1 (s-1, k-2)"
        ]
    );
    assert!(kept.lines().contains(&"k-1|s-1|student|2026-09-01|2027-01-31".to_owned()), "{:?}", kept.lines());
    assert!(kept.lines().contains(&"k-1|s-2|student".to_owned()));
}

#[test]
fn who_changes_classes_of_one_course_stays() {
    let mut feed = Feed::after(by("", "courses.courseCode"), &bulk());
    let export = delta(&[("e-1", "tobedeleted", "k-1,o-1,s-1,student,"), ("e-9", "active", "k-2,o-1,s-1,student,")]);
    assert_eq!(feed.lines(&export), ["MATH1|s-1|student", "MATH1|s-2|student", "MATH1|t-1|editingteacher"]);
}

#[test]
fn a_delta_needs_what_it_builds_on() {
    let export = delta(&[("e-1", "active", "k-1,o-1,s-1,student,")]);
    let error = Feed::new(by("", "")).take(&export).unwrap_err();
    assert_eq!(error.code(), Some(Code::BaseMissing));
    assert!(error.to_string().ends_with("send a bulk set"), "{error}");
    let mut feed = Feed::after(by("", ""), &bulk());
    let path = OneRosterBase::path(feed.place.0.path(), "school", &feed.sha256());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[1..]).unwrap();
    assert!(feed.take(&export).unwrap_err().to_string().contains("has changed"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(feed.take(&export).unwrap_err().code(), Some(Code::BaseMissing));
}

#[test]
fn a_delta_older_than_what_was_applied_is_refused() {
    let mut feed = Feed::after(by("", ""), &bulk());
    let row = [("e-1", "active", "k-1,o-1,s-1,student,")];
    feed.lines(&delta_at("2026-11-20T02:00:00+02:00", &row));
    let before = feed.sha256();
    let error = feed.take(&delta_at("2026-11-19", &row)).unwrap_err();
    assert_eq!(error.code(), Some(Code::DeltaOutdated));
    assert!(error.to_string().contains("2026-11-19T00:00:00Z") && error.to_string().contains("2026-11-20T00:00:00Z"));
    assert_eq!(feed.sha256(), before);
    feed.lines(&delta_at("2026-11-20T00:00:00Z", &row));
}

#[test]
fn what_no_archive_has_listed_is_known_by_its_identifier_only() {
    let export = bulk().without("users").without("orgs");
    let mut feed = Feed::after(by("", ""), &export);
    assert_eq!(feed.lines(&delta(&[("e-9", "active", "k-1,o-1,s-7,student,")])).len(), 5);
    let (kept, _) = feed.take(&delta(&[("e-8", "active", "k-7,o-1,s-7,student,")])).unwrap();
    assert_eq!(kept.told(), ["enrollments.csv:2 reference-unknown k-7 (s-7, )"]);
}
