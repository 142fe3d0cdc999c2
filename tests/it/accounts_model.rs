//! A model of users files in plain Rust: what accounts, members and enrolments a file leaves, and what it reports (spec
//! files 4, docs/accounts.md). It must not know a database, nor how enrold finds or changes accounts.

use std::collections::{BTreeMap, BTreeSet};

use enrold::config::{Operation, Update};
use md5::{Digest, Md5};

use crate::site::NOW;

/// The options of a file.
#[derive(Clone, Debug)]
pub struct Options {
    pub operation: Operation,
    pub update: Update,
    pub by_mail: bool,
    pub standardise: bool,
    pub rename: bool,
    pub delete: bool,
    pub suspend: bool,
    pub erases: bool,
    pub shares: bool,
    pub makes_cohorts: bool,
    /// The file has no column `city`, and its default is the last name.
    pub no_city: bool,
}

impl Options {
    pub fn changes(&self) -> bool {
        matches!(self.operation, Operation::AddUpdate | Operation::Update)
    }

    fn overwrites(&self) -> bool {
        matches!(self.update, Update::File | Update::FileAndDefaults)
    }

    /// The file as it is written.
    pub fn text(&self, rows: &[Row]) -> String {
        let city = if self.no_city { "" } else { "city," };
        let header = format!("username,oldusername,firstname,lastname,email,{city}country,suspended,deleted,{GIVES}\n");
        std::iter::once(header).chain(rows.iter().map(|row| row.text(!self.no_city))).collect()
    }
}

/// The cells of a row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub username: &'static str,
    pub oldusername: &'static str,
    pub firstname: &'static str,
    pub lastname: &'static str,
    pub email: &'static str,
    pub city: &'static str,
    pub country: &'static str,
    pub suspended: &'static str,
    pub deleted: &'static str,
    pub cohorts: [&'static str; 2],
    pub course: &'static str,
    pub role: &'static str,
    /// It has a cell too many.
    pub ragged: bool,
}

const GIVES: &str = "cohort1,cohort2,course1,role1";

impl Row {
    fn text(&self, has_city: bool) -> String {
        let Self { username, oldusername, firstname, lastname, email, city, country, suspended, deleted, .. } = self;
        let ([one, two], course, role) = (self.cohorts, self.course, self.role);
        let more = if self.ragged { ",x" } else { "" };
        let city = if has_city { format!("{city},") } else { String::new() };
        format!(
            "{username},{oldusername},{firstname},{lastname},{email},{city}{country},{suspended},{deleted},{one},{two},\
             {course},{role}{more}\n"
        )
    }
}

/// An account with what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub username: String,
    pub firstname: String,
    pub lastname: String,
    pub email: String,
    pub city: String,
    pub country: String,
    pub suspended: bool,
    pub deleted: bool,
    /// Of another host.
    pub foreign: bool,
    pub protected: bool,
    pub cohorts: BTreeSet<String>,
    pub courses: BTreeSet<String>,
    pub roles: BTreeSet<(String, String)>,
}

/// A site, as far as rows change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub accounts: Vec<Account>,
    pub cohorts: BTreeSet<String>,
}

/// What a run reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `LINE CODE`, sorted.
    pub problems: Vec<String>,
    pub failed: u64,
    pub counts: BTreeMap<&'static str, i64>,
}

impl Told {
    fn problem(&mut self, line: usize, code: &str) {
        self.problems.push(format!("{line} {code}"));
    }

    fn refuses(&mut self, line: usize, code: &str) {
        self.problem(line, code);
        self.failed += 1;
    }

    fn counts(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }
}

/// A row that is sound by itself.
#[derive(Clone, Debug)]
struct Sound<'a> {
    line: usize,
    row: &'a Row,
    name: String,
    old: String,
    mail: String,
    clean: bool,
    deleted: bool,
    suspended: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Create,
    Update(usize),
    Delete(usize),
    Exists,
    Refused(&'static str),
}

fn standardised(name: &str) -> String {
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._@".contains(*c);
    name.to_lowercase().chars().filter(allowed).collect()
}

fn flag(cell: &str) -> Result<Option<bool>, &'static str> {
    match cell {
        "" => Ok(None),
        "1" | "yes" | "oui" => Ok(Some(true)),
        "0" | "no" | "non" => Ok(Some(false)),
        _ => Err("value-invalid"),
    }
}

