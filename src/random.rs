//! Random numbers from the system, for keys, salts and passwords.
//! It must not know what they are for.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes.
///
/// # Errors
/// The system gives none.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let none = |_| io::Error::other("the system gives no random numbers");
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}

/// A random number below `limit`, each with the same probability; `limit` is from 1 to 256.
///
/// # Errors
/// As [`bytes`].
pub fn below(limit: usize) -> io::Result<usize> {
    // Bytes above the last whole multiple of the limit would favour small numbers.
    let fair = 256 - 256 % limit;
    loop {
        let [byte] = bytes()?;
        if usize::from(byte) < fair {
            return Ok(usize::from(byte) % limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_limit_comes() {
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[below(7).unwrap()] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(below(1).unwrap(), 0);
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
    }
}
