//! The golden cases of files of groups: what Moodle's own import of groups made of one file, or of several one after the
//! other. It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use enrold::config::{FileKind, Profile};

use crate::golden_equal::{Clocks, Difference};
use crate::golden_files::FileCase;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";

/// What a file of groups writes.
const WRITTEN: &[&str] = &["groups", "groupings", "groupings_groups", "customfield_data", LOG];

on_each_database!(
    gr01_names,
    gr03_courses,
    gr04_groupings,
    gr06_what_stops_an_import,
    gr07_custom_fields,
    gr08_a_long_name,
);

/// A file whose rows are of gc1 where they name no course.
fn case(name: &'static str, (from, to): (i64, i64)) -> FileCase {
    FileCase {
        name,
        files: &["input.csv"],
        profile: Profile { course: "gc1".to_owned(), ..Profile::of(FileKind::Groups) },
        clocks: Clocks::between(from, to),
        tables: WRITTEN,
        differences: Vec::new(),
    }
}

/// A group that only enrold makes, with its event.
fn only_enrold(group: &'static [(&str, &str)], event: &'static [(&str, &str)], why: &'static str) -> [Difference; 2] {
    [Difference::only_enrold("groups", group, why), Difference::only_enrold(LOG, event, why)]
}

async fn gr01_names(site: Site) {
    let told = case("gr01_basic", (1_795_956_735, 1_795_956_736)).prove(site).await;
    // Moodle tells of every name that exists; enrold of those whose row says something else.
    assert_eq!(told, [["4 group-exists", "5 group-exists"]]);
}

async fn gr03_courses(site: Site) {
    let told = case("gr03_courses", (1_795_956_761, 1_795_956_761)).prove(site).await;
    assert_eq!(
        told,
        [["3 course-unknown", "5 course-unknown", "7 course-unknown", "9 course-unknown", "11 course-unknown"]]
    );
}

async fn gr04_groupings(site: Site) {
    let told = case("gr04_groupings", (1_795_956_772, 1_795_956_773)).prove(site).await;
    assert_eq!(told, [[""; 0]]);
}

async fn gr06_what_stops_an_import(site: Site) {
    let one = "one bad row is one bad row; Moodle stops there";
    let said = "the operator says the course, so that tool_sync's form needs no column for it";
    let caps = "names of columns have no case (spec files 1.2)";
    let found = "the delimiter is found; Moodle takes the one of its form";
    let mut differences = Vec::new();
    differences.extend(only_enrold(&[("name", "Après")], &[("objectid", "2/Après")], one));
    differences.extend(only_enrold(&[("name", "Après zéro")], &[("objectid", "2/Après zéro")], one));
    differences.extend(only_enrold(&[("name", "X2")], &[("objectid", "2/X2")], said));
    differences.extend(only_enrold(&[("name", "X3")], &[("objectid", "2/X3")], caps));
    differences.extend(only_enrold(&[("name", "X4")], &[("objectid", "2/X4")], one));
    differences.extend(only_enrold(&[("name", "X6")], &[("objectid", "2/X6")], found));
    let files = &[
        "a_empty_name.csv",
        "b_zero_name.csv",
        "c_unknown_column.csv",
        "d_no_name.csv",
        "e_caps.csv",
        "f_header_only.csv",
        "g_empty.csv",
        "h_ragged.csv",
        "i_wrong_delimiter.csv",
        "j_bom_crlf.csv",
        "k_member.csv",
        "l_blank_line.csv",
        "m_spaces_header.csv",
        "n_only_blanks.csv",
    ];
    let case = FileCase { files, differences, ..case("gr06_refusals", (1_795_956_816, 1_795_956_823)) };
    let told: Vec<String> = case.prove(site).await.iter().map(|codes| codes.join(", ")).collect();
    let expected = [
        "3 empty-identifier",
        "2 empty-identifier",
        "failed column-unknown",
        "",
        "",
        "",
        "failed file-empty",
        "3 row-ragged",
        "",
        "",
        "failed column-unknown",
        "",
        "",
        "",
    ];
    assert_eq!(told, expected);
}

async fn gr07_custom_fields(site: Site) {
    let told = case("gr07_customfields", (1_795_956_829, 1_795_956_829)).prove(site).await;
    // Moodle loses the value of a grouping that exists without a word.
    assert_eq!(told, [["3 group-exists"]]);
}

async fn gr08_a_long_name(site: Site) {
    let one = "one bad row is one bad row; Moodle stops there";
    let mut differences: Vec<Difference> = only_enrold(&[("name", "L3")], &[("objectid", "2/L3")], one).into();
    let markup = "no name with markup: Moodle's pages would show it";
    differences.push(Difference::only_moodle("groups", &[("name", "<b>L2</b> & co")], markup));
    differences.push(Difference::only_moodle(LOG, &[("objectid", "2/<b>L2</b> & co")], markup));
    let told = FileCase { differences, ..case("gr08_long_name", (1_795_956_837, 1_795_956_838)) }.prove(site).await;
    assert_eq!(told, [["3 value-unusable", "4 value-too-long"]]);
}
