//! Reads a users file row by row in constant memory: checks each row by itself, and loads it into the temporary tables.
//! It must not look up accounts: that is done for all rows at once, afterwards.

use secrecy::SecretString;

use crate::accounts::given_passwords::GivenPasswords;
use crate::accounts::interests::{self, Interests};
use crate::accounts::locks::Lock;
use crate::accounts::options::{self, Options};
use crate::accounts::tables::{
    ACCOUNT_COHORT, ACCOUNT_DEFAULT, ACCOUNT_FIELD, ACCOUNT_INTEREST, ACCOUNT_KEY, ACCOUNT_PENDING, ACCOUNT_PLACE,
    ACCOUNT_ROLE, ACCOUNT_STAGE,
};
use crate::accounts::template::{Names, expanded};
use crate::accounts::{AccountsFile, fields, new_password, password};
use crate::change::context::RunContext;
use crate::config::Settings;
use crate::db::{Bulk, Conn, DbError, Dialect, Field};
use crate::disk::{Pass, blocking};
use crate::files::users::{UserEntry, UserRow, UsersFile, UsersForm, UsersReading};
use crate::files::{FileProblem, MASK, flags, is_masked, times, titles_said};
use crate::moodle::account::{self, VALUES};
use crate::moodle::password::{self as secret, PasswordPolicy};
use crate::moodle::room::Room;
use crate::moodle::site::Site;
use crate::outcome::{Lines, Moment, Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, hint, shown};
use crate::staging::likeness;

/// What a flag accepts, for messages.
const FLAG: &str = "0, 1, yes, no, oui, non";

/// The widest long text, in characters: more would not fit into one message to the database.
const LONGEST: usize = 60_000;

/// What was staged.
pub struct Staged<'a> {
    /// The counts of the file's lines so far.
    pub lines: Lines,
    /// The form of the file.
    pub form: UsersForm,
    /// The columns of the account that the rows or the defaults give.
    pub given: Vec<&'static str>,
    /// Whether any row deletes its account.
    pub deletes: bool,
    /// The passwords that the rows give.
    pub passwords: GivenPasswords<'a>,
    /// The accounts that the configuration protects.
    pub protected: Vec<i64>,
    /// The custom profile fields that directories lock.
    pub field_locks: Vec<(i64, Lock)>,
    /// The collection of the tags of users, if the file has interests and the site takes them.
    pub collection: Option<i64>,
}

/// A row that is sound by itself, as it is staged.
struct Prepared {
    username: String,
    oldusername: String,
    standard: String,
    clean: bool,
    mail: String,
    deleted: bool,
    suspended: Option<bool>,
    password: new_password::NewPassword,
    /// The password of the row, and whether it must be changed at the next login.
    given: Option<(SecretString, bool)>,
    values: [Option<String>; VALUES.len()],
    defaults: Option<[Option<String>; VALUES.len()]>,
    fields: Vec<(i64, String)>,
    interests: Option<Interests>,
    problems: Vec<Problem>,
}

