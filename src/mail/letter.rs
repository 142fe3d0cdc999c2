//! Writes the text of a mail: fills the facts of an outbox row into the instance's text or into ours.
//! It must not read the database or know the server.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config::Locale;
use crate::mail::operators::SOURCE_STALE;
use crate::mail::waiting::WAITING_REPORT;
use crate::mail::words::{self, Facts};
use crate::mail::{EXPIRY_TEACHER, EXPIRY_USER, FILE_REPORT, PASSWORD, SET_REPORT, plain};

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
    pub data: Value,
    /// The participants of a digest: name, address, end.
    pub entries: Vec<(String, String, i64)>,
    /// The password that the mail tells.
    pub password: Option<SecretString>,
}

/// The language, address and zone of the site.
#[derive(Clone, Debug)]
pub struct House {
    /// The site's language in Moodle.
    pub lang: String,
    /// The site's address; empty if unknown.
    pub url: String,
    /// The site's zone.
    pub zone: Tz,
}

/// A written mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML, if the instance's text is HTML.
    pub html: Option<String>,
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

    /// Writes the mail: in the recipient's language if enrold supports it, else in the site's, else in English.
    pub fn write(&self, house: &House) -> Letter {
        let locale = locale(&self.lang).or_else(|| locale(&house.lang)).unwrap_or(Locale::En);
        let end = moment(self.timeend, house.zone, locale);
        let link = |path: String| if house.url.is_empty() { String::new() } else { format!("{}{path}", house.url) };
        let course = link(format!("/course/view.php?id={}", self.courseid));
        let profile = link(format!("/user/view.php?id={}&course={}", self.userid, self.courseid));
        let participants = link(format!("/user/index.php?id={}", self.courseid));
        let facts = Facts {
            name: &self.name,
            course: self.fact("course"),
            completed: self.fact("completed"),
            contact: self.fact("contact"),
            end: &end,
            link: &course,
            profile: &profile,
            participants: &participants,
            days: self.number("threshold").max(0) / 86_400,
        };
        match self.kind.as_str() {
            EXPIRY_USER => plain_letter(words::expiry_user(&facts, locale)),
            EXPIRY_TEACHER => {
                let line = |(name, address, end): &(String, String, i64)| {
                    format!("* {name} <{address}>, {}\n", moment(*end, house.zone, locale))
                };
                let lines: String = self.entries.iter().map(line).collect();
                plain_letter(words::expiry_teacher(&facts, &lines, locale))
            }
            PASSWORD => {
                let password = self.password.as_ref().map(|password| password.expose_secret()).unwrap_or_default();
                let (site, account) = (self.fact("site"), self.fact("username"));
                let login = link("/login/index.php".to_owned());
                plain_letter(words::password(&self.name, site, (account, password), &login, locale))
            }
            SET_REPORT | FILE_REPORT | SOURCE_STALE | WAITING_REPORT => {
                plain_letter((self.fact("subject").to_owned(), self.fact("body").to_owned()))
            }
            _ => self.welcome(&facts, locale),
        }
    }

    /// The instance's own text with Moodle's placeholders, or ours (spec autoenrol 8, coursecompleted 1).
    fn welcome(&self, facts: &Facts<'_>, locale: Locale) -> Letter {
        let (subject, ours) = words::welcome(facts, locale);
        let own = self.fact("text").trim();
        if own.is_empty() {
            return plain_letter((subject, ours));
        }
        let is_html = own.contains('<');
        let written = |value: &str| if is_html { plain::escaped(value) } else { value.to_owned() };
        let values = [
            ("coursename", facts.course),
            ("profileurl", facts.profile),
            ("link", facts.link),
            ("fullname", facts.name),
            ("email", self.address.as_str()),
            ("completed", facts.completed),
        ];
        let filled =
            filled(own, |name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| written(value)));
        match is_html {
            true => Letter { subject, text: plain::from_html(&filled), html: Some(filled) },
            false => Letter { subject, text: filled, html: None },
        }
    }
}

fn plain_letter((subject, text): (String, String)) -> Letter {
    Letter { subject, text, html: None }
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
fn locale(lang: &str) -> Option<Locale> {
    match lang.split('_').next() {
        Some("fr") => Some(Locale::Fr),
        Some("en") => Some(Locale::En),
        _ => None,
    }
}

fn moment(unix: i64, zone: Tz, locale: Locale) -> String {
    let Some(at) = DateTime::from_timestamp(unix, 0).map(|at| at.with_timezone(&zone)) else {
        return String::new();
    };
    let month = words::month(at.month0() as usize, locale);
    match locale {
        Locale::En => format!("{} {month} {}, {}", at.day(), at.year(), at.format("%H:%M")),
        Locale::Fr => format!("{} {month} {} à {}", at.day(), at.year(), at.format("%H:%M")),
    }
}
