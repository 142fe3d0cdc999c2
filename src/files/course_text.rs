//! Takes the lines of a text apart: addresses, one or several a line, in sections that name a group (spec files 5.2).
//! It must not know bytes, nor which accounts and groups a site has.

use std::collections::VecDeque;

use unicode_normalization::UnicodeNormalization;

use super::course_list::{ListEntry, ListRow, ListVerb, group_name};
use super::encoding::DAMAGE;
use super::is_unseen;
use crate::config::UserKey;
use crate::problem::{Code, Problem, hint, shown};

/// What begins a section, for messages.
const MARK: &str = "#";

/// The name of the section that a line begins; a number sign of any width begins one.
fn section(text: &str) -> Option<&str> {
    seen(text).strip_prefix(is_mark)
}

/// Whether a line begins a section.
pub(super) fn is_section(text: &str) -> bool {
    section(text).is_some()
}

fn seen(text: &str) -> &str {
    text.trim_matches(is_unseen)
}

fn is_mark(c: char) -> bool {
    c == '#' || std::iter::once(c).nfkc().eq(['#'])
}

/// Whether a text may have begun a section: a number sign stands before its first letter, or what stands there is lost.
fn may_begin(text: &str) -> bool {
    text.chars().take_while(|c| !c.is_alphanumeric()).any(|c| is_mark(c) || c == DAMAGE)
}

/// The sections of a text so far, and the users of its latest line.
#[derive(Default)]
pub(super) struct Sections {
    /// The group of the section; `None` before the first one. After a line that cannot be used and may have begun a
    /// section: its problem, so that nobody below leaves the group before, or the course.
    group: Option<Result<String, Problem>>,
    /// A line since the section began that holds more than addresses: it may be the name of another one.
    doubt: Option<u64>,
    entries: VecDeque<ListEntry>,
}

impl Sections {
    /// The next user of the latest line.
    pub fn next(&mut self) -> Option<ListEntry> {
        self.entries.pop_front()
    }

    /// Takes a line that is not blank: the name of a section, or users.
    pub fn line(&mut self, line: u64, text: &str) {
        if text.contains(DAMAGE) {
            let problem = Problem::new(line, Code::EncodingInvalid, shown(text), hint::LINE);
            // Behind the first letter of an address nothing begins a section.
            let lost = may_begin(text) || !text.contains('@');
            return if lost { self.lost(problem) } else { self.entries.push_back(ListEntry::Bad(problem)) };
        }
        match section(text) {
            Some(name) => self.begin(line, name),
            None => self.users(line, seen(text)),
        }
    }

    /// Takes a line that cannot be used and may have begun a section.
    pub fn lost(&mut self, problem: Problem) {
        self.entries.push_back(ListEntry::Bad(problem.clone()));
        self.group = Some(Err(problem));
    }

    /// A section without a usable name leaves its users without a group, not in the group before.
    fn begin(&mut self, line: u64, name: &str) {
        self.doubt = None;
        match group_name(line, name) {
            Ok(name) if name.is_empty() => self.lost(Problem::new(line, Code::EmptyIdentifier, MARK, "")),
            Err(problem) => self.lost(problem),
            name => self.group = Some(name),
        }
    }

