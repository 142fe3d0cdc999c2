//! Decides in the order of the rows which cohorts are made, changed and removed, and which rows are refused.
//! It must not know a database: it is given what the rows say and the cohorts of the site that they may mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{CohortKey, FileKind, Profile, Update};
use crate::files::CohortVerb;
use crate::problem::{Code, Problem, shown};

/// `cohort.descriptionformat` of a new cohort of tool_sync.
const PLAIN_FORMAT: i64 = 0;
/// `cohort.descriptionformat` of a new cohort of Moodle's own upload.
const HTML_FORMAT: i64 = 1;

/// How a row describes a cohort, with the context that it names; `None` and empty: it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub name: String,
    pub idnumber: String,
    pub description: String,
    pub format: Option<i64>,
    pub visible: Option<bool>,
    pub theme: String,
    pub component: String,
    pub contextid: Option<i64>,
}

/// A row that decides about a cohort.
#[derive(Clone, Debug)]
pub struct Told {
    pub line: u64,
    pub verb: CohortVerb,
    pub key: String,
    /// Whether it names a user too: what is wrong with the cohort is then reported together with the user.
    pub has_user: bool,
    pub said: Said,
}

/// A cohort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    pub id: i64,
    pub contextid: i64,
    pub name: String,
    pub idnumber: String,
    pub description: String,
    pub format: i64,
    pub visible: bool,
    pub theme: String,
    pub component: String,
}

impl Cohort {
    /// What names it.
    pub fn key(&self, key: CohortKey) -> String {
        match key {
            CohortKey::Idnumber => self.idnumber.clone(),
            CohortKey::Name => self.name.clone(),
            CohortKey::Id => self.id.to_string(),
        }
    }

    /// Whether it has all the values that a row gives.
    fn is_as(&self, said: &Said) -> bool {
        let mut described = self.clone();
        describe(&mut described, said, true);
        described == *self
    }
}

/// What the profile allows.
#[derive(Clone, Debug)]
pub struct Terms {
    pub kind: FileKind,
    pub key: CohortKey,
    /// Whether unknown cohorts are made.
    pub create: bool,
    /// Whether every value of an existing cohort is changed, not only description, context, visibility and theme; and
    /// in a file of new cohorts, whether existing ones are changed at all.
    pub update: bool,
    /// The context of new cohorts that name none.
    pub contextid: i64,
    /// Whether the file was dropped: naming the component of a cohort does not give it then.
    pub dropped: bool,
}

impl Terms {
    /// Those of a profile whose default context is known.
    pub fn of(profile: &Profile, contextid: i64, dropped: bool) -> Self {
        Self {
            kind: profile.kind,
            key: profile.cohort_key,
            create: profile.create_cohorts,
            update: matches!(profile.update, Update::File | Update::FileAndDefaults),
            contextid,
            dropped,
        }
    }
}

/// A key of the file and what it names.
#[derive(Clone, Debug)]
pub struct Named {
    pub key: String,
    pub target: Target,
    /// The first and the last line whose members count.
    pub since: u64,
    pub until: u64,
    /// The last line that removes all members before it; 0: none.
    pub freed: u64,
    /// Whether the file names all members.
    pub synced: bool,
    /// Whether the cohort is removed.
    pub deleted: bool,
    /// What is wrong with every line, if anything is.
    pub fault: Option<(Code, String)>,
}

/// The cohort that a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// None.
    Nothing,
    /// An existing one, by its position in [`Decided::existing`].
    Existing(usize),
    /// A new one, by its position in [`Decided::new`].
    New(usize),
}

/// An existing cohort that the file names, before and after.
#[derive(Clone, Debug)]
pub struct Existing {
    /// The last line that changes it; 0: none.
    pub line: u64,
    pub was: Cohort,
    pub is: Cohort,
}

/// What is decided.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Cohorts to make, each with the line that does.
    pub new: Vec<(u64, Cohort)>,
    pub existing: Vec<Existing>,
    /// The keys of a file of members.
    pub keys: Vec<Named>,
    /// Rows that are refused.
    pub problems: Vec<Problem>,
}

