//! The keys of section `profiles`, and which kinds of file each is for.
//! It must not know how a file is read or applied.

use super::named::Named;
use super::{CENTURY, Key, Kind, MANY, choice, defaulted, flag, general, whole};
use crate::config::forms;
use crate::config::sections::{
    BlankCell, ByHand, CohortKey, CourseKey, FileGroupKey, FileKind, ForceChange, Locale, MailWhen, MatchBy, Operation,
    PasswordFrom, ProfileMode, Reactivate, TellTeachers, Update, UserKey,
};

/// The section of all profiles.
pub(in crate::config) static SECTION: Named = Named {
    prefix: "profiles.",
    example: "#[profiles.NAME]",
    first: "kind",
    keys: OF_PROFILE,
    open: &[defaulted("columns", Kind::Text(forms::line)), defaulted("default", Kind::Text(forms::line))],
    check_name: |_| Ok(()),
};

/// The kinds of file that a profile can have: flat files have the section `flatfile`.
const KINDS: &[&str] = FileKind::WORDS.split_first().expect("flat files are the first").1;

/// The keys of each profile, without `profiles.NAME.`, in the order of the reference.
pub(in crate::config) const OF_PROFILE: &[Key] = &[
    flag("enabled"),
    choice("kind", KINDS),
    defaulted("files", Kind::Names),
    choice("mode", ProfileMode::WORDS),
    general("locale", Kind::Choice(Locale::WORDS)),
    defaulted("mail_to", Kind::List(forms::mail_addresses)),
    choice("mail_when", MailWhen::WORDS),
    choice("tell_teachers", TellTeachers::WORDS),
    choice("operation", Operation::WORDS),
    choice("update", Update::WORDS),
    choice("match", MatchBy::WORDS),
    choice("blank", BlankCell::WORDS),
    flag("standardise"),
    general("rename", Kind::Flag),
    general("delete", Kind::Flag),
    general("suspend", Kind::Flag),
    general("change_email", Kind::Flag),
    general("change_auth", Kind::Flag),
    general("give_password", Kind::Flag),
    flag("password_update"),
    choice("password", PasswordFrom::WORDS),
    choice("force_change", ForceChange::WORDS),
    flag("email_duplicates"),
    general("system_roles", Kind::Flag),
    general("category_roles", Kind::Flag),
    flag("create_cohorts"),
    whole("context_id", 0, MANY, "context.id"),
    choice("user_key", UserKey::WORDS),
    choice("cohort_key", CohortKey::WORDS),
    general("waiting_days", Kind::Whole(0, CENTURY, "days")),
    general("waiting_expected", Kind::Flag),
    defaulted("course", Kind::Text(forms::line)),
    choice("course_key", CourseKey::WORDS),
    defaulted("role", Kind::Text(forms::line)),
    defaulted("groups", Kind::Text(forms::line)),
    flag("create_groups"),
    choice("reactivate", Reactivate::WORDS),
    choice("method", ByHand::WORDS),
    general("unenrol", Kind::Flag),
    general("open_courses", Kind::Flag),
    choice("group_key", FileGroupKey::WORDS),
    flag("purge_groups"),
];

/// The keys that say what becomes of a dropped file; an operator who imports one says it otherwise.
const OF_DROPPED: &[&str] = &["enabled", "kind", "files", "mode", "locale", "mail_to", "mail_when"];

/// The columns of an account for which a profile can have a default, besides custom profile fields.
const WITH_DEFAULT: &[&str] = &[
    "username",
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
    "interests",
];

