//! The list of known keys and the values that each accepts; no other place defines which keys exist.
//! It must not know layers or defaults (those are in `config/enrold.toml`).

pub(super) mod named;
pub(super) mod profiles;
pub(super) mod sources;
mod tasks;

use std::sync::LazyLock;

use config::{Value, ValueKind};

use super::forms;
use super::sections::{
    CourseKey, DelScope, DoneMode, EncodingFallback, ExpiredAction, GuardMode, InactiveSince, Locale, LogFormat,
    LogLevel, MailSwitch, PasswordMail, RemovalAction, Security, SmallTimes, TellTeachers, UserKey, WhenDisabled,
};

/// One known key.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// Dotted path.
    pub name: &'static str,
    /// The values that it accepts.
    pub kind: Kind,
    /// What applies when no layer sets it.
    pub unset: Unset,
}

/// The values that a key accepts.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number between two bounds, in a unit.
    Whole(u32, u32, &'static str),
    /// One word of a list.
    Choice(&'static [&'static str]),
    /// Text of a checked form.
    Text(fn(&str) -> Result<(), String>),
    /// A list of names; one text is split at commas.
    Names,
    /// Text of a checked form that is never shown.
    Secret(fn(&str) -> Result<(), String>),
    /// A duration: seconds, or a number with a unit; stored in seconds.
    Span,
    /// A list of texts of a checked form; one text is split at line ends.
    List(fn(&[&str]) -> Result<(), String>),
    /// As `List`, but one text is split at line ends and commas.
    Words(fn(&[&str]) -> Result<(), String>),
}

/// What applies when no layer sets a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    /// The reference has a default.
    Default,
    /// Moodle's own setting decides; an empty text in a higher layer gives the decision back to it.
    Moodle,
    /// A more general key of enrold decides; an empty text in a higher layer gives the decision back to it.
    General,
    /// Another key decides (`database.url`, `database.url_file`, `state.path`).
    Elsewhere,
}

/// An upper bound for counts without a natural one; it keeps sums inside 64 bits.
const MANY: u32 = 1_000_000_000;
/// The longest duration of a setting in whole seconds.
const HOUR: u32 = 3_600;
/// The longest period in days.
const CENTURY: u32 = 36_500;

/// Every known key, in the order of the reference.
pub(super) static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [BEFORE_TASKS, tasks::keys().as_slice(), AFTER_TASKS].concat());