/// Decides about the rows, in their order. `site` are the cohorts of the site that have a key, a name or an idnumber of
/// the file.
pub fn decide(terms: &Terms, told: Vec<Told>, site: Vec<Cohort>) -> Decided {
    let mut deciding = Deciding::of(terms, site);
    for row in told {
        let refused = match terms.kind {
            FileKind::Cohorts => deciding.new_cohort(&row),
            _ => deciding.command(&row),
        };
        if let Err(problem) = refused {
            deciding.decided.problems.push(problem);
        }
    }
    deciding.decided
}

struct Deciding<'a> {
    terms: &'a Terms,
    site: Vec<Cohort>,
    /// Positions in `site`, by key.
    by_key: BTreeMap<String, Vec<usize>>,
    /// Names and idnumbers that cohorts have, also those that the file makes.
    names: BTreeSet<String>,
    idnumbers: BTreeSet<String>,
    /// Positions in `decided.keys`.
    named: BTreeMap<String, usize>,
    /// Positions in `decided.existing` by id.
    existing: BTreeMap<i64, usize>,
    /// Cohorts of the site without an idnumber that rows of the file have met.
    met: BTreeSet<i64>,
    decided: Decided,
}

impl<'a> Deciding<'a> {
    fn of(terms: &'a Terms, site: Vec<Cohort>) -> Self {
        let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let key = if terms.kind == FileKind::Cohorts { CohortKey::Idnumber } else { terms.key };
        for (at, cohort) in site.iter().enumerate() {
            by_key.entry(cohort.key(key)).or_default().push(at);
        }
        Self {
            terms,
            by_key,
            names: site.iter().map(|cohort| cohort.name.clone()).collect(),
            idnumbers: site.iter().map(|cohort| cohort.idnumber.clone()).collect(),
            named: BTreeMap::new(),
            existing: BTreeMap::new(),
            met: BTreeSet::new(),
            decided: Decided::default(),
            site,
        }
    }

    /// A row of a file of new cohorts.
    fn new_cohort(&mut self, row: &Told) -> Result<(), Problem> {
        let wanted = self.wanted(&row.said);
        let found: Vec<usize> = self.by_key.get(&row.key).cloned().unwrap_or_default();
        if row.key.is_empty() {
            // Names need not be unique, but the same file again makes nothing.
            let same = |at: &&usize| {
                let cohort = &self.site[**at];
                cohort.is_as(&row.said) && cohort.contextid == wanted.contextid && !self.met.contains(&cohort.id)
            };
            match found.iter().find(same) {
                Some(at) => drop(self.met.insert(self.site[*at].id)),
                None => self.decided.new.push((row.line, wanted)),
            }
            return Ok(());
        }
        let made_here = found.is_empty() && self.idnumbers.contains(&row.key);
        let exists = || Problem::new(row.line, Code::CohortExists, shown(&row.key), "idnumber");
        match found.as_slice() {
            [] if made_here => Err(exists()),
            [] => {
                self.idnumbers.insert(row.key.clone());
                self.decided.new.push((row.line, wanted));
                Ok(())
            }
            [at] if self.site[*at].is_as(&row.said) => Ok(()),
            [at] if self.terms.update => {
                let at = *at;
                if !self.site[at].component.is_empty() {
                    let (value, hint) = (shown(&row.key), self.site[at].component.clone());
                    return Err(Problem::new(row.line, Code::CohortOwned, value, hint));
                }
                self.change(at, row, true)
            }
            _ => Err(exists()),
        }
    }

    /// The cohort that a row describes, if it is made.
    fn wanted(&self, said: &Said) -> Cohort {
        let of_members = self.terms.kind != FileKind::Cohorts;
        Cohort {
            id: 0,
            contextid: said.contextid.unwrap_or(self.terms.contextid),
            name: said.name.clone(),
            idnumber: said.idnumber.clone(),
            description: said.description.clone(),
            format: said.format.unwrap_or(if of_members { PLAIN_FORMAT } else { HTML_FORMAT }),
            visible: said.visible.unwrap_or(true),
            theme: said.theme.clone(),
            component: said.component.clone(),
        }
    }

