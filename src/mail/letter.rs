//! Writes the text of a mail: fills the facts of an outbox row into the instance's text, the site's or ours.
//! It must not read the database or know the server.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use crate::config::Locale;
use crate::mail::errors_csv::Attached;
use crate::mail::failed::FailedLines;
use crate::mail::participants::{Changes, Entry, shortened};
use crate::mail::template::{Value, Values};
use crate::mail::templates::Templates;
use crate::mail::{EXPIRY_TEACHER, TEACHER_SUMMARY, WELCOME, plain, words};

/// A row of the outbox with the letter that it shares, ready to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its kind.
    pub kind: String,
    /// `user.id` of the recipient.
    pub userid: i64,
    /// `course.id`.
    pub courseid: i64,
    /// The end of the enrolment in Unix seconds, 0 if it has none.
    pub timeend: i64,
    /// The recipient's name.
    pub name: String,
    /// The recipient's address.
    pub address: String,
    /// The recipient's language in Moodle.
    pub lang: String,
    /// The letter's facts.
    pub data: Json,
    /// The participants of a digest or a summary.
    pub entries: Vec<Entry>,
    /// When it was queued, Unix seconds.
    pub queued: i64,
    /// Whether it tells of several files of a day.
    pub is_digest: bool,
    /// The recipient's zone in Moodle; `99` for the site's.
    pub timezone: String,
    /// The password that the mail tells.
    pub password: Option<SecretString>,
    /// What the daily mail about failed lines says.
    pub failed: Option<FailedLines>,
}

/// The language, address and zone of the site, and its texts.
pub struct House {
    /// The site's language in Moodle.
    pub lang: String,
    /// The site's address; empty if unknown.
    pub url: String,
    /// The site's zone.
    pub zone: Tz,
    /// The texts of mails.
    pub templates: Templates,
}

/// A written mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML, if there is one.
    pub html: Option<String>,
    /// A file that goes with it.
    pub attached: Option<Attached>,
}

/// The recipient of answers, as the instance defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The address; `None` if the user hides it in Moodle.
    pub address: Option<String>,
}

impl Draft {
    fn fact(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap_or_default()
    }

    /// A number of the letter; depending on the database it is stored as a number or as text.
    fn number(&self, name: &str) -> i64 {
        let value = &self.data[name];
        value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
    }

    /// The site's name.
    pub fn site(&self) -> &str {
        self.fact("site")
    }

    /// The contact in whose name the mail is sent; `None` if the instance sends without one, or none was found.
    pub fn contact(&self) -> Option<Contact> {
        let name = self.fact("contact");
        if self.number("sender") != 1 || name.is_empty() {
            return None;
        }
        let shown = self.number("maildisplay") != 0;
        let address = Some(self.fact("contactaddress").to_owned()).filter(|address| shown && !address.is_empty());
        Some(Contact { name: name.to_owned(), address })
    }

    /// The language of the mail: the recipient's if enrold supports it, else the site's, else English.
    pub fn locale(&self, house: &House) -> Locale {
        locale(&self.lang).or_else(|| locale(&house.lang)).unwrap_or(Locale::En)
    }

    /// Writes the mail in its language; `None` if there is nothing to tell any more.
    pub fn write(&self, house: &House) -> Option<Letter> {
        let locale = self.locale(house);
        let Some(words) = house.templates.of(&self.kind, locale) else {
            return Some(self.to_operators());
        };
        let mut values = self.values(house, locale);
        if self.kind == TEACHER_SUMMARY {
            self.summarize(&mut values, house, locale)?;
        }
        let subject = words.subject.line(&values, locale);
        if self.kind == WELCOME && !self.fact("text").trim().is_empty() {
            return Some(self.welcome(subject, &values));
        }
        let html = words.html.as_ref().map(|html| html.html(&values, locale));
        Some(Letter { subject, text: words.text.text(&values, locale), html, attached: None })
    }

    /// What was written when it was queued, or the daily mail about failed lines.
    fn to_operators(&self) -> Letter {
        if let Some(FailedLines { subject, text, attached }) = self.failed.clone() {
            return Letter { subject, text, html: None, attached };
        }
        let (subject, text) = (self.fact("subject").to_owned(), self.fact("body").to_owned());
        let part = |name: &str| self.data["attached"][name].as_str().map(str::to_owned);
        let attached = part("name").zip(part("text")).map(|(name, text)| Attached { name, text });
        Letter { subject, text, html: None, attached }
    }

