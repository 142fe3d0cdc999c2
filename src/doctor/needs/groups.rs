//! Lists what files of groups, groupings and their members need of each table, beside what every run needs.
//! It must not know databases or accounts.

use super::Need;

/// What files of groups need beside [`super::NEEDS`]: only where a profile of these kinds is enabled, or an operator
/// imports such a file.
pub const GROUPS: &[Need] = &[
    Need::rows("groups", &["description"]).updates(&["name", "idnumber", "description"]).deletes(),
    Need::rows("groupings", &["id", "courseid", "name", "idnumber", "description"])
        .inserts(&["courseid", "idnumber", "name", "description", "descriptionformat", "timecreated", "timemodified"])
        .updates(&["name", "idnumber", "description", "timemodified"])
        .deletes(),
    Need::rows("groupings_groups", &["id", "groupingid", "groupid"])
        .inserts(&["groupingid", "groupid", "timeadded"])
        .deletes(),
    Need::reads("message_conversations", &["name", "enabled", "timecreated", "timemodified"])
        .inserts(&[
            "type",
            "name",
            "component",
            "itemtype",
            "itemid",
            "contextid",
            "enabled",
            "timecreated",
            "timemodified",
        ])
        .updates(&["name", "enabled", "timemodified"]),
    Need::reads("customfield_category", &["id", "component", "area"]),
    Need::reads("customfield_field", &["id", "shortname", "type", "categoryid"]),
    Need::rows("customfield_data", &["id", "fieldid", "instanceid", "value", "contextid"])
        .inserts(&[
            "fieldid",
            "instanceid",
            "charvalue",
            "value",
            "valueformat",
            "timecreated",
            "timemodified",
            "contextid",
        ])
        .updates(&["charvalue", "value", "timemodified"])
        .deletes(),
    Need::reads("course", &["defaultgroupingid"]),
    Need::reads("course_modules", &["course", "groupingid", "availability"]),
    Need::reads("course_sections", &["course", "availability"]),
];
