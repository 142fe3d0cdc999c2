//! Hashes passwords as the site's version of Moodle does, compares them with stored hashes, and generates new ones.
//! It must not know files or tables; a password leaves it only as a hash, or to be mailed.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use secrecy::{ExposeSecret, SecretString};
use sha_crypt::{CustomizedPasswordHasher, Params, PasswordVerifier, ShaCrypt};

use crate::moodle::password::{LONGEST, PasswordPolicy, Scheme};
use crate::moodle::site::Site;
use crate::random;

/// Characters of generated passwords, without those that look alike: lower-case, upper-case, digits, others.
const LETTERS: [&[u8]; 4] = [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_+*.:!?#"];
/// The lengths of generated passwords, unless the policy demands more.
const LENGTHS: std::ops::RangeInclusive<usize> = 14..=64;
/// How often a password is drawn until the policy admits one.
const TRIES: u32 = 1_000;
/// Bytes of a salt: 16 characters of crypt's alphabet.
const SALT: usize = 12;

/// How the passwords of a site are hashed: its scheme and its peppers. It is cheap to copy.
#[derive(Clone, Debug)]
pub struct Hasher {
    scheme: Scheme,
    /// The newest first.
    peppers: Arc<[SecretString]>,
}

impl Hasher {
    /// The hasher of a site with these peppers, the newest first; before Moodle 4.3 there are none.
    pub fn of(site: &Site, peppers: Vec<SecretString>) -> Self {
        Self::new(Scheme::of(site), peppers)
    }

    fn new(scheme: Scheme, peppers: Vec<SecretString>) -> Self {
        let peppers = if matches!(scheme, Scheme::Sha512 { .. }) { peppers } else { Vec::new() };
        Self { scheme, peppers: peppers.into() }
    }

    /// The hash of each password, in their order, each with a salt of its own. All cores work; the runtime goes on.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub async fn hashes(&self, passwords: Vec<SecretString>) -> io::Result<Vec<String>> {
        let hasher = self.clone();
        in_parallel(passwords, move |password| hasher.hash(password)).await.into_iter().collect()
    }

    /// Whether each password is the one of the stored hash beside it, in their order. It costs as much as hashing.
    pub async fn fit(&self, pairs: Vec<(SecretString, String)>) -> Vec<bool> {
        let hasher = self.clone();
        in_parallel(pairs, move |(password, stored)| hasher.fits(password, stored)).await
    }

    fn hash(&self, password: &SecretString) -> io::Result<String> {
        let peppered = peppered(password, self.peppers.first());
        let bytes = peppered.expose_secret().as_bytes();
        let refused = |error: &dyn std::fmt::Display| io::Error::other(format!("a password cannot be hashed: {error}"));
        match self.scheme {
            Scheme::Sha512 { rounds } => {
                let params = Params::new(rounds).map_err(|error| refused(&error))?;
                let salt = random::bytes::<SALT>()?;
                let hash = ShaCrypt::SHA512.hash_password_with_params(bytes, &salt, params);
                hash.map(|hash| hash.as_str().to_owned()).map_err(|error| refused(&error))
            }
            Scheme::Bcrypt { cost } => {
                let hash = bcrypt::hash_with_salt(bytes, cost, random::bytes()?);
                hash.map(|hash| hash.format_for_version(bcrypt::Version::TwoY)).map_err(|error| refused(&error))
            }
        }
    }

    /// Moodle tries every pepper, and none; so does this. A word such as `not cached` fits no password.
    fn fits(&self, password: &SecretString, stored: &str) -> bool {
        let peppers = self.peppers.iter().map(Some).chain([None]);
        peppers.map(|pepper| peppered(password, pepper)).any(|peppered| {
            let bytes = peppered.expose_secret().as_bytes();
            match stored.as_bytes() {
                [b'$', b'2', ..] => bcrypt::verify(bytes, stored).unwrap_or(false),
                [b'$', b'5' | b'6', b'$', ..] => ShaCrypt::SHA512.verify_password(bytes, stored).is_ok(),
                _ => false,
            }
        })
    }
}