fn sound<'a>(options: &Options, line: usize, row: &'a Row) -> Result<Sound<'a>, &'static str> {
    if row.ragged {
        return Err("row-ragged");
    }
    let plain = |name: &str| if options.standardise { standardised(name) } else { name.to_lowercase() };
    let name = plain(row.username);
    if name.is_empty() && !options.by_mail {
        return Err("empty-identifier");
    }
    if name == "guest" {
        return Err("account-protected");
    }
    let old = if options.by_mail { String::new() } else { plain(row.oldusername) };
    if !options.by_mail && !row.oldusername.is_empty() && old.is_empty() {
        return Err("user-unknown");
    }
    let deleted = flag(row.deleted)? == Some(true);
    let suspended = if deleted { None } else { flag(row.suspended)? };
    if !deleted && row.country == "Atlantis" {
        return Err("value-invalid");
    }
    let mail = row.email.to_lowercase();
    if !deleted && options.by_mail && mail.is_empty() {
        return Err("empty-identifier");
    }
    let clean = name == standardised(row.username) && (options.standardise || row.username == name);
    Ok(Sound { line, row, name, old, mail, clean, deleted, suspended })
}

impl Model {
    /// The account that a row means, or how many there are.
    fn meant(&self, options: &Options, row: &Sound<'_>) -> Result<usize, usize> {
        let name = if row.old.is_empty() { &row.name } else { &row.old };
        let is_meant = |account: &Account| match options.by_mail {
            true => !row.mail.is_empty() && account.email.to_lowercase() == row.mail,
            false => !account.foreign && account.username.to_lowercase() == *name,
        };
        let all: Vec<usize> = (0..self.accounts.len())
            .filter(|at| !self.accounts[*at].deleted && is_meant(&self.accounts[*at]))
            .collect();
        if let [one] = all[..] { Ok(one) } else { Err(all.len()) }
    }

    /// Another account uses the name, or a deleted one has kept it.
    fn is_named(&self, name: &str) -> bool {
        let of = |account: &Account| {
            account.username == name || (!account.deleted && account.username.to_lowercase() == name)
        };
        self.accounts.iter().any(|account| !account.foreign && of(account))
    }

    /// Another account than this one has the address.
    fn is_held(&self, mail: &str, but: Option<usize>) -> bool {
        let has = |account: &Account| !account.deleted && account.email.to_lowercase() == mail;
        !mail.is_empty() && self.accounts.iter().enumerate().any(|(at, account)| Some(at) != but && has(account))
    }

    /// What a row does to the address of an account: `None` if nothing.
    fn new_mail(&self, options: &Options, row: &Sound<'_>, at: usize) -> Option<String> {
        let (own, cell) = (&self.accounts[at].email, row.row.email);
        let writes = match options.update {
            Update::None => false,
            Update::File | Update::FileAndDefaults => !cell.is_empty() || options.erases,
            Update::Missing => own.is_empty() && !cell.is_empty(),
        };
        (writes && own.to_lowercase() != row.mail).then(|| cell.to_owned())
    }

    /// The name that an account gets from a row that is not refused.
    fn new_name(&self, options: &Options, row: &Sound<'_>, at: usize) -> Option<String> {
        let other = self.accounts[at].username.to_lowercase() != row.name;
        let renames = !row.old.is_empty() || (options.by_mail && options.rename && !row.name.is_empty() && other);
        renames.then(|| row.name.clone())
    }