    /// A row of a file of members.
    fn command(&mut self, row: &Told) -> Result<(), Problem> {
        let at = self.key(row);
        let unknown = |deciding: &Self| match row.has_user {
            true => Ok(()),
            false => Err(Problem::new(row.line, Code::CohortUnknown, shown(&row.key), deciding.terms.key.as_str())),
        };
        if self.decided.keys[at].deleted {
            return unknown(self);
        }
        if let Some((code, hint)) = &self.decided.keys[at].fault
            && *code != Code::CohortUnknown
        {
            let problem = Problem::new(row.line, *code, shown(&row.key), hint.as_str());
            return if row.has_user { Ok(()) } else { Err(problem) };
        }
        match self.decided.keys[at].target {
            Target::Nothing if row.verb.describes() && self.terms.create && self.terms.key != CohortKey::Id => {
                self.make(at, row)?;
            }
            Target::Nothing => return unknown(self),
            Target::Existing(place) if row.verb.describes() => {
                let id = self.decided.existing[place].was.id;
                let of_site = self.site.iter().position(|cohort| cohort.id == id);
                if let Some(of_site) = of_site {
                    self.change(of_site, row, self.terms.update)?;
                }
            }
            Target::New(place) if row.verb.describes() => {
                let (line, made) = &mut self.decided.new[place];
                *line = (*line).min(row.line);
                describe(made, &row.said, false);
            }
            Target::Existing(_) | Target::New(_) => {}
        }
        let named = &mut self.decided.keys[at];
        match row.verb {
            CohortVerb::Free => named.freed = row.line,
            CohortVerb::Sync => named.synced = true,
            CohortVerb::DelCohort => {
                named.deleted = true;
                named.until = row.line;
            }
            CohortVerb::Add | CohortVerb::Del => {}
        }
        Ok(())
    }

    /// The position of a row's key, which is resolved at its first row.
    fn key(&mut self, row: &Told) -> usize {
        if let Some(at) = self.named.get(&row.key) {
            return *at;
        }
        let found = self.by_key.get(&row.key).cloned().unwrap_or_default();
        let (target, fault) = match found.as_slice() {
            [] => (Target::Nothing, Some((Code::CohortUnknown, self.terms.key.as_str().to_owned()))),
            [at] => {
                let cohort = &self.site[*at];
                let named = !self.terms.dropped && cohort.component == row.said.component;
                let own = cohort.component.is_empty() || named;
                let fault = (!own).then(|| (Code::CohortOwned, cohort.component.clone()));
                (Target::Existing(self.existing(*at)), fault)
            }
            many => (Target::Nothing, Some((Code::CohortAmbiguous, many.len().to_string()))),
        };
        let at = self.decided.keys.len();
        let key = row.key.clone();
        self.named.insert(key.clone(), at);
        self.decided.keys.push(Named {
            key,
            target,
            since: 0,
            until: i64::MAX as u64,
            freed: 0,
            synced: false,
            deleted: false,
            fault,
        });
        at
    }

    /// The position of a cohort of the site among the existing ones that the file names.
    fn existing(&mut self, at: usize) -> usize {
        let cohort = &self.site[at];
        let next = self.decided.existing.len();
        let place = *self.existing.entry(cohort.id).or_insert(next);
        if place == next {
            self.decided.existing.push(Existing { line: 0, was: cohort.clone(), is: cohort.clone() });
        }
        place
    }

