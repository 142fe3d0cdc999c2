//! Takes the lines of a text apart: addresses, one or several a line, in sections that name a group (spec files 5.2).
//! It must not know bytes, nor which accounts and groups a site has.

use std::collections::VecDeque;

use super::course_list::{ListEntry, ListRow, ListVerb, group_name};
use super::trimmed;
use crate::config::UserKey;
use crate::problem::{Code, Problem, shown};

/// Whether a line begins a section.
pub(super) fn is_section(text: &str) -> bool {
    trimmed(text).starts_with('#')
}

/// The sections of a text so far, and the users of its latest line.
#[derive(Default)]
pub(super) struct Sections {
    /// The group of the section; `None` before the first one.
    group: Option<Result<String, Problem>>,
    entries: VecDeque<ListEntry>,
}

impl Sections {
    /// The next user of the latest line.
    pub fn next(&mut self) -> Option<ListEntry> {
        self.entries.pop_front()
    }

    /// Takes a line that is not blank: the name of a section, or users.
    pub fn line(&mut self, line: u64, text: &str) {
        let text = trimmed(text);
        match text.strip_prefix('#') {
            Some(name) => self.begin(line, name),
            None => self.users(line, text),
        }
    }

    /// A section without a usable name leaves its users without a group, not in the group before.
    fn begin(&mut self, line: u64, name: &str) {
        let name = match group_name(line, name) {
            Ok(name) if name.is_empty() => Err(Problem::new(line, Code::EmptyIdentifier, "#", "")),
            name => name,
        };
        if let Err(problem) = &name {
            self.entries.push_back(ListEntry::Bad(problem.clone()));
        }
        self.group = Some(name);
    }

    fn users(&mut self, line: u64, text: &str) {
        if !text.contains('@') {
            let problem = Problem::new(line, Code::UserUnknown, shown(text), UserKey::Email.as_str());
            self.entries.push_back(ListEntry::Bad(problem));
            return;
        }
        // A mail program writes `Zoé Martin <zoe@example.org>`.
        let with_names = text.contains('<');
        let mut without = false;
        for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
            let user = word.trim_start_matches('!');
            without |= user.len() < word.len();
            let user = user.trim_matches(['<', '>', '"', '\'']);
            if user.is_empty() || (with_names && !user.contains('@')) {
                continue;
            }
            let without = std::mem::take(&mut without);
            let (verb, groups) = match (&self.group, without) {
                // Whoever leaves an unknown group leaves nothing: the section has its problem.
                (Some(Err(_)), true) => continue,
                (Some(Ok(group)), true) => (ListVerb::Leave, vec![group.clone()]),
                (None, true) => (ListVerb::Unenrol, Vec::new()),
                (Some(Ok(group)), false) => (ListVerb::Join, vec![group.clone()]),
                (None | Some(Err(_)), false) => (ListVerb::Join, Vec::new()),
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
            "11 Join i@x.fr TD",
            "11 Join xx TD",
            "12 user-unknown",
        ];
        assert_eq!(told, expected);
    }
}
