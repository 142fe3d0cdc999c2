//! The sentence that each code becomes, in English.
//! It must not know where a code is raised, or how a sentence is shown.

use crate::problem::{Code, hint};
use crate::report::waiting::parts;

impl Code {
    pub(super) fn english(self, v: &str, h: &str) -> String {
        match self {
            Code::UserUnknown => match hint::kind_and_keys(h) {
                (h, None) => format!("no account matches {h}={v}; create the account or correct the line"),
                (h, Some(keys)) => format!("no account matches {h}={v}; did you mean {keys}? Correct the line"),
            },
            Code::Waiting => {
                let (until, code, hint) = parts(h);
                format!("{code}: {}; the line waits until {until}", code.english(v, hint))
            }
            Code::WaitingFull => {
                let (_, code, hint) = parts(h);
                format!("{code}: {}; the line cannot wait, because waiting.max lines do", code.english(v, hint))
            }
            Code::UserAmbiguous => {
                format!("{h} accounts match \"{v}\", none was used; give each account its own value")
            }
            Code::CourseUnknown => match hint::kind_and_keys(h) {
                (h, None) => format!("no course matches {h}={v}; create the course or correct the line"),
                (h, Some(keys)) => format!("no course matches {h}={v}; did you mean {keys}? Correct the line"),
            },
            Code::CourseAmbiguous => {
                format!("{h} courses match \"{v}\", none was used; give each course its own value")
            }
            Code::RoleUnknown if h.is_empty() => {
                format!("no such role \"{v}\"; use the short name or the alias of a role of this site")
            }
            Code::RoleUnknown => format!("no such role \"{v}\"; use one of: {h}"),
            Code::RoleAmbiguous => format!(
                "\"{v}\" is the short name of one role and the alias of another ({h}), none was used; write the id of \
                 the role, or give it another alias in Moodle"
            ),
            Code::RoleNotAllowed => format!(
                "role \"{v}\" is not among those that {h} allows here, nothing was done with it; use another \
                 role, or name it in {h} if whoever makes these files is to be trusted with it"
            ),
            Code::BadVerb => format!("operation \"{v}\" is not known; use one of: {h}"),
            Code::BadTime => match h.split_once(' ').unwrap_or((h, "")) {
                (hint::DAY_NUMBER, date) => format!(
                    "unreadable date \"{v}\": it looks like a spreadsheet's day number for {date}; give the column the \
                     format of a date, or write {date}"
                ),
                (hint::YEAR, year) => format!(
                    "unreadable date \"{v}\": it looks like the year {year}; write the whole date, like {year}-01-31"
                ),
                (hint::YEAR_MONTH, month) => {
                    format!(
                        "unreadable date \"{v}\": it looks like the month {month}; write the day too, like {month}-15"
                    )
                }
                (hint::COMPACT_DATE, date) => format!("unreadable date \"{v}\"; write it like this: {date}"),
                (hint::SMALL_NUMBER, _) => format!(
                    "unreadable date \"{v}\": as Unix seconds it would be before 1973; write a date like 2026-01-31 \
                     (whoever needs such seconds sets flatfile.small_times = \"accept\")"
                ),
                _ => format!("unreadable date \"{v}\"; write it like one of: {h}"),
            },
            Code::EndBeforeStart if h == hint::PASSED => {
                format!("the end \"{v}\" has passed, nobody would be renewed by it; write a later one")
            }
            Code::EndBeforeStart => {
                format!("the end \"{v}\" comes before the start \"{h}\"; correct one of them")
            }
            Code::ColumnUnknown => match h {
                hint::NAMELESS => {
                    "a value stands in a column without a title, and may be the person; name the column in the \
                     header, or empty it"
                        .to_owned()
                }
                "" => format!("header refused: column \"{v}\" is not known; remove it or give it a known name"),
                hint::NOT_APPLIED => format!(
                    "file refused: this version does not apply column \"{v}\", and ignoring it would lose data; remove \
                     the column or use the program it was made for"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "header refused: \"{v}\" holds a column name and the start of a record; write the header and each \
                     record on a line of its own"
                ),
                near => {
                    format!("header refused: column \"{v}\" is not known, did you mean \"{near}\"? Correct the header")
                }
            },
            Code::ColumnMissing => format!(
                "header refused: required column missing: {v} (found: {h}); add it to the header and to each line"
            ),
            Code::ColumnTwice => format!("header refused: columns \"{h}\" and \"{v}\" mean the same; keep one of them"),
            Code::HeaderMisplaced => format!(
                "file refused: a header stands here, but line {v} before it is no title; put the header first (at most \
                 {h} title lines without a delimiter may come before it), and lines of another form into a file of \
                 their own"
            ),
            Code::LineSkipped => {
                format!("stands before the header and is not read: \"{v}\"; leave it out of the file")
            }
            Code::DelimiterSuspect => format!(
                "file refused: the columns seem to be separated by {v}; use {h}, the same in the header and in each \
                 line"
            ),
            Code::Spreadsheet => match v {
                "xlsx" | "xls" | "ods" => {
                    format!("file refused: this is a spreadsheet ({v}), no text file; save it as CSV and send that")
                }
                "html" => {
                    "file refused: this is a web page (html), no CSV file: perhaps a page of the server that asks \
                           for a password, or a table that a program calls a spreadsheet; send the data as CSV"
                        .to_owned()
                }
                "pdf" | "rtf" | "xml" => {
                    format!("file refused: this is a document ({v}), no CSV file; export the data as CSV and send that")
                }
                "zip" => "file refused: this is a zip file (an archive or a spreadsheet), no text; send the CSV file \
                          that it holds, or save it as CSV"
                    .to_owned(),
                _ => format!("file refused: this is a compressed file ({v}), no text; send the CSV file that it holds"),
            },
            Code::EncodingInvalid if v == "NUL" => format!(
                "file refused: NUL byte on line {h}, this is no text file; export it again as UTF-8 (UTF-16 needs its \
                 byte order mark)"
            ),
            Code::EncodingInvalid if h == hint::LINE => format!(
                "bytes that are no UTF-8, as the rest of the file is: {v}; correct the characters shown as \u{fffd}, \
                 and export the file again as UTF-8"
            ),
            Code::EncodingInvalid => {
                format!("file refused: line {h} is not valid {v}; export the file again, as UTF-8")
            }
            Code::RowRagged => match h {
                hint::QUOTE => format!(
                    "quotes that do not pair in: {v}; close the quote, and double a quote that belongs to a value"
                ),
                hint::SEVERAL_RECORDS => {
                    format!("{v} columns: several records seem to stand on this line; write one record per line")
                }
                expected => format!("{v} columns where {expected} are expected; correct the separators of this line"),
            },
            Code::RowTooLong => {
                format!("longer than {h}, not read (it begins with: {v}); check that each record ends with a line end")
            }
            Code::ValueTooLong => {
                let (column, room) = h.rsplit_once(' ').unwrap_or((h, ""));
                let left_out = match column {
                    "group" | "name" => "it is left out, the rest of the row is applied",
                    _ => "the line is not applied",
                };
                format!(
                    "the value of column {column} is too long, the site has room for {room} characters: \"{v}\"; \
                     {left_out}: correct it"
                )
            }
            Code::FileTooLarge => {
                format!(
                    "the file has {v} bytes, more than a file may have; it was not read: send it in parts, or raise \
                     {h} MiB"
                )
            }
            Code::DatabaseRefuses => format!(
                "the database refused this file {v} times while it answered otherwise, nothing of it was applied: {h}; \
                 correct the file, or the database, and drop it again"
            ),
            Code::EmptyIdentifier => {
                format!("column \"{v}\" is empty; fill it, an empty value never matches anything")
            }
            Code::NotParticipant => format!(
                "\"{v}\" has no enrolment that this concerns (course, method, role); correct the list, or the command"
            ),
            Code::NoMethod if h == hint::AUTOMATIC => format!(
                "enrolments of the method \"{v}\" last as long as their source says; make them manual ones \
                 first (convert)"
            ),
            Code::NoMethod if h == hint::SITE => format!(
                "the enrolment method \"{v}\" is disabled on the site, and people become its participants; enable it"
            ),
            Code::NoMethod if h.split_once(' ').is_some_and(|(word, _)| word == hint::DISABLED) => format!(
                "the method \"{v}\" is disabled in course {}: perhaps its people were converted already, and nothing \
                 is to be done",
                h.split_once(' ').unwrap_or_default().1
            ),
            Code::NoMethod if h == hint::BY_HAND => {
                format!("enrolments of the method \"{v}\" are made by hand already; remove the line")
            }
            Code::NoMethod => {
                format!("no usable enrolment method \"{v}\" in course {h}; add or enable it in the course")
            }
            Code::AccountProtected if h == "accounts.protected" => {
                format!("the configuration protects account \"{v}\" ({h}); remove the line")
            }
            Code::AccountProtected => format!(
                "account \"{v}\" is an administrator or the guest and is never changed from a file; remove the line"
            ),
            Code::TooManySteps => {
                format!("more than {h} lines about {v} in one file, none applied; send only the wanted final state")
            }
            Code::Overtaken if h.is_empty() => {
                format!("{v} was changed meanwhile, line not applied; send it again if it still holds")
            }
            Code::Overtaken => {
                format!("{v} was changed meanwhile by run {h}, line not applied; send it again if it still holds")
            }
            Code::GuardHeld => {
                format!("{v} exceeds the limit {h}; file held, nothing written: approve or reject the run")
            }
            Code::DuplicateFile if h.is_empty() => {
                format!("same content already processed on {v}, not applied again; send a file with new content")
            }
            Code::DuplicateFile => format!(
                "same content already processed on {v} (run {h}), not applied again; send a file with new content"
            ),
            Code::KindUnknown if h.starts_with("flatfile:") => format!(
                "file refused, nothing was applied: its header ({v}) is that of no kind of file; correct it, or \
                 name its columns in a profile ({h})"
            ),
            Code::KindUnknown => format!(
                "file refused, nothing was applied: its kind cannot be told, \"{v}\" fits {h}; give it another name \
                 or header, or name its files in one profile"
            ),
            Code::KindNotAllowed => format!(
                "file refused, nothing was applied: it is a file of kind {v}, and no profile lets the drop directory \
                 take such files; apply it with enrold import, or add a profile of this kind to {h}"
            ),
            Code::FileEmpty if v.is_empty() => {
                "no data line in the file, nothing to do; check the export that made it".to_owned()
            }
            Code::FileEmpty => {
                format!("no data line in {v}, nothing to do; check the export that made it")
            }
            Code::FileUnreadable => {
                format!("{v} cannot be read: {h}; check that it exists and that enrold may read it")
            }
            Code::SourceUnreadable => format!("the set of {v} cannot be read, nothing was changed: {h}"),
            Code::BaseMissing => format!("the delta of {v} is not applied, nothing was changed: {h}"),
            Code::DeltaOutdated => format!("the delta of {v} is older than what was applied, nothing was changed: {h}"),
            Code::SetWaits => format!(
                "a set of {v} that is held comes first (run {h}), nothing was changed: approve or reject run {h}, then \
                 give this one again"
            ),
            Code::CourseNameMissing => format!("a new course has no {h} ({v}): it is not made"),
            Code::CourseNameTooLong => {
                format!("a new course's name has more than {h} characters: \"{v}…\"; it is not made")
            }
            Code::CourseNameDoubtful => format!(
                "the course \"{v}\" is not made: its short name or idnumber is damaged, or like that of another; \
                 correct the row, or make the course in Moodle"
            ),
            Code::CourseShortnameTaken => {
                format!(
                    "the course \"{v}\" is not made: Moodle cannot tell its short name from \"{h}\", which is there"
                )
            }
            Code::CourseIdnumberTaken => {
                format!("the course \"{v}\" is not made: the idnumber \"{h}\" belongs to another course")
            }
            Code::CourseTwice => {
                format!(
                    "the course \"{v}\" of this row is not made: line {h} has the same short name or idnumber, and the \
                     last one counts"
                )
            }
            Code::CategoryUnknown if h.is_empty() => {
                format!("the course \"{v}\" is not made: the site has no category to put it into")
            }
            Code::CategoryUnknown => {
                format!(
                    "the course \"{v}\" is not made: no category has \"{h}\"; make the category, or correct the row"
                )
            }
            Code::CategoryAmbiguous => {
                format!("the course \"{v}\" is not made: several categories have \"{h}\"; give each its own idnumber")
            }
            Code::CohortUnknown => {
                format!(
                    "no cohort has {h} \"{v}\": correct it, make it in Moodle, or have a users file or a cohort file \
                     make it (create_cohorts)"
                )
            }
            Code::CohortAmbiguous => format!("{h} cohorts have \"{v}\": give each its own key"),
            Code::GroupUnknown => format!(
                "the course {h} has no group \"{v}\": nobody joins or leaves one by it; make it, or let enrold make it \
                 (create_groups)"
            ),
            Code::GroupAmbiguous => format!(
                "several groups of the course {h} are \"{v}\": nobody joins or leaves one by it; give each its own name"
            ),
            Code::GroupNotEnrolled => {
                format!("not enrolled in course {h}, so that the group \"{v}\" was not joined; enrol the account first")
            }
            Code::GroupExists => format!(
                "course {h} has a group or grouping \"{v}\", and it stays as it is; for the values of the file, set \
                 update = file in the profile, or write update in the column cmd (visibility and participation only \
                 come with a new group)"
            ),
            Code::GroupIdnumberTaken => format!(
                "another group or grouping of course {h} has the idnumber \"{v}\": a new one is made without it, one \
                 that exists is not changed; correct the idnumber"
            ),
            Code::GroupingUnknown => format!(
                "the course {h} has no grouping \"{v}\": the row is not applied; make it in a row before this one"
            ),
            Code::GroupUsed => format!(
                "\"{v}\" is in use ({h}) and stays: an enrolment method, a restriction, an activity or a conversation \
                 needs it; remove that first, or delete it in Moodle"
            ),
            Code::GroupKept => format!(
                "members of the group \"{v}\" stay ({h}): an enrolment method has put them there; end the enrolment, \
                 or change the method"
            ),
            Code::CourseNotNamed => format!(
                "file refused, nothing was applied: its name ({v}) does not say its course; call it course-KEY.csv, or \
                 name the course (--course, or course in its profile)"
            ),
            Code::EnrolmentInactive => format!(
                "\"{v}\" is in the course {h} already, but the enrolment is suspended or has ended, and was left so; \
                 make it active in the course, or let enrold do so (reactivate = \"manual\")"
            ),
            Code::CourseLinked => format!(
                "the course {h} gets its participants from other courses (meta link), so that \"{v}\" was not \
                 enrolled; enrol the account in one of those courses"
            ),
            Code::EnrolmentKept => format!(
                "\"{v}\" stays in the course {h}, because a cohort or another method enrols the account, which alone \
                 decides; remove it there"
            ),
            Code::MethodExists => format!(
                "the course {h} has the method {v} already, with other values, and nothing was changed; use \"update\" \
                 or \"enable\""
            ),
            Code::MethodMissing => format!("{h} has no method {v}; correct the course, the source or the role"),
            Code::MethodCycle => format!(
                "the link would close a cycle: {v}; nothing was done, link the course to another one, or remove one of \
                 these links first"
            ),
            Code::TooManyCourses => {
                format!(
                    "the rows up to here mean more than {h} courses ({v}): this one was not applied; send two files"
                )
            }
            Code::TooManyLinks => format!(
                "the links of this file form too many cycles to find out what {v} would close: it was not added; \
                 correct the rows with method-cycle, or send fewer links in a file"
            ),
            Code::TooManyPatterns => format!(
                "the rows up to here have {h} different patterns of courses, so that \"{v}\" was not applied; name a \
                 category or a wider pattern, or send two files"
            ),
            Code::CategoryUnusable => format!(
                "{h} categories have the idnumber \"{v}\", the role was not given; correct the line, or give one \
                 category this idnumber"
            ),
            Code::ValueCharset => format!(
                "\"{v}\" holds a character that the site's column {h} has no room for (utf8mb3 takes no emoji): \
                 nothing is made under this name, and nobody loses anything by it; correct the name, or convert the \
                 table to utf8mb4 (admin/cli/mysql_collation.php)"
            ),
            Code::CohortExists => {
                format!("another cohort has the {h} \"{v}\": the row is not applied; correct it, or use another {h}")
            }
            Code::CohortKept => format!(
                "{h} members of the cohort \"{v}\" whom the file does not name stay, because rows that cannot be used \
                 may mean them; correct those rows and send the file again"
            ),
            Code::ContextUnknown if h == "context_id" => format!(
                "file refused, nothing was applied: context_id {v} is neither the system nor a category; name another \
                 context.id, or 0 for the system"
            ),
            Code::ContextUnknown => format!(
                "{h} \"{v}\" is no place for cohorts: an existing cohort stays where it is, a new one is made in the \
                 default context; correct the row"
            ),
            Code::ValueUnusable if h == hint::SECTION => format!(
                "\"{v}\" may begin a section: up to the next good one nobody joins or leaves a group, and nobody is \
                 taken out; write \"# \" and the name of the group in a line of its own"
            ),
            Code::ValueUnusable if h.starts_with("section ") => format!(
                "\"{v}\" stands below a section that cannot be used (line {}), nobody was taken out; correct that line",
                h.trim_start_matches("section ")
            ),
            Code::ValueUnusable => {
                format!("\"{v}\" is not a value of this column ({h}); the row is not applied: correct it")
            }
            Code::ValueCut => {
                let (column, room) = h.rsplit_once(' ').unwrap_or((h, ""));
                format!("{column} \"{v}\" is cut to {room} characters, as Moodle does; the row is applied")
            }
            Code::CohortOwned => format!("the cohort \"{v}\" belongs to {h}, which fills it: nothing is done to it"),
            Code::RuleUnusable => format!(
                "the rule of an autoenrol method in course {v} cannot be used: {h}; nobody was enrolled or removed by \
                 it: correct it, or disable the method"
            ),
            Code::GroupName => format!(
                "autoenrol in course {v}: {h}; the enrolments were made, these groups were not: correct the group \
                 settings"
            ),
            Code::ColumnIgnored => {
                format!(
                    "column \"{v}\" is not read; if it should be, name it in the `columns` of the source or profile \
                     (read: {h})"
                )
            }
            Code::ReferenceUnknown => format!(
                "no row of {h} has the identifier \"{v}\", nothing was guessed; correct the export so that its files \
                 belong together"
            ),
            Code::ReferenceAmbiguous => {
                format!("several different rows of {h} have the identifier \"{v}\", none was used; give each its own")
            }
            Code::ValueInvalid => {
                let (column, expected) = h.split_once(' ').unwrap_or((h, ""));
                format!("\"{v}\" cannot be the value of column {column}; use one of: {expected}")
            }
            Code::AccountIncomplete => {
                format!("the account \"{v}\" is not made: a new account needs a value of {h}; fill the column")
            }
            Code::UsernameInvalid if h.is_empty() => {
                format!("\"{v}\" is no user name: Moodle allows small letters, digits and - . _ @; correct the line")
            }
            Code::UsernameInvalid if h == hint::SPREADSHEET => format!(
                "\"{v}\" is no user name but a number or a date that a spreadsheet has changed; give the column the \
                 format of a text and write the name again"
            ),
            Code::UsernameInvalid => format!(
                "\"{v}\" is no user name: Moodle allows small letters, digits and - . _ @; write \"{h}\", or let \
                 enrold do so (standardise)"
            ),
            Code::UsernameTaken if !h.is_empty() => format!(
                "the user name \"{v}\" is for the database that of line {h}, which is applied; correct one of the lines"
            ),
            Code::UsernameTaken => {
                format!("the user name \"{v}\" belongs to another account, nothing was done; correct the line")
            }
            Code::EmailTaken if h.is_empty() => {
                format!("the address \"{v}\" belongs to another account, nothing was done; correct the line")
            }
            Code::EmailTaken => {
                format!("the address \"{v}\" belongs to line {h} too, which is applied; correct one of the lines")
            }
            Code::KeyCollision => format!(
                "the account \"{v}\" and the idnumber \"{h}\" of this row are of two persons, nothing was done; \
                 correct the line"
            ),
            Code::AuthUnknown => format!(
                "no authentication method \"{v}\" on this site, nothing was done; correct the line, or install it"
            ),
            Code::AuthDisabled => format!(
                "the authentication method \"{v}\" is not enabled on this site: the line is applied, but nobody logs \
                 in with it; enable it, or correct the line"
            ),
            Code::EmailMalformed => format!(
                "\"{v}\" does not have the form of an address: the line is applied, but no mail arrives; correct it in \
                 Moodle, or by a file that may change it (change_email)"
            ),
            Code::ChangeRefused => format!(
                "{v}: option \"{h}\" of the profile is not on, so this was not done; set it, or take the value out \
                 of the line"
            ),
            Code::AccountForeign => match h {
                "host" => format!("\"{v}\" is an account of another host, which no file changes; remove the line"),
                _ => format!(
                    "\"{v}\" has a role in the system or in a category: no dropped file changes such an account; \
                     import the file by a command"
                ),
            },
            Code::FieldOptionUnknown => format!(
                "\"{v}\" is no option of the profile field {h}: the field was left out; write an option as it stands"
            ),
            Code::OptionsConflict if h.split_once(' ').is_some_and(|(word, _)| word == hint::LINE) => {
                let h = h.split_once(' ').unwrap_or_default().1;
                format!("\"{v}\" and \"{h}\" stand in one row; leave one of them empty")
            }
            Code::OptionsConflict => {
                format!("file refused: {v} cannot be used together with {h}; change one of the options")
            }
            Code::StatusUnusable => {
                format!("status \"{v}\" is unexpected, expected: {h}; correct the export or its manifest")
            }
            Code::PasswordMasked => {
                format!("column {v} holds a masked password: enrold wrote this row; put the password in its place")
            }
            Code::PasswordTooLong => {
                format!("the password in column {v} is longer than Moodle accepts ({h} bytes); give a shorter one")
            }
            Code::SourceGone => format!(
                "course {v} is linked to a course that does not exist (id {h}); nobody was enrolled or removed by the \
                 link: remove or disable it"
            ),
            Code::InstanceRoleGone => {
                format!("an enrolment method of course {v} gives role {h}, which is gone; choose another role in it")
            }
        }
    }
}
