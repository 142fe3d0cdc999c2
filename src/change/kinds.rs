//! The catalogue of the kinds of change: each entry gives the table, what is done to it and what follows from that. It
//! must not depend on the planners; a kind without an entry cannot be written into the journal.

use crate::change::cohorts;
use crate::change::course_groups;
use crate::change::kind::{Change, Dirty, Figure, Kind, Pair, Rank, Still};
use crate::moodle::account::NAMES;
use crate::moodle::events;

/// The defaults of an entry: no event, no reload of permissions, no figure.
const SILENT: Kind = Kind {
    name: "",
    table: "",
    key: &[],
    change: Change::Changed(&[]),
    event: None,
    dirty: None,
    figure: None,
    english: "",
    french: "",
};

/// Declares kinds with their ranks, and the lists [`ALL`] and [`RANKS`].
macro_rules! catalogue {
    ($($(#[$doc:meta])* $kind:ident: $entry:expr, ranks {
        $($(#[$why:meta])* $rank:ident: $at:literal $(applied $applied:literal)?,)*
    };)+) => {
        $(
            $(#[$doc])*
            pub static $kind: Kind = $entry;
            $(
                $(#[$why])*
                pub static $rank: Rank = Rank { kind: &$kind, at: $at, applied: catalogue!(@ $at $($applied)?) };
            )*
        )+

        /// All kinds of change.
        pub static ALL: &[&Kind] = &[$(&$kind),+];

        /// All ranks, kind by kind.
        pub static RANKS: &[Rank] = &[$($(Rank { kind: &$kind, at: $at, applied: catalogue!(@ $at $($applied)?) },)*)+];
    };
    (@ $at:literal) => { $at };
    (@ $at:literal $applied:literal) => { $applied };
}

/// What the journal holds of a role assignment: all but time and modifier.
const ASSIGNMENT: &[Pair] = &[
    ("userid", "userid"),
    ("contextid", "contextid"),
    ("roleid", "roleid"),
    ("component", "component"),
    ("itemid", "itemid"),
];

/// What the journal holds of a group membership.
const MEMBERSHIP: &[Pair] =
    &[("userid", "userid"), ("groupid", "groupid"), ("component", "component"), ("itemid", "itemid")];

/// What the journal's columns hold of a row that shares only the user with them.
const OF_USER: &[Pair] = &[("userid", "userid")];

/// A role or a membership passes from the instance that owned it, whose id `enrolid` holds, to nobody.
const RELEASE: Change = Change::Changed(&[("itemid", "c.itemid", Some("enrolid")), ("component", "c.component", None)]);

/// The values of an enrolment that change, with their old ones.
const WINDOW: Change = Change::Changed(&[
    ("status", "c.status", Some("oldstatus")),
    ("timestart", "c.timestart", Some("oldtimestart")),
    ("timeend", "c.timeend", Some("oldtimeend")),
    ("modifierid", ":actor", None),
    ("timemodified", ":now", None),
]);

/// What the journal's columns hold of an account.
const ACCOUNT: &[Pair] = &[("id", "userid")];

/// What they hold of a preference.
const PREFERENCE: &[Pair] = &[("userid", "userid"), ("name", "component")];

/// What they hold of an interest: an instance of a tag at a user.
const INTEREST: &[Pair] = &[("itemid", "userid"), ("tagid", "itemid")];

/// The columns of an account that files may change, without its user name, and without its password: no hash stands in
/// the journal.
const ACCOUNT_VALUES: [&str; NAMES.len() + 2] = {
    let mut values = ["suspended"; NAMES.len() + 2];
    let mut at = 0;
    while at < NAMES.len() {
        values[at] = NAMES[at];
        at += 1;
    }
    values[NAMES.len() + 1] = "timemodified";
    values
};

/// The columns of an instance of a method that files may change.
pub const INSTANCE_VALUES: &[&str] =
    &["status", "name", "enrolperiod", "enrolstartdate", "enrolenddate", "roleid", "customint2", "timemodified"];

/// A row that is removed if it is unchanged; the pick gives its course.
const WHOLE_IN_COURSE: Change = Change::Removed { still: Still::Whole, given: &["courseid", "contextid"], alone: &[] };

catalogue! {
    /// A course is created.
    COURSE_ADD: Kind {
        name: "course.add",
        table: "course",
        key: &[("id", "targetid")],
        change: Change::Added {
            says: &[],
            named: &["shortname", "fullname"],
            made: Some("timecreated"),
            used_by: &[("enrol", "courseid", "id"), ("course_modules", "course", "id")],
        },
        event: Some(&events::COURSE_CREATED),
        english: "courses made",
        french: "cours créés",
        ..SILENT
    }, ranks {
        /// Undone before its context, options and sections: these stay while the course is in use.
        COURSE: 1 applied 5,
    };

    /// The context of a new course.
    CONTEXT_ADD: Kind {
        name: "context.add",
        table: "context",
        key: &[("id", "contextid"), ("instanceid", "courseid")],
        change: Change::Added {
            says: &[],
            named: &[],
            made: None,
            used_by: &[("role_assignments", "contextid", "id"), ("course", "id", "instanceid")],
        },
        english: "contexts of courses",
        french: "contextes de cours",
        ..SILENT
    }, ranks { CONTEXT: 2, };

    /// An option of a new course's format.
    FORMAT_OPTION_ADD: Kind {
        name: "format-option.add",
        table: "course_format_options",
        key: &[("courseid", "courseid"), ("format", "component")],
        change: Change::Added {
            says: &[],
            named: &["name", "value"],
            made: None,
            used_by: &[("course", "id", "courseid")],
        },
        english: "format options",
        french: "options de format",
        ..SILENT
    }, ranks { OPTION: 3, };

    /// A section of a new course.
    SECTION_ADD: Kind {
        name: "section.add",
        table: "course_sections",
        key: &[("course", "courseid"), ("section", "itemid")],
        change: Change::Added {
            says: &[],
            named: &[],
            made: Some("timemodified"),
            used_by: &[("course_modules", "section", "id"), ("course", "id", "course")],
        },
        event: Some(&events::SECTION_CREATED),
        english: "sections of courses",
        french: "sections de cours",
        ..SILENT
    }, ranks { SECTION: 4, };

    /// An instance of an enrolment method is added to a course.
    INSTANCE_ADD: Kind {
        name: "instance.add",
        table: "enrol",
        key: &[("courseid", "courseid"), ("enrol", "component")],
        change: Change::Added {
            says: &[],
            named: &[],
            made: Some("timecreated"),
            used_by: &[("user_enrolments", "enrolid", "id")],
        },
        event: Some(&events::INSTANCE_CREATED),
        figure: Some(Figure::Made),
        english: "methods added",
        french: "méthodes ajoutées",
        ..SILENT
    }, ranks {
        /// The first method of a new course; two more follow.
        FIRST_METHOD: 5,
        INSTANCE: 10,
    };

    /// Values of an instance change: a file of methods says so.
    INSTANCE_UPDATE: Kind {
        name: "instance.update",
        table: "enrol",
        key: &[("courseid", "courseid"), ("enrol", "component")],
        change: Change::Rewritten(INSTANCE_VALUES),
        event: Some(&events::INSTANCE_UPDATED),
        dirty: Some(Dirty::Course),
        figure: None,
        english: "methods changed",
        french: "méthodes modifiées",
    }, ranks {
        /// After those of its pass that are added.
        CHANGE_METHOD: 11,
    };

    /// A buffered line is removed, because a line of today names the same or because it is due.
    BUFFER_REMOVE: Kind {
        name: "buffer.remove",
        table: "enrol_flatfile",
        key: &[("userid", "userid"), ("courseid", "courseid"), ("roleid", "roleid")],
        change: Change::Removed { still: Still::Whole, given: &[], alone: &[] },
        english: "buffered lines erased",
        french: "lignes en attente effacées",
        ..SILENT
    }, ranks { ERASE: 5, };

    /// A line is buffered for later.
    BUFFER_ADD: Kind {
        name: "buffer.add",
        table: "enrol_flatfile",
        key: &[("userid", "userid"), ("courseid", "courseid"), ("roleid", "roleid"), ("action", "component")],
        change: Change::Added {
            says: &[("timestart", "timestart"), ("timeend", "timeend")],
            named: &[],
            made: Some("timemodified"),
            used_by: &[],
        },
        english: "kept for later",
        french: "gardés pour plus tard",
        ..SILENT
    }, ranks { KEEP: 6, };

    /// A cohort is created.
    COHORT_ADD: Kind {
        name: "cohort.add",
        table: "cohort",
        key: &[("id", "itemid")],
        change: Change::Added {
            says: &[],
            named: &["name", "idnumber"],
            made: Some("timecreated"),
            used_by: &[("cohort_members", "cohortid", "id")],
        },
        event: Some(&events::COHORT_CREATED),
        english: "cohorts made",
        french: "cohortes créées",
        ..SILENT
    }, ranks { COHORT: 10, };

    /// Values of a cohort change.
    COHORT_UPDATE: Kind {
        name: "cohort.update",
        table: "cohort",
        key: &[("id", "itemid")],
        change: Change::Rewritten(&cohorts::VALUES),
        event: Some(&events::COHORT_UPDATED),
        english: "cohorts changed",
        french: "cohortes modifiées",
        ..SILENT
    }, ranks { COHORT_CHANGE: 15, };

    /// A user leaves a cohort.
    COHORT_MEMBER_REMOVE: Kind {
        name: "cohort-member.remove",
        table: "cohort_members",
        key: &[("userid", "userid"), ("cohortid", "itemid")],
        change: WHOLE_IN_COURSE,
        event: Some(&events::COHORT_MEMBER_REMOVED),
        figure: Some(Figure::CohortLeft),
        english: "cohort members removed",
        french: "membres de cohorte retirés",
        ..SILENT
    }, ranks { COHORT_LEAVE: 20, };

    /// A user joins a cohort.
    COHORT_MEMBER_ADD: Kind {
        name: "cohort-member.add",
        table: "cohort_members",
        key: &[("userid", "userid"), ("cohortid", "itemid")],
        change: Change::Added { says: &[], named: &[], made: Some("timeadded"), used_by: &[] },
        event: Some(&events::COHORT_MEMBER_ADDED),
        figure: Some(Figure::CohortJoined),
        english: "cohort members added",
        french: "membres de cohorte ajoutés",
        ..SILENT
    }, ranks { COHORT_JOIN: 30, };

    /// An account gets another user name.
    USER_RENAME: Kind {
        name: "user.rename",
        table: "user",
        key: ACCOUNT,
        change: Change::Rewritten(&["username"]),
        english: "accounts renamed",
        french: "comptes renommés",
        ..SILENT
    }, ranks { RENAME_ACCOUNT: 11, };

    /// Values of an account change. (A change of its profile fields alone is one without values.)
    USER_UPDATE: Kind {
        name: "user.update",
        table: "user",
        key: ACCOUNT,
        change: Change::Rewritten(&ACCOUNT_VALUES),
        event: Some(&events::USER_UPDATED),
        english: "accounts changed",
        french: "comptes modifiés",
        ..SILENT
    }, ranks { UPDATE_ACCOUNT: 12, };

    /// An account is suspended; other values may change with that.
    USER_SUSPEND: Kind {
        name: "user.suspend",
        table: "user",
        key: ACCOUNT,
        change: Change::Rewritten(&ACCOUNT_VALUES),
        event: Some(&events::USER_UPDATED),
        english: "accounts suspended",
        french: "comptes suspendus",
        ..SILENT
    }, ranks { SUSPEND_ACCOUNT: 13, };

    /// An account is created.
    USER_ADD: Kind {
        name: "user.add",
        table: "user",
        key: ACCOUNT,
        change: Change::Added {
            // An account with which somebody has logged in stays.
            says: &[("lastaccess", "timestart")],
            named: &["username"],
            made: Some("timecreated"),
            used_by: &[
                ("user_enrolments", "userid", "id"),
                ("role_assignments", "userid", "id"),
                ("cohort_members", "userid", "id"),
                ("groups_members", "userid", "id"),
            ],
        },
        event: Some(&events::USER_CREATED),
        english: "accounts made",
        french: "comptes créés",
        ..SILENT
    }, ranks {
        /// Undone before its context: that stays while the account does.
        MAKE_ACCOUNT: 14 applied 30,
    };

    /// The context of a new account.
    USER_CONTEXT_ADD: Kind {
        name: "user-context.add",
        table: "context",
        key: &[("id", "contextid"), ("instanceid", "userid")],
        change: Change::Added {
            says: &[],
            named: &[],
            made: None,
            used_by: &[("role_assignments", "contextid", "id"), ("user", "id", "instanceid")],
        },
        english: "contexts of accounts",
        french: "contextes de comptes",
        ..SILENT
    }, ranks { ACCOUNT_CONTEXT: 15, };

    /// A custom profile field of an account gets its first value.
    PROFILE_FIELD_ADD: Kind {
        name: "profile-field.add",
        table: "user_info_data",
        key: &[("userid", "userid"), ("fieldid", "itemid")],
        change: Change::Added { says: &[], named: &["data"], made: None, used_by: &[] },
        english: "profile fields filled",
        french: "champs de profil remplis",
        ..SILENT
    }, ranks { FILL_FIELD: 16, };

    /// A custom profile field of an account gets another value.
    PROFILE_FIELD_UPDATE: Kind {
        name: "profile-field.update",
        table: "user_info_data",
        key: &[("userid", "userid"), ("fieldid", "itemid")],
        change: Change::Rewritten(&["data"]),
        english: "profile fields changed",
        french: "champs de profil modifiés",
        ..SILENT
    }, ranks { CHANGE_FIELD: 17, };

    /// A preference of an account is removed.
    PREFERENCE_REMOVE: Kind {
        name: "preference.remove",
        table: "user_preferences",
        key: PREFERENCE,
        change: Change::Removed { still: Still::Whole, given: &["courseid", "contextid"], alone: &[] },
        dirty: Some(Dirty::Preferences),
        english: "preferences removed",
        french: "préférences retirées",
        ..SILENT
    }, ranks {
        DROP_PREFERENCE: 18,
        /// Of a deleted account.
        DROP_PREFERENCES: 82,
    };

    /// A preference of an account gets another value.
    PREFERENCE_UPDATE: Kind {
        name: "preference.update",
        table: "user_preferences",
        key: PREFERENCE,
        change: Change::Rewritten(&["value"]),
        dirty: Some(Dirty::Preferences),
        english: "preferences changed",
        french: "préférences modifiées",
        ..SILENT
    }, ranks { CHANGE_PREFERENCE: 19, };

    /// An account gets a preference.
    PREFERENCE_ADD: Kind {
        name: "preference.add",
        table: "user_preferences",
        key: PREFERENCE,
        change: Change::Added { says: &[], named: &["value"], made: None, used_by: &[] },
        dirty: Some(Dirty::Preferences),
        english: "preferences set",
        french: "préférences posées",
        ..SILENT
    }, ranks { SET_PREFERENCE: 20, };

    /// A tag is made: an interest that nobody had. `oldrow` has its names.
    TAG_ADD: Kind {
        name: "tag.add",
        table: "tag",
        key: &[("id", "targetid")],
        change: Change::Added {
            says: &[],
            named: &["name", "rawname"],
            made: Some("timemodified"),
            used_by: &[("tag_instance", "tagid", "id")],
        },
        event: Some(&events::TAG_CREATED),
        english: "tags made",
        french: "tags créés",
        ..SILENT
    }, ranks {
        /// Undone after the interests of its pass.
        MAKE_TAG: 21,
    };

    /// An account loses an interest.
    TAG_INSTANCE_REMOVE: Kind {
        name: "tag-instance.remove",
        table: "tag_instance",
        key: INTEREST,
        change: WHOLE_IN_COURSE,
        event: Some(&events::TAG_REMOVED),
        english: "interests removed",
        french: "centres d'intérêt retirés",
        ..SILENT
    }, ranks {
        DROP_INTEREST: 22,
        /// Of a deleted account.
        DROP_INTERESTS: 78,
    };

    /// An interest of an account gets another place among them; Moodle has no event for it.
    TAG_INSTANCE_UPDATE: Kind {
        name: "tag-instance.update",
        table: "tag_instance",
        key: INTEREST,
        change: Change::Rewritten(&["ordering", "timemodified"]),
        english: "interests reordered",
        french: "centres d'intérêt déplacés",
        ..SILENT
    }, ranks { MOVE_INTEREST: 23, };

    /// An account gets an interest.
    TAG_INSTANCE_ADD: Kind {
        name: "tag-instance.add",
        table: "tag_instance",
        key: &[("id", "targetid"), ("itemid", "userid"), ("tagid", "itemid")],
        change: Change::Added { says: &[], named: &[], made: Some("timecreated"), used_by: &[] },
        event: Some(&events::TAG_ADDED),
        english: "interests added",
        french: "centres d'intérêt ajoutés",
        ..SILENT
    }, ranks { GIVE_INTEREST: 24, };

    /// A custom profile field of a deleted account is removed.
    PROFILE_FIELD_REMOVE: Kind {
        name: "profile-field.remove",
        table: "user_info_data",
        key: &[("userid", "userid"), ("fieldid", "itemid")],
        change: Change::Removed { still: Still::Whole, given: &["courseid", "contextid"], alone: &[] },
        english: "profile fields removed",
        french: "champs de profil retirés",
        ..SILENT
    }, ranks { DROP_FIELDS: 83, };

    /// An account is deleted as Moodle does it: the row stays, and gives its names free.
    USER_REMOVE: Kind {
        name: "user.remove",
        table: "user",
        key: ACCOUNT,
        change: Change::Rewritten(&[
            "deleted", "username", "email", "idnumber", "picture", "moodlenetprofile", "timemodified",
        ]),
        event: Some(&events::USER_DELETED),
        english: "accounts deleted",
        french: "comptes supprimés",
        ..SILENT
    }, ranks {
        /// After all that is removed with it.
        DELETE_ACCOUNT: 84,
    };

    /// A cohort is removed; its members have left it before.
    COHORT_REMOVE: Kind {
        name: "cohort.remove",
        table: "cohort",
        key: &[("id", "itemid")],
        change: WHOLE_IN_COURSE,
        event: Some(&events::COHORT_DELETED),
        english: "cohorts removed",
        french: "cohortes supprimées",
        ..SILENT
    }, ranks { COHORT_GONE: 40, };

    /// A course moves down in its category, after new ones.
    COURSE_SORT: Kind {
        name: "course.sort",
        table: "course",
        key: &[("id", "targetid")],
        change: Change::Changed(&[("sortorder", "c.status", Some("oldstatus"))]),
        english: "courses moved down",
        french: "cours décalés dans la liste",
        ..SILENT
    }, ranks { SORT: 20, };

    /// The course count of a category is updated.
    CATEGORY_COUNT: Kind {
        name: "category.count",
        table: "course_categories",
        key: &[("id", "targetid")],
        change: Change::Changed(&[("coursecount", "c.status", Some("oldstatus"))]),
        english: "categories recounted",
        french: "catégories recomptées",
        ..SILENT
    }, ranks { COUNT: 21, };

    /// A user is enrolled.
    ENROLMENT_ADD: Kind {
        name: "enrolment.add",
        table: "user_enrolments",
        key: &[("enrolid", "enrolid"), ("userid", "userid")],
        change: Change::Added {
            says: &[("status", "status"), ("timestart", "timestart"), ("timeend", "timeend")],
            named: &[],
            made: Some("timecreated"),
            used_by: &[],
        },
        event: Some(&events::ENROLMENT_CREATED),
        figure: Some(Figure::Enrolled),
        english: "enrolled",
        french: "inscrits",
        ..SILENT
    }, ranks { ENROL: 20, };

    /// An enrolment gets other dates, or becomes active again.
    ENROLMENT_UPDATE: Kind {
        name: "enrolment.update",
        table: "user_enrolments",
        key: &[("enrolid", "enrolid"), ("userid", "userid")],
        change: WINDOW,
        event: Some(&events::ENROLMENT_UPDATED),
        dirty: Some(Dirty::User),
        figure: Some(Figure::Changed),
        english: "changed or reactivated",
        french: "modifiés ou réactivés",
    }, ranks { UPDATE: 25, };

    /// An enrolment is suspended.
    ENROLMENT_SUSPEND: Kind {
        name: "enrolment.suspend",
        table: "user_enrolments",
        key: &[("enrolid", "enrolid"), ("userid", "userid")],
        change: WINDOW,
        event: Some(&events::ENROLMENT_UPDATED),
        dirty: Some(Dirty::User),
        figure: Some(Figure::Suspended),
        english: "suspended",
        french: "suspendus",
    }, ranks {
        /// As the desired state says, next to the other changes.
        SUSPEND_AS_DESIRED: 26,
        SUSPEND_FIRST: 35,
        /// After the roles that are removed with it.
        SUSPEND_LAST: 65,
    };

    /// An enrolment is removed.
    ENROLMENT_REMOVE: Kind {
        name: "enrolment.remove",
        table: "user_enrolments",
        key: &[("enrolid", "enrolid"), ("userid", "userid")],
        change: Change::Removed {
            still: Still::Says(&[("status", "oldstatus"), ("timestart", "oldtimestart"), ("timeend", "oldtimeend")]),
            given: &[],
            alone: &[],
        },
        event: Some(&events::ENROLMENT_DELETED),
        dirty: Some(Dirty::User),
        figure: Some(Figure::Unenrolled),
        english: "unenrolled",
        french: "désinscrits",
    }, ranks {
        /// Applied before roles and groups: only those of enrolments that were really deleted are removed.
        UNENROL: 60 applied 36,
    };

    /// A role is assigned.
    ROLE_ADD: Kind {
        name: "role.add",
        table: "role_assignments",
        key: ASSIGNMENT,
        change: Change::Added { says: &[], named: &[], made: Some("timemodified"), used_by: &[] },
        event: Some(&events::ROLE_ASSIGNED),
        dirty: Some(Dirty::User),
        figure: Some(Figure::RoleGiven),
        english: "roles assigned",
        french: "rôles attribués",
    }, ranks {
        /// Applied after a rule has removed the roles of the enrolments that it ended.
        ROLE: 30 applied 45,
    };

    /// A role is unassigned.
    ROLE_REMOVE: Kind {
        name: "role.remove",
        table: "role_assignments",
        key: ASSIGNMENT,
        change: Change::Removed {
            still: Still::Key,
            given: &["courseid"],
            alone: &["userid", "contextid", "roleid", "component", "itemid"],
        },
        event: Some(&events::ROLE_UNASSIGNED),
        dirty: Some(Dirty::User),
        figure: Some(Figure::RoleTaken),
        english: "roles removed",
        french: "rôles retirés",
    }, ranks {
        /// Manual roles below a course in which a `del` line ended nothing.
        LEFTOVER_ROLES: 37,
        /// Roles that a line or the instance names.
        NAMED_ROLE: 39,
        /// Roles that the instance owns.
        OWNED_ROLES: 41,
        /// Roles that the instance of an elapsed enrolment owns, after the manual ones.
        ELAPSED_ROLES: 42,
        /// All others in the course and below.
        REST_ROLES: 43,
        /// Roles outside the desired state.
        EXTRA_ROLES: 46,
    };

    /// A role that an instance owned becomes one by hand. Nobody's rights change, and Moodle has no event for it.
    ROLE_RELEASE: Kind {
        name: "role.release",
        table: "role_assignments",
        key: ASSIGNMENT,
        change: RELEASE,
        english: "roles made manual",
        french: "rôles devenus manuels",
        ..SILENT
    }, ranks { RELEASE_ROLE: 27, };

    /// A group is created.
    GROUP_ADD: Kind {
        name: "group.add",
        table: "groups",
        key: &[("id", "groupid"), ("courseid", "courseid")],
        change: Change::Added {
            says: &[],
            named: &["name", "idnumber"],
            made: Some("timecreated"),
            used_by: &[("groups_members", "groupid", "id"), ("groupings_groups", "groupid", "id")],
        },
        event: Some(&events::GROUP_CREATED),
        figure: Some(Figure::Made),
        english: "groups made",
        french: "groupes créés",
        ..SILENT
    }, ranks { GROUP: 31, };

    /// Values of a group change.
    GROUP_UPDATE: Kind {
        name: "group.update",
        table: "groups",
        key: &[("id", "groupid")],
        change: Change::Rewritten(&course_groups::GROUP_VALUES),
        event: Some(&events::GROUP_UPDATED),
        english: "groups changed",
        french: "groupes modifiés",
        ..SILENT
    }, ranks { GROUP_CHANGE: 32, };

    /// A grouping is created.
    GROUPING_ADD: Kind {
        name: "grouping.add",
        table: "groupings",
        key: &[("id", "itemid"), ("courseid", "courseid")],
        change: Change::Added {
            says: &[],
            named: &["name", "idnumber"],
            made: Some("timecreated"),
            used_by: &[
                ("groupings_groups", "groupingid", "id"),
                ("course_modules", "groupingid", "id"),
                ("course", "defaultgroupingid", "id"),
            ],
        },
        event: Some(&events::GROUPING_CREATED),
        figure: Some(Figure::Made),
        english: "groupings made",
        french: "groupements créés",
        ..SILENT
    }, ranks { GROUPING: 33, };

    /// Values of a grouping change.
    GROUPING_UPDATE: Kind {
        name: "grouping.update",
        table: "groupings",
        key: &[("id", "itemid")],
        change: Change::Rewritten(&course_groups::GROUPING_VALUES),
        event: Some(&events::GROUPING_UPDATED),
        english: "groupings changed",
        french: "groupements modifiés",
        ..SILENT
    }, ranks { GROUPING_CHANGE: 34, };

    /// A group is put into a grouping.
    GROUPING_GROUP_ADD: Kind {
        name: "grouping-group.add",
        table: "groupings_groups",
        key: &[("groupingid", "itemid"), ("groupid", "groupid")],
        change: Change::Added { says: &[], named: &[], made: Some("timeadded"), used_by: &[] },
        event: Some(&events::GROUPING_GROUP_ASSIGNED),
        english: "groups put into groupings",
        french: "groupes mis dans un groupement",
        ..SILENT
    }, ranks { BIND: 36, };

    /// A group is taken out of a grouping.
    GROUPING_GROUP_REMOVE: Kind {
        name: "grouping-group.remove",
        table: "groupings_groups",
        key: &[("groupingid", "itemid"), ("groupid", "groupid")],
        change: Change::Removed {
            still: Still::Whole,
            given: &["courseid", "contextid"],
            alone: &["groupingid", "groupid"],
        },
        event: Some(&events::GROUPING_GROUP_UNASSIGNED),
        english: "groups taken out of groupings",
        french: "groupes retirés d'un groupement",
        ..SILENT
    }, ranks { UNBIND: 85, };

    /// A group gets a conversation; Moodle has no event for it.
    CONVERSATION_ADD: Kind {
        name: "conversation.add",
        table: "message_conversations",
        key: &[("itemid", "groupid"), ("contextid", "contextid")],
        change: Change::Added {
            says: &[],
            named: &["name", "itemtype"],
            made: Some("timecreated"),
            used_by: &[("message_conversation_members", "conversationid", "id")],
        },
        english: "conversations of groups made",
        french: "conversations de groupe créées",
        ..SILENT
    }, ranks { CONVERSATION: 63, };

    /// The conversation of a group is switched on or off, or follows the group's name.
    CONVERSATION_UPDATE: Kind {
        name: "conversation.update",
        table: "message_conversations",
        key: &[("itemid", "groupid"), ("contextid", "contextid")],
        change: Change::Rewritten(&course_groups::CONVERSATION_VALUES),
        english: "conversations of groups changed",
        french: "conversations de groupe modifiées",
        ..SILENT
    }, ranks { CONVERSATION_CHANGE: 64, };

    /// A custom field of a group or a grouping gets its first value. `itemid` is the field, `targetid` what has it.
    CUSTOM_FIELD_ADD: Kind {
        name: "custom-field.add",
        table: "customfield_data",
        key: &[("fieldid", "itemid"), ("instanceid", "targetid")],
        change: Change::Added { says: &[], named: &["value"], made: Some("timecreated"), used_by: &[] },
        english: "custom fields filled",
        french: "champs personnalisés remplis",
        ..SILENT
    }, ranks { CUSTOM_FIELD: 68, };

    /// A custom field of a group or a grouping gets another value.
    CUSTOM_FIELD_UPDATE: Kind {
        name: "custom-field.update",
        table: "customfield_data",
        key: &[("fieldid", "itemid")],
        change: Change::Rewritten(&course_groups::FIELD_VALUES),
        english: "custom fields changed",
        french: "champs personnalisés modifiés",
        ..SILENT
    }, ranks { CUSTOM_FIELD_CHANGE: 69, };

    /// A custom field of a removed group or grouping is removed.
    CUSTOM_FIELD_REMOVE: Kind {
        name: "custom-field.remove",
        table: "customfield_data",
        key: &[("fieldid", "itemid")],
        change: Change::Removed {
            still: Still::Whole,
            given: &["courseid", "contextid"],
            alone: &["instanceid", "fieldid"],
        },
        english: "custom fields removed",
        french: "champs personnalisés retirés",
        ..SILENT
    }, ranks { CUSTOM_FIELD_DROP: 86, };

    /// A group is removed; its members and groupings are removed before.
    GROUP_REMOVE: Kind {
        name: "group.remove",
        table: "groups",
        key: &[("id", "groupid")],
        change: WHOLE_IN_COURSE,
        event: Some(&events::GROUP_DELETED),
        figure: Some(Figure::Unmade),
        english: "groups removed",
        french: "groupes supprimés",
        ..SILENT
    }, ranks { GROUP_GONE: 87, };

    /// A grouping is removed; its groups are taken out of it before.
    GROUPING_REMOVE: Kind {
        name: "grouping.remove",
        table: "groupings",
        key: &[("id", "itemid")],
        change: WHOLE_IN_COURSE,
        event: Some(&events::GROUPING_DELETED),
        figure: Some(Figure::Unmade),
        english: "groupings removed",
        french: "groupements supprimés",
        ..SILENT
    }, ranks { GROUPING_GONE: 88, };

    /// A user joins a group.
    GROUP_MEMBER_ADD: Kind {
        name: "group-member.add",
        table: "groups_members",
        key: MEMBERSHIP,
        change: Change::Added { says: &[], named: &[], made: Some("timeadded"), used_by: &[] },
        event: Some(&events::GROUP_MEMBER_ADDED),
        figure: Some(Figure::GroupJoined),
        english: "group members added",
        french: "membres de groupe ajoutés",
        ..SILENT
    }, ranks {
        /// The events of new users come before those of their roles; applied after others have left.
        NEWCOMERS: 28 applied 48,
        JOIN: 48,
    };

    /// A membership that an instance owned becomes one by hand; Moodle has no event for it.
    GROUP_MEMBER_RELEASE: Kind {
        name: "group-member.release",
        table: "groups_members",
        key: MEMBERSHIP,
        change: RELEASE,
        english: "memberships made manual",
        french: "appartenances devenues manuelles",
        ..SILENT
    }, ranks { RELEASE_GROUP: 29, };

    /// A user leaves a group.
    GROUP_MEMBER_REMOVE: Kind {
        name: "group-member.remove",
        table: "groups_members",
        key: MEMBERSHIP,
        change: WHOLE_IN_COURSE,
        event: Some(&events::GROUP_MEMBER_REMOVED),
        figure: Some(Figure::GroupLeft),
        english: "group members removed",
        french: "membres de groupe retirés",
        ..SILENT
    }, ranks {
        /// Memberships that the instance owns.
        OWNED_GROUPS: 40,
        /// All others in the course.
        REST_GROUPS: 44,
        /// Memberships outside the desired state.
        LEAVE: 47,
        /// Memberships that a removed instance owned.
        LEFT_GROUPS: 61,
    };

    /// A grade is removed, after it is copied to the history.
    GRADE_REMOVE: Kind {
        name: "grade.remove",
        table: "grade_grades",
        key: &[("userid", "userid"), ("itemid", "itemid")],
        change: WHOLE_IN_COURSE,
        event: Some(&events::GRADE_DELETED),
        english: "grades to history",
        french: "notes vers l'historique",
        ..SILENT
    }, ranks { GRADES: 50, };

    /// A removed grade is written to the history.
    GRADE_HISTORY_ADD: Kind {
        name: "grade-history.add",
        table: "grade_grades_history",
        key: &[("oldid", "targetid"), ("userid", "userid"), ("itemid", "itemid")],
        change: Change::Added { says: &[], named: &[], made: Some("timemodified"), used_by: &[] },
        english: "grade history rows",
        french: "lignes d'historique",
        ..SILENT
    }, ranks { GRADE_HISTORY: 51, };

    /// A user's digest setting of a forum is removed.
    FORUM_DIGESTS_REMOVE: Kind {
        name: "forum-digests.remove",
        table: "forum_digests",
        key: OF_USER,
        change: WHOLE_IN_COURSE,
        english: "forum digests removed",
        french: "résumés de forum retirés",
        ..SILENT
    }, ranks { FORUM_DIGESTS: 53, };

    /// A user's forum subscription is removed.
    FORUM_SUBSCRIPTIONS_REMOVE: Kind {
        name: "forum-subscriptions.remove",
        table: "forum_subscriptions",
        key: OF_USER,
        change: WHOLE_IN_COURSE,
        english: "forum subscr. removed",
        french: "abonnements retirés",
        ..SILENT
    }, ranks { FORUM_SUBSCRIPTIONS: 54, };

    /// A user's choice not to track unread posts of a forum is removed.
    FORUM_TRACK_PREFS_REMOVE: Kind {
        name: "forum-track-prefs.remove",
        table: "forum_track_prefs",
        key: OF_USER,
        change: WHOLE_IN_COURSE,
        english: "forum tracking removed",
        french: "suivis de forum retirés",
        ..SILENT
    }, ranks { FORUM_TRACK_PREFS: 55, };

    /// A user's read mark of a forum post is removed.
    FORUM_READ_REMOVE: Kind {
        name: "forum-read.remove",
        table: "forum_read",
        key: OF_USER,
        change: WHOLE_IN_COURSE,
        english: "forum read marks removed",
        french: "marques de lecture retirées",
        ..SILENT
    }, ranks { FORUM_READ: 56, };

    /// A duplicate role, or one of a removed instance, is removed; Moodle has no event for either.
    ROLE_PRUNE: Kind {
        name: "role.prune",
        table: "role_assignments",
        key: ASSIGNMENT,
        change: Change::Removed { still: Still::Key, given: &["courseid"], alone: &[] },
        english: "double roles pruned",
        french: "rôles en double retirés",
        ..SILENT
    }, ranks {
        /// Roles that a removed instance owned.
        LEFT_ROLES: 62,
        PRUNE: 90,
    };

    /// An instance of a method is removed from a course. The journal never holds its enrolment key.
    INSTANCE_REMOVE: Kind {
        name: "instance.remove",
        table: "enrol",
        key: &[("courseid", "courseid"), ("enrol", "component")],
        change: Change::Removed { still: Still::Whole, given: &["contextid"], alone: &[] },
        event: Some(&events::INSTANCE_DELETED),
        dirty: Some(Dirty::Course),
        figure: Some(Figure::Unmade),
        english: "methods removed",
        french: "méthodes retirées",
    }, ranks { UNMAKE: 66, };

    /// An instance of a method is disabled.
    INSTANCE_SUSPEND: Kind {
        name: "instance.suspend",
        table: "enrol",
        key: &[("courseid", "courseid"), ("enrol", "component")],
        change: Change::Changed(&[("status", "c.status", Some("oldstatus")), ("timemodified", ":now", None)]),
        event: Some(&events::INSTANCE_UPDATED),
        dirty: Some(Dirty::Course),
        figure: None,
        english: "methods disabled",
        french: "méthodes désactivées",
    }, ranks { DISABLE: 67, };

    /// A user who left a group leaves its conversation.
    CONVERSATION_MEMBER_REMOVE: Kind {
        name: "conversation-member.remove",
        table: "message_conversation_members",
        key: OF_USER,
        change: Change::Removed {
            still: Still::Whole,
            given: &["courseid", "contextid"],
            alone: &["conversationid", "userid"],
        },
        english: "conversation members",
        french: "membres de conversation",
        ..SILENT
    }, ranks {
        CONVERSATIONS: 70,
        /// Of the groups that a rule's users leave.
        CONVERSATION_LEAVE: 71,
    };

    /// A user who joined a group joins its conversation.
    CONVERSATION_MEMBER_ADD: Kind {
        name: "conversation-member.add",
        table: "message_conversation_members",
        key: &[("conversationid", "targetid"), ("userid", "userid")],
        change: Change::Added { says: &[], named: &[], made: Some("timecreated"), used_by: &[] },
        english: "conversation members added",
        french: "membres de conversation ajoutés",
        ..SILENT
    }, ranks { CONVERSATION_JOIN: 72, };

    /// A user's last access to a course is removed, whatever its value: each page view changes it.
    LASTACCESS_REMOVE: Kind {
        name: "lastaccess.remove",
        table: "user_lastaccess",
        key: OF_USER,
        change: Change::Removed { still: Still::There, given: &["courseid", "contextid"], alone: &[] },
        english: "last accesses removed",
        french: "derniers accès retirés",
        ..SILENT
    }, ranks { LAST_ACCESS: 75, };

    /// A group whose members changed gets a new `timemodified`.
    GROUP_TOUCH: Kind {
        name: "group.touch",
        table: "groups",
        key: &[("id", "groupid"), ("courseid", "courseid")],
        change: Change::Changed(&[("timemodified", ":now", None)]),
        english: "groups marked changed",
        french: "groupes marqués modifiés",
        ..SILENT
    }, ranks {
        TOUCH: 80,
        /// After a rule's memberships.
        TOUCH_LAST: 81,
    };

    /// A user who got a role is subscribed to a forum: an effect, which comes after all plans and has no rank.
    FORUM_SUBSCRIPTION_ADD: Kind {
        name: "forum-subscription.add",
        table: "forum_subscriptions",
        key: &[("userid", "userid"), ("forum", "targetid")],
        change: Change::Added { says: &[], named: &[], made: None, used_by: &[] },
        english: "forum subscriptions",
        french: "abonnements aux forums",
        ..SILENT
    }, ranks {};
}
