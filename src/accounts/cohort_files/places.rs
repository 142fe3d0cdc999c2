//! Where cohorts may be: the system and the categories of the site, and which of them a row names.
//! It must not know what becomes of a row that names none.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::db::DbError;
use crate::files::CohortPlace;
use crate::moodle::category::{self, Category};

/// The name of the system context that is the same in every language.
const SYSTEM: &str = "system";

/// The contexts that may hold cohorts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    system: i64,
    categories: Vec<Category>,
    /// Positions in `categories`, by path; several may have the same.
    by_path: BTreeMap<String, Vec<usize>>,
}

impl Places {
    /// Reads them in one statement, which grows with the categories of the site.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(ctx: &mut RunContext<'_>) -> Result<Self, DbError> {
        Ok(Self::of(ctx.site.system_context, category::all(ctx.conn).await?))
    }

    /// The places of a site with these categories.
    fn of(system: i64, categories: Vec<Category>) -> Self {
        let mut by_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, category) in categories.iter().enumerate() {
            by_path.entry(category.path.clone()).or_default().push(at);
        }
        Self { system, categories, by_path }
    }

    /// Whether a context may hold cohorts.
    pub fn has(&self, contextid: i64) -> bool {
        contextid == self.system || self.categories.iter().any(|category| category.contextid == contextid)
    }

    /// The context that a row names; `None` if it names none.
    ///
    /// Several columns may name one. What says the system counts first; then, as in Moodle, the context's id, the path,
    /// the category's id, its idnumber, and last the columns that take any key.
    ///
    /// # Errors
    /// The column and the text that names no place, or several.
    pub fn find(&self, place: &CohortPlace) -> Result<Option<i64>, (&'static str, String)> {
        let any = [("context", &place.context), ("category", &place.category)];
        let says_system = |(_, text): &(&str, &String)| {
            text.to_lowercase() == SYSTEM || (!text.is_empty() && **text == self.system.to_string())
        };
        if says_system(&any[0]) || place.contextid == self.system.to_string() {
            return Ok(Some(self.system));
        }
        let mut wrong = None;
        let own = |contextid: Option<i64>| contextid.filter(|id| self.has(*id));
        let by_id = |text: &str| {
            let id: Option<i64> = text.parse().ok();
            self.only(self.categories.iter().filter(|category| Some(category.id) == id))
        };
        let by_idnumber = |text: &str| self.only(self.categories.iter().filter(|category| category.idnumber == text));
        let by_path = |text: &str| {
            let found = self.by_path.get(text).map(Vec::as_slice).unwrap_or_default();
            self.only(found.iter().map(|at| &self.categories[*at]))
        };
        let by_any = |text: &str| by_id(text).or_else(|| by_idnumber(text));
        // Moodle's form gives a context of 0 for none.
        let contextid = if place.contextid == "0" { "" } else { place.contextid.as_str() };
        let columns = [
            ("contextid", contextid, own(contextid.parse().ok()), true),
            ("category_path", &place.category_path, by_path(&place.category_path), true),
            ("context", &place.context, by_path(&place.context), false),
            ("category", &place.category, by_path(&place.category), false),
            ("category_id", &place.category_id, by_id(&place.category_id), true),
            ("category_idnumber", &place.category_idnumber, by_idnumber(&place.category_idnumber), true),
            ("context", &place.context, by_any(&place.context), true),
            ("category", &place.category, by_any(&place.category), true),
        ];
        for (column, text, found, last) in columns {
            match found {
                _ if text.is_empty() => {}
                Some(contextid) => return Ok(Some(contextid)),
                None if last => wrong = wrong.or(Some((column, text.to_owned()))),
                None => {}
            }
        }
        wrong.map_or(Ok(None), Err)
    }

    fn only<'a>(&self, mut found: impl Iterator<Item = &'a Category>) -> Option<i64> {
        let first = found.next()?;
        found.next().is_none().then_some(first.contextid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let rows = [
            (2, 11, "Sciences", "gcat1"),
            (3, 12, "Santé", "gcat2"),
            (4, 13, "Sciences / Chimie", "gcat3"),
            (5, 14, "Santé / Deux", ""),
            (6, 15, "Santé / Deux", ""),
        ];
        let category = |(id, contextid, path, idnumber): (i64, i64, &str, &str)| Category {
            id,
            contextid,
            idnumber: idnumber.to_owned(),
            path: path.to_owned(),
        };
        Places::of(1, rows.map(category).to_vec())
    }

    fn found(column: &str, text: &str) -> Result<Option<i64>, String> {
        let mut place = CohortPlace::default();
        let field = match column {
            "contextid" => &mut place.contextid,
            "context" => &mut place.context,
            "category" => &mut place.category,
            "category_id" => &mut place.category_id,
            "category_idnumber" => &mut place.category_idnumber,
            _ => &mut place.category_path,
        };
        text.clone_into(field);
        places().find(&place).map_err(|(column, text)| format!("{column} {text}"))
    }

    #[test]
    fn a_place_by_each_key() {
        for (column, text, context) in [
            ("context", "SYSTEM", 1),
            ("context", "1", 1),
            ("context", "Sciences", 11),
            ("context", "Sciences / Chimie", 13),
            ("context", "3", 12),
            ("context", "gcat2", 12),
            ("category", "gcat3", 13),
            ("category", "2", 11),
            ("category_id", "4", 13),
            ("category_idnumber", "gcat3", 13),
            ("category_path", "Sciences / Chimie", 13),
            ("contextid", "13", 13),
        ] {
            assert_eq!(found(column, text), Ok(Some(context)), "{column} {text}");
        }
        assert_eq!(found("context", ""), Ok(None));
        assert_eq!(found("contextid", "0"), Ok(None));
    }

    #[test]
    fn what_is_no_place() {
        for (column, text) in [
            ("context", "Chimie"),
            ("category_path", "Sciences/Chimie"),
            ("category_path", "Santé / Deux"),
            ("category_id", "gcat1"),
            ("category_id", "0"),
            ("category_idnumber", "3"),
            ("contextid", "999"),
        ] {
            assert_eq!(found(column, text), Err(format!("{column} {text}")));
        }
    }

    #[test]
    fn of_two_columns_the_first_key_counts() {
        let place = |context: &str, idnumber: &str, id: &str| CohortPlace {
            context: context.to_owned(),
            category_idnumber: idnumber.to_owned(),
            category_id: id.to_owned(),
            ..CohortPlace::default()
        };
        assert_eq!(places().find(&place("gcat1", "gcat2", "3")), Ok(Some(12)));
        assert_eq!(places().find(&place("", "gcat2", "4")), Ok(Some(13)));
        assert_eq!(places().find(&place("System", "gcat2", "")), Ok(Some(1)), "the system is not lost");
    }
}