    /// Makes the cohort of a key, unless its name is missing, or its name or idnumber is that of another.
    fn make(&mut self, at: usize, row: &Told) -> Result<(), Problem> {
        let wanted = self.wanted(&row.said);
        if wanted.name.is_empty() {
            return Err(Problem::new(row.line, Code::EmptyIdentifier, "cname", ""));
        }
        let exists = |value: &str, column: &str| Err(Problem::new(row.line, Code::CohortExists, shown(value), column));
        if self.terms.key != CohortKey::Name && self.names.contains(&wanted.name) {
            return exists(&wanted.name, "name");
        }
        if !wanted.idnumber.is_empty() && self.idnumbers.contains(&wanted.idnumber) {
            return exists(&wanted.idnumber, "idnumber");
        }
        self.names.insert(wanted.name.clone());
        self.idnumbers.insert(wanted.idnumber.clone());
        let named = &mut self.decided.keys[at];
        named.target = Target::New(self.decided.new.len());
        named.since = row.line;
        named.fault = None;
        self.decided.new.push((row.line, wanted));
        Ok(())
    }

    /// Changes a cohort of the site as a row says; its name and idnumber only with `whole`.
    fn change(&mut self, of_site: usize, row: &Told, whole: bool) -> Result<(), Problem> {
        let place = self.existing(of_site);
        let mut is = self.decided.existing[place].is.clone();
        describe(&mut is, &row.said, whole);
        let before = &self.decided.existing[place].is;
        let by_name = self.terms.kind != FileKind::Cohorts && is.name != before.name && self.names.contains(&is.name);
        let by_number =
            is.idnumber != before.idnumber && self.idnumbers.contains(&is.idnumber) && !is.idnumber.is_empty();
        if by_name || by_number {
            let (value, column) = if by_name { (&is.name, "name") } else { (&is.idnumber, "idnumber") };
            return Err(Problem::new(row.line, Code::CohortExists, shown(value), column));
        }
        if is != *before {
            self.names.insert(is.name.clone());
            self.idnumbers.insert(is.idnumber.clone());
            let existing = &mut self.decided.existing[place];
            (existing.is, existing.line) = (is, row.line);
        }
        Ok(())
    }
}