/// Reads the file into the temporary tables and reports the rows that cannot be used.
///
/// # Errors
/// The error of the reader or of the database.
pub async fn read<'a>(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    options: &Options<'_>,
    file: &AccountsFile<'a>,
) -> RunResult<Staged<'a>> {
    let unreadable = |problem| FileProblem::ends_run(problem, file.path);
    let reading = UsersReading {
        columns: &options.profile.columns,
        required: options::required(options.profile),
        fallback: settings.flatfile.encoding_fallback,
        zone: file.zone,
    };
    let opened = blocking(|| UsersFile::open(|| file.file.pass(file.sha256), &reading));
    let mut reader = opened.map_err(unreadable)?;
    ctx.notes.extend(titles_said(reader.titles()).map(Note::LinesSkipped));
    let known = fields::load(ctx).await?;
    let known = known.named_in(reader.fields()).map_err(|problem| unreadable(FileProblem::Rejected(problem)))?;
    let given: Vec<&'static str> = (VALUES.iter().map(|(column, _)| *column))
        .filter(|column| reader.has(column) || options.profile.default.contains_key(*column))
        .collect();
    let checks =
        Checks { site: ctx.site, options, zone: file.zone, known: &known, policy: PasswordPolicy::of(ctx.site) };
    let mut stage = Stage::open(ctx.conn, reader.form);
    let (mut lines, mut deletes) = (Lines::default(), false);
    let mut passwords = GivenPasswords::new(file.hashed);
    let has_interests = reader.has("interests") || options.profile.default.contains_key("interests");
    let collection = if has_interests { interests::collection(ctx).await? } else { None };
    let mut interests_off = 0;
    loop {
        let entries = blocking(|| some_entries(&mut reader)).map_err(unreadable)?;
        let Some(last) = entries.last() else { break };
        lines.physical = lines.physical.max(line_of(last));
        for entry in &entries {
            lines.records += 1;
            let outcome = match entry {
                UserEntry::Row(row) => checks.prepare(ctx.conn, row).map(|prepared| (row, prepared)),
                UserEntry::Bad(problem) => Err(problem.clone()),
            };
            match outcome {
                Ok((row, mut prepared)) => {
                    deletes |= prepared.deleted;
                    if collection.is_none() {
                        interests_off += u64::from(prepared.interests.take().is_some());
                    }
                    stage.row(ctx, options, row, &prepared).await?;
                    let counts = options.give_password || options.profile.password_update;
                    if let Some((password, _)) = prepared.given.take().filter(|_| counts) {
                        passwords.add(row.line, password);
                    }
                }
                Err(problem) => {
                    lines.failed += 1;
                    stage.problem(ctx, &problem).await?;
                }
            }
        }
        ctx.observer.reached(Moment::Read { done: lines.records, of: lines.records }).await;
    }
    let form = reader.form;
    if interests_off > 0 {
        ctx.notes.push(Note::InterestsOff(interests_off));
    }
    stage.finish(ctx.conn).await?;
    let lock_of = |(id, name)| Some((id, Lock::of(ctx.site, options, &format!("profile_field_{name}"))?));
    let field_locks = known.all().filter_map(lock_of).collect();
    Ok(Staged { lines, form, given, deletes, passwords, protected: Vec::new(), field_locks, collection })
}

fn or_null(text: Option<&String>) -> Field<'_> {
    text.map_or(Field::Null, |text| Field::Text(text))
}

fn line_of(entry: &UserEntry) -> u64 {
    match entry {
        UserEntry::Row(row) => row.line,
        UserEntry::Bad(problem) => problem.line,
    }
}

/// The next entries, none at the end: enough to wait for the disk only now and then, few enough to take little memory.
fn some_entries(reader: &mut UsersFile<Pass>) -> Result<Vec<UserEntry>, FileProblem> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() < 500 && bytes < 1 << 20 {
        let Some(entry) = reader.next_entry()? else { break };
        bytes += match &entry {
            UserEntry::Row(row) => row.size(),
            UserEntry::Bad(problem) => problem.value.len(),
        };
        entries.push(entry);
    }
    Ok(entries)
}

/// The checks of one row by itself.
struct Checks<'a> {
    site: &'a Site,
    options: &'a Options<'a>,
    zone: chrono_tz::Tz,
    known: &'a fields::Fields,
    policy: PasswordPolicy,
}

