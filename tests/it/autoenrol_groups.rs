//! The groups of autoenrol, scenarios 7 and 8 of spec autoenrol 10, and names of every sort.
//! It must not write tables; the campus and the faculty do.

use enrold::db::{Params, Value};
use enrold::outcome::State;
use enrold::problem::Code;

use crate::campus::{course, instance, user};
use crate::faculty::group;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_group_for_each_value,
    a_value_that_changes_moves_the_member,
    two_generated_groups_are_left_alone,
    an_empty_value_leaves_the_group,
    a_group_of_that_name_is_adopted,
    a_renamed_group_is_known_by_its_idnumber,
    a_fixed_name_wins,
    names_of_texts_and_fields,
    names_with_a_field_that_is_unknown,
    fields_that_do_not_exist,
    custom_fields_name_groups_too,
    fields_from_before_2021,
    names_that_are_too_long,
    names_that_differ_in_case_or_accents,
    two_instances_share_a_new_group,
    suspended_members_are_grouped_too,
    who_no_longer_fits_stays_in_the_group,
);

/// All users with a city.
const CITIZENS: &str = r#"{"op":"&","c":[{"type":"profile","sf":"city","op":"isnotempty"}],"showc":[true]}"#;
const BY_DEPARTMENT: (&str, &str) = ("customchar3", "department");

fn set(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, Value)> {
    pairs.iter().map(|(name, value)| (*name, Value::from(*value))).collect()
}

impl Site {
    /// An instance in `c1` for all users with a city, with groups.
    async fn groups_by(&mut self, pairs: &[(&'static str, &str)]) {
        let mut columns = set(pairs);
        columns.push(("customtext2", CITIZENS.into()));
        self.autoenrols(1, &columns).await;
    }

    /// `u1`, `u2`, … have a city and these departments.
    async fn departments(&mut self, values: &[&str]) {
        self.autoenrol_campus().await;
        for (who, value) in (1..).zip(values) {
            self.profile(who, "city", "x").await;
            self.profile(who, "department", value).await;
        }
    }

    /// Groups as `name idnumber`, with the hash removed from the idnumber.
    async fn groups(&mut self) -> Vec<String> {
        let rows = self.conn.rows("SELECT name, idnumber FROM {groups}", &Params::new()).await.unwrap();
        let mark = |idnumber: String| match idnumber.rsplit_once('|') {
            Some((of, hash)) if hash.len() == 32 => of.to_owned(),
            _ => idnumber,
        };
        let mut groups: Vec<String> = rows.iter().map(|row| format!("{} {}", row.text(0), mark(row.text(1)))).collect();
        groups.sort();
        groups
    }
}

fn members(pairs: &[(&str, &str)]) -> Vec<String> {
    let mut lines: Vec<String> = pairs.iter().map(|(who, group)| format!("{who} {group} manual")).collect();
    lines.sort();
    lines
}

async fn a_group_for_each_value(mut site: Site) {
    site.departments(&["Red", "Blue", "Red", "", " Red "]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    let report = site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["Blue autoenrol|1101", "Red autoenrol|1101"]);
    assert_eq!(site.group_members().await, members(&[("u1", "Red"), ("u2", "Blue"), ("u3", "Red"), ("u5", "Red")]));
    assert_eq!(report.rules[0].made, 2);
    let hash =
        site.conn.row("SELECT idnumber FROM {groups} WHERE name = 'Red'", &Params::new()).await.unwrap().unwrap();
    assert_eq!(hash.text(0), "autoenrol|1101|ee38e4d5dd68c4e440825018d549cb47");
}

/// Scenario 7.
async fn a_value_that_changes_moves_the_member(mut site: Site) {
    site.departments(&["Red", "Red"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    site.profile(1, "department", "Blue").await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "Blue"), ("u2", "Red")]));
    assert_eq!(site.groups().await.len(), 2, "a group that is empty stays");
}

async fn two_generated_groups_are_left_alone(mut site: Site) {
    site.departments(&["Red", "Blue"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    let other =
        "INSERT INTO {groups_members} (groupid, userid) SELECT g.id, :who FROM {groups} g WHERE g.name = 'Blue'";
    site.conn.exec(other, &Params::new().with("who", user(1))).await.unwrap();
    site.profile(1, "department", "Green").await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "Red"), ("u1", "Blue"), ("u1", "Green"), ("u2", "Blue")]));
}

async fn an_empty_value_leaves_the_group(mut site: Site) {
    site.departments(&["Red", "Red"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    site.profile(1, "department", "").await;
    site.profile(2, "department", "   ").await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[]));
}

/// Scenario 8; an adopted group keeps its idnumber, and no member is removed from it.
async fn a_group_of_that_name_is_adopted(mut site: Site) {
    site.departments(&["g1", "g2"]).await;
    site.group(1, 1).await;
    site.group(2, 2).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["g1 ", "g2 ", "g2 autoenrol|1101"], "a group of another course is another");
    site.profile(1, "department", "Red").await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "g1"), ("u1", "Red"), ("u2", "g2")]));
}

async fn a_renamed_group_is_known_by_its_idnumber(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    site.sql("UPDATE {groups} SET name = 'The reds'").await;
    site.profile(2, "city", "x").await;
    site.profile(2, "department", "Red").await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["The reds autoenrol|1101"]);
    assert_eq!(site.group_members().await, members(&[("u1", "The reds"), ("u2", "The reds")]));
}

