//! How the group of a participant is named: a fixed text, a profile field, or texts and fields mixed (spec autoenrol
//! 6). It must not read or make groups; it gives SQL over a user `u`.

use crate::db::{Dialect, Params};
use crate::rules::availability::Facts;

/// The value of `customchar3` that means no groups.
const NO_GROUPS: &str = "-";
/// The fields that `customint2` numbers, from before `customchar3` (spec autoenrol 1).
const OLD_FIELDS: [&str; 5] = ["auth", "department", "institution", "lang", "email"];
/// A variable is a field's name between these.
const OPENS: &str = "{profile_field_";
const CLOSES: char = '}';

/// How a group is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    parts: Vec<Part>,
    /// It is a single field; if the site does not have it, the group is named `No FIELD`.
    lone_field: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Field(String),
}

/// A variable for which the site has no field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField(pub String);

impl Naming {
    /// From `customchar3` (which field), `customchar1` (a text, which wins) and `customint2` (the field's old number).
    pub fn of(field: &str, text: &str, old: i64) -> Option<Self> {
        let old = usize::try_from(old - 1).ok().and_then(|at| OLD_FIELDS.get(at).copied());
        let field = match (field, old) {
            ("" | NO_GROUPS, old) => old?,
            (field, _) => field,
        };
        if !text.is_empty() {
            return Some(Self { parts: parts(text), lone_field: false });
        }
        Some(Self { parts: vec![Part::Field(field.to_owned())], lone_field: true })
    }

    /// The name in SQL, without blanks around it, at most `longest` characters; empty, for no group, if it has fields
    /// and none has a value.
    ///
    /// # Errors
    /// A variable without a field.
    pub fn sql(
        &self,
        facts: &Facts,
        dialect: Dialect,
        longest: usize,
        params: Params,
    ) -> Result<(String, Params), UnknownField> {
        let mut params = params;
        let mut whole = Vec::new();
        let mut fields = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let key = format!("name_part_{at}");
            match part {
                Part::Text(text) => {
                    whole.push(format!(":{key}"));
                    params = params.with(key, text.as_str());
                }
                Part::Field(name) => {
                    let (value, fallback) = self.value(facts, dialect, name, &key)?;
                    params = params.with(key, fallback);
                    whole.push(value.clone());
                    fields.push(value);
                }
            }
        }
        let name = format!("substr(TRIM({}), 1, {longest})", whole.join(" || "));
        if fields.is_empty() || fields.len() == whole.len() {
            return Ok((name, params));
        }
        let nothing = format!("TRIM({}) = ''", fields.join(" || "));
        Ok((format!("CASE WHEN {nothing} THEN '' ELSE {name} END"), params))
    }

    /// A field's value in SQL, and its fallback text, which is to be the parameter `key`.
    fn value(&self, facts: &Facts, dialect: Dialect, name: &str, key: &str) -> Result<(String, String), UnknownField> {
        if let Some(value) = facts.standard_field(name, dialect) {
            return Ok((dialect.neutral(&value), String::new()));
        }
        let none = format!("No {name}");
        let Some((id, default)) = facts.custom_field(name) else {
            return if self.lone_field { Ok((format!(":{key}"), none)) } else { Err(UnknownField(name.to_owned())) };
        };
        let own = format!("(SELECT d.data FROM {{user_info_data}} d WHERE d.userid = u.id AND d.fieldid = {id})");
        let fallback = match default {
            Some(default) => default.to_owned(),
            None if self.lone_field => none,
            None => String::new(),
        };
        Ok((dialect.neutral(&format!("COALESCE({own}, :{key})")), fallback))
    }
}

/// Splits a text at its variables.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(OPENS) {
        let Some((name, after)) = from.split_once(CLOSES) else { break };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Field(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn field(name: &str) -> Part {
        Part::Field(name.to_owned())
    }

    #[test]
    fn which_field_or_text_names_a_group() {
        assert_eq!(Naming::of("-", "", 0), None);
        assert_eq!(Naming::of("", "", 0), None);
        assert_eq!(Naming::of("-", "Fixed", 0), None, "groups are off");
        let of = |field: &str, text: &str, old| Naming::of(field, text, old).unwrap();
        assert_eq!(of("department", "", 0).parts, [field("department")]);
        assert_eq!(of("department", "", 3).parts, [field("department")], "the new column wins");
        assert_eq!(of("-", "", 2).parts, [field("department")], "from before 2021");
        assert_eq!(of("", "", 5).parts, [field("email")]);
        assert_eq!(of("department", "Fixed", 0).parts, [text("Fixed")], "a text wins over the field");
        assert_eq!(of("userfilter", "", 0).parts, [field("userfilter")]);
    }

    #[test]
    fn a_text_is_cut_at_its_variables() {
        let mixed = parts("Group {profile_field_department}/{profile_field_level} of {x}");
        assert_eq!(mixed, [text("Group "), field("department"), text("/"), field("level"), text(" of {x}")]);
        assert_eq!(parts("{profile_field_a}"), [field("a")]);
        assert_eq!(parts("open {profile_field_a"), [text("open {profile_field_a")]);
    }
}