impl Checks<'_> {
    fn prepare(&self, conn: &Conn, row: &UserRow) -> Result<Prepared, Problem> {
        let problem = |code, value: &str, hint: &str| Problem::new(row.line, code, shown(value), hint);
        let host = row.value("mnethostid");
        if !host.is_empty() && host.parse() != Ok(self.site.local_host()) {
            return Err(problem(Code::AccountForeign, row.value("username"), "host"));
        }
        let flag = |column: &str| match row.value(column) {
            "" => Ok(None),
            text => match (text.to_lowercase().as_str(), flags::parse(text)) {
                ("1" | "yes" | "oui" | "true", _) => Ok(Some(true)),
                ("0" | "no" | "non" | "false", _) => Ok(Some(false)),
                // What databases write for nothing says nothing.
                (_, Some(false)) if !flags::is_no(text) => Ok(None),
                _ => Err(problem(Code::ValueInvalid, text, &format!("{column} {FLAG}"))),
            },
        };
        let (first, last) = (row.value("firstname"), row.value("lastname"));
        let cell = self.or_default(row, "username", Names { username: "", firstname: first, lastname: last });
        let standard = account::standardised(self.site, &cell);
        let by_mail = self.options.by_mail();
        let username = if self.options.profile.standardise { standard.clone() } else { cell.to_lowercase() };
        if username.is_empty() && !by_mail {
            return Err(problem(Code::EmptyIdentifier, "username", ""));
        }
        if username == "guest" {
            return Err(problem(Code::AccountProtected, &cell, ""));
        }
        let old = match by_mail {
            true => "",
            false => row.value("oldusername"),
        };
        let oldusername = match self.options.profile.standardise {
            true => account::standardised(self.site, old),
            false => old.to_lowercase(),
        };
        if !old.is_empty() && oldusername.is_empty() {
            return Err(problem(Code::UserUnknown, old, "username"));
        }
        for (column, text) in [("username", &username), ("oldusername", &oldusername)] {
            self.fits(conn, row.line, column, ("user", "username"), text)?;
        }
        // A number that a spreadsheet has spoilt would name somebody else, or nobody.
        let is_spoilt = |cell: &str| likeness::is_damaged(cell) || likeness::is_reformatted(cell);
        if let Some(spoilt) = [cell.as_str(), old].into_iter().find(|cell| is_spoilt(cell)) {
            return Err(problem(Code::UsernameInvalid, spoilt, hint::SPREADSHEET));
        }
        let deleted = flag("deleted")? == Some(true);
        let mut prepared = Prepared {
            clean: username == standard && (self.options.profile.standardise || cell == standard),
            username,
            oldusername,
            standard,
            mail: String::new(),
            deleted,
            suspended: None,
            password: new_password::NewPassword::default(),
            given: None,
            values: [const { None }; VALUES.len()],
            defaults: None,
            fields: Vec::new(),
            interests: None,
            problems: Vec::new(),
        };
        if deleted {
            // Nothing else of the row counts.
            prepared.mail = if by_mail { row.value("email").to_lowercase() } else { String::new() };
            self.fits(conn, row.line, "email", ("user", "email"), &prepared.mail)?;
            return Ok(prepared);
        }
        for cohort in &row.cohorts {
            self.fits(conn, row.line, "cohort", ("cohort", "name"), &cohort.name)?;
        }
        prepared.suspended = flag("suspended")?;
        self.values(conn, row, &mut prepared)?;
        let email = VALUES.iter().position(|(column, _)| *column == "email").unwrap_or_default();
        let given = prepared.values[email].as_ref().filter(|email| !email.is_empty());
        let default = prepared.defaults.as_ref().and_then(|defaults| defaults[email].as_ref());
        let address = given.or(default).map_or(String::new(), String::clone);
        prepared.mail = address.to_lowercase();
        if by_mail && prepared.mail.is_empty() {
            return Err(problem(Code::EmptyIdentifier, "email", ""));
        }
        let auth = prepared.values[0].as_deref().filter(|auth| !auth.is_empty());
        let auth = auth.or(prepared.defaults.as_ref().and_then(|defaults| defaults[0].as_deref())).unwrap_or("manual");
        if !account::knows_auth(self.site, auth) {
            return Err(problem(Code::AuthUnknown, auth, ""));
        }
        if !account::is_enabled_auth(self.site, auth) {
            prepared.problems.push(Problem::new(row.line, Code::AuthDisabled, auth, ""));
        }
        if !address.is_empty() && !account::is_address(&address) {
            prepared.problems.push(Problem::new(row.line, Code::EmailMalformed, shown(&address), ""));
        }
        let word = row.value("password");
        if is_masked(word) {
            return Err(Problem::new(row.line, Code::PasswordMasked, MASK, ""));
        }
        if password::is_too_long(word) {
            return Err(Problem::new(row.line, Code::PasswordTooLong, MASK, secret::LONGEST.to_string()));
        }
        prepared.password = new_password::of_new(self.options, &self.policy, auth, word);
        if !word.is_empty() {
            let forces = new_password::is_to_change(self.options.profile, &self.policy, word);
            prepared.given = Some((word.to_owned().into(), forces));
        }
        self.fields(row, &mut prepared)?;
        self.interests(conn, row, &mut prepared);
        Ok(prepared)
    }

    /// Reads the interests, or the default for a file without the column. What cannot be a tag is a problem of the
    /// line, and gives none.
    fn interests(&self, conn: &Conn, row: &UserRow, prepared: &mut Prepared) {
        let (firstname, lastname) = (row.value("firstname"), row.value("lastname"));
        let names = Names { username: &prepared.username, firstname, lastname };
        let (text, preset) = match (row.values.get("interests"), self.options.profile.default.get("interests")) {
            (Some(cell), _) => (cell.clone(), false),
            (None, Some(template)) => (expanded(template, names), true),
            (None, None) => return,
        };
        match interests::read(conn, self.site, &text) {
            // As in other columns, nothing is no value.
            Ok(list) if list.is_empty() && (preset || !self.options.erases()) => {}
            Ok(list) => prepared.interests = Some(Interests { list, preset }),
            Err((code, value, hint)) => prepared.problems.push(Problem::new(row.line, code, shown(&value), hint)),
        }
    }

    /// The cell of a column, or the default of the profile if it is blank.
    fn or_default(&self, row: &UserRow, column: &str, names: Names<'_>) -> String {
        match (row.value(column), self.options.profile.default.get(column)) {
            ("", Some(template)) => expanded(template, names).trim().to_owned(),
            (cell, _) => cell.to_owned(),
        }
    }

    /// Reads the values of the columns of the account, and the defaults for columns that the file does not have.
    fn values(&self, conn: &Conn, row: &UserRow, prepared: &mut Prepared) -> Result<(), Problem> {
        let username = prepared.username.clone();
        let (firstname, lastname) = (row.value("firstname"), row.value("lastname"));
        let names = Names { username: &username, firstname, lastname };
        let mut defaults = [const { None }; VALUES.len()];
        for (at, (column, accepts)) in VALUES.iter().enumerate() {
            if *column == "theme" && self.site.number("allowuserthemes", 0) != 1 {
                continue;
            }
            let read = |text: &str| {
                // Other files find people by it.
                if *column == "idnumber" && likeness::is_damaged(text) {
                    let expected = "idnumber a value that a spreadsheet has not changed";
                    return Err(Problem::new(row.line, Code::ValueInvalid, shown(text), expected));
                }
                let value = accepts.read(text).map_err(|expected| {
                    Problem::new(row.line, Code::ValueInvalid, shown(text), format!("{column} {expected}"))
                })?;
                self.fits(conn, row.line, column, ("user", column), &value)?;
                Ok(value)
            };
            match row.values.get(column).map(String::as_str) {
                None => {}
                Some("") if self.options.erases() => prepared.values[at] = Some(String::new()),
                Some("") => {}
                Some(text) => prepared.values[at] = Some(read(text)?),
            }
            // As in Moodle, a default is for a column that the file does not have; a blank cell is no value.
            let is_absent = !row.values.contains_key(column);
            if let Some(template) = self.options.profile.default.get(*column).filter(|_| is_absent) {
                let text = expanded(template, names);
                if !text.trim().is_empty() {
                    defaults[at] = Some(read(text.trim())?);
                }
            }
        }
        prepared.defaults = defaults.iter().any(Option::is_some).then_some(defaults);
        Ok(())
    }

    /// Checks whether a column of a table of the site can hold a text.
    fn fits(
        &self,
        conn: &Conn,
        line: u64,
        shown_as: &str,
        (table, column): (&str, &str),
        text: &str,
    ) -> Result<(), Problem> {
        let most = if column == "description" { LONGEST } else { 255 };
        let room = Room::of(self.site, table, column, most);
        if let Err(code) = room.fits(text) {
            return Err(Problem::new(line, code, shown(text), format!("{shown_as} {}", room.width)));
        }
        match conn.can_hold(table, column, text) {
            true => Ok(()),
            false => Err(Problem::new(line, Code::ValueCharset, shown(text), format!("{table}.{column}"))),
        }
    }

    /// Reads the custom profile fields.
    fn fields(&self, row: &UserRow, prepared: &mut Prepared) -> Result<(), Problem> {
        let of_row = row.fields.iter().map(|(name, cell)| (name.as_str(), cell.clone()));
        let names =
            Names { username: &prepared.username, firstname: row.value("firstname"), lastname: row.value("lastname") };
        let defaults = self.options.profile.default.iter().filter_map(|(column, template)| {
            let name = column.strip_prefix("profile_field_")?;
            let given = row.fields.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
            (!given).then(|| (name, expanded(template, names)))
        });
        let cells: Vec<(&str, String)> = of_row.chain(defaults).collect();
        for (name, cell) in cells {
            let Some(field) = self.known.of(name) else { continue };
            if cell.is_empty() && !self.options.erases() {
                continue;
            }
            match field.read(&cell, |text| {
                times::parse(text, times::Bound::Start, self.zone, crate::config::SmallTimes::Refuse)
            }) {
                Ok(value) => {
                    prepared.fields.retain(|(known, _)| *known != field.id);
                    prepared.fields.push((field.id, value));
                }
                Err(fields::Unusable::Option) => {
                    let problem = Problem::new(row.line, Code::FieldOptionUnknown, shown(&cell), name.to_owned());
                    prepared.problems.push(problem);
                }
                Err(fields::Unusable::Value(expected)) => {
                    let hint = format!("profile_field_{name} {expected}");
                    return Err(Problem::new(row.line, Code::ValueInvalid, shown(&cell), hint));
                }
                Err(fields::Unusable::TooLong(most)) => {
                    let hint = format!("profile_field_{name} {most}");
                    return Err(Problem::new(row.line, Code::ValueTooLong, shown(&cell), hint));
                }
                Err(fields::Unusable::Time(hint)) => {
                    return Err(Problem::new(row.line, Code::BadTime, shown(&cell), hint));
                }
            }
        }
        Ok(())
    }
}

