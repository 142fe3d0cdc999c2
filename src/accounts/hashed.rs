//! Hashes and comparisons of the passwords of a file, kept from one attempt of its run to the next: the work is done
//! between two attempts, while no transaction is open. It must not know the database.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use crate::accounts::password::Hasher;

/// What is known about the passwords of a file, by line, and what is to be worked out next.
#[derive(Default)]
pub struct Hashed(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The hash that the account of a line gets.
    hashes: HashMap<i64, String>,
    /// Stored hashes that were compared with the password of a line, and whether they are its hash.
    fits: HashMap<(i64, String), bool>,
    /// The passwords that were generated for lines that give none.
    generated: HashMap<i64, SecretString>,
    todo: Option<Todo>,
}

/// Passwords that are to be hashed or compared.
pub struct Todo {
    hasher: Hasher,
    /// To be hashed.
    pub hash: HashMap<i64, SecretString>,
    /// To be compared with a stored hash, and hashed if they do not fit.
    pub compare: Vec<(i64, SecretString, String)>,
    /// Whether anything is hashed: a simulation only compares.
    pub hashes: bool,
}

impl Todo {
    /// Nothing to do yet.
    pub fn new(hasher: &Hasher, hashes: bool) -> Self {
        Self { hasher: hasher.clone(), hash: HashMap::new(), compare: Vec::new(), hashes }
    }

    /// The number of passwords.
    pub fn count(&self) -> usize {
        self.hash.len() + self.compare.len()
    }
}

impl Hashed {
    fn known(&self) -> MutexGuard<'_, Known> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash of the password of this line, if it has been made.
    pub fn hash_of(&self, line: i64) -> Option<String> {
        self.known().hashes.get(&line).cloned()
    }

    /// Whether the password of this line has the stored hash, if they have been compared.
    pub fn fits(&self, line: i64, stored: &str) -> Option<bool> {
        self.known().fits.get(&(line, stored.to_owned())).copied()
    }

    /// The generated password of this line; `generate` makes it the first time.
    ///
    /// # Errors
    /// The error of `generate`.
    pub fn generated(
        &self,
        line: i64,
        generate: impl FnOnce() -> io::Result<SecretString>,
    ) -> io::Result<SecretString> {
        let mut known = self.known();
        if let Some(made) = known.generated.get(&line) {
            return Ok(made.clone());
        }
        let made = generate()?;
        known.generated.insert(line, made.clone());
        Ok(made)
    }

    /// Keeps what is to be done once the transaction is rolled back.
    pub fn later(&self, todo: Todo) {
        self.known().todo = Some(todo);
    }

    /// Does what was kept for later.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub async fn catch_up(&self) -> io::Result<()> {
        let todo = self.known().todo.take();
        match todo {
            Some(todo) => self.work(todo).await,
            None => Ok(()),
        }
    }

    /// Compares and hashes, on all cores.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub async fn work(&self, todo: Todo) -> io::Result<()> {
        let Todo { hasher, mut hash, compare, hashes } = todo;
        let pairs = compare.iter().map(|(_, password, stored)| (password.clone(), stored.clone())).collect();
        let fit = hasher.fit(pairs).await;
        let mut fits = HashMap::with_capacity(compare.len());
        for ((line, password, stored), fit) in compare.into_iter().zip(fit) {
            if !fit {
                hash.insert(line, password);
            }
            fits.insert((line, stored), fit);
        }
        let made = match hashes {
            true => {
                let (lines, passwords): (Vec<i64>, Vec<SecretString>) = hash.into_iter().unzip();
                lines.into_iter().zip(hasher.hashes(passwords).await?).collect()
            }
            false => HashMap::new(),
        };
        let mut known = self.known();
        known.fits.extend(fits);
        known.hashes.extend(made);
        Ok(())
    }
}
