//! The passwords that a users file gives or that are generated for its new accounts, until they are hashed and mailed.
//! It must not know how a password is hashed, nor keep one longer than its file is applied.

use std::collections::HashMap;

use secrecy::SecretString;

use crate::accounts::hashed::{Hashed, Todo};
use crate::accounts::options::Options;
use crate::accounts::password::{self, Hasher};
use crate::change::context::RunContext;
use crate::config::{PasswordMail, Settings};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table};
use crate::files::MASK;
use crate::mail::{self, Generated};
use crate::moodle::password::{PasswordPolicy, TO_BE_GENERATED};
use crate::outcome::{RunError, RunResult};

/// How many passwords are hashed while rows are locked: together they take less time than a retry of the run.
const AT_ONCE: usize = 64;

/// The hashes of the rows whose account gets one.
const ACCOUNT_HASH: Table = Table::new("account_hash", &[int("line"), text("hash", 255)]).primary("line");

/// The accounts that may get a password: those that are made, and those whose row gives one that no later row replaces.
const ACCOUNTS: &str = "SELECT n.line, CASE WHEN n.verdict = 'create' THEN 1 ELSE 0 END, :auth,
        COALESCE(x.password, ''), CASE WHEN s.creates = 0 AND s.password = :generated THEN 1 ELSE 0 END
   FROM [account_now] n
   JOIN [account_stage] s ON s.line = n.line
   LEFT JOIN [account_default] d ON d.line = n.line
   LEFT JOIN {user} x ON x.id = n.userid
  WHERE n.verdict = 'create' OR (n.verdict = 'update' AND s.newforces IS NOT NULL)
  ORDER BY n.line";

/// The accounts that still have the password of the row that made them.
const MADE: &str = "SELECT r.line, r.userid
   FROM [account_row] r
   JOIN [account_stage] s ON s.line = r.line
   JOIN {user} u ON u.id = r.userid
  WHERE r.made = 1 AND u.deleted = 0 AND :same";

/// The passwords of a file, by line.
pub struct GivenPasswords<'a> {
    given: HashMap<i64, SecretString>,
    hashed: &'a Hashed,
    /// The generated ones that are mailed.
    generated: Vec<(i64, SecretString)>,
}

/// The lines of a step whose account gets a password.
#[derive(Default)]
struct Wanted {
    /// A new account, and the row gives the password.
    given: Vec<i64>,
    /// A new account, and the row gives none.
    generated: Vec<i64>,
    /// An account that exists, with its hash.
    changed: Vec<(i64, String)>,
}

impl<'a> GivenPasswords<'a> {
    /// None yet; `hashed` knows what an earlier attempt has left.
    pub fn new(hashed: &'a Hashed) -> Self {
        Self { given: HashMap::new(), hashed, generated: Vec::new() }
    }

    /// Adds the password of a line.
    pub fn add(&mut self, line: u64, password: SecretString) {
        self.given.insert(line as i64, password);
    }

    /// Hashes the passwords of the rows of this step whose account is made, or is changed and has another one, and
    /// writes the hashes into `account_stage`; generates those that rows do not give. A simulation compares, and
    /// neither generates nor hashes. More than a few are not hashed here, where rows are locked, but left to
    /// [`Hashed::catch_up`]. Two statements, and the chunks of the hashes; none for a file without passwords.
    ///
    /// # Errors
    /// [`RunError::ToBeHashed`], the database's error, or the system gives no random numbers.
    pub async fn hash(&mut self, ctx: &mut RunContext<'_>, options: &Options<'_>, hasher: &Hasher) -> RunResult<()> {
        if self.given.is_empty() && !options.generates() {
            return Ok(());
        }
        let wanted = self.wanted(ctx, options).await?;
        let is_simulated = ctx.run == 0;
        if !is_simulated {
            self.generate(ctx, options, &wanted.generated)?;
        }
        let mut todo = self.unknown(&wanted, Todo::new(hasher, !is_simulated));
        if todo.count() > AT_ONCE {
            if todo.hashes {
                self.add_pending(ctx, &mut todo).await?;
            }
            self.hashed.later(todo);
            return Err(RunError::ToBeHashed);
        }
        self.hashed.work(todo).await.map_err(|error| DbError::other(error.to_string()))?;
        let replaced = wanted.changed.iter().filter(|(line, stored)| self.hashed.fits(*line, stored) == Some(false));
        let replaced = replaced.map(|(line, _)| *line);
        ctx.conn.declare(&ACCOUNT_HASH);
        ctx.conn.exec("DELETE FROM [account_hash]", &Params::new()).await?;
        let mut rows = Bulk::into(ctx.conn.dialect(), &ACCOUNT_HASH);
        for line in wanted.given.iter().chain(&wanted.generated).copied().chain(replaced) {
            let hash = if is_simulated { Some(MASK.to_owned()) } else { self.hashed.hash_of(line) };
            let hash = hash.ok_or_else(|| DbError::other(format!("the password of line {line} has no hash")))?;
            rows.push(ctx.conn, &[Field::Int(line), Field::Text(&hash)]).await?;
        }
        rows.finish(ctx.conn).await?;
        let both = [("password", "h.hash"), ("newpassword", "h.hash")];
        let update =
            ctx.conn.dialect().update_joined("[account_stage]", "s", &both, "[account_hash] h", "s.line = h.line");
        ctx.conn.exec(&update, &Params::new()).await?;
        Ok(())
    }