/// Gives a cohort the values that a row has; its name and idnumber only with `whole`.
fn describe(cohort: &mut Cohort, said: &Said, whole: bool) {
    let texts = [
        (&mut cohort.name, &said.name, whole),
        (&mut cohort.idnumber, &said.idnumber, whole),
        (&mut cohort.description, &said.description, true),
        (&mut cohort.theme, &said.theme, true),
    ];
    for (value, text, wanted) in texts {
        if wanted && !text.is_empty() {
            value.clone_from(text);
        }
    }
    cohort.contextid = said.contextid.unwrap_or(cohort.contextid);
    cohort.visible = said.visible.unwrap_or(cohort.visible);
    cohort.format = said.format.unwrap_or(cohort.format);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(id: i64, name: &str, idnumber: &str) -> Cohort {
        Cohort {
            id,
            contextid: 1,
            name: name.to_owned(),
            idnumber: idnumber.to_owned(),
            description: String::new(),
            format: 1,
            visible: true,
            theme: String::new(),
            component: String::new(),
        }
    }

    fn terms(kind: FileKind) -> Terms {
        Terms { kind, key: CohortKey::Idnumber, create: true, update: false, contextid: 1, dropped: false }
    }

    /// Rows `verb key name`; one with `!` behind the verb names a user.
    fn told(rows: &[&str]) -> Vec<Told> {
        let row = |(at, row): (usize, &&str)| {
            let mut words = row.split(' ');
            let verb = words.next().unwrap();
            let key = words.next().unwrap_or_default().to_owned();
            let name = words.next().unwrap_or_default().to_owned();
            Told {
                line: at as u64 + 2,
                verb: match verb.trim_end_matches('!') {
                    "add" => CohortVerb::Add,
                    "free" => CohortVerb::Free,
                    "sync" => CohortVerb::Sync,
                    "delcohort" => CohortVerb::DelCohort,
                    _ => CohortVerb::Del,
                },
                has_user: verb.ends_with('!'),
                said: Said { name, idnumber: key.clone(), ..Said::default() },
                key,
            }
        };
        rows.iter().enumerate().map(row).collect()
    }

    fn codes(decided: &Decided) -> Vec<String> {
        decided.problems.iter().map(|problem| format!("{} {}", problem.line, problem.code)).collect()
    }

    fn made(decided: &Decided) -> Vec<String> {
        decided.new.iter().map(|(line, cohort)| format!("{line} {} {}", cohort.idnumber, cohort.name)).collect()
    }

    #[test]
    fn new_cohorts_of_an_idnumber_are_made_once() {
        let site = vec![cohort(1, "A", "a")];
        let rows = told(&["add b B", "add a Other", "add a A", "add b C", "add  A"]);
        let decided = decide(&terms(FileKind::Cohorts), rows, site);
        assert_eq!(made(&decided), ["2 b B", "6  A"]);
        assert_eq!(codes(&decided), ["3 cohort-exists", "5 cohort-exists"]);
    }

    #[test]
    fn the_same_file_again_makes_nothing() {
        let site = vec![cohort(1, "A", ""), cohort(2, "A", ""), cohort(3, "b", "b")];
        let decided = decide(&terms(FileKind::Cohorts), told(&["add  A", "add  A", "add  A", "add b b"]), site);
        assert_eq!((made(&decided), codes(&decided)), (vec!["4  A".to_owned()], Vec::new()), "a third one");
    }

    #[test]
    fn a_row_makes_a_cohort_for_the_rows_after_it() {
        let rows = told(&["add! b", "add! b B", "add c B", "add c C", "free d", "del! d"]);
        let decided = decide(&terms(FileKind::CohortMembers), rows, vec![cohort(1, "A", "a")]);
        assert_eq!(made(&decided), ["3 b B", "5 c C"]);
        assert_eq!(codes(&decided), ["2 empty-identifier", "4 cohort-exists", "6 cohort-unknown"]);
        let b = &decided.keys[0];
        assert_eq!((b.since, &b.fault), (3, &None));
        assert!(decided.keys[2].fault.is_some());
    }

    #[test]
    fn a_removed_cohort_takes_no_rows() {
        let rows = told(&["add! a", "delcohort a", "free a", "add a A"]);
        let decided = decide(&terms(FileKind::CohortMembers), rows, vec![cohort(1, "A", "a")]);
        assert_eq!(codes(&decided), ["4 cohort-unknown", "5 cohort-unknown"]);
        assert_eq!((decided.keys[0].deleted, decided.keys[0].until), (true, 3));
    }

    #[test]
    fn cohorts_of_others_are_refused() {
        let owned = Cohort { component: "tool_x".to_owned(), ..cohort(1, "A", "a") };
        let decided = decide(&terms(FileKind::CohortMembers), told(&["free a", "add! a"]), vec![owned.clone()]);
        assert_eq!(codes(&decided), ["2 cohort-owned"]);
        let mut rows = told(&["free a"]);
        rows[0].said.component = "tool_x".to_owned();
        let decided = decide(&terms(FileKind::CohortMembers), rows, vec![owned]);
        assert_eq!((codes(&decided), decided.keys[0].freed), (Vec::new(), 2));
    }

    #[test]
    fn values_change_and_names_only_if_told() {
        let rows = || {
            let mut rows = told(&["add a New"]);
            rows[0].said.description = "text".to_owned();
            rows
        };
        let decided = decide(&terms(FileKind::CohortMembers), rows(), vec![cohort(1, "A", "a")]);
        let is = &decided.existing[0].is;
        assert_eq!((is.name.as_str(), is.description.as_str(), is.format), ("A", "text", 1));
        let whole = Terms { update: true, ..terms(FileKind::CohortMembers) };
        let decided = decide(&whole, rows(), vec![cohort(1, "A", "a"), cohort(2, "B", "b")]);
        assert_eq!(decided.existing[0].is.name, "New");
        let taken = decide(&whole, told(&["add a B"]), vec![cohort(1, "A", "a"), cohort(2, "B", "b")]);
        assert_eq!(codes(&taken), ["2 cohort-exists"]);
    }
}