const BEFORE_TASKS: &[Key] = &[
    choice("locale", Locale::WORDS),
    Key { name: "database.url", kind: Kind::Secret(forms::database_url), unset: Unset::Elsewhere },
    Key { name: "database.url_file", kind: Kind::Text(forms::path), unset: Unset::Elsewhere },
    text("database.prefix", forms::prefix),
    seconds("database.connect_timeout", 1),
    text("state.path", forms::path),
    text("inbox.path", forms::path),
    seconds("inbox.settle", 0),
    seconds("inbox.rescan", 1),
    choice("inbox.done_mode", DoneMode::WORDS),
    text("inbox.archive", forms::path),
    whole("limits.file_mib", 1, 1_048_576, "MiB"),
    whole("limits.problems", 1, 10_000_000, "problems"),
    whole("limits.tries", 1, 1_000, "tries"),
    seconds("limits.tries_over", 0),
    whole("retention.archives_days", 0, CENTURY, "days"),
    whole("retention.reports_days", 0, CENTURY, "days"),
    whole("retention.quiet_runs_days", 0, CENTURY, "days"),
    choice("guard.mode", GuardMode::WORDS),
    percent("guard.failed_lines_percent"),
    count("guard.failed_lines_min"),
    flag("guard.hold_empty"),
    flag("guard.protect_admins"),
    count("guard.run.removals_max"),
    percent("guard.run.removals_percent"),
    count("guard.run.suspensions_max"),
    percent("guard.run.suspensions_percent"),
    count("guard.run.creations_max"),
    growth("guard.run.creations_percent"),
    count("guard.run.at_least"),
    count("guard.course.removals_max"),
    percent("guard.course.removals_percent"),
    count("guard.course.suspensions_max"),
    percent("guard.course.suspensions_percent"),
    count("guard.course.creations_max"),
    growth("guard.course.creations_percent"),
    count("guard.course.min_members"),
    count("guard.method.removals_max"),
    percent("guard.method.removals_percent"),
    count("guard.method.suspensions_max"),
    percent("guard.method.suspensions_percent"),
    count("guard.method.creations_max"),
    growth("guard.method.creations_percent"),
    count("guard.method.at_least"),
    count("guard.accounts.creations_max"),
    growth("guard.accounts.creations_percent"),
    count("guard.accounts.updates_max"),
    percent("guard.accounts.updates_percent"),
    count("guard.accounts.suspensions_max"),
    percent("guard.accounts.suspensions_percent"),
    count("guard.accounts.deletions_max"),
    percent("guard.accounts.deletions_percent"),
    count("guard.accounts.renames_max"),
    percent("guard.accounts.renames_percent"),
    count("guard.accounts.emails_max"),
    percent("guard.accounts.emails_percent"),
    count("guard.accounts.member_removals_max"),
    percent("guard.accounts.member_removals_percent"),
    count("guard.accounts.at_least"),
    Key { name: "site.timezone", kind: Kind::Text(forms::timezone), unset: Unset::Moodle },
    text("site.wwwroot", forms::site_url),
    choice("flatfile.del_scope", DelScope::WORDS),
    choice("flatfile.when_disabled", WhenDisabled::WORDS),
    choice("flatfile.encoding_fallback", EncodingFallback::WORDS),
    whole("flatfile.max_steps", 1, 5_000, "steps"),
    choice("flatfile.small_times", SmallTimes::WORDS),
    defaulted("flatfile.roles", Kind::Words(forms::role_list)),
    choice("flatfile.mail_students", MailSwitch::WORDS),
    choice("flatfile.mail_teachers", MailSwitch::WORDS),
    choice("flatfile.mail_admins", MailSwitch::WORDS),
    choice("flatfile.tell_teachers", TellTeachers::WORDS),
    choice("flatfile.header.user_key", UserKey::WORDS),
    choice("flatfile.header.course_key", CourseKey::WORDS),
    choice("flatfile.native.user_key", UserKey::WORDS),
    choice("flatfile.native.course_key", CourseKey::WORDS),
    Key { name: "flatfile.unenrolaction", kind: Kind::Choice(RemovalAction::WORDS), unset: Unset::Moodle },
    Key { name: "flatfile.expiredaction", kind: Kind::Choice(RemovalAction::WORDS), unset: Unset::Moodle },
    choice("expirations.inactive_since", InactiveSince::WORDS),
    expired("expirations.expiredaction.manual"),
    expired("expirations.expiredaction.self"),
    expired("expirations.expiredaction.database"),
    expired("expirations.expiredaction.autoenrol"),
    expired("expirations.expiredaction.coursecompleted"),
    defaulted("coursecompleted.delay", Kind::Span),
    defaulted("coursecompleted.delays", Kind::List(forms::delays)),
    flag("coursecompleted.create_groups"),
    choice("accounts.password_mail", PasswordMail::WORDS),
    defaulted("accounts.foreign_auth", Kind::Names),
    defaulted("accounts.protected", Kind::Names),
    text("accounts.pepper_file", forms::optional_path),
    whole("waiting.days", 0, CENTURY, "days"),
    whole("waiting.max", 0, 10_000_000, "lines"),
    defaulted("waiting.not_auth", Kind::Words(forms::methods)),
    flag("waiting.expected"),
    defaulted("waiting.mail_to", Kind::List(forms::mail_addresses)),
    choice("waiting.tell_teachers", TellTeachers::WORDS),
    whole("run.retries", 0, 1_000, "attempts"),
    seconds("run.lock_timeout", 1),
    seconds("run.simulate_lock_timeout", 1),
    seconds("run.lease_ttl", 10),
    whole("run.effect_rows", 1, 100_000, "changes"),
    whole("run.part_rows", 0, 100_000_000, "changes"),
];