    /// The columns of a row about an account that a later row replaces: one about the same account that nothing can
    /// refuse any more. Where rows rename or delete it, none does.
    fn replaced(&self, options: &Options, rows: &[Sound<'_>], row: &Sound<'_>, at: usize) -> BTreeSet<&'static str> {
        let is_about = |other: &Sound<'_>| match options.by_mail {
            true => other.mail == row.mail,
            false => other.name == row.name || other.old == row.name,
        };
        let moves = |other: &Sound<'_>| match other.deleted {
            true => options.delete,
            false => options.rename && !other.old.is_empty(),
        };
        if rows.iter().any(|other| is_about(other) && moves(other)) {
            return BTreeSet::new();
        }
        let account = &self.accounts[at];
        let name = self.new_name(options, row, at).unwrap_or(account.username.to_lowercase());
        let changes_mails = options.overwrites() || (options.update == Update::Missing && account.email.is_empty());
        let is_sure = |later: &Sound<'_>| {
            let others = |other: &Sound<'_>| !other.deleted && other.mail == later.mail && other.name != later.name;
            let keeps_mail = later.mail.is_empty() || later.mail == account.email.to_lowercase();
            let free = !self.is_held(&later.mail, Some(at)) && !rows.iter().any(others);
            (later.name.is_empty() || later.name == name) && (!changes_mails || options.shares || keeps_mail || free)
        };
        let mut replaced = BTreeSet::new();
        for later in rows.iter().filter(|later| later.line > row.line && is_about(later) && is_sure(later)) {
            if later.deleted || !later.old.is_empty() {
                continue;
            }
            let cells = later.row;
            let values = [
                ("firstname", cells.firstname),
                ("lastname", cells.lastname),
                ("email", cells.email),
                ("country", cells.country),
            ];
            let gives = |cell: &str| options.overwrites() && (!cell.is_empty() || options.erases);
            replaced.extend(values.iter().filter(|(_, cell)| gives(cell)).map(|(column, _)| *column));
            let city = match options.no_city {
                true => options.update == Update::FileAndDefaults && !cells.lastname.is_empty(),
                false => gives(cells.city),
            };
            replaced.extend(city.then_some("city"));
            replaced.extend(later.suspended.map(|_| "suspended"));
        }
        replaced
    }

    fn judge(&self, options: &Options, row: &Sound<'_>) -> Verdict {
        let refused = Verdict::Refused;
        if row.deleted && !options.delete {
            return refused("change-refused");
        }
        if !row.deleted && !row.old.is_empty() {
            if !options.rename {
                return refused("change-refused");
            }
            if !row.clean {
                return refused("username-invalid");
            }
            if self.is_named(&row.name) {
                return refused("username-taken");
            }
        }
        let at = match self.meant(options, row) {
            Ok(at) => at,
            Err(0) => return self.judge_new(options, row),
            Err(_) => return refused("user-ambiguous"),
        };
        if !row.deleted && !options.changes() {
            return Verdict::Exists;
        }
        if self.accounts[at].protected {
            return refused("account-protected");
        }
        if self.accounts[at].foreign {
            return refused("account-foreign");
        }
        if row.deleted {
            return Verdict::Delete(at);
        }
        let other = options.by_mail && !row.name.is_empty() && self.accounts[at].username.to_lowercase() != row.name;
        if self.new_name(options, row, at).is_some() && !row.clean {
            return refused("username-invalid");
        }
        if other && self.is_named(&row.name) {
            return refused("username-taken");
        }
        let takes = self.new_mail(options, row, at).is_some();
        if takes && !options.shares && self.is_held(&row.mail, Some(at)) {
            return refused("email-taken");
        }
        Verdict::Update(at)
    }

    fn judge_new(&self, options: &Options, row: &Sound<'_>) -> Verdict {
        let lacks = [row.name.as_str(), row.row.firstname, row.row.lastname, row.mail.as_str()].contains(&"");
        if row.deleted || !row.old.is_empty() || options.operation == Operation::Update {
            Verdict::Refused("user-unknown")
        } else if options.by_mail && !row.name.is_empty() && self.is_named(&row.name) {
            Verdict::Refused("username-taken")
        } else if lacks {
            Verdict::Refused("account-incomplete")
        } else if !row.clean {
            Verdict::Refused("username-invalid")
        } else if self.is_named(&row.name) {
            Verdict::Refused("username-taken")
        } else if !options.shares && self.is_held(&row.mail, None) {
            Verdict::Refused("email-taken")
        } else {
            Verdict::Create
        }
    }

    /// Applies a file.
    pub fn apply(&mut self, options: &Options, rows: &[Row]) -> Told {
        let mut told = Told::default();
        let mut sounds = Vec::new();
        for (line, row) in (2..).zip(rows) {
            match sound(options, line, row) {
                Ok(row) => sounds.push(row),
                Err(code) => told.refuses(line, code),
            }
        }
        if options.operation == Operation::AddAll {
            self.number(&mut sounds);
        }
        let mut left: Vec<(Sound<'_>, usize)> = Vec::new();
        let all = sounds.clone();
        let pairs = self.pairs(options, &all);
        for step in steps(options, sounds, &pairs) {
            // All rows of a step are judged before any is applied; of two that take an address the first gets it.
            let mut taken = BTreeSet::new();
            let mut verdicts: Vec<Verdict> = step.iter().map(|row| self.judge(options, row)).collect();
            for (row, verdict) in step.iter().zip(&mut verdicts) {
                let takes = match verdict {
                    Verdict::Create => true,
                    Verdict::Update(at) => self.new_mail(options, row, *at).is_some(),
                    _ => false,
                };
                if takes && !row.mail.is_empty() && !taken.insert(row.mail.clone()) && !options.shares {
                    *verdict = Verdict::Refused("email-taken");
                }
            }
            let replaced: Vec<_> = step
                .iter()
                .zip(&verdicts)
                .map(|(row, verdict)| match *verdict {
                    Verdict::Update(at) if !pairs.iter().any(|(by, wants)| *by == row.line && wants > by) => {
                        self.replaced(options, &all, row, at)
                    }
                    _ => BTreeSet::new(),
                })
                .collect();
            for (row, verdict) in step.iter().zip(&verdicts) {
                if let Verdict::Delete(at) = *verdict {
                    self.delete(at, &mut told);
                    left.retain(|(_, of)| *of != at);
                }
                if let Verdict::Refused(code) = verdict {
                    told.refuses(row.line, code);
                }
            }
            for ((row, verdict), replaced) in step.into_iter().zip(verdicts).zip(replaced) {
                match verdict {
                    Verdict::Update(at) => {
                        self.update(options, &row, at, &replaced, &mut told);
                        left.push((row, at));
                    }
                    Verdict::Create => {
                        self.accounts.push(created(options, &row));
                        told.counts("user.add");
                        left.push((row, self.accounts.len() - 1));
                    }
                    Verdict::Delete(_) | Verdict::Exists | Verdict::Refused(_) => {}
                }
            }
        }
        left.sort_by_key(|(row, _)| row.line);
        for (row, at) in &left {
            self.give(options, row, *at, &mut told);
        }
        told.problems.sort();
        told
    }

    /// The lines that free an address (a name, where addresses find accounts), each with a line that wants it for
    /// another account.
    fn pairs(&self, options: &Options, rows: &[Sound<'_>]) -> Vec<(usize, usize)> {
        let frees = |row: &Sound<'_>| {
            let account = &self.accounts[self.meant(options, row).ok()?];
            let (mail, name) = (account.email.to_lowercase(), account.username.to_lowercase());
            let gives = options.overwrites() && (!row.row.email.is_empty() || options.erases);
            let is_free = match (row.deleted, options.by_mail) {
                (true, _) => options.delete,
                (false, true) => options.rename && !row.name.is_empty() && row.name != name,
                (false, false) => gives && row.mail != mail,
            };
            let freed = if options.by_mail { name } else { mail };
            (is_free && !freed.is_empty() && (options.by_mail || !options.shares)).then_some(freed)
        };
        let mut pairs = Vec::new();
        for (row, freed) in rows.iter().filter_map(|row| Some((row, frees(row)?))) {
            let wants = |other: &&Sound<'_>| match options.by_mail {
                true => !other.deleted && other.name == freed && other.mail != row.mail,
                false => !other.deleted && other.mail == freed && other.name != row.name,
            };
            pairs.extend(rows.iter().filter(wants).map(|other| (row.line, other.line)));
        }
        pairs
    }

    /// Every row that makes an account gets a name that neither an account nor an earlier row has.
    fn number(&self, rows: &mut [Sound<'_>]) {
        let mut taken: BTreeSet<String> = self
            .accounts
            .iter()
            .filter(|account| !account.foreign)
            .map(|account| account.username.to_lowercase())
            .collect();
        for row in rows.iter_mut().filter(|row| !row.deleted && row.old.is_empty() && !row.name.is_empty()) {
            while !taken.insert(row.name.clone()) {
                let base = row.name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
                let number: u64 = row.name[base.len()..].parse().map_or(2, |number: u64| number + 1);
                row.name = format!("{base}{number}");
            }
        }
    }

    /// Changes an account as a row says, but for the columns that a later row replaces.
    fn update(
        &mut self,
        options: &Options,
        row: &Sound<'_>,
        at: usize,
        replaced: &BTreeSet<&'static str>,
        told: &mut Told,
    ) {
        let mail = self.new_mail(options, row, at).filter(|_| !replaced.contains("email"));
        if let Some(name) = self.new_name(options, row, at) {
            self.accounts[at].username = name;
            told.counts("user.rename");
        }
        let account = &mut self.accounts[at];
        let before = account.clone();
        let written = |column: &str, old: &str, cell: &str| {
            let new = match options.update {
                _ if replaced.contains(column) => old,
                Update::File | Update::FileAndDefaults if !cell.is_empty() || options.erases => cell,
                Update::Missing if old.is_empty() => cell,
                _ => old,
            };
            new.to_owned()
        };
        account.firstname = written("firstname", &before.firstname, row.row.firstname);
        account.lastname = written("lastname", &before.lastname, row.row.lastname);
        account.country = written("country", &before.country, &row.row.country.to_uppercase());
        account.city = match (options.no_city, row.row.lastname) {
            (false, _) => written("city", &before.city, row.row.city),
            (true, default) if options.update != Update::File && !default.is_empty() => {
                written("city", &before.city, default)
            }
            (true, _) => before.city.clone(),
        };
        account.email = mail.unwrap_or(before.email.clone());
        if let Some(suspended) = row.suspended.filter(|suspended| *suspended != before.suspended) {
            match options.suspend {
                true if replaced.contains("suspended") => {}
                true => account.suspended = suspended,
                false => told.problem(row.line, "change-refused"),
            }
        }
        if account.suspended && !before.suspended {
            told.counts("user.suspend");
        } else if *account != before {
            told.counts("user.update");
        }
    }

    /// The row stays with other names, nothing else.
    fn delete(&mut self, at: usize, told: &mut Told) {
        let account = self.accounts[at].clone();
        let mut time = NOW;
        let free = |time: i64| match account.email.as_str() {
            "" => format!("{}.ID@unknownemail.invalid.{time}", standardised(&account.username)),
            email => standardised(&format!("{email}.{time}")),
        };
        while self.accounts.iter().any(|other| other.username == free(time)) {
            time += 1;
        }
        let email = Md5::digest(account.username.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        self.accounts[at] = Account {
            username: free(time),
            email,
            deleted: true,
            cohorts: BTreeSet::new(),
            courses: BTreeSet::new(),
            roles: BTreeSet::new(),
            ..account
        };
        told.counts("user.remove");
    }

    /// The cohorts and the course of a row.
    fn give(&mut self, options: &Options, row: &Sound<'_>, at: usize, told: &mut Told) {
        for cohort in row.row.cohorts.into_iter().filter(|cohort| !cohort.is_empty()) {
            if cohort == "owned" {
                told.problem(row.line, "cohort-owned");
                continue;
            }
            if !self.cohorts.contains(cohort) {
                if !options.makes_cohorts {
                    told.problem(row.line, "cohort-unknown");
                    continue;
                }
                self.cohorts.insert(cohort.to_owned());
                told.counts("cohort.add");
            }
            if self.accounts[at].cohorts.insert(cohort.to_owned()) {
                told.counts("cohort-member.add");
            }
        }
        let (course, role) = (row.row.course, row.row.role);
        match (course, role) {
            ("", _) => return,
            ("nowhere", _) => return told.problem(row.line, "course-unknown"),
            (_, "nobody") => return told.problem(row.line, "role-unknown"),
            _ => {}
        }
        let role = if role.is_empty() { "student" } else { role };
        if self.accounts[at].courses.insert(course.to_owned()) {
            told.counts("enrolment.add");
        }
        if self.accounts[at].roles.insert((course.to_owned(), role.to_owned())) {
            told.counts("role.add");
        }
    }
}

fn created(options: &Options, row: &Sound<'_>) -> Account {
    let city = if options.no_city { row.row.lastname } else { row.row.city };
    Account {
        username: row.name.clone(),
        firstname: row.row.firstname.to_owned(),
        lastname: row.row.lastname.to_owned(),
        email: row.row.email.to_owned(),
        city: city.to_owned(),
        country: row.row.country.to_uppercase(),
        suspended: row.suspended == Some(true),
        ..Account::default()
    }
}

/// Rows that share a name (or an address, if it finds the account) are applied one after the other, others together.
/// So are a row that frees a name or an address and one that wants it.
fn steps<'a>(options: &Options, rows: Vec<Sound<'a>>, pairs: &[(usize, usize)]) -> Vec<Vec<Sound<'a>>> {
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    let mut steps: Vec<Vec<Sound<'a>>> = Vec::new();
    for row in rows {
        let mut keys = vec![format!("name {}", row.name)];
        // Where every row makes an account, an old name means none.
        if options.operation != Operation::AddAll {
            keys.push(format!("name {}", row.old));
        }
        if options.by_mail {
            keys.push(format!("mail {}", row.mail));
        }
        keys.retain(|key| !key.ends_with(' '));
        let own = pairs.iter().filter(|(by, wants)| [*by, *wants].contains(&row.line));
        keys.extend(own.map(|(by, wants)| format!("pair {by} {wants}")));
        let step = keys.iter().filter_map(|key| next.get(key)).max().copied().unwrap_or(0);
        next.extend(keys.into_iter().map(|key| (key, step + 1)));
        if steps.len() == step {
            steps.push(Vec::new());
        }
        steps[step].push(row);
    }
    steps
}
