//! The message codes (spec files 8), and a problem: a code with what was found and where. It must not depend on what
//! raises a code, nor contain sentences: `report` has them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What is wrong with a line or with a file. The documentation of each code says
        /// what the `value` and the `hint` of its [`Problem`] hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// Every code, in the order of the declaration.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The stable, language-free name, as in spec files 8.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// No account matches. Value: the text in the line; hint: the user key (`username`, ...), with keys that are like
    /// it ([`hint::with_keys`]).
    UserUnknown = "user-unknown",
    /// A line that waits for an account or a course. Value: the key that names none; hint: the code that the line would
    /// have, the kind of the key, and until when it waits (Unix seconds).
    Waiting = "waiting",
    /// A line that cannot wait, because too many do. Value and hint as of `waiting`, without the time.
    WaitingFull = "waiting-full",
    /// Several accounts match. Value: the text in the line; hint: how many.
    UserAmbiguous = "user-ambiguous",
    /// No course matches. Value: the text in the line; hint: the course key, with keys that are like it.
    CourseUnknown = "course-unknown",
    /// Several courses match. Value: the text in the line; hint: how many.
    CourseAmbiguous = "course-ambiguous",
    /// No usable role. Value: the text in the line; hint: the usable names, or nothing.
    RoleUnknown = "role-unknown",
    /// The short name of one role is the alias of another. Value: the text in the line; hint: the two roles.
    RoleAmbiguous = "role-ambiguous",
    /// A role that the feed may not assign or remove. Value: the text in the line; hint: the configuration key of the
    /// allowed roles.
    RoleNotAllowed = "role-not-allowed",
    /// The operation is unknown. Value: the text in the line; hint: the known ones.
    BadVerb = "bad-verb",
    /// A time that cannot be read. Value: the text in the line; hint: the accepted forms, or what the number looks
    /// like: [`hint::DAY_NUMBER`] and others, a blank, and the date that it would be.
    BadTime = "bad-time",
    /// Value: the end, hint: the start, both as the line writes them; or [`hint::PASSED`].
    EndBeforeStart = "end-before-start",
    /// An unknown column. Value: its name, or its position (`#3`) if the header is not recognised; hint: the nearest
    /// known name, or nothing, or [`hint::NOT_APPLIED`], [`hint::SEVERAL_RECORDS`] or [`hint::NAMELESS`].
    ColumnUnknown = "column-unknown",
    /// Value: the required columns that the header lacks; hint: the columns found, unknown ones as `?`.
    ColumnMissing = "column-missing",
    /// Two columns mean the same. Value: the second; hint: the first.
    ColumnTwice = "column-twice",
    /// A header behind other lines. Value: the first line before it that is no title; hint: how many titles there may
    /// be.
    HeaderMisplaced = "header-misplaced",
    /// A title line before the header, which is not read; the file is used. Value: its text.
    LineSkipped = "line-skipped",
    /// The delimiter is not accepted. Value: the one found; hint: those accepted.
    DelimiterSuspect = "delimiter-suspect",
    /// A spreadsheet, an archive or a document in place of a table. Value: its format (`xlsx`, `ods`, `xls`, `zip`,
    /// `gzip`, `pdf`, `html` and others).
    Spreadsheet = "spreadsheet",
    /// Bytes that are no text. Value: `NUL` or the encoding; hint: the first physical line with them. In one line of a
    /// file that is used otherwise, value: the line; hint: [`hint::LINE`].
    EncodingInvalid = "encoding-invalid",
    /// Value: the number of columns found (or the line's text for [`hint::QUOTE`]);
    /// hint: the number expected, or [`hint::QUOTE`], or [`hint::SEVERAL_RECORDS`].
    RowRagged = "row-ragged",
    /// Value: how the line begins; hint: the limit.
    RowTooLong = "row-too-long",
    /// More characters than any value on the site can have. Value: how it begins; hint: the column of the file, and its
    /// width.
    ValueTooLong = "value-too-long",
    /// A file above the size limit. Value: its size in bytes; hint: the setting, and the limit in MiB.
    FileTooLarge = "file-too-large",
    /// The database refused the same file repeatedly, but is available. Value: how often; hint: its message.
    DatabaseRefuses = "database-refuses",
    /// Value: the column that is empty.
    EmptyIdentifier = "empty-identifier",
    /// Somebody of a list who has no enrolment that the command concerns. Value: the user name.
    NotParticipant = "not-participant",
    /// Value: the enrolment method; hint: the course, or [`hint::AUTOMATIC`], [`hint::BY_HAND`], [`hint::SITE`]
    /// or [`hint::DISABLED`].
    NoMethod = "no-method",
    /// An administrator or the guest account. Value: the text in the line.
    AccountProtected = "account-protected",
    /// Too many lines for one user in one course. Value: user and course; hint: the limit.
    TooManySteps = "too-many-steps",
    /// Another writer changed the pair meanwhile. Value: user and course; hint: that run, or nothing.
    Overtaken = "overtaken",
    /// A limit of the guard. Value: what was counted, and the count; hint: the limit.
    GuardHeld = "guard-held",
    /// Value: when the same bytes were processed; hint: that run, or nothing.
    DuplicateFile = "duplicate-file",
    /// A file whose kind cannot be told. Value: the file's name; hint: the kinds or profiles that it fits. Or value:
    /// its header, which fits no kind; hint: what those need.
    KindUnknown = "kind-unknown",
    /// A dropped file of a kind that no profile allows. Value: the kind; hint: the section of the configuration.
    KindNotAllowed = "kind-not-allowed",
    /// No data line at all. Value: the file's name, or nothing.
    FileEmpty = "file-empty",
    /// Value: the file's path; hint: the operating system's message.
    FileUnreadable = "file-unreadable",
    /// An instance whose source course does not exist. Value: the course of the instance; hint: the id of the source.
    SourceGone = "source-gone",
    /// An instance whose role no longer exists. Value: the course of the instance; hint: the role's id.
    InstanceRoleGone = "instance-role-gone",
    /// An availability rule that enrold cannot follow. Value: the course; hint: what is wrong with it.
    RuleUnusable = "rule-unusable",
    /// No cohort matches. Value: the text in the line; hint: the cohort key.
    CohortUnknown = "cohort-unknown",
    /// Several cohorts match. Value: the text in the line; hint: how many.
    CohortAmbiguous = "cohort-ambiguous",
    /// The cohort belongs to another source. Value: the text in the line; hint: its component.
    CohortOwned = "cohort-owned",
    /// Another cohort has the idnumber or the name. Value: the text in the line; hint: the column.
    CohortExists = "cohort-exists",
    /// Members of a cohort stay, although the file does not name them. Value: the cohort; hint: how many.
    CohortKept = "cohort-kept",
    /// No context, or none that may hold cohorts; the cohort stays where it is, or is made in the default one. Value:
    /// the text in the line; hint: the column.
    ContextUnknown = "context-unknown",
    /// A value that its column cannot have. Value: the text in the line; hint: the column, and the values that it may
    /// have; of a text in sections [`hint::SECTION`], with the line of the section if there is one.
    ValueUnusable = "value-unusable",
    /// A value that was cut. Value: how it begins; hint: the column and its width.
    ValueCut = "value-cut",
    /// The set of a source cannot be fetched or read. Value: the source; hint: why, and what to do.
    SourceUnreadable = "source-unreadable",
    /// A delta without its base. Value: the source; hint: why, and what to do.
    BaseMissing = "base-missing",
    /// A delta that is older than what was applied. Value: the source; hint: the two moments, and what to do.
    DeltaOutdated = "delta-outdated",
    /// A set that cannot be applied before a held one is decided. Value: the source; hint: the held run.
    SetWaits = "set-waits",
    /// A new course without a name. Value: the row's other values; hint: the column that is empty.
    CourseNameMissing = "course-name-missing",
    /// A name of a new course that is too long for Moodle. Value: how it begins; hint: the column and its width.
    CourseNameTooLong = "course-name-too-long",
    /// A name or idnumber of a new course that is damaged, or like that of a course that exists. Value: the short name.
    CourseNameDoubtful = "course-name-doubtful",
    /// On this database Moodle treats another short name as equal. Value: the row's; hint: the existing one.
    CourseShortnameTaken = "course-shortname-taken",
    /// The idnumber belongs to an existing course. Value: the short name of the new course; hint: the idnumber.
    CourseIdnumberTaken = "course-idnumber-taken",
    /// Several rows describe a new course. Value: the short name of this row; hint: the line of the one that counts.
    CourseTwice = "course-twice",
    /// No category matches. Value: the short name of the new course; hint: the text in the row.
    CategoryUnknown = "category-unknown",
    /// Several categories match. Value: the short name of the new course; hint: the text in the row.
    CategoryAmbiguous = "category-ambiguous",
    /// No group of the course matches. Value: the text in the set; hint: the course.
    GroupUnknown = "group-unknown",
    /// Several groups of the course match. Value: the text in the set; hint: the course.
    GroupAmbiguous = "group-ambiguous",
    /// An account that is not enrolled joins no group. Value: the text in the line; hint: the course.
    GroupNotEnrolled = "group-not-enrolled",
    /// A group or a grouping that exists is not as the row describes it, and is left so; or another has the name.
    /// Value: the name; hint: the course.
    GroupExists = "group-exists",
    /// Another group or grouping of the course has the idnumber. Value: the idnumber; hint: the course.
    GroupIdnumberTaken = "group-idnumber-taken",
    /// No grouping of the course matches. Value: the text in the line; hint: the course.
    GroupingUnknown = "grouping-unknown",
    /// A group or a grouping that is not removed, because it is used. Value: its name; hint: the table that uses it, or
    /// `availability`.
    GroupUsed = "group-used",
    /// Members whom an enrolment method put into a group stay. Value: the group; hint: how many.
    GroupKept = "group-kept",
    /// A file whose name does not say its course. Value: the name.
    CourseNotNamed = "course-not-named",
    /// A participant whose enrolments are all suspended or ended, and were left so. Value: the user name; hint: the
    /// course.
    EnrolmentInactive = "enrolment-inactive",
    /// Nobody was enrolled, because the course gets its participants from others. Value: the user name; hint: the
    /// course.
    CourseLinked = "course-linked",
    /// An enrolment that does not end, because another method gives it. Value: the user name; hint: the course.
    EnrolmentKept = "enrolment-kept",
    /// A method that is to be added exists, with other values. Value: the method and its source; hint: the course.
    MethodExists = "method-exists",
    /// A method that does not exist. Value: the method and its source; hint: the course.
    MethodMissing = "method-missing",
    /// A meta link that would close a cycle. Value: its courses, in the direction in which people would go.
    MethodCycle = "method-cycle",
    /// The rows of a file mean too many courses. Value: the text in the line, or the number of rows; hint: the limit.
    TooManyCourses = "too-many-courses",
    /// A file has too many different globs and paths of categories. Value: the text in the line; hint: the limit.
    TooManyPatterns = "too-many-patterns",
    /// The meta links of a file form so many cycles that it is not found out whether one more closes one. Value: the
    /// link.
    TooManyLinks = "too-many-links",
    /// A role in a category that is not found. Value: the text in the line; hint: how many categories match.
    CategoryUnusable = "category-unusable",
    /// A character that the site's column cannot store. Value: the text; hint: the column.
    ValueCharset = "value-charset",
    /// Groups that cannot be named. Value: the course; hint: what is wrong.
    GroupName = "group-name",
    /// A column of a full set that is not read. Value: its name; hint: the columns that are.
    ColumnIgnored = "column-ignored",
    /// A row refers to another that does not exist. Value: the identifier; hint: the file that should have it.
    ReferenceUnknown = "reference-unknown",
    /// An identifier that several rows have. Value: the identifier; hint: the file that has it.
    ReferenceAmbiguous = "reference-ambiguous",
    /// A value that the column cannot have. Value: the text in the row; hint: the column, a blank, and what is
    /// expected.
    ValueInvalid = "value-invalid",
    /// A new account lacks a value. Value: the user name, or what is known of it; hint: the column.
    AccountIncomplete = "account-incomplete",
    /// A user name with characters that Moodle does not allow. Value: the user name; hint: what it would be if it were
    /// standardised, or [`hint::SPREADSHEET`].
    UsernameInvalid = "username-invalid",
    /// Another account has the user name. Value: the user name; hint: the line of the file whose account has it, or
    /// nothing.
    UsernameTaken = "username-taken",
    /// Another account has the address. Value: the address; hint: the line of the file that has it too, or nothing.
    EmailTaken = "email-taken",
    /// The idnumber of the row and that of the account contradict each other. Value: the user name; hint: the idnumber.
    KeyCollision = "key-collision",
    /// The authentication method is not installed. Value: the text in the row.
    AuthUnknown = "auth-unknown",
    /// The authentication method is not enabled, so that the account cannot log in; the row is applied. Value: the
    /// method.
    AuthDisabled = "auth-disabled",
    /// No mail reaches the address, by its form; the row is applied. Value: the address.
    EmailMalformed = "email-malformed",
    /// A change that the options of the file do not allow. Value: the account, or the column; hint: the option.
    ChangeRefused = "change-refused",
    /// Another host's account, one that the configuration protects, or one with a role above the courses. Value: the
    /// user name; hint: why (`host`, `protected`, `role`).
    AccountForeign = "account-foreign",
    /// No option of a menu of the custom profile fields. Value: the text in the row; hint: the field.
    FieldOptionUnknown = "field-option-unknown",
    /// Options of a file that contradict each other. Value: the one; hint: the other. Or two cells of one row; hint:
    /// [`hint::LINE`], then the other.
    OptionsConflict = "options-conflict",
    /// The status or its date contradicts the way the file is sent. Value: the text in the row; hint: what is expected.
    StatusUnusable = "status-unusable",
    /// A masked password: the file was written by enrold. Value: the column.
    PasswordMasked = "password-masked",
    /// Value: the column; hint: how many bytes a password has at most.
    PasswordTooLong = "password-too-long",
}