const AFTER_TASKS: &[Key] = &[
    text("hook.spool", forms::optional_path),
    text("mail.templates", forms::optional_path),
    whole("mail.digest_hour", 0, 23, "hours"),
    defaulted("mail.operators", Kind::List(forms::mail_addresses)),
    flag("smtp.enabled"),
    text("smtp.host", forms::host),
    whole("smtp.port", 0, 65_535, "ports"),
    choice("smtp.security", Security::WORDS),
    text("smtp.ca_file", forms::optional_path),
    text("smtp.user", forms::line),
    defaulted("smtp.password", Kind::Secret(forms::line)),
    text("smtp.password_file", forms::optional_path),
    text("smtp.from", forms::optional_mail_address),
    text("smtp.reply_to", forms::optional_mail_address),
    seconds("smtp.timeout", 1),
    whole("smtp.per_minute", 0, MANY, "mails"),
    whole("smtp.give_up_hours", 1, 8_760, "hours"),
    text("http.listen", forms::listen),
    choice("log.level", LogLevel::WORDS),
    choice("log.format", LogFormat::WORDS),
];

const fn defaulted(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, unset: Unset::Default }
}

const fn general(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, unset: Unset::General }
}

const fn flag(name: &'static str) -> Key {
    defaulted(name, Kind::Flag)
}

const fn whole(name: &'static str, least: u32, most: u32, unit: &'static str) -> Key {
    defaulted(name, Kind::Whole(least, most, unit))
}

const fn count(name: &'static str) -> Key {
    whole(name, 0, MANY, "rows")
}

const fn percent(name: &'static str) -> Key {
    whole(name, 0, 100, "percent")
}

/// A percentage that may exceed 100: a run can create more rows than there were.
const fn growth(name: &'static str) -> Key {
    whole(name, 0, MANY, "percent")
}

const fn seconds(name: &'static str, least: u32) -> Key {
    whole(name, least, HOUR, "seconds")
}

const fn choice(name: &'static str, words: &'static [&'static str]) -> Key {
    defaulted(name, Kind::Choice(words))
}

const fn expired(name: &'static str) -> Key {
    Key { name, kind: Kind::Choice(ExpiredAction::WORDS), unset: Unset::Moodle }
}

const fn text(name: &'static str, form: fn(&str) -> Result<(), String>) -> Key {
    defaulted(name, Kind::Text(form))
}

/// The known key of this path; the key of a named table is named without section and name.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    match named::divided(path) {
        Some(path) => path.find(),
        None => KEYS.iter().find(|key| key.name == path),
    }
}

/// A known key inside the section of this path, if there is such a section.
pub(super) fn example_in(section: &str) -> Option<String> {
    let inside = |name: &str, section: &str| name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    if let Some(named) = named::ALL.iter().find(|named| named.title() == section) {
        return Some(format!("{}NAME.{}", named.prefix, named.first));
    }
    match named::divided(section) {
        Some(path) if path.rest.is_empty() => Some(format!("{section}.{}", path.section.first)),
        Some(path) => {
            let key = path.section.keys.iter().find(|key| inside(key.name, path.rest)).map(|key| key.name.to_owned());
            let open = || path.section.open.iter().find(|key| key.name == path.rest);
            let key = key.or_else(|| Some(format!("{}.NAME", open()?.name)))?;
            Some(format!("{}.{key}", path.table()))
        }
        None => KEYS.iter().find(|key| inside(key.name, section)).map(|key| key.name.to_owned()),
    }
}

/// The known key nearest to an unknown one: the fewest edits of the whole path, plus those of the section, plus twice
/// those of the last part. Both a typing error and a key in the wrong section then find the right key. A key of a task
/// is compared with keys of tasks only, a key of a named table with keys of the same table.
pub(super) fn nearest(unknown: &str) -> String {
    fn ends(path: &str) -> (&str, &str) {
        let section = path.split('.').next().unwrap_or_default();
        let last = path.rsplit('.').next().unwrap_or_default();
        (section, last)
    }
    let (section, last) = ends(unknown);
    let far = |known: &str| {
        let (known_section, known_last) = ends(known);
        edits(unknown, known) + edits(section, known_section) + 2 * edits(last, known_last)
    };
    let of_table = |path: named::Path| {
        let own = path.section.keys.iter().map(|key| format!("{}.{}", path.table(), key.name));
        own.min_by_key(|known| far(known))
    };
    let fixed = || {
        let names = KEYS.iter().map(|key| key.name);
        names.filter(|known| section != "tasks" || known.starts_with("tasks.")).min_by_key(|known| far(known))
    };
    let found = match named::divided(unknown) {
        Some(path) => of_table(path),
        None => fixed().map(str::to_owned),
    };
    found.unwrap_or_default()
}

