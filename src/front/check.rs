//! Checks a file without a database: its form, and every line that cannot be read.
//! It must not report a line as right: only the site has its accounts, courses and roles.

use std::io;

use crate::accounts;
use crate::config::{FileKind, Profile, Settings};
use crate::disk::{Dir, RegularFile};
use crate::files::users::{UserEntry, UserRow, UsersFile, UsersReading};
use crate::files::{self, CohortEntry, CohortFile, CohortRow, Entry, FileProblem, FlatLine, Reading, Scan};
use crate::files::{EnrolmentEntry, EnrolmentFile, EnrolmentReading, EnrolmentRow};
use crate::files::{GroupEntry, GroupFile, GroupMemberEntry, GroupMemberFile};
use crate::files::{ListEntry, ListFile, ListRow, ListVerb, MethodEntry, MethodRow, MethodsFile, traits};
use crate::files::{VerbEntry, VerbFile, VerbRow};
use crate::front::{GivenFile, Who, failed};
use crate::problem::{Code, Problem, shown};

/// What is shown in place of a password.
const MASK: &str = "***";

/// A file whose form is known.
pub struct Check {
    /// Its form.
    pub scan: Scan,
    /// The word for its kind: `header`, `native`, or that of a kind that has options.
    pub kind: &'static str,
    file: RegularFile,
    reading: Reading,
    given: GivenFile,
}

/// The numbers of records and blank lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records, readable or not.
    pub records: u64,
    /// Blank lines; those of a users file or a cohort file are not counted.
    pub blank: u64,
    /// Records that cannot be read.
    pub failed: u64,
}

/// A record as it is understood, or what is wrong with it.
enum Row {
    /// Its line, and what it says.
    Read(u64, String),
    /// It cannot be read.
    Bad(Problem),
    /// It is read, and a part of it is not used.
    Warned(Problem),
}