/// Moodle hashes the password with the pepper behind it.
fn peppered(password: &SecretString, pepper: Option<&SecretString>) -> SecretString {
    let pepper = pepper.map(|pepper| pepper.expose_secret()).unwrap_or_default();
    format!("{}{pepper}", password.expose_secret()).into()
}

/// Whether a password is longer than Moodle accepts.
pub fn is_too_long(password: &str) -> bool {
    password.len() > LONGEST
}

/// A random password that the policy admits; if it admits none that is drawn (a limit that contradicts others), one
/// that has what it demands otherwise.
///
/// # Errors
/// The system gives no random numbers.
pub fn generate(policy: &PasswordPolicy) -> io::Result<SecretString> {
    let (demanded, length) = policy.demands(LENGTHS);
    let mut drawn = draw(demanded, length)?;
    for _ in 1..TRIES {
        if policy.admits(drawn.expose_secret()) {
            break;
        }
        drawn = draw(demanded, length)?;
    }
    Ok(drawn)
}

fn draw(demanded: [usize; 4], length: usize) -> io::Result<SecretString> {
    let mut password = Vec::with_capacity(length);
    for (letters, least) in LETTERS.iter().zip(demanded) {
        for _ in 0..least {
            password.push(letters[random::below(letters.len())?]);
        }
    }
    while password.len() < length {
        // Letters and digits: others are hard to type.
        let letters = LETTERS[random::below(LETTERS.len() - 1)?];
        password.push(letters[random::below(letters.len())?]);
    }
    // The demanded characters stand at random places.
    for last in (1..password.len()).rev() {
        password.swap(last, random::below(last + 1)?);
    }
    Ok(SecretString::from(password.into_iter().map(char::from).collect::<String>()))
}