/// Loads rows into the temporary tables; `finish` must be called.
struct Stage {
    rows: Bulk,
    defaults: Bulk,
    keys: Bulk,
    pending: Bulk,
    fields: Bulk,
    interests: Bulk,
    cohorts: Bulk,
    places: Bulk,
    roles: Bulk,
    errors: Rows,
    form: UsersForm,
}

impl Stage {
    fn open(conn: &mut Conn, form: UsersForm) -> Self {
        let tables = [
            &ACCOUNT_STAGE,
            &ACCOUNT_DEFAULT,
            &ACCOUNT_KEY,
            &ACCOUNT_PENDING,
            &ACCOUNT_FIELD,
            &ACCOUNT_INTEREST,
            &ACCOUNT_COHORT,
            &ACCOUNT_PLACE,
            &ACCOUNT_ROLE,
        ];
        tables.iter().for_each(|table| conn.declare(table));
        let dialect: Dialect = conn.dialect();
        let [rows, defaults, keys, pending, fields, interests, cohorts, places, roles] =
            tables.map(|table| Bulk::into(dialect, table));
        let errors = Rows::new(dialect);
        Self { rows, defaults, keys, pending, fields, interests, cohorts, places, roles, errors, form }
    }

    async fn row(
        &mut self,
        ctx: &mut RunContext<'_>,
        options: &Options<'_>,
        row: &UserRow,
        prepared: &Prepared,
    ) -> Result<(), DbError> {
        let conn = &mut *ctx.conn;
        let line = Field::Int(row.line as i64);
        let given = |flag: bool| Field::Int(i64::from(flag));
        // For messages only.
        let written: String = row.value("username").chars().take(255).collect();
        let mut whole = vec![
            line,
            Field::Text(&written),
            Field::Text(&prepared.username),
            Field::Text(&prepared.oldusername),
            given(prepared.clean),
            Field::Text(&prepared.standard),
            Field::Text(&prepared.mail),
            given(prepared.deleted),
            prepared.suspended.map_or(Field::Null, given),
            or_null(prepared.password.stored.as_ref()),
            given(prepared.password.create),
            given(prepared.password.force),
            Field::Null,
            prepared.given.as_ref().map_or(Field::Null, |(_, forces)| given(*forces)),
        ];
        whole.extend(prepared.values.iter().map(|value| or_null(value.as_ref())));
        self.rows.push(conn, &whole).await?;
        if let Some(defaults) = &prepared.defaults {
            let mut whole = vec![line];
            whole.extend(defaults.iter().map(|value| or_null(value.as_ref())));
            self.defaults.push(conn, &whole).await?;
        }
        self.pending.push(conn, &[line]).await?;
        let mut keys = vec![format!("n:{}", prepared.username)];
        if !prepared.oldusername.is_empty() && prepared.oldusername != prepared.username {
            keys.push(format!("n:{}", prepared.oldusername));
        }
        if options.by_mail() {
            keys.push(format!("m:{}", prepared.mail));
        }
        if self.form == UsersForm::ToolSync {
            // The idnumber identifies a person.
            keys.push(format!("i:{}", row.value("idnumber").to_lowercase()));
        }
        for key in keys.iter().filter(|key| key.len() > "n:".len()) {
            self.keys.push(conn, &[Field::Text(key), line]).await?;
        }
        for (field, value) in &prepared.fields {
            self.fields.push(conn, &[line, Field::Int(*field), Field::Text(value)]).await?;
        }
        if let Some(Interests { list, preset }) = &prepared.interests {
            let whole = [line, Field::Int(0), given(*preset), Field::Text(""), Field::Text("")];
            self.interests.push(conn, &whole).await?;
            for (n, interest) in (1..).zip(list) {
                let (name, rawname) = (Field::Text(&interest.name), Field::Text(&interest.rawname));
                self.interests.push(conn, &[line, Field::Int(n), given(*preset), name, rawname]).await?;
            }
        }
        for problem in row.problems.iter().chain(&prepared.problems) {
            self.errors.add(conn, &mut ctx.problems, (PlaceKind::Line, row.line as i64), problem).await?;
        }
        if prepared.deleted {
            return Ok(());
        }
        for cohort in &row.cohorts {
            let cells = [line, Field::Int(cohort.n), Field::Text(&cohort.key), Field::Text(&cohort.name)];
            self.cohorts.push(conn, &cells).await?;
        }
        for place in &row.places {
            let int = |number: Option<i64>| number.map_or(Field::Null, Field::Int);
            let row = [
                line,
                Field::Int(place.n),
                Field::Text(&place.course),
                Field::Text(&place.group),
                Field::Text(&place.role),
                Field::Int(place.kind),
                int(place.period),
                int(place.status),
                int(place.start),
            ];
            self.places.push(conn, &row).await?;
        }
        for role in &row.roles {
            let level = if role.category.is_empty() { 10 } else { 40 };
            let row = [
                line,
                Field::Int(role.n),
                Field::Int(level),
                Field::Text(&role.category),
                Field::Text(&role.role),
                given(role.removed),
            ];
            self.roles.push(conn, &row).await?;
        }
        Ok(())
    }

    async fn problem(&mut self, ctx: &mut RunContext<'_>, problem: &Problem) -> Result<(), DbError> {
        let place = (PlaceKind::Line, problem.line as i64);
        self.errors.add(ctx.conn, &mut ctx.problems, place, problem).await
    }

    async fn finish(self, conn: &mut Conn) -> Result<(), DbError> {
        let given = [self.fields, self.interests, self.cohorts, self.places, self.roles];
        for bulk in [self.rows, self.defaults, self.keys, self.pending].into_iter().chain(given) {
            bulk.finish(conn).await?;
        }
        self.errors.finish(conn).await?;
        for table in [&ACCOUNT_STAGE, &ACCOUNT_DEFAULT, &ACCOUNT_KEY, &ACCOUNT_FIELD, &ACCOUNT_INTEREST] {
            conn.analyse(table.name).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_the_columns_of_the_values_in_their_order() {
        let values = VALUES.map(|(column, _)| column).join(", ");
        assert!(ACCOUNT_STAGE.columns().ends_with(&values));
        assert_eq!(ACCOUNT_DEFAULT.columns(), format!("line, {values}"));
    }
}
