//! The golden cases of cohort files: what a real Moodle made of one file, or of several one after the other, compared on
//! each database. It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use enrold::config::{FileKind, Profile};
use enrold::outcome::{Report, State};
use enrold::run::Import;

use crate::dump::{Dump, EFFECTS, assert_same, text, without};
use crate::golden_case::{left_in, load_from};
use crate::golden_equal::{Clocks, Difference, assert_tables};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";

/// What a file of new cohorts writes.
const OF_COHORTS: &[&str] = &["cohort", "cohort_members", "user_enrolments", "role_assignments", "cache_flags", LOG];
/// What a file of members writes; tool_sync switches the log off.
const OF_MEMBERS: &[&str] = &["cohort", "cohort_members", "user_enrolments", "role_assignments", "cache_flags"];

on_each_database!(
    co01_new_cohorts,
    co02_a_bad_row_blocks_nothing,
    co03_contexts,
    co04_locators,
    co06_headers,
    co09_themes_that_are_not_allowed,
    co10_custom_fields,
    ts11_members_are_added,
    ts13_a_cohort_is_emptied,
    ts14_unknown_cohorts_are_not_made,
    ts16_a_cohort_without_a_name,
    ts19_a_cohort_in_a_category,
);

/// One case: the files, one after the other, with the profile of all.
pub struct FileCase {
    pub name: &'static str,
    pub files: &'static [&'static str],
    pub profile: Profile,
    pub clocks: Clocks,
    /// The tables that are compared.
    pub tables: &'static [&'static str],
    pub differences: Vec<Difference>,
}