/// Hints that are not shown: they select another sentence.
pub mod hint {
    /// The problem is one of the line only.
    pub const LINE: &str = "line";
    /// The quotes of the line are not balanced.
    pub const QUOTE: &str = "quote";
    /// A value in a column without a name.
    pub const NAMELESS: &str = "nameless";
    /// An end that has passed.
    pub const PASSED: &str = "passed";
    /// A method that the whole site has disabled.
    pub const SITE: &str = "site";
    /// A method that is there, but disabled; the course follows.
    pub const DISABLED: &str = "disabled";
    /// A method whose enrolments last as long as their source says.
    pub const AUTOMATIC: &str = "automatic";
    /// A method whose enrolments are made by hand already.
    pub const BY_HAND: &str = "by-hand";
    /// Several records are on one line (the layout accident of spec files 2.1).
    pub const SEVERAL_RECORDS: &str = "several-records";
    /// A time that is the day number of a spreadsheet; its date follows.
    pub const DAY_NUMBER: &str = "day-number";
    /// A time that is a year; it follows.
    pub const YEAR: &str = "year";
    /// A time that is a year and a month, without anything between them; both follow as `2027-06`.
    pub const YEAR_MONTH: &str = "year-month";
    /// A time that is a date without anything between its parts; the date follows.
    pub const COMPACT_DATE: &str = "compact-date";
    /// A time that would be a Unix time before 1973.
    pub const SMALL_NUMBER: &str = "small-number";
    /// A user name that a spreadsheet has changed: a number with decimals, a date, lost digits.
    pub const SPREADSHEET: &str = "spreadsheet";
    /// A line that may begin a section of a text; behind it, the line that is meant.
    pub const SECTION: &str = "section";
    /// A column of other programs that this version does not apply.
    pub const NOT_APPLIED: &str = "not-applied";