    /// The values of all placeholders but those of a summary.
    fn values(&self, house: &House, locale: Locale) -> Values {
        let link = |path: String| if house.url.is_empty() { String::new() } else { format!("{}{path}", house.url) };
        let days = self.number("threshold").max(0) / 86_400;
        let password = self.password.as_ref().map(|password| password.expose_secret()).unwrap_or_default();
        let words = [
            ("name", self.name.clone()),
            ("site", self.site().to_owned()),
            ("course", self.fact("course").to_owned()),
            ("shortname", self.fact("shortname").to_owned()),
            ("completed", self.fact("completed").to_owned()),
            ("contact", self.fact("contact").to_owned()),
            ("participant", self.fact("participant").to_owned()),
            ("account", self.fact("username").to_owned()),
            ("password", password.to_owned()),
            ("end", moment(self.timeend, house.zone, locale)),
            ("days", days.to_string()),
            ("count", self.entries.len().to_string()),
            ("link", link(format!("/course/view.php?id={}", self.courseid))),
            ("profile", link(format!("/user/view.php?id={}&course={}", self.userid, self.courseid))),
            ("participants", link(format!("/user/index.php?id={}", self.courseid))),
            ("login", link("/login/index.php".to_owned())),
        ];
        let mut values: Values = words.into_iter().map(|(name, word)| (name, Value::Word(word))).collect();
        if self.kind == EXPIRY_TEACHER {
            let line = |entry: &Entry| {
                format!("{} <{}>, {}", entry.name, entry.detail, moment(entry.number, house.zone, locale))
            };
            values.insert("list", Value::List(self.entries.iter().map(line).collect()));
        }
        values
    }

    /// Adds the lists of a summary; `None` if they are empty.
    fn summarize(&self, values: &mut Values, house: &House, locale: Locale) -> Option<()> {
        let Changes { new, left, regrouped } =
            Some(Changes::of(&self.entries, locale)).filter(|changes| !changes.is_empty())?;
        let zone = self.timezone.parse().unwrap_or(house.zone);
        let when = if self.is_digest { date(self.queued, zone, locale) } else { moment(self.queued, zone, locale) };
        let changes = words::changes(new.len(), left.len(), regrouped.len(), locale);
        values.extend([("when", Value::Word(when)), ("changes", Value::Word(changes))]);
        for (count, name, list) in
            [("count_new", "new", new), ("count_left", "left", left), ("count_regrouped", "regrouped", regrouped)]
        {
            values.insert(count, Value::Word(list.len().to_string()));
            values.insert(name, Value::List(shortened(list, locale)));
        }
        Some(())
    }

    /// The instance's own text with Moodle's placeholders (spec autoenrol 8, coursecompleted 1).
    fn welcome(&self, subject: String, values: &Values) -> Letter {
        let own = self.fact("text").trim();
        let is_html = own.contains('<');
        let written = |value: &str| if is_html { plain::escaped(value) } else { value.to_owned() };
        let word = |name: &str| match values.get(name) {
            Some(Value::Word(word)) => word.as_str(),
            _ => "",
        };
        let values = [
            ("coursename", word("course")),
            ("profileurl", word("profile")),
            ("link", word("link")),
            ("fullname", word("name")),
            ("email", self.address.as_str()),
            ("completed", word("completed")),
        ];
        let filled =
            filled(own, |name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| written(value)));
        match is_html {
            true => Letter { subject, text: plain::from_html(&filled), html: Some(filled), attached: None },
            false => Letter { subject, text: filled, html: None, attached: None },
        }
    }
}

/// Replaces each `{$a->name}` that `value` gives in one pass, so that a placeholder inside a value stays unchanged.
fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    // An editor that writes HTML escapes the arrow.
    let openings = ["{$a->", "{$a-&gt;"];
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{$a-") {
        done.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = openings.iter().find_map(|opening| {
            let (name, after) = rest.strip_prefix(opening)?.split_once('}')?;
            Some((value(name)?, after))
        });
        match known {
            Some((value, after)) => {
                done.push_str(&value);
                rest = after;
            }
            None => {
                done.push('{');
                rest = &rest[1..];
            }
        }
    }
    done + rest
}

/// The language of Moodle's `fr`, `fr_ca`, `en_us`, …
pub(super) fn locale(lang: &str) -> Option<Locale> {
    match lang.split('_').next() {
        Some("fr") => Some(Locale::Fr),
        Some("en") => Some(Locale::En),
        _ => None,
    }
}

/// `5 May 2026, 10:59`, `1er mai 2026 à 10:59`.
fn moment(unix: i64, zone: Tz, locale: Locale) -> String {
    let Some(at) = DateTime::from_timestamp(unix, 0).map(|at| at.with_timezone(&zone)) else {
        return String::new();
    };
    let between = if locale == Locale::Fr { " à " } else { ", " };
    format!("{}{between}{}", date(unix, zone, locale), at.format("%H:%M"))
}

/// The day alone.
fn date(unix: i64, zone: Tz, locale: Locale) -> String {
    let Some(at) = DateTime::from_timestamp(unix, 0).map(|at| at.with_timezone(&zone)) else {
        return String::new();
    };
    format!("{} {} {}", words::day(at.day(), locale), words::month(at.month0() as usize, locale), at.year())
}
