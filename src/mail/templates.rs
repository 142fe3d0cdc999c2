//! The texts of all mails to users, in English and French: enrold's own, or those of a directory of the site, which are
//! checked when they are read. It must not know the values of a mail.

#![allow(clippy::disallowed_methods, reason = "texts that the operator names")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::Locale;
use crate::mail::template::{Flaw, Template};
use crate::mail::{
    EXPIRY_TEACHER, EXPIRY_USER, FLATFILE_STUDENT, FLATFILE_TEACHER, PASSWORD, TEACHER_SUMMARY, WELCOME,
};

/// The largest file, in bytes.
const LARGEST: u64 = 64 << 10;
/// The word before the subject, in the first line.
const SUBJECT: &str = "Subject:";

/// A mail with its placeholders.
struct Known {
    kind: &'static str,
    /// Those without which the mail says nothing.
    required: &'static [&'static str],
    /// All others.
    optional: &'static [&'static str],
}

const KNOWN: [Known; 7] = [
    Known { kind: WELCOME, required: &["course"], optional: &["name", "site", "completed", "link", "profile"] },
    Known { kind: PASSWORD, required: &["account", "password"], optional: &["name", "site", "login"] },
    Known { kind: EXPIRY_USER, required: &["course", "end"], optional: &["name", "site", "contact", "link"] },
    Known {
        kind: EXPIRY_TEACHER,
        required: &["course", "list"],
        optional: &["name", "site", "count", "days", "participants"],
    },
    Known {
        kind: FLATFILE_STUDENT,
        required: &["course"],
        optional: &["name", "site", "shortname", "link", "profile"],
    },
    Known {
        kind: FLATFILE_TEACHER,
        required: &["course", "participant"],
        optional: &["name", "site", "shortname", "link", "participants"],
    },
    Known {
        kind: TEACHER_SUMMARY,
        required: &["course", "new", "left", "regrouped"],
        optional: &[
            "name",
            "site",
            "shortname",
            "changes",
            "when",
            "count_new",
            "count_left",
            "count_regrouped",
            "link",
            "participants",
        ],
    },
];

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("texts/", $name)))),+]
    };
}

const SHIPPED: &[(&str, &str)] = shipped![
    "welcome.en.txt",
    "welcome.fr.txt",
    "password.en.txt",
    "password.fr.txt",
    "expiry-user.en.txt",
    "expiry-user.fr.txt",
    "expiry-teacher.en.txt",
    "expiry-teacher.fr.txt",
    "flatfile-student.en.txt",
    "flatfile-student.fr.txt",
    "flatfile-teacher.en.txt",
    "flatfile-teacher.fr.txt",
    "teacher-summary.en.txt",
    "teacher-summary.fr.txt",
    "teacher-summary.en.html",
    "teacher-summary.fr.html",
];

/// Subject and text of one mail in one language.
pub(super) struct Words {
    /// One line.
    pub subject: Template,
    /// The text.
    pub text: Template,
    /// The same as HTML, if there is one.
    pub html: Option<Template>,
}

/// The texts of all mails in both languages.
pub struct Templates {
    words: BTreeMap<(&'static str, &'static str), Words>,
}

/// What is wrong with a file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate {
    /// The file, or the directory.
    pub path: PathBuf,
    /// The line, counted from 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.what),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.what),
        }
    }
}

impl std::error::Error for BadTemplate {}

impl Templates {
    /// enrold's texts, and those of the directory `dir` in their place.
    ///
    /// # Errors
    /// The first file that cannot be read, is no text of a mail, or has unknown placeholders or lacks required ones.
    pub fn load(dir: Option<&Path>) -> Result<Self, BadTemplate> {
        let mut templates = Self { words: BTreeMap::new() };
        for (name, text) in SHIPPED {
            templates.take(Path::new(name), text)?;
        }
        let mut files = dir.map(files_of).transpose()?.unwrap_or_default();
        // A text replaces enrold's HTML too, so it comes before the site's.
        files.sort_by_key(|path| (is_html(path), path.clone()));
        let texts: Vec<PathBuf> = files.iter().filter(|path| !is_html(path)).cloned().collect();
        for path in files {
            let text = read_file(&path)?;
            if is_html(&path) && !texts.contains(&path.with_extension("txt")) {
                let what = "it needs a text with its subject beside it, in a file that ends in .txt".to_owned();
                return Err(BadTemplate { path, line: 0, what });
            }
            templates.take(&path, &text)?;
        }
        Ok(templates)
    }

    /// The text of a mail in a language.
    pub(super) fn of(&self, kind: &str, locale: Locale) -> Option<&Words> {
        let known = KNOWN.iter().find(|known| known.kind == kind)?;
        self.words.get(&(known.kind, locale.as_str()))
    }