/// The result of `work` on each item, in their order, by one blocking thread for each core.
async fn in_parallel<T, R>(items: Vec<T>, work: impl Fn(&T) -> R + Send + Sync + 'static) -> Vec<R>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
{
    let threads = available_parallelism().map_or(1, NonZero::get).min(items.len());
    let (shared, next) = (Arc::new((items, work)), Arc::new(AtomicUsize::new(0)));
    let one = || {
        let (shared, next) = (Arc::clone(&shared), Arc::clone(&next));
        tokio::task::spawn_blocking(move || {
            let (items, work) = &*shared;
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                match items.get(at) {
                    Some(item) => done.push((at, work(item))),
                    None => return done,
                }
            }
        })
    };
    let tasks: Vec<_> = (0..threads).map(|_| one()).collect();
    let mut done = Vec::with_capacity(shared.0.len());
    for task in tasks {
        match task.await {
            Ok(part) => done.extend(part),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only the end of the runtime cancels a blocking task, and this future with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA512: Scheme = Scheme::Sha512 { rounds: 5_000 };
    const BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };

    fn secret(text: &str) -> SecretString {
        text.into()
    }

    fn hasher(scheme: Scheme, peppers: &[&str]) -> Hasher {
        Hasher::new(scheme, peppers.iter().map(|pepper| secret(pepper)).collect())
    }

    /// The first two were made by PHP, in a recording of Moodle 4.5 (u02); the last by the system's crypt(3), from
    /// which PHP's bcrypt differs by nothing.
    #[test]
    fn hashes_that_others_have_made_are_verified() {
        let known = hasher(SHA512, &[]);
        for (password, hash) in [
            (
                "Generique-2026",
                "$6$rounds=5000$wNS9xP4OGmaQhuVE$BONz5K9CSowmlKPIZF9HBI2xcJL6fAMHtn8yuWn6pfxdOcvZ3F35gr34y\
                 /B5uWCljb0r7lyK7gGfRHXJ2PIOz1",
            ),
            (
                "bienvenue",
                "$6$rounds=5000$RQNL1Q9b05n5WsdX$wzKSrlZNDlq6j1yeTxB2ycG73/UNZxNBubkGGOGrVAykZH3I3edPsOBaHjGr4DosD\
                 1JEDG3JK.oLkvZLKVrlV/",
            ),
            ("Generique-2026", "$2y$04$abcdefghijklmnopqrstuuNcQDXeHRX45fAQD.04N6DxUp4KvuAE6"),
        ] {
            assert!(known.fits(&secret(password), hash), "{hash}");
            assert!(!known.fits(&secret("another"), hash), "{hash}");
        }
        for word in ["to be generated", "not cached", "", "$", "$6$", "$2y$", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            assert!(!known.fits(&secret(word), word), "{word}");
        }
    }

    #[tokio::test]
    async fn a_hash_has_the_form_of_the_version_and_a_salt_of_its_own() {
        for (scheme, begins, length) in [(SHA512, "$6$rounds=5000$", 15 + 16 + 1 + 86), (BCRYPT, "$2y$04$", 60)] {
            let hasher = hasher(scheme, &[]);
            let made = hasher.hashes(vec![secret("Générique-2026"); 5]).await.unwrap();
            assert!(made.iter().all(|hash| hash.starts_with(begins) && hash.len() == length), "{made:?}");
            let distinct: std::collections::BTreeSet<_> = made.iter().collect();
            assert_eq!(distinct.len(), 5);
            let pairs = made.iter().map(|hash| (secret("Générique-2026"), hash.clone()));
            let wrong = made.iter().map(|hash| (secret("Generique-2026"), hash.clone()));
            let fit = hasher.fit(pairs.chain(wrong).collect()).await;
            assert_eq!(fit, [[true; 5], [false; 5]].concat());
        }
        assert!(hasher(SHA512, &[]).hashes(Vec::new()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn results_keep_the_order() {
        let numbers: Vec<usize> = (0..1_000).collect();
        assert_eq!(in_parallel(numbers.clone(), |number| *number).await, numbers);
    }

    #[test]
    fn the_newest_pepper_is_used_and_every_older_one_fits() {
        let password = secret("Generique-2026");
        let [none, old, both] = [&[][..], &["old"], &["new", "old"]].map(|peppers| hasher(SHA512, peppers));
        let [plain, of_old, of_new] = [&none, &old, &both].map(|hasher| hasher.hash(&password).unwrap());
        assert!([&plain, &of_old, &of_new].iter().all(|hash| both.fits(&password, hash)));
        assert!(none.fits(&secret("Generique-2026new"), &of_new));
        assert!(!none.fits(&password, &of_old) && !old.fits(&password, &of_new));
        // Moodle before 4.3 knows no pepper.
        let early = hasher(BCRYPT, &["new"]);
        assert!(hasher(BCRYPT, &[]).fits(&password, &early.hash(&password).unwrap()));
        assert!(!format!("{both:?}").contains("new"));
    }

    #[test]
    fn a_generated_password_satisfies_the_policy() {
        let usual = PasswordPolicy { enabled: true, length: 8, digits: 1, lower: 1, upper: 1, others: 1, in_a_row: 1 };
        for policy in [
            usual,
            PasswordPolicy { enabled: false, ..usual },
            PasswordPolicy { length: 40, digits: 12, others: 9, ..usual },
            PasswordPolicy { length: 0, digits: 0, lower: 0, upper: 0, others: 0, ..usual },
        ] {
            for _ in 0..200 {
                let password = generate(&policy).unwrap();
                let password = password.expose_secret();
                assert!(policy.admits(password) && password.len() >= 14 && !is_too_long(password), "{password}");
                assert!(!password.contains(['0', 'O', '1', 'l', 'I', ';', ',']), "{password}");
            }
        }
        let one = generate(&usual).unwrap();
        assert_ne!(one.expose_secret(), generate(&usual).unwrap().expose_secret());
    }
}
