//! Lists what users files, cohort files and files of methods need of each table, beside what every run needs.
//! It must not know databases or accounts, nor repeat a column of `user` that every run reads.

use super::Need;

/// What users files and cohort files need beside [`super::NEEDS`]: only where a profile of these kinds is enabled, or
/// an operator imports such a file.
pub const ACCOUNTS: &[Need] = &[
    Need::reads(
        "user",
        &[
            // To leave a password that fits.
            "password",
            "theme",
            "description",
            "descriptionformat",
            "mailformat",
            "maildigest",
            "autosubscribe",
            "trackforums",
            "middlename",
            "alternatename",
            "firstnamephonetic",
            "lastnamephonetic",
            "moodlenetprofile",
            "timemodified",
        ],
    )
    .inserts(&[
        "username",
        "mnethostid",
        "confirmed",
        "suspended",
        "password",
        "calendartype",
        "timecreated",
        "timemodified",
    ])
    .updates(&[
        "username",
        "password",
        "suspended",
        "deleted",
        "picture",
        "moodlenetprofile",
        "timemodified",
        "auth",
        "idnumber",
        "firstname",
        "lastname",
        "email",
        "emailstop",
        "phone1",
        "phone2",
        "institution",
        "department",
        "address",
        "city",
        "country",
        "lang",
        "theme",
        "timezone",
        "description",
        "descriptionformat",
        "mailformat",
        "maildigest",
        "maildisplay",
        "autosubscribe",
        "trackforums",
        "middlename",
        "alternatename",
        "firstnamephonetic",
        "lastnamephonetic",
    ]),
    Need::reads("context", &["id", "contextlevel", "instanceid", "path"])
        .inserts(&["contextlevel", "instanceid", "depth"])
        .updates(&["path"]),
    Need::rows("user_preferences", &["id", "userid", "name", "value"])
        .inserts(&["userid", "name", "value"])
        .updates(&["value"])
        .deletes(),
    Need::reads("user_info_field", &["id", "shortname", "datatype", "defaultdata", "param1", "param2"]),
    Need::rows("user_info_data", &["id", "userid", "fieldid", "data"])
        .inserts(&["userid", "fieldid", "data", "dataformat"])
        .updates(&["data"])
        .deletes(),
    Need::reads("sessions", &["userid"]).deletes(),
    Need::reads("external_tokens", &["userid"]).deletes(),
    Need::reads("user_password_history", &["userid"]).deletes(),
    Need::reads("user_password_resets", &["userid"]).deletes(),
    Need::reads("tag_area", &["component", "itemtype", "enabled", "tagcollid"]),
    Need::reads("tag", &["id", "userid", "tagcollid", "name", "rawname", "timemodified"]).inserts(&[
        "userid",
        "tagcollid",
        "name",
        "rawname",
        "isstandard",
        "descriptionformat",
        "flag",
        "timemodified",
    ]),
    Need::rows(
        "tag_instance",
        &["id", "tagid", "component", "itemtype", "itemid", "contextid", "ordering", "timecreated", "timemodified"],
    )
    .inserts(&[
        "tagid",
        "component",
        "itemtype",
        "itemid",
        "contextid",
        "tiuserid",
        "ordering",
        "timecreated",
        "timemodified",
    ])
    .updates(&["ordering", "timemodified"])
    .deletes(),
    Need::rows("cohort", &["id", "contextid", "name", "idnumber", "component", "visible"])
        .updates(&[
            "contextid",
            "name",
            "idnumber",
            "description",
            "descriptionformat",
            "visible",
            "theme",
            "timemodified",
        ])
        .deletes(),
    Need::reads("role_context_levels", &["roleid", "contextlevel"]),
    // The methods of a removed cohort are disabled where the site keeps the enrolments; files of methods change others.
    Need::reads("enrol", &[]).updates(crate::change::kinds::INSTANCE_VALUES),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::cohorts;
    use crate::doctor::needs::NEEDS;
    use crate::moodle::account::NAMES;

    #[test]
    fn every_value_of_accounts_and_cohorts_may_be_written() {
        let of = |table: &str| ACCOUNTS.iter().find(|need| need.table == table).unwrap();
        let all = NEEDS.iter().find(|need| need.table == "user").unwrap();
        for column in NAMES {
            assert!(of("user").update.contains(&column), "{column} is not among the updates");
            assert!(of("user").read.iter().chain(all.read).any(|read| *read == column), "{column} is not read");
        }
        for column in cohorts::VALUES {
            assert!(of("cohort").update.contains(&column), "{column}");
        }
        assert!(ACCOUNTS.iter().all(|need| !need.read.contains(&"secret")));
        assert!(of("user").read.iter().all(|column| !all.read.contains(column)), "a column is read by every run");
    }
}