    fn take(&mut self, path: &Path, text: &str) -> Result<(), BadTemplate> {
        let bad = |flaw: Flaw| BadTemplate { path: path.to_owned(), line: flaw.line, what: flaw.what };
        let (known, locale) = place_of(path).map_err(|what| bad(Flaw { line: 0, what }))?;
        let names = |name: &str| known.accepts(name);
        let key = (known.kind, locale.as_str());
        if is_html(path) {
            let html = Template::read(text, 1, names).map_err(bad)?;
            known.complete(html.names()).map_err(bad)?;
            known.lists_apart(&html).map_err(bad)?;
            if let Some(words) = self.words.get_mut(&key) {
                words.html = Some(html);
            }
            return Ok(());
        }
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        let subject = first.trim_start_matches('\u{feff}').strip_prefix(SUBJECT).map(str::trim);
        let subject = subject
            .filter(|subject| !subject.is_empty())
            .ok_or_else(|| bad(Flaw { line: 1, what: format!("the first line must be the subject: {SUBJECT} …") }))?;
        let subject = Template::read(subject, 1, names).map_err(bad)?;
        let text = Template::read(body, 2, names).map_err(bad)?;
        known.complete(subject.names().chain(text.names())).map_err(bad)?;
        known.lists_apart(&text).map_err(bad)?;
        self.words.insert(key, Words { subject, text, html: None });
        Ok(())
    }
}

impl Known {
    fn accepts(&self, name: &str) -> Result<(), String> {
        let all = || self.required.iter().chain(self.optional);
        if all().any(|known| *known == name) {
            return Ok(());
        }
        let names: Vec<String> = all().map(|name| format!("{{{name}}}")).collect();
        Err(format!("there is no placeholder {{{name}}} here, but {}", names.join(", ")))
    }

    /// Refuses a text of a summary in which one paragraph has two of its lists: one of them is always empty at times.
    fn lists_apart(&self, text: &Template) -> Result<(), Flaw> {
        let lists = if self.kind == TEACHER_SUMMARY { &self.required[1..] } else { &[] };
        let two = text.paragraph_of_several(lists);
        two.map_or(Ok(()), |(one, other)| {
            let what = format!("{{{one}}} and {{{other}}} stand in one paragraph, which is left out if one is empty");
            Err(Flaw { line: 0, what: format!("{what}; put a blank line between them") })
        })
    }

    fn complete<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Flaw> {
        let names: Vec<&str> = names.collect();
        let missing = self.required.iter().find(|name| !names.contains(name));
        missing.map_or(Ok(()), |name| Err(Flaw { line: 0, what: format!("the placeholder {{{name}}} is missing") }))
    }
}

fn is_html(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "html")
}

/// The mail and the language that a file is for.
fn place_of(path: &Path) -> Result<(&'static Known, Locale), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".html"));
    let parts = stem.and_then(|stem| stem.rsplit_once('.'));
    let found = parts.and_then(|(kind, lang)| {
        let known = KNOWN.iter().find(|known| known.kind == kind)?;
        Some((known, Locale::from_word(lang)?))
    });
    found.ok_or_else(|| {
        let kinds: Vec<&str> = KNOWN.iter().map(|known| known.kind).collect();
        format!("no mail has this name; they are MAIL.en.txt, MAIL.fr.txt (and .html), with MAIL: {}", kinds.join(", "))
    })
}

/// The files of a directory, without hidden ones.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>, BadTemplate> {
    let bad = |error: std::io::Error| BadTemplate { path: dir.to_owned(), line: 0, what: error.to_string() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(bad)? {
        let entry = entry.map_err(bad)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<String, BadTemplate> {
    let bad = |what: String| BadTemplate { path: path.to_owned(), line: 0, what };
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(bad(format!("not a file of at most {} KiB", LARGEST >> 10)));
    }
    std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mail_has_a_text_in_each_language() {
        let templates = Templates::load(None).unwrap();
        for known in &KNOWN {
            for locale in [Locale::En, Locale::Fr] {
                assert!(templates.of(known.kind, locale).is_some(), "{} {locale}", known.kind);
            }
        }
    }

    #[test]
    fn texts_of_the_site_are_checked() {
        let good = "Subject: {course}\n\nHello\n";
        for (name, text, line, what) in [
            ("welcome.en.txt", "Hello\n", 1, "Subject:"),
            (
                "welcome.en.txt",
                "Subject: {course}\n\nHello\n{nam}\n",
                4,
                "no placeholder {nam} here, but {course}, {name}",
            ),
            ("welcome.de.txt", good, 0, "no mail has this name"),
            ("welcom.en.txt", good, 0, "no mail has this name"),
            ("welcome.en.html", good, 0, "needs a text"),
            ("password.fr.txt", "Subject: x\n\n{account}\n", 0, "{password} is missing"),
            ("teacher-summary.fr.txt", "Subject: a\n\n{course}{new}{left}{regrouped}", 0, "in one paragraph"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(name), text).unwrap();
            let bad = Templates::load(Some(dir.path())).err().unwrap();
            assert_eq!((bad.path.as_path(), bad.line), (dir.path().join(name).as_path(), line), "{name}");
            assert!(bad.to_string().contains(what), "{bad}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("teacher-summary.fr.txt"),
            "Subject: a\n\n{course}\n\n{new}\n\n{left}\n\n{regrouped}",
        )
        .unwrap();
        let templates = Templates::load(Some(dir.path())).unwrap();
        assert!(
            templates.of(TEACHER_SUMMARY, Locale::Fr).unwrap().html.is_none(),
            "enrold's HTML would say it otherwise"
        );
        assert!(templates.of(TEACHER_SUMMARY, Locale::En).unwrap().html.is_some());
        let none = Templates::load(Some(&dir.path().join("none"))).err().unwrap();
        assert!(none.to_string().contains("No such file"), "{none}");
    }
}