/// Which kinds have which options, besides those of [`OF_DROPPED`]; `default` and `columns` stand for all of theirs.
const OPTIONS: &[(&[FileKind], &[&str])] = &[
    (&[FileKind::Users], OF_USERS),
    (&[FileKind::Users, FileKind::Cohorts, FileKind::CohortMembers], &["create_cohorts", "context_id"]),
    (
        &[FileKind::Users, FileKind::Cohorts, FileKind::CohortMembers, FileKind::Groups, FileKind::Groupings],
        &["update"],
    ),
    (
        &[
            FileKind::Users,
            FileKind::Cohorts,
            FileKind::CohortMembers,
            FileKind::Methods,
            FileKind::CourseMethods,
            FileKind::Groups,
            FileKind::Groupings,
            FileKind::GroupMembers,
            FileKind::Convert,
            FileKind::Renew,
        ],
        &["columns"],
    ),
    (&[FileKind::Users, FileKind::Groups, FileKind::Groupings], &["blank"]),
    (
        &[
            FileKind::Users,
            FileKind::Groups,
            FileKind::Groupings,
            FileKind::Methods,
            FileKind::CourseMethods,
            FileKind::Convert,
        ],
        &["delete"],
    ),
    (&[FileKind::Methods, FileKind::CourseMethods], &["open_courses"]),
    (&[FileKind::Cohorts, FileKind::CohortMembers], &["waiting_days", "waiting_expected"]),
    (&[FileKind::Cohorts, FileKind::CohortMembers, FileKind::Methods, FileKind::CourseMethods], &["cohort_key"]),
    (
        &[
            FileKind::Cohorts,
            FileKind::CohortMembers,
            FileKind::CourseList,
            FileKind::GroupMembers,
            FileKind::Enrolments,
            FileKind::Convert,
            FileKind::Renew,
        ],
        &["user_key"],
    ),
    (
        &[FileKind::CourseList, FileKind::CourseText, FileKind::Groups, FileKind::Groupings, FileKind::GroupMembers],
        &["course"],
    ),
    (
        &[
            FileKind::CourseList,
            FileKind::CourseText,
            FileKind::Methods,
            FileKind::CourseMethods,
            FileKind::Groups,
            FileKind::Groupings,
            FileKind::GroupMembers,
            FileKind::Enrolments,
            FileKind::Convert,
            FileKind::Renew,
        ],
        &["course_key"],
    ),
    (&[FileKind::CourseList, FileKind::CourseText], &["reactivate"]),
    (&[FileKind::CourseList, FileKind::CourseText, FileKind::Methods, FileKind::CourseMethods], &["role"]),
    (
        &[FileKind::CourseList, FileKind::CourseText, FileKind::Methods, FileKind::CourseMethods, FileKind::Enrolments],
        &["create_groups"],
    ),
    (&[FileKind::CourseList], &["groups"]),
    (&[FileKind::CourseText], &["method"]),
    (&[FileKind::CourseText, FileKind::Enrolments], &["unenrol"]),
    (&[FileKind::Groups, FileKind::Groupings, FileKind::GroupMembers], &["group_key"]),
    (&[FileKind::Groups, FileKind::GroupMembers], &["purge_groups"]),
];

/// The keys that only users files have.
const OF_USERS: &[&str] = &[
    "operation",
    "match",
    "standardise",
    "rename",
    "suspend",
    "change_email",
    "change_auth",
    "give_password",
    "password_update",
    "password",
    "force_change",
    "email_duplicates",
    "system_roles",
    "category_roles",
    "default",
];

/// The options of files of this kind, for messages.
pub(in crate::config) fn options(kind: FileKind) -> String {
    let of_kind = |name: &&str| !OF_DROPPED.contains(name) && misfit(kind, name).is_none();
    let names = OF_PROFILE.iter().map(|key| key.name).chain(["columns.HEADER", "default.COLUMN"]);
    names.filter(of_kind).collect::<Vec<_>>().join(", ")
}

/// What is wrong with the default of this column.
pub(in crate::config) fn no_default(rest: &str) -> Option<String> {
    let column = rest.strip_prefix("default.")?.to_lowercase();
    let has = column.starts_with("profile_field_") || WITH_DEFAULT.contains(&column.as_str());
    (!has).then(|| format!("there is no default for it, but for profile_field_NAME, {}", WITH_DEFAULT.join(", ")))
}

/// Why an operator cannot set a key for one run.
pub(in crate::config) fn not_of_a_run(name: &str) -> Option<&'static str> {
    match name {
        "kind" => Some("is set by --kind"),
        _ if OF_DROPPED.contains(&name) => Some("is about dropped files only"),
        _ => None,
    }
}

/// What the key of a profile is for, if files of this kind do not have it.
pub(in crate::config) fn misfit(kind: FileKind, rest: &str) -> Option<String> {
    let key = rest.split('.').next().unwrap_or_default();
    let (kinds, _) = OPTIONS.iter().find(|(_, keys)| keys.contains(&key))?;
    if kinds.contains(&kind) {
        return None;
    }
    let fits = match kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().as_slice() {
        [one] => format!("kind {one}"),
        [others @ .., last] => format!("kinds {} and {last}", others.join(", ")),
        [] => String::new(),
    };
    Some(format!("is an option of {fits}, and the kind here is {kind}; remove it"))
}
