//! The order of a verb: what it does, where, and for whom; a held run keeps it as JSON. It must not read anything.

use serde::{Deserialize, Serialize};

use crate::config::{CourseKey, UserKey};
use crate::moodle::site::Site;
use crate::outcome::{RunError, RunResult};
use crate::verbs::period::Period;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Active enrolments with an end get a later one.
    Renew {
        /// The methods: `enrol.enrol`.
        methods: Vec<String>,
        /// The new end.
        end: NewEnd,
    },
    /// Automatic enrolments become manual ones.
    Convert {
        /// The method that has them.
        method: String,
        /// The only instance (`enrol.id`); `None` for all enabled ones.
        instance: Option<i64>,
        /// What becomes of the method in the course.
        source: SourceFate,
    },
    /// Active participants of a course become participants of another.
    CopyParticipants {
        /// The other course, by the same key.
        to: String,
    },
    /// Groups of a course with their members pass to another.
    MoveGroups {
        /// The other course, by the same key.
        to: String,
        /// The names of the groups; empty for all.
        groups: Vec<String>,
    },
}

/// The new end of a renewed enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewEnd {
    /// This date, as it was written; a day without a time counts whole.
    Until(String),
    /// So much later than its end, or than now if it has ended.
    By(Period),
}

/// What becomes of a method whose people are all converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceFate {
    /// It is disabled, and keeps its enrolments.
    #[default]
    Disable,
    /// It goes on beside the manual method.
    Keep,
    /// It is removed from the course, with its enrolments.
    Delete,
}

impl SourceFate {
    /// Its number in tables: of two the lower one is the more cautious.
    pub fn number(self) -> i64 {
        match self {
            Self::Keep => 0,
            Self::Disable => 1,
            Self::Delete => 2,
        }
    }

    /// By the word of a file; empty is the default.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "" | "disable" | "desactiver" | "désactiver" => Self::Disable,
            "keep" | "garder" => Self::Keep,
            "delete" | "supprimer" => Self::Delete,
            _ => return None,
        })
    }
}

/// Where it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In one course.
    Course {
        /// What names it.
        key: CourseKey,
        /// Its name.
        text: String,
    },
    /// In all courses of a category and below it.
    Category(String),
}

impl Place {
    /// What names courses.
    pub fn key(&self) -> CourseKey {
        match self {
            Self::Course { key, .. } => *key,
            Self::Category(_) => CourseKey::Shortname,
        }
    }
}

/// The only people whom an order concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleList {
    /// The file that named them.
    pub source: String,
    /// What names them.
    pub key: UserKey,
    /// Line and key of each.
    pub users: Vec<(u64, String)>,
}

/// The order of a run of a verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbOrder {
    /// What is done.
    pub verb: Verb,
    /// Where.
    pub place: Place,
    /// Only for who has this role in the course, by its short name.
    #[serde(default)]
    pub role: Option<String>,
    /// Only for these.
    #[serde(default)]
    pub people: Option<PeopleList>,
}

impl VerbOrder {
    /// The kind of the run in the history, and the cause of its changes in the journal.
    pub fn kind(&self) -> &'static str {
        match &self.verb {
            Verb::Renew { .. } => "renew",
            Verb::Convert { .. } => "convert",
            Verb::CopyParticipants { .. } => "copy-participants",
            Verb::MoveGroups { .. } => "move-groups",
        }
    }

    /// The source of the run in the history: the arguments of the command.
    pub fn source(&self) -> String {
        let mut words = Vec::new();
        match &self.place {
            Place::Course { text, .. } => words.push(quoted(text)),
            Place::Category(text) => words.extend(["--category".to_owned(), quoted(text)]),
        }
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), quoted(value)]);
        let mut switch = "";
        match &self.verb {
            Verb::Renew { methods, end } => {
                match end {
                    NewEnd::Until(date) => option("--until", date),
                    NewEnd::By(period) => option("--by", &period.to_string()),
                }
                methods.iter().for_each(|method| option("--method", method));
            }
            Verb::Convert { method, instance, source } => {
                option("--from", method);
                if let Some(instance) = instance {
                    option("--instance", &instance.to_string());
                }
                switch = match source {
                    SourceFate::Disable => "",
                    SourceFate::Keep => "--keep-source",
                    SourceFate::Delete => "--delete-source",
                };
            }
            Verb::CopyParticipants { to } => words.push(quoted(to)),
            Verb::MoveGroups { to, groups } => {
                words.push(quoted(to));
                groups.iter().for_each(|group| words.extend(["--group".to_owned(), quoted(group)]));
            }
        }
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), quoted(value)]);
        if let Some(role) = &self.role {
            option("--role", role);
        }
        if let Some(people) = &self.people {
            option("--users", &people.source);
        }
        if self.place.key() != CourseKey::Shortname {
            option("--course-key", self.place.key().as_str());
        }
        words.extend((!switch.is_empty()).then(|| switch.to_owned()));
        words.join(" ")
    }

    /// `role.id` of the role that people must have.
    ///
    /// # Errors
    /// [`RunError::Refused`]: no role has the short name.
    pub fn role_id(&self, site: &Site) -> RunResult<Option<i64>> {
        let Some(name) = &self.role else { return Ok(None) };
        match site.roles.iter().find(|role| role.shortname == *name) {
            Some(role) => Ok(Some(role.id)),
            None => {
                let known: Vec<&str> = site.roles.iter().map(|role| role.shortname.as_str()).collect();
                let message = format!("no role has the short name '{name}'; there are: {}", known.join(", "));
                Err(RunError::Refused(message))
            }
        }
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}