    /// Adds to `todo` what is not known yet of the passwords of a step.
    fn unknown(&self, wanted: &Wanted, mut todo: Todo) -> Todo {
        let new = wanted.given.iter().chain(&wanted.generated).filter(|_| todo.hashes);
        let new = new.filter(|line| self.hashed.hash_of(**line).is_none());
        todo.hash = new.filter_map(|line| Some((*line, self.given.get(line)?.clone()))).collect();
        for (line, stored) in &wanted.changed {
            let Some(password) = self.given.get(line) else { continue };
            match self.hashed.fits(*line, stored) {
                None => todo.compare.push((*line, password.clone(), stored.clone())),
                Some(false) if todo.hashes && self.hashed.hash_of(*line).is_none() => {
                    todo.hash.insert(*line, password.clone());
                }
                Some(_) => {}
            }
        }
        todo
    }

    /// Adds the passwords of later rows about accounts of this step, so that later steps have few to hash.
    async fn add_pending(&self, ctx: &mut RunContext<'_>, todo: &mut Todo) -> Result<(), DbError> {
        let pending = ctx.conn.rows("SELECT p.line FROM [account_pending] p", &Params::new()).await?;
        for line in pending.iter().map(|row| row.int(0)).filter(|line| self.hashed.hash_of(*line).is_none()) {
            if let Some(password) = self.given.get(&line) {
                todo.hash.insert(line, password.clone());
            }
        }
        Ok(())
    }

    /// Generates the passwords of these lines, and keeps those that enrold mails.
    fn generate(&mut self, ctx: &RunContext<'_>, options: &Options<'_>, lines: &[i64]) -> Result<(), DbError> {
        let policy = PasswordPolicy::of(ctx.site);
        for line in lines {
            let made = self.hashed.generated(*line, || password::generate(&policy));
            let made = made.map_err(|error| DbError::other(error.to_string()))?;
            if options.password_mail == PasswordMail::Enrold {
                self.generated.push((*line, made.clone()));
            }
            self.given.insert(*line, made);
        }
        Ok(())
    }

    async fn wanted(&self, ctx: &mut RunContext<'_>, options: &Options<'_>) -> Result<Wanted, DbError> {
        let mut wanted = Wanted::default();
        let auth = options.auth_after(ctx.conn.dialect());
        let params = Params::new().with("generated", TO_BE_GENERATED).fragment("auth", auth);
        ctx.conn
            .each(ACCOUNTS, &params, |row| {
                let (line, is_new) = (row.int(0), row.int(1) == 1);
                match self.given.contains_key(&line) && options.stores_password(&row.text(2)) {
                    true if is_new && options.give_password => wanted.given.push(line),
                    true if !is_new && options.change_password => wanted.changed.push((line, row.text(3))),
                    _ if is_new && row.int(4) == 1 => wanted.generated.push(line),
                    _ => {}
                }
                Ok(())
            })
            .await?;
        Ok(wanted)
    }

    /// Queues the mails with the generated passwords. To be called once, when all accounts are made.
    ///
    /// # Errors
    /// The database's error, or that of the key in the state directory.
    pub async fn mail(self, ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
        if self.generated.is_empty() {
            return Ok(());
        }
        let same = ctx.conn.dialect().same_bytes("u.password", "s.password");
        let rows = ctx.conn.rows(MADE, &Params::new().fragment("same", same)).await?;
        let accounts: HashMap<i64, i64> = rows.iter().map(|row| (row.int(0), row.int(1))).collect();
        let of_account = |(line, password)| Some(Generated { userid: *accounts.get(&line)?, password });
        mail::passwords(ctx, settings, self.generated.into_iter().filter_map(of_account).collect()).await?;
        Ok(())
    }
}