impl Check {
    /// Opens a regular file (a pipe could block for ever) and determines its form: the named one, or that of its first
    /// line. The inner error is the problem of a file that is refused as a whole.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn of(who: &Who, settings: &Settings, given: GivenFile) -> io::Result<Result<Self, Problem>> {
        let path = given.path.display().to_string();
        who.asks(format_args!("check {path}"));
        if let Some(problem) = given.refused {
            return Ok(Err(problem));
        }
        let cannot = format!("cannot open {path}");
        let file = Dir::open_within(&given.path, settings.limits.file_bytes()).map_err(failed(&cannot))?;
        let zone = settings.site.timezone.unwrap_or(chrono_tz::UTC);
        let (fallback, small_times) = (settings.flatfile.encoding_fallback, settings.flatfile.small_times);
        let reading = Reading { kind: given.kind, fallback, zone, small_times };
        let scan = match &given.profile {
            Some(profile) => files::scan_kind(&mut file.cursor(), fallback, profile.kind),
            None => files::scan(&mut file.cursor(), &reading),
        };
        match scan {
            Ok(scan) => {
                let kind = given.profile.as_ref().map_or(scan.kind.as_str(), |profile| profile.kind.as_str());
                Ok(Ok(Self { scan, kind, file, reading, given }))
            }
            Err(FileProblem::Rejected(problem)) => Ok(Err(problem)),
            Err(FileProblem::Io(error)) => Err(failed(path)(error)),
        }
    }

    /// Reads the file to its end and passes each problem to `tell`; a file without a record has one as well, and so has
    /// each line before the header that is not read, which does not count as failed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn problems(&self, mut tell: impl FnMut(Problem)) -> Result<Counts, FileProblem> {
        let mut counts = Counts::default();
        counts.blank = self.rows(&mut |row| {
            match row {
                Row::Read(..) => counts.records += 1,
                Row::Warned(problem) => tell(problem),
                Row::Bad(problem) => {
                    (counts.records, counts.failed) = (counts.records + 1, counts.failed + 1);
                    tell(problem);
                }
            }
            true
        })?;
        if counts.records == 0 {
            tell(Problem::new(0, Code::FileEmpty, self.given.path.display().to_string(), ""));
        }
        Ok(counts)
    }

    /// The first records as they are understood, with their lines; passwords are masked. A record that cannot be read
    /// is left out: the report of the run has it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn first(&self, most: usize) -> Result<Vec<(u64, String)>, FileProblem> {
        let mut first = Vec::new();
        self.rows(&mut |row| {
            if let Row::Read(line, said) = row {
                first.push((line, said));
            }
            first.len() < most
        })?;
        Ok(first)
    }

    /// Passes each record to `take` until it returns false; returns the number of blank lines.
    fn rows(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<u64, FileProblem> {
        match &self.given.profile {
            None => self.lines(take),
            Some(profile) if profile.kind == FileKind::Users => self.accounts(profile, take).map(|()| 0),
            Some(profile) if matches!(profile.kind, FileKind::CourseList | FileKind::CourseText) => {
                self.list(profile, take).map(|()| 0)
            }
            Some(profile) if matches!(profile.kind, FileKind::Methods | FileKind::CourseMethods) => {
                self.methods(profile, take).map(|()| 0)
            }
            Some(profile) if matches!(profile.kind, FileKind::Groups | FileKind::Groupings) => {
                self.groups(profile, take).map(|()| 0)
            }
            Some(profile) if profile.kind == FileKind::GroupMembers => self.group_members(profile, take).map(|()| 0),
            Some(profile) if profile.kind == FileKind::Enrolments => self.enrolments(take).map(|()| 0),
            Some(profile) if matches!(profile.kind, FileKind::Convert | FileKind::Renew) => {
                self.verb_rows(profile, take).map(|()| 0)
            }
            Some(profile) => self.cohorts(profile, take).map(|()| 0),
        }
    }

    fn lines(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<u64, FileProblem> {
        for title in &self.scan.titles {
            take(Row::Warned(title.problem()));
        }
        let mut reader = files::read(self.file.cursor(), &self.scan, &self.reading)?;
        for entry in reader.by_ref() {
            let row = match entry? {
                Entry::Line(line) => Row::Read(line.line, line_said(&line)),
                Entry::Bad(problem) => Row::Bad(problem),
            };
            if !take(row) {
                break;
            }
        }
        Ok(reader.tally().blank)
    }

    fn accounts(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let required = accounts::required(profile);
        let (fallback, zone) = (self.reading.fallback, self.reading.zone);
        let reading = UsersReading { columns: &profile.columns, required, fallback, zone };
        let mut file = UsersFile::open(|| self.file.cursor(), &reading)?;
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                UserEntry::Bad(problem) => take(Row::Bad(problem)),
                UserEntry::Row(row) => {
                    let mut problems = row.problems.iter().cloned().map(Row::Warned);
                    problems.all(&mut *take) && take(Row::Read(row.line, account_said(&row)))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn list(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let mut file = ListFile::open(self.file.cursor(), traits(profile.kind).layout, self.reading.fallback)?;
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                ListEntry::Bad(problem) => take(Row::Bad(problem)),
                ListEntry::Row(row) => {
                    let mut problems = row.problems.iter().cloned().map(Row::Warned);
                    problems.all(&mut *take) && take(Row::Read(row.line, list_said(&row)))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn methods(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let (fallback, times) = (self.reading.fallback, (self.reading.zone, self.reading.small_times));
        let mut file = MethodsFile::open(|| self.file.cursor(), profile, fallback, times)?;
        for title in file.titles() {
            take(Row::Warned(title.problem()));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                MethodEntry::Bad(problem) => take(Row::Bad(problem)),
                MethodEntry::Rows(line, rows) => {
                    let said = rows.iter().map(method_said).collect::<Vec<_>>().join("; ");
                    take(Row::Read(line, said))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn groups(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let mut file = GroupFile::open(|| self.file.cursor(), profile, self.reading.fallback)?;
        for title in file.titles() {
            take(Row::Warned(title.problem()));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                GroupEntry::Bad(problem) => take(Row::Bad(problem)),
                GroupEntry::Comment => true,
                GroupEntry::Row(row) => {
                    let parts = [row.verb.as_str(), &row.course.1, &row.said.name];
                    take(Row::Read(row.line, parts.map(shown).join("  ")))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn group_members(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let mut file = GroupMemberFile::open(self.file.cursor(), profile, self.reading.fallback)?;
        for title in file.titles() {
            take(Row::Warned(title.problem()));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                GroupMemberEntry::Bad(problem) => take(Row::Bad(problem)),
                GroupMemberEntry::Comment => true,
                GroupMemberEntry::Row(row) => {
                    let parts = [row.verb.as_str(), &row.user, &row.course, &row.group];
                    take(Row::Read(row.line, parts.map(shown).join("  ")))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn enrolments(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let Reading { fallback, zone, small_times, .. } = self.reading;
        let mut file = EnrolmentFile::open(self.file.cursor(), EnrolmentReading { fallback, zone, small_times })?;
        for problem in file.titles().iter().map(|title| title.problem()).chain(file.unread()) {
            take(Row::Warned(problem));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                EnrolmentEntry::Bad(problem) => take(Row::Bad(problem)),
                EnrolmentEntry::Comment => true,
                EnrolmentEntry::Row(row) => take(Row::Read(row.line, enrolment_said(&row))),
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn verb_rows(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let mut file = VerbFile::open(self.file.cursor(), profile, self.reading.fallback)?;
        for title in file.titles() {
            take(Row::Warned(title.problem()));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                VerbEntry::Bad(problem) => take(Row::Bad(problem)),
                VerbEntry::Row(row) => take(Row::Read(row.line, verb_said(&row))),
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn cohorts(&self, profile: &Profile, take: &mut dyn FnMut(Row) -> bool) -> Result<(), FileProblem> {
        let mut file = CohortFile::open(self.file.cursor(), profile, self.reading.fallback)?;
        for problem in file.titles().iter().map(|title| title.problem()).chain(file.unread()) {
            take(Row::Warned(problem));
        }
        while let Some(entry) = file.next_entry()? {
            let goes_on = match entry {
                CohortEntry::Bad(problem) => take(Row::Bad(problem)),
                CohortEntry::Comment(_) => true,
                CohortEntry::Row(row) => {
                    let said = cohort_said(profile.kind, &row);
                    row.warning.is_none_or(|problem| take(Row::Warned(problem))) && take(Row::Read(row.line, said))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }
}

fn line_said(line: &FlatLine) -> String {
    let parts = [line.operation.as_str(), &line.user, &line.course, &line.role];
    parts.map(shown).join("  ")
}

/// The values of a row that are not empty, the user name first.
fn account_said(row: &UserRow) -> String {
    let value = |(name, cell): (&&'static str, &String)| match *name {
        "password" => format!("password {MASK}"),
        name => format!("{name} {}", shown(cell)),
    };
    let (first, others): (Vec<_>, Vec<_>) = row.values.iter().partition(|(name, _)| **name == "username");
    let values = first.into_iter().chain(others).filter(|(_, cell)| !cell.is_empty()).map(value);
    let fields = row.fields.iter().filter(|(_, cell)| !cell.is_empty());
    let fields = fields.map(|(name, cell)| format!("profile_field_{name} {}", shown(cell)));
    let cohorts = row.cohorts.iter().map(|cohort| format!("cohort{} {}", cohort.n, shown(&cohort.key)));
    let places = row.places.iter().map(|place| {
        let parts = [("course", &place.course), ("role", &place.role), ("group", &place.group)];
        let parts = parts.into_iter().filter(|(_, cell)| !cell.is_empty());
        parts.map(|(name, cell)| format!("{name}{} {}", place.n, shown(cell))).collect::<Vec<_>>().join(", ")
    });
    let roles = row.roles.iter().map(|role| {
        let (removed, name) = (if role.removed { "-" } else { "" }, shown(&role.role));
        match role.category.as_str() {
            "" => format!("sysrole{} {removed}{name}", role.n),
            category => format!("category{0} {1}, categoryrole{0} {removed}{name}", role.n, shown(category)),
        }
    });
    values.chain(fields).chain(cohorts).chain(places).chain(roles).collect::<Vec<_>>().join(", ")
}

fn list_said(row: &ListRow) -> String {
    let verb = if row.verb == ListVerb::Join { "" } else { "!" };
    let cells = std::iter::once(&row.user).chain(&row.groups).map(|cell| shown(cell));
    format!("{verb}{}", cells.collect::<Vec<_>>().join("  "))
}

fn method_said(row: &MethodRow) -> String {
    let parts = [row.verb.as_str(), &row.method, &row.course, &row.source, &row.role];
    parts.into_iter().filter(|part| !part.is_empty()).map(shown).collect::<Vec<_>>().join("  ")
}

fn enrolment_said(row: &EnrolmentRow) -> String {
    let method = row.method.map_or("", |method| method.as_str());
    let groups = row.groups.iter().flat_map(|(_, names)| names).map(String::as_str);
    let parts = [row.verb.as_str(), &row.user, &row.course, &row.role, method].into_iter().chain(groups);
    parts.filter(|part| !part.is_empty()).map(shown).collect::<Vec<_>>().join("  ")
}

fn verb_said(row: &VerbRow) -> String {
    let VerbRow { line: _, course, user, role, method, until, by, source } = row;
    let parts = [course, user, role, method, until, by, source];
    parts.into_iter().filter(|part| !part.is_empty()).map(|part| shown(part)).collect::<Vec<_>>().join("  ")
}

fn cohort_said(kind: FileKind, row: &CohortRow) -> String {
    let verb = if kind == FileKind::CohortMembers { row.verb.as_str() } else { "" };
    let named =
        |name: &str, cell: &str| if cell.is_empty() { String::new() } else { format!("{name} {}", shown(cell)) };
    let parts = [verb.to_owned(), named("cohort", &row.key), named("user", &row.user), named("name", &row.said.name)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