    /// The kind of an unknown key, with keys that are like it: `username jdoe, jdoe1`.
    pub fn with_keys(kind: &str, keys: &[&str]) -> String {
        format!("{kind} {}", keys.join(", "))
    }

    /// The kind of an unknown key, and the keys that are like it, if there are any.
    pub fn kind_and_keys(hint: &str) -> (&str, Option<&str>) {
        hint.split_once(' ').map_or((hint, None), |(kind, keys)| (kind, Some(keys)))
    }
}

impl Code {
    /// The code of this name, `None` if there is none.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Code::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("there is no code {text}")))
    }
}

/// A value as it is shown and stored: its beginning, without control characters.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut out: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

/// Something wrong with one line of a file, or with the whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The name of the file, if a run reads several or another one than it was given; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The physical line, 1-based, on which the record begins; 0 is the whole file.
    pub line: u64,
    pub code: Code,
    /// What was found, see the code.
    pub value: String,
    /// The second parameter, see the code.
    pub hint: String,
}

impl Problem {
    /// A problem of the line `line` (0: of the whole file).
    pub fn new(line: u64, code: Code, value: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { file: String::new(), line, code, value: value.into(), hint: hint.into() }
    }

    /// The same problem, in a line of this file.
    pub fn in_file(self, file: impl Into<String>) -> Self {
        Problem { file: file.into(), ..self }
    }
}