/// The Levenshtein distance; only the first 100 characters of `one` count, so that a hostile key costs little.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (done, letter) in one.chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (place, known) in other.iter().enumerate() {
            let kept = diagonal + usize::from(letter != *known);
            diagonal = row[place + 1];
            row[place + 1] = kept.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

impl Key {
    /// The value in the type of this key, or what was found and what is expected.
    ///
    /// Environment and `--set` give text only, so numbers and flags are read from text too; no value is rounded or
    /// guessed.
    pub fn accept(&self, found: &ValueKind) -> Result<ValueKind, String> {
        match &self.kind {
            Kind::Flag => match found {
                ValueKind::Boolean(flag) => Some(*flag),
                ValueKind::String(text) => flag_in(text),
                _ => None,
            }
            .map(ValueKind::Boolean)
            .ok_or_else(|| self.expected(found)),
            Kind::Whole(least, most, _) => match found {
                ValueKind::I64(number) => u32::try_from(*number).ok(),
                ValueKind::String(text) => text.trim().parse().ok(),
                _ => None,
            }
            .filter(|number| (least..=most).contains(&number))
            .map(|number| ValueKind::I64(number.into()))
            .ok_or_else(|| self.expected(found)),
            Kind::Choice(words) => match found {
                ValueKind::String(word) if words.contains(&word.as_str()) => Ok(found.clone()),
                _ => Err(self.expected(found)),
            },
            Kind::Names => names_in(found).ok_or_else(|| self.expected(found)),
            Kind::Text(form) | Kind::Secret(form) => match found {
                ValueKind::String(text) => form(text).map(|()| found.clone()),
                _ => Err(self.expected(found)),
            },
            Kind::Span => match found {
                ValueKind::I64(number) => forms::span(&number.to_string()),
                ValueKind::String(text) => forms::span(text),
                _ => Err(self.expected(found)),
            }
            .map(ValueKind::I64),
            Kind::List(form) | Kind::Words(form) => {
                let read = if matches!(self.kind, Kind::Words(_)) { forms::words } else { forms::lines };
                let lines = read(found).ok_or_else(|| self.expected(found))?;
                form(&lines.iter().map(String::as_str).collect::<Vec<_>>())?;
                Ok(ValueKind::Array(lines.into_iter().map(Into::into).collect()))
            }
        }
    }

    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }

    fn expected(&self, found: &ValueKind) -> String {
        let expected = match &self.kind {
            Kind::Flag => "true or false".to_owned(),
            Kind::Whole(least, MANY, unit) => {
                format!("a whole number of {unit}, {least} or more")
            }
            Kind::Whole(least, most, unit) => {
                format!("a whole number of {unit} from {least} to {most}")
            }
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Names => "a list of names in quotes, none of them empty".to_owned(),
            Kind::Text(_) | Kind::Secret(_) => "text in quotes".to_owned(),
            Kind::Span => forms::SPAN.to_owned(),
            Kind::List(_) | Kind::Words(_) => "a list of texts".to_owned(),
        };
        let found = match found {
            _ if self.is_secret() => "something else".to_owned(),
            ValueKind::String(text) => forms::shown(text),
            ValueKind::Array(_) => "a list".to_owned(),
            ValueKind::Table(_) => "a section".to_owned(),
            other => other.to_string(),
        };
        format!("found {found}, expected {expected}")
    }
}

fn flag_in(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The names of a list, or of a text split at commas; as in TOML, a comma may follow the last name.
fn names_in(found: &ValueKind) -> Option<ValueKind> {
    let names: Vec<String> = match found {
        ValueKind::String(text) if text.trim().is_empty() => Vec::new(),
        ValueKind::String(text) => {
            let text = text.trim_end();
            text.strip_suffix(',').unwrap_or(text).split(',').map(|name| name.trim().to_owned()).collect()
        }
        ValueKind::Array(list) => list.iter().map(name_in).collect::<Option<_>>()?,
        _ => return None,
    };
    let whole = names.iter().all(|name| !name.is_empty());
    whole.then(|| ValueKind::Array(names.into_iter().map(|name| Value::new(None, ValueKind::String(name))).collect()))
}

fn name_in(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(name) => Some(name.trim().to_owned()),
        _ => None,
    }
}