async fn a_fixed_name_wins(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[BY_DEPARTMENT, ("customchar1", "Everybody")]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["Everybody autoenrol|1101"]);
    let none = [("customchar1", "Nobody"), ("customchar3", "-")];
    let mut columns = set(&none);
    columns.push(("customtext2", "".into()));
    site.autoenrols(2, &columns).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await.len(), 1, "without an attribute there are no groups");
}

async fn names_of_texts_and_fields(mut site: Site) {
    site.departments(&["Red", "", "0"]).await;
    site.field(1, "level", Some("one")).await;
    site.field_value(1, 1, "two").await;
    site.field_value(2, 1, "").await;
    let name = "{profile_field_department}, level {profile_field_level}";
    site.groups_by(&[("customchar3", "userfilter"), ("customchar1", name)]).await;
    site.rule("autoenrol").await;
    assert_eq!(
        site.group_members().await,
        members(&[("u1", "Red, level two"), ("u3", "0, level one")]),
        "where no field has a value there is no group"
    );
}

async fn names_with_a_field_that_is_unknown(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[("customchar3", "userfilter"), ("customchar1", "A {profile_field_gone}")]).await;
    let report = site.rule("autoenrol").await;
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!(report.problems[0].code, Code::GroupName);
    assert_eq!(report.problems[0].hint, "there is no profile field \"gone\"");
    assert_eq!((site.enrolments().await.len(), site.count("groups").await), (1, 0), "enrolled all the same");
}

async fn fields_that_do_not_exist(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[("customchar3", "gone")]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["No gone autoenrol|1101"]);
}

async fn custom_fields_name_groups_too(mut site: Site) {
    site.departments(&["", "", ""]).await;
    site.field(1, "level", Some("one")).await;
    site.field(2, "other", None).await;
    site.field_value(1, 1, "two").await;
    site.field_value(2, 1, "").await;
    site.groups_by(&[("customchar3", "level")]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "two"), ("u3", "one")]));
    site.sql("UPDATE {enrol} SET customchar3 = 'other' WHERE id = 1101").await;
    site.rule("autoenrol").await;
    let none = [("u1", "No other"), ("u2", "No other"), ("u3", "No other")];
    assert_eq!(site.group_members().await, members(&none), "no value and no default");
}

async fn fields_from_before_2021(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[]).await;
    site.sql("UPDATE {enrol} SET customint2 = 2 WHERE id = 1101").await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["Red autoenrol|1101"]);
}

/// In Moodle the database refuses the group, and the whole task fails.
async fn names_that_are_too_long(mut site: Site) {
    site.departments(&["Red", &"ä".repeat(200)]).await;
    let name = "{profile_field_department} {profile_field_department}";
    site.groups_by(&[("customchar3", "userfilter"), ("customchar1", name)]).await;
    let report = site.rule("autoenrol").await;
    assert_eq!(report.problems[0].hint, "1 names have more than 254 characters");
    assert_eq!(site.group_members().await, members(&[("u1", "Red Red")]));
    site.profile(1, "department", &"b".repeat(200)).await;
    site.rule("autoenrol").await;
    assert_eq!(
        site.group_members().await,
        members(&[("u1", "Red Red")]),
        "without a new group nobody leaves the old one"
    );
}

async fn names_that_differ_in_case_or_accents(mut site: Site) {
    site.departments(&["hr", "HR", "Hr", "hŕ"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    let row =
        [("id", group(1).into()), ("courseid", course(1).into()), ("name", "HR".into()), ("timecreated", 1.into())];
    site.insert("groups", &row).await;
    site.reset_sequences_of(&["groups"]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["HR ", "Hr autoenrol|1101", "hr autoenrol|1101", "hŕ autoenrol|1101"]);
    assert_eq!(site.group_members().await, members(&[("u1", "hr"), ("u2", "HR"), ("u3", "Hr"), ("u4", "hŕ")]));
}

async fn two_instances_share_a_new_group(mut site: Site) {
    site.departments(&["Red", "Red"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.sql("UPDATE {enrol} SET customint5 = 1 WHERE id = 1101").await;
    let mut columns = set(&[BY_DEPARTMENT]);
    columns.push(("customtext2", CITIZENS.into()));
    site.autoenrols_as(1201, 1, &columns).await;
    site.rule("autoenrol").await;
    assert_eq!(site.groups().await, ["Red autoenrol|1101"]);
    assert_eq!(site.group_members().await, members(&[("u1", "Red"), ("u2", "Red")]));
}

/// Golden a04: Moodle does the same.
async fn suspended_members_are_grouped_too(mut site: Site) {
    site.departments(&["Red"]).await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.enrolled_by(1, instance("autoenrol", 1), 1, (0, 0)).await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "Red")]));
}

async fn who_no_longer_fits_stays_in_the_group(mut site: Site) {
    site.departments(&["Red"]).await;
    site.autoenrol_setting("autounenrolaction", "2").await;
    site.groups_by(&[BY_DEPARTMENT]).await;
    site.rule("autoenrol").await;
    site.profile(1, "city", "").await;
    site.profile(1, "department", "Blue").await;
    site.rule("autoenrol").await;
    assert_eq!(site.group_members().await, members(&[("u1", "Red")]));
}