impl FileCase {
    /// For each file, a simulation changes nothing. All together give Moodle's result, the journal leads back, and the
    /// last file once more changes nothing. Gives the codes of each file with their lines.
    pub async fn prove(self, mut site: Site) -> Vec<Vec<String>> {
        load_from(&mut site, &cases(), self.name).await;
        site.at(self.clocks.from);
        let before = site.dump().await;
        let since = site.last_run().await;
        let mut told = Vec::new();
        for file in self.files {
            let rehearsed = site.dump().await;
            let rehearsal = self.run(&site, file, true).await;
            site.nothing_changed(&rehearsed, "simulated").await;
            let report = self.run(&site, file, false).await;
            assert_eq!(rehearsal.counts, report.counts, "the rehearsal announced what was done");
            told.push(match report.state {
                State::Done | State::DoneWithErrors => site.errors(&report).await,
                other => {
                    vec![format!("{} {}", other.as_str(), report.problems.first().map_or("", |p| p.code.as_str()))]
                }
            });
        }
        let after = site.dump().await;
        let [moodle, enrold] = [left_in(&cases(), self.name), after.clone()].map(without_client);
        assert_tables(self.tables, [&before, &moodle, &enrold], self.clocks, &self.differences);
        let rebuilt = rebuild(&mut site, since, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");
        if let Some(file) = self.files.last() {
            self.run(&site, file, false).await;
            site.nothing_changed(&after, "the last file again").await;
        }
        told
    }

    async fn run(&self, site: &Site, file: &str, simulate: bool) -> Report {
        let path = cases().join(self.name).join(file);
        let import = Import { path, profile: Some(Arc::new(self.profile.clone())), ..Import::default() };
        site.engine().import(&import, simulate).await.unwrap()
    }
}

/// A dump without the client of each event and the pages that were viewed: the cases were recorded through a browser.
/// Without what only newer versions have in a group; and no description is an empty one.
fn without_client(mut dump: Dump) -> Dump {
    for row in dump.entry("groups".to_owned()).or_default() {
        row.retain(|column, _| !["participation", "visibility", "description"].contains(&column.as_str()));
    }
    dump.entry(LOG.to_owned()).or_default().retain(|row| text(row, "eventname") != r"\core\event\user_list_viewed");
    for row in dump.entry(LOG.to_owned()).or_default() {
        row.retain(|column, _| !["origin", "ip"].contains(&column.as_str()));
    }
    dump
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-files")
}

fn cohorts(name: &'static str, (from, to): (i64, i64)) -> FileCase {
    FileCase {
        name,
        files: &["input.csv"],
        profile: Profile::of(FileKind::Cohorts),
        clocks: Clocks::between(from, to),
        tables: OF_COHORTS,
        differences: Vec::new(),
    }
}

fn members(name: &'static str, (from, to): (i64, i64)) -> FileCase {
    FileCase {
        tables: OF_MEMBERS,
        profile: Profile { create_cohorts: true, ..Profile::of(FileKind::CohortMembers) },
        ..cohorts(name, (from, to))
    }
}

type Named = &'static [(&'static str, &'static str)];

/// A cohort that only enrold makes, with its event.
fn only_enrold(idnumber: Named, event: Named, why: &'static str) -> [Difference; 2] {
    [Difference::only_enrold("cohort", idnumber, why), Difference::only_enrold(LOG, event, why)]
}

async fn co01_new_cohorts(site: Site) {
    let why = "`non` is no, whatever the language of the operator";
    let differences = vec![
        Difference::only_moodle("cohort", &[("idnumber", "PR"), ("visible", "1")], why),
        Difference::only_enrold("cohort", &[("idnumber", "PR"), ("visible", "0")], why),
    ];
    let case = FileCase { differences, ..cohorts("co01_basic", (1_795_956_424, 1_795_956_429)) };
    assert_eq!(case.prove(site).await, [[""; 0]]);
}

async fn co02_a_bad_row_blocks_nothing(site: Site) {
    let why = "one bad row is one bad row; Moodle blocks the whole file (NOT)";
    let differences = only_enrold(&[("idnumber", "b2")], &[("objectid", "b2/Double")], why).into();
    let case = cohorts("co02_errors_block", (1_795_956_457, 1_795_956_465));
    let case = FileCase { files: &["bad.csv", "good.csv"], differences, ..case };
    let bad = ["3 cohort-exists", "5 cohort-exists", "6 empty-identifier"];
    assert_eq!(case.prove(site).await, [bad.as_slice(), &[]]);
}

async fn co03_contexts(site: Site) {
    let told = cohorts("co03_context_column", (1_795_956_484, 1_795_956_488)).prove(site).await;
    assert_eq!(told, [["9 context-unknown", "11 context-unknown"]]);
}

async fn co04_locators(site: Site) {
    let why = "the system is not lost if a category is named too (NOT)";
    let differences = vec![
        Difference::only_moodle("cohort", &[("idnumber", "f2"), ("contextid", "12")], why),
        Difference::only_enrold("cohort", &[("idnumber", "f2"), ("contextid", "1")], why),
        Difference::only_moodle(LOG, &[("objectid", "f2/F2"), ("contextid", "12")], why),
        Difference::only_enrold(LOG, &[("objectid", "f2/F2"), ("contextid", "1")], why),
    ];
    let files =
        &["category.csv", "category_id.csv", "category_idnumber.csv", "category_path.csv", "contextid.csv", "both.csv"];
    let case = cohorts("co04_category_columns", (1_795_956_511, 1_795_956_539));
    let told = FileCase { files, differences, ..case }.prove(site).await;
    let (two, none): ([&str; 2], &[&str]) = (["3 context-unknown", "4 context-unknown"], &[]);
    assert_eq!(told, [&["5 context-unknown"], two.as_slice(), &two, &two, &["3 context-unknown"], none]);
}

async fn co06_headers(site: Site) {
    let files = &[
        "a_caps.csv",
        "b_unknown.csv",
        "c_noname.csv",
        "d_one_column.csv",
        "e_header_only.csv",
        "f_empty.csv",
        "g_wrong_delimiter.csv",
        "h_ragged.csv",
        "i_twice.csv",
        "j_quoted_delimiter.csv",
    ];
    let found = "the delimiter is found; Moodle takes the one of its form";
    let ragged = "one bad row is one bad row; Moodle blocks the whole file (NOT)";
    let twice = "two columns of one name refuse the file (spec files 1.2); Moodle uses the last";
    let mut differences = vec![
        Difference::only_moodle("cohort", &[("idnumber", "h8")], twice),
        Difference::only_moodle(LOG, &[("objectid", "h8/H8bis")], twice),
    ];
    differences.extend(only_enrold(&[("idnumber", "h5")], &[("objectid", "h5/H5")], found));
    differences.extend(only_enrold(&[("idnumber", "h6")], &[("objectid", "h6/H6")], ragged));
    let case = cohorts("co06_headers", (1_795_956_583, 1_795_956_628));
    let told = FileCase { files, differences, ..case }.prove(site).await;
    let told: Vec<String> = told.iter().map(|codes| codes.join(", ")).collect();
    let expected =
        ["", "", "failed column-missing", "", "", "failed file-empty", "", "3 row-ragged", "failed column-twice", ""];
    assert_eq!(told, expected);
}

async fn co09_themes_that_are_not_allowed(site: Site) {
    assert_eq!(cohorts("co09_theme_off", (1_795_956_712, 1_795_956_714)).prove(site).await, [[""; 0]]);
}

async fn co10_custom_fields(site: Site) {
    let told = cohorts("co10_customfield", (1_795_956_727, 1_795_956_728)).prove(site).await;
    assert_eq!(told, [[""; 0]]);
}

async fn ts11_members_are_added(site: Site) {
    let why = "the cohort belongs to another component: nothing is done to it";
    let differences = vec![Difference::only_moodle("cohort_members", &[("cohortid", "4"), ("userid", "9")], why)];
    let case = FileCase { differences, ..members("ts11_cohort_add", (1_795_956_883, 1_795_956_884)) };
    let codes = ["5 cohort-exists", "7 user-unknown", "9 cohort-owned", "11 bad-verb"];
    assert_eq!(case.prove(site).await, [codes]);
}

async fn ts13_a_cohort_is_emptied(site: Site) {
    let told = members("ts13_cohort_free", (1_795_956_896, 1_795_956_898)).prove(site).await;
    assert_eq!(told, [["3 cohort-unknown"]]);
}

async fn ts14_unknown_cohorts_are_not_made(site: Site) {
    let case = members("ts14_cohort_noautocreate", (1_795_956_903, 1_795_956_904));
    let case = FileCase { profile: Profile::of(FileKind::CohortMembers), ..case };
    assert_eq!(case.prove(site).await, [["2 cohort-unknown"]]);
}

async fn ts16_a_cohort_without_a_name(site: Site) {
    let why = "the row without a name is one bad row; tool_sync dies there (NOT)";
    let differences = vec![Difference::only_enrold("cohort_members", &[("cohortid", "2"), ("userid", "8")], why)];
    let case = FileCase { differences, ..members("ts16_cohort_noname", (1_795_956_913, 1_795_956_913)) };
    assert_eq!(case.prove(site).await, [["3 empty-identifier"]]);
}

async fn ts19_a_cohort_in_a_category(site: Site) {
    let told = members("ts19_cohort_category", (1_795_957_175, 1_795_957_178)).prove(site).await;
    assert_eq!(told, [[""; 0]]);
}