    fn users(&mut self, line: u64, text: &str) {
        if !text.contains('@') {
            return self.lost(Problem::new(line, Code::UserUnknown, shown(text), UserKey::Email.as_str()));
        }
        if may_begin(text) {
            return self.lost(Problem::new(line, Code::ValueUnusable, shown(text), hint::SECTION));
        }
        // A mail program writes `Zoé Martin <zoe@example.org>`.
        let with_names = text.contains('<');
        let mut without = false;
        for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
            if may_begin(word) {
                return self.lost(Problem::new(line, Code::ValueUnusable, shown(text), hint::SECTION));
            }
            let word = seen(word);
            let user = word.trim_start_matches('!');
            without |= user.len() < word.len();
            let user = user.trim_matches(|c| is_unseen(c) || ['<', '>', '"', '\''].contains(&c));
            if user.is_empty() || (with_names && !user.contains('@')) {
                continue;
            }
            let leaves = without;
            if user.contains('@') {
                without = false;
            } else {
                self.doubt = Some(line);
            }
            let lost = match &self.group {
                Some(Err(problem)) => Some(problem.line),
                _ => self.doubt,
            };
            // Whoever would leave an unknown group leaves nothing, least of all the course.
            if let Some(lost) = lost.filter(|_| leaves) {
                let hint = format!("{} {lost}", hint::SECTION);
                let problem = Problem::new(line, Code::ValueUnusable, shown(&format!("!{user}")), hint);
                self.entries.push_back(ListEntry::Bad(problem));
                continue;
            }
            let (verb, groups) = match (&self.group, leaves) {
                (Some(Ok(group)), true) => (ListVerb::Leave, vec![group.clone()]),
                (None, true) => (ListVerb::Unenrol, Vec::new()),
                (Some(Ok(group)), false) => (ListVerb::Join, vec![group.clone()]),
                (None | Some(Err(_)), _) => (ListVerb::Join, Vec::new()),
            };
            let row = ListRow { line, verb, user: user.to_owned(), groups, problems: Vec::new() };
            self.entries.push_back(ListEntry::Row(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::kinds::Layout;
    use super::super::{Fallback, ListFile};
    use super::*;

    #[test]
    fn sections_and_addresses() {
        let text = [
            "a@x.fr, b@x.fr;c@x.fr\n!d@x.fr\n\n# Équipe \"CEMU\"\n\"Zoé Martin\" <e@x.fr>\n! f@x.fr\n#\n",
            "g@x.fr !h@x.fr\n  # Vide\n#TD\ni@x.fr xx\npas une adresse",
        ]
        .concat();
        let mut file = ListFile::open(Cursor::new(text), Layout::Text, Fallback::Windows1252).unwrap();
        let mut told = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            told.push(match entry {
                ListEntry::Row(row) => format!("{} {:?} {} {}", row.line, row.verb, row.user, row.groups.join("+")),
                ListEntry::Bad(problem) => format!("{} {}", problem.line, problem.code),
            });
        }
        let expected = [
            "1 Join a@x.fr ",
            "1 Join b@x.fr ",
            "1 Join c@x.fr ",
            "2 Unenrol d@x.fr ",
            "5 Join e@x.fr Équipe \"CEMU\"",
            "6 Leave f@x.fr Équipe \"CEMU\"",
            "7 empty-identifier",
            "8 Join g@x.fr ",
            "8 value-unusable",
            "11 Join i@x.fr TD",
            "11 Join xx TD",
            "12 user-unknown",
        ];
        assert_eq!(told, expected);
    }
    /// Whatever hides that a line begins a section, nobody below it leaves the group before, or the course.
    #[test]
    fn below_a_line_that_may_begin_a_section_nobody_leaves() {
        let long = format!("# {}", "x".repeat(300));
        let longer = format!("# {}", "x".repeat(2_000_000));
        let hidden = [
            "# TD \u{fffd}t\u{fffd}",
            "\u{fffd} TD @ 2",
            &long,
            &longer,
            "TD 2",
            "- # TD @2",
            "\u{202e}- # TD @2",
            "a@x.fr\u{2028}# TD 2",
            "#",
        ];
        for (before, line) in hidden.iter().flat_map(|line| [("", *line), ("# A\n", *line)]) {
            let text = format!("{before}{line}\n!b@x.fr\nc@x.fr\n# B\n!d@x.fr\n");
            let mut file = ListFile::open(Cursor::new(text), Layout::Text, Fallback::Windows1252).unwrap();
            let (mut rows, mut bad) = (Vec::new(), 0);
            while let Some(entry) = file.next_entry().unwrap() {
                match entry {
                    ListEntry::Row(row) => rows.push(format!("{:?} {} {}", row.verb, row.user, row.groups.join("+"))),
                    ListEntry::Bad(_) => bad += 1,
                }
            }
            rows.retain(|row| !row.contains("a@x.fr"));
            assert_eq!((rows, bad), (vec!["Join c@x.fr ".to_owned(), "Leave d@x.fr B".to_owned()], 2), "{line:.40?}");
        }
    }

    /// What holds more than addresses may be the name of a section: people join as before, and nobody leaves.
    #[test]
    fn below_a_line_with_more_than_addresses_nobody_leaves() {
        for before in ["", "# A\n"] {
            let text = format!("{before}TD 2 (a@x.fr)\n!b@x.fr\nc@x.fr\n# B\n!d@x.fr\n");
            let mut file = ListFile::open(Cursor::new(text), Layout::Text, Fallback::Windows1252).unwrap();
            let mut told = Vec::new();
            while let Some(entry) = file.next_entry().unwrap() {
                told.push(match entry {
                    ListEntry::Row(row) => format!("{:?} {}", row.verb, row.user),
                    ListEntry::Bad(problem) => problem.value,
                });
            }
            assert_eq!(told[3..], ["!b@x.fr", "Join c@x.fr", "Leave d@x.fr"], "{told:?}");
        }
    }

    #[test]
    fn a_name_without_brackets_does_not_turn_an_order_round() {
        let mut sections = Sections::default();
        sections.line(1, "!Zoé e@x.fr");
        assert!(sections.entries.iter().all(|entry| matches!(entry, ListEntry::Bad(_))), "{:?}", sections.entries);
    }

    #[test]
    fn a_section_begins_with_a_number_sign_of_any_width() {
        for mark in ["#", "\u{ff03}", "\u{fe5f}", "\u{200b}#", "\u{feff} #", "\u{200e}\u{ff03}"] {
            let mut sections = Sections::default();
            sections.line(1, &format!("{mark} TD"));
            assert_eq!((sections.group, sections.entries.len()), (Some(Ok("TD".to_owned())), 0), "{mark:?}");
        }
    }
}
