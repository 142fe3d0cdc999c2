//! How a method is after a row: status, name, dates, role and group. It must not decide whether the row may say so.

use super::{At, Decision, Desired, Group, Key, NAME_WIDTH, unsaid};
use crate::config::FileKind;
use crate::coursefiles::{is_seen, is_sound};
use crate::files::{MethodGroup, MethodRow, MethodVerb};
use crate::problem::{Code, Problem, shown};

impl Decision<'_> {
    /// How a method is after a row. If the row only `compares`, a group that would be made is another one.
    pub(super) fn changed(
        &mut self,
        at: &At<'_>,
        row: &MethodRow,
        is: Desired,
        key: &Key,
        compares: bool,
    ) -> Result<Desired, Problem> {
        let mut new = is;
        match (row.verb, row.disabled) {
            (MethodVerb::Disable, _) | (_, Some(true)) => new.status = 1,
            (MethodVerb::Enable, _) | (_, Some(false)) => new.status = 0,
            // A row that adds a method without a word on it adds an enabled one.
            (MethodVerb::Add, None) => new.status = 0,
            // tool_sync's `add` enables again.
            (MethodVerb::Set, None) if self.profile.kind == FileKind::Methods => new.status = 0,
            _ => {}
        }
        if matches!(row.verb, MethodVerb::Disable | MethodVerb::Enable | MethodVerb::Delete) {
            return Ok(new);
        }
        if let Some(name) = &row.name {
            if !is_seen(name) {
                return Err(Problem::new(at.line, Code::ValueUnusable, shown(name), "name"));
            }
            new.name.clone_from(name);
        }
        (new.start, new.end) = (row.start.unwrap_or(new.start), row.end.unwrap_or(new.end));
        new.period = row.period.unwrap_or(new.period);
        if new.end != 0 && new.end < new.start {
            let [end, start] = [new.end, new.start].map(|time| time.to_string());
            return Err(Problem::new(at.line, Code::EndBeforeStart, end, start));
        }
        new.role = match (key.method.as_str(), at.roles.new) {
            ("meta", _) => new.role,
            (_, Some(role)) => role,
            ("cohort", None) => new.role,
            _ => at.roles.own.unwrap_or(new.role),
        };
        self.group(at, row, &mut new, compares)?;
        Ok(new)
    }

    /// Finds the group of a row, or has it made.
    fn group(&mut self, at: &At<'_>, row: &MethodRow, new: &mut Desired, compares: bool) -> Result<(), Problem> {
        let problem = |code, value: &str, hint: &str| Problem::new(at.line, code, shown(value), shown(hint));
        if row.group == MethodGroup::Unsaid {
            return Ok(());
        }
        if !["cohort", "meta"].contains(&row.method.as_str()) {
            return Err(problem(Code::ValueInvalid, &row.method, "group cohort, meta"));
        }
        let course = self.facts.courses.get(&at.course).map_or("", |course| course.shortname.as_str());
        new.group = match &row.group {
            MethodGroup::Unsaid => return Ok(()),
            MethodGroup::Nobody => Group::Id(0),
            MethodGroup::New if !matches!(new.group, Group::Same | Group::Id(0)) => return Ok(()),
            MethodGroup::New if compares => return Ok(()),
            MethodGroup::New if at.source.id.is_none() => {
                return Err(problem(Code::EmptyIdentifier, unsaid(&row.method), ""));
            }
            // The name of a cohort may be blank, or none that a group can have.
            MethodGroup::New if !is_sound(&at.source.name) || at.source.name.trim().is_empty() => {
                return Err(problem(Code::ValueUnusable, &at.source.name, "group *new"));
            }
            MethodGroup::New => Group::Made(self.free_name(at)),
            MethodGroup::Named(name) => match self.facts.groups.get(&(at.course, name.clone())).map(Vec::as_slice) {
                Some([one]) => Group::Id(*one),
                Some([_, _, ..]) => return Err(problem(Code::GroupAmbiguous, name, course)),
                _ if self.profile.create_groups && is_sound(name) => Group::Made(name.clone()),
                _ => return Err(problem(Code::GroupUnknown, name, course)),
            },
        };
        Ok(())
    }

    /// The name of a new group: that of the source, with a number if the course has such a group.
    fn free_name(&mut self, at: &At<'_>) -> String {
        let own: String = at.source.name.trim().chars().take(NAME_WIDTH - 8).collect();
        let mut name = own.clone();
        let mut number = 1;
        while self.facts.groups.contains_key(&(at.course, name.clone()))
            || self.reserved.contains(&(at.course, name.clone()))
        {
            number += 1;
            name = format!("{own} ({number})");
        }
        self.reserved.insert((at.course, name.clone()));
        name
    }
}
