//! Seals files and texts with the key of the state directory: they are unreadable without it, and a change of one byte
//! is seen. It must not know what is sealed.
//!
//! A sealed file is a header (16 bytes that name the form, 32 random ones), then chunks of 64 KiB, each with a tag of
//! ChaCha20-Poly1305. The key of a file is derived from the state directory's (HKDF-SHA-256) with the random bytes and
//! the context, so that a sealed file in another's place is refused. A nonce is the number of the chunk, and whether it
//! is the last one, so that a file that is cut or put together anew is refused, too.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use secrecy::{ExposeSecret, SecretBox};

use super::{Dir, own};
use crate::random;

const FORM: &[u8; 16] = b"enrold sealed 1\n";
const SALT: usize = 32;
const HEADER: u64 = (FORM.len() + SALT) as u64;
const CHUNK: usize = 1 << 16;
const TAG: usize = 16;
/// Bytes of a whole sealed chunk.
const STEP: u64 = (CHUNK + TAG) as u64;
const KEY: &str = "key";

/// The key of a state directory.
#[derive(Debug)]
pub struct StateKey(SecretBox<[u8; 32]>);

impl StateKey {
    /// The key, which is made on first need: the file `key` (0600) of the state directory.
    ///
    /// # Errors
    /// The file system's error; the file is not a key.
    pub fn made(state: &Path) -> io::Result<Self> {
        match Self::open(state) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        own::make_directories(state)?;
        let dir = Dir::open(state)?;
        let token = u64::from_le_bytes(random::bytes()?);
        let hidden = OsString::from(format!(".key-{token:016x}"));
        let made = dir.create_new(&hidden, own::PRIVATE).and_then(|mut file| {
            file.write_all(&random::bytes::<32>()?)?;
            file.sync_all()?;
            dir.rename_new(&hidden, &dir, OsStr::new(KEY))
        });
        match made {
            Ok(()) => dir.sync()?,
            // Another process was faster; its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => dir.remove(&hidden)?,
            Err(error) => {
                drop(dir.remove(&hidden));
                return Err(error);
            }
        }
        Self::open(state)
    }

    /// The key, to open what it has sealed.
    ///
    /// # Errors
    /// The file system's error; there is no key, or the file is none.
    pub fn open(state: &Path) -> io::Result<Self> {
        let mut file = own::open(&state.join(KEY))?;
        let mut key = SecretBox::<[u8; 32]>::default();
        let mut beyond = [0];
        let read = file.read_exact(secrecy::ExposeSecretMut::expose_secret_mut(&mut key));
        if read.is_err() || file.read(&mut beyond)? > 0 {
            return Err(io::Error::other(format!("{} is no key of enrold", state.join(KEY).display())));
        }
        Ok(Self(key))
    }

    fn derived(&self, salt: &[u8], context: &str) -> io::Result<LessSafeKey> {
        let key = Salt::new(HKDF_SHA256, salt).extract(self.0.expose_secret());
        let info = [context.as_bytes()];
        let derived = key.expand(&info, &CHACHA20_POLY1305).map_err(|_| io::Error::other("no key can be derived"))?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }

    /// A text, sealed for this context, in hexadecimal digits.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal_text(&self, text: &str, context: &str) -> io::Result<String> {
        let mut sealer = Sealer::begin(Vec::new(), self, context)?;
        sealer.write_all(text.as_bytes())?;
        Ok(sealer.finish()?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The text that [`StateKey::seal_text`] has sealed for this context.
    ///
    /// # Errors
    /// It was sealed with another key or for another context, or is damaged.
    pub fn open_text(&self, sealed: &str, context: &str) -> io::Result<secrecy::SecretString> {
        let digits =
            sealed.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        let bytes: Vec<u8> = digits.collect::<Option<_>>().ok_or_else(refused)?;
        let size = bytes.len() as u64;
        let opener = Opener::of(&bytes[..bytes.len().min(HEADER as usize)], size, self, context)?;
        let mut text = vec![0; opener.size as usize];
        let mut at = 0;
        while at < text.len() {
            let read = |from: u64, into: &mut [u8]| {
                into.copy_from_slice(
                    bytes.get(from as usize..).and_then(|rest| rest.get(..into.len())).ok_or_else(refused)?,
                );
                Ok(())
            };
            at += opener.read_at(read, at as u64, &mut text[at..])?;
        }
        String::from_utf8(text).map(Into::into).map_err(|_| refused())
    }
}

fn refused() -> io::Error {
    let reason = "it is not what enrold has sealed with the key of its state directory";
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

/// Seals what is written to it. Without [`Sealer::finish`] the result cannot be opened.
pub struct Sealer<W> {
    out: W,
    key: LessSafeKey,
    chunk: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    /// Begins a sealed file; it is opened with the same context only.
    ///
    /// # Errors
    /// The writer's error; the system gives no random numbers.
    pub fn begin(mut out: W, key: &StateKey, context: &str) -> io::Result<Self> {
        let salt = random::bytes::<SALT>()?;
        out.write_all(FORM)?;
        out.write_all(&salt)?;
        Ok(Self { out, key: key.derived(&salt, context)?, chunk: Vec::with_capacity(CHUNK + TAG), number: 0 })
    }

    /// Writes the last chunk and returns the writer.
    ///
    /// # Errors
    /// The writer's error.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.key.seal_in_place_append_tag(nonce(self.number, last), Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| io::Error::other("a chunk cannot be sealed"))?;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits: only what follows shows that it is not the last one.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens the chunks of a sealed file in any order; the last one that was opened stays in memory.
pub(super) struct Opener {
    key: LessSafeKey,
    /// Bytes of the content.
    pub size: u64,
    chunks: u64,
    latest: Mutex<Option<(u64, Vec<u8>)>>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Opener {
    /// Of an open file.
    pub fn of_file(file: &File, sealed: u64, key: &StateKey, context: &str) -> io::Result<Self> {
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, 0).map_err(|_| refused())?;
        Self::of(&header, sealed, key, context)
    }

    /// `sealed`: bytes of the sealed form, with its header.
    fn of(header: &[u8], sealed: u64, key: &StateKey, context: &str) -> io::Result<Self> {
        let salt = header.strip_prefix(FORM).filter(|salt| salt.len() == SALT).ok_or_else(refused)?;
        let size = content_size(sealed).ok_or_else(refused)?;
        let opener = Self {
            key: key.derived(salt, context)?,
            size,
            chunks: (sealed - HEADER).div_ceil(STEP),
            latest: Mutex::new(None),
        };
        Ok(opener)
    }

    /// Reads content at this position; `read` gives bytes of the sealed form.
    pub fn read_at(
        &self,
        read: impl Fn(u64, &mut [u8]) -> io::Result<()>,
        at: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let number = at / CHUNK as u64;
        let mut latest = self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let chunk = match latest.take().filter(|(kept, _)| *kept == number) {
            Some((_, chunk)) => chunk,
            None => self.chunk(&read, number)?,
        };
        let from = &chunk[(at % CHUNK as u64) as usize..];
        let taken = from.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&from[..taken]);
        *latest = Some((number, chunk));
        Ok(taken)
    }

    fn chunk(&self, read: impl Fn(u64, &mut [u8]) -> io::Result<()>, number: u64) -> io::Result<Vec<u8>> {
        let length = (self.size - number * CHUNK as u64).min(CHUNK as u64) as usize;
        let mut chunk = vec![0; length + TAG];
        read(HEADER + number * STEP, &mut chunk)?;
        let nonce = nonce(number, number + 1 == self.chunks);
        self.key.open_in_place(nonce, Aad::empty(), &mut chunk).map_err(|_| refused())?;
        chunk.truncate(length);
        Ok(chunk)
    }
}

/// The size of the content of a sealed file; `None` if no file of this size is sealed.
pub(super) fn content_size(sealed: u64) -> Option<u64> {
    let chunks = sealed.checked_sub(HEADER)?;
    let last = match chunks % STEP {
        0 => STEP,
        rest => rest,
    };
    (chunks > 0 && last >= TAG as u64).then(|| chunks - chunks.div_ceil(STEP) * TAG as u64)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sealed(state: &Path, content: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(Vec::new(), &StateKey::made(state).unwrap(), "held 7").unwrap();
        sealer.write_all(content).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(state: &Path, sealed: &[u8], context: &str) -> io::Result<Vec<u8>> {
        let path = state.join("sealed");
        std::fs::write(&path, sealed).unwrap();
        let file = Dir::open_sealed(&path, 1 << 20, &StateKey::open(state)?, context)?;
        let mut content = Vec::new();
        file.cursor().read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn content_of_every_size_comes_back() {
        let place = tempfile::tempdir().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77] {
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let sealed = sealed(place.path(), &content);
            assert_eq!(content_size(sealed.len() as u64), Some(size as u64));
            assert_eq!(opened(place.path(), &sealed, "held 7").unwrap(), content);
        }
        let mode = std::fs::metadata(place.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_sealed_file_has_the_size_and_the_digest_of_its_content() {
        let place = tempfile::tempdir().unwrap();
        let content = vec![b'x'; CHUNK + 9];
        let path = place.path().join("sealed");
        std::fs::write(&path, sealed(place.path(), &content)).unwrap();
        let key = StateKey::open(place.path()).unwrap();
        let file = Dir::open_sealed(&path, 1 << 20, &key, "held 7").unwrap();
        let (sha256, size) = file.digest().unwrap();
        assert_eq!((file.opened().size, file.now().unwrap().size, size), (CHUNK as u64 + 9, CHUNK as u64 + 9, size));
        assert!(file.is_still(&sha256).unwrap());
        let mut cursor = file.cursor();
        cursor.seek(SeekFrom::End(-3)).unwrap();
        let mut rest = Vec::new();
        cursor.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"xxx");
        Dir::open_sealed(&path, CHUNK as u64, &key, "held 7").unwrap_err();
    }

    #[test]
    fn a_changed_cut_or_moved_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let content = vec![b'x'; 2 * CHUNK + 100];
        let whole = sealed(place.path(), &content);
        assert!(!whole.windows(8).any(|part| part == b"xxxxxxxx"));
        opened(place.path(), &whole, "held 8").unwrap_err();
        for at in [3, 20, 60, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            opened(place.path(), &changed, "held 7").unwrap_err();
        }
        let first = (HEADER + STEP) as usize;
        for cut in [0, 16, HEADER as usize, first, first + STEP as usize, whole.len() - 1] {
            opened(place.path(), &whole[..cut], "held 7").unwrap_err();
        }
        let swapped = [&whole[..HEADER as usize], &whole[first..first + STEP as usize], &whole[HEADER as usize..first]];
        opened(place.path(), &[&swapped.concat(), &whole[first + STEP as usize..]].concat(), "held 7").unwrap_err();
        let other = tempfile::tempdir().unwrap();
        StateKey::made(other.path()).unwrap();
        opened(other.path(), &whole, "held 7").unwrap_err();
    }

    #[test]
    fn a_text_is_sealed_for_its_context() {
        let place = tempfile::tempdir().unwrap();
        let key = StateKey::made(place.path()).unwrap();
        let sealed = key.seal_text("Générique-2026", "mail 7").unwrap();
        assert!(sealed.is_ascii() && !sealed.contains("2026"));
        assert_ne!(sealed, key.seal_text("Générique-2026", "mail 7").unwrap());
        let key = StateKey::open(place.path()).unwrap();
        assert_eq!(key.open_text(&sealed, "mail 7").unwrap().expose_secret(), "Générique-2026");
        assert_eq!(key.open_text(&key.seal_text("", "m").unwrap(), "m").unwrap().expose_secret(), "");
        for (text, context) in [(&*sealed, "mail 8"), (&sealed[2..], "mail 7"), ("", "mail 7"), ("éé", "mail 7")] {
            key.open_text(text, context).unwrap_err();
        }
    }

    #[test]
    fn one_key_is_made_however_many_need_it() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        let made = |_| {
            let state = state.clone();
            std::thread::spawn(move || *StateKey::made(&state).unwrap().0.expose_secret())
        };
        let threads: Vec<_> = (0..8).map(made).collect();
        let keys: std::collections::BTreeSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(keys.len(), 1);
        assert_eq!(own::names(&state).unwrap(), [KEY]);
        std::fs::write(state.join(KEY), "short").unwrap();
        StateKey::made(&state).unwrap_err();
    }
}
