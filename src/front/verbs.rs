//! Carries out verbs on the participants of courses: translates the arguments of a request into an order.
//! It must not know the site: the run checks what the order names.

use std::path::{Path, PathBuf};

use crate::config::{CourseKey, Settings, UserKey};
use crate::disk::{Dir, blocking};
use crate::files::{FileProblem, user_list};
use crate::front::{Front, Misuse, Who};
use crate::moodle::method;
use crate::outcome::{Report, RunResult};
use crate::rules::RULES;
use crate::verbs::{NewEnd, PeopleList, Place, SourceFate, Verb, VerbOrder};

/// The methods whose enrolments are renewed if none is named.
const BY_PEOPLE: [&str; 2] = [method::MANUAL, "self"];

/// A request for a verb, as an operator writes it.
#[derive(Clone, Debug)]
pub struct VerbRequest {
    /// What is done.
    pub what: VerbWhat,
    /// The course; or else `category`.
    pub course: Option<String>,
    /// What names courses.
    pub course_key: CourseKey,
    /// The path, the idnumber or the id of a category.
    pub category: Option<String>,
    /// The short name of the role that people must have.
    pub role: Option<String>,
    /// A file with the only people.
    pub users: Option<PathBuf>,
    /// What the file names people by; `None` for what its first line says, else the user name.
    pub user_key: Option<UserKey>,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum VerbWhat {
    /// Enrolments get a later end.
    Renew {
        /// The methods; empty for manual and self.
        methods: Vec<String>,
        /// The new end, a date; or else `by`.
        until: Option<String>,
        /// How much later, a period.
        by: Option<String>,
    },
    /// Enrolments of a method become manual ones.
    Convert {
        /// The method.
        from: String,
        /// The only instance.
        instance: Option<i64>,
        /// The method goes on.
        keep_source: bool,
        /// The method is removed.
        delete_source: bool,
    },
    /// Participants become participants of another course.
    CopyParticipants {
        /// The other course.
        to: String,
    },
    /// Groups pass to another course.
    MoveGroups {
        /// The other course.
        to: String,
        /// The names of the groups; empty for all.
        groups: Vec<String>,
    },
}

/// A verb whose arguments fit each other.
#[derive(Clone, Debug)]
pub struct AskedVerb(VerbOrder);

impl AskedVerb {
    /// The order of a request; reads the file with the people.
    ///
    /// # Errors
    /// Arguments that contradict each other or cannot be read; a file that cannot be read, is damaged, or names nobody.
    pub fn of(settings: &Settings, request: VerbRequest) -> Result<Self, Misuse> {
        let VerbRequest { what, course, course_key, category, role, users, user_key } = request;
        let place = match (course, category) {
            (Some(text), None) => Place::Course { key: course_key, text },
            (None, Some(text)) => Place::Category(text),
            _ => return Err(Misuse("name a course, or a category (--category)".to_owned())),
        };
        let verb = match what {
            VerbWhat::Renew { methods, until, by } => renew(methods, until, by)?,
            VerbWhat::Convert { from, instance, keep_source, delete_source } => {
                let source = match (keep_source, delete_source) {
                    (true, _) => SourceFate::Keep,
                    (_, true) => SourceFate::Delete,
                    _ => SourceFate::Disable,
                };
                Verb::Convert { method: from, instance, source }
            }
            VerbWhat::CopyParticipants { to } => Verb::CopyParticipants { to },
            VerbWhat::MoveGroups { to, groups } => Verb::MoveGroups { to, groups },
        };
        let people = users.map(|path| people(settings, &path, user_key)).transpose()?;
        Ok(Self(VerbOrder { verb, place, role, people }))
    }
}

/// A method whose own rule or source decides how long enrolments last is refused.
fn renew(methods: Vec<String>, until: Option<String>, by: Option<String>) -> Result<Verb, Misuse> {
    let automatic =
        |name: &&String| **name == method::DATABASE || RULES.iter().any(|rule| rule.method == name.as_str());
    if let Some(name) = methods.iter().find(automatic) {
        return Err(Misuse(format!(
            "enrolments of the method '{name}' last as long as their source says; 'enrold convert' makes them manual \
             ones first"
        )));
    }
    let end = match (until, by) {
        (Some(date), None) => NewEnd::Until(date),
        (None, Some(period)) => NewEnd::By(period.parse().map_err(|why| Misuse(format!("--by {period}: {why}")))?),
        _ => return Err(Misuse("give a new end (--until), or a period (--by)".to_owned())),
    };
    let methods = if methods.is_empty() { BY_PEOPLE.map(str::to_owned).to_vec() } else { methods };
    Ok(Verb::Renew { methods, end })
}

/// The people whom a file names, one in each line.
fn people(settings: &Settings, path: &Path, key: Option<UserKey>) -> Result<PeopleList, Misuse> {
    let shown = path.display().to_string();
    let read = blocking(|| {
        let file = Dir::open_within(path, settings.limits.file_bytes())?;
        user_list(&mut file.cursor(), settings.flatfile.encoding_fallback)
    });
    let list = read.map_err(|problem| match problem {
        FileProblem::Io(error) => Misuse(format!("cannot read {shown}: {error}")),
        FileProblem::Rejected(problem) => {
            Misuse(format!("{shown}, line {}: {}", problem.line, problem.text(settings.locale)))
        }
    })?;
    if list.users.is_empty() {
        return Err(Misuse(format!("{shown} names nobody")));
    }
    Ok(PeopleList { source: shown, key: key.or(list.key).unwrap_or(UserKey::Username), users: list.users })
}

impl Front {
    /// Executes the run of a verb; with `simulate` it is rolled back.
    ///
    /// # Errors
    /// An order that names what does not exist, without a run; else as any run.
    pub async fn verb(&self, who: &Who, asked: &AskedVerb, simulate: bool) -> RunResult<Report> {
        let AskedVerb(order) = asked;
        who.asks(format_args!("{} {}, simulate: {simulate}", order.kind(), order.source()));
        self.engine.carry_out_verb(order, simulate).await
    }
}
