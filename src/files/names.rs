//! The names of columns that flat files and full sets share, English and French, and how names are compared.
//! It must not know which columns a file needs.

use unicode_normalization::UnicodeNormalization;

use super::{is_blank, is_unseen};

/// The names of each column, the one for messages about flat files first. They are compared [`folded`], so that
/// `Opération`, `RÔLE` and `début` are among them. The English ones are from spec files 2.1.
pub const OPERATION: &[&str] = &["operation", "op", "cmd", "action"];
pub const USER: &[&str] = &["username", "user", "userid", "uid", "login", "identifiant", "utilisateur"];
pub const COURSE: &[&str] = &["course", "cid", "course_shortname", "shortname", "cours"];
pub const ROLE: &[&str] = &["role", "rolename"];
pub const TIME_START: &[&str] = &["timestart", "starttime", "start", "enrolstart", "debut"];
pub const TIME_END: &[&str] = &["timeend", "endtime", "end", "enrolend", "fin"];
/// No file shows what such a column holds, also not a file that no reader accepts.
pub const PASSWORD: &[&str] = &["password", "passwd", "pwd", "mot de passe", "mot_de_passe", "motdepasse", "mdp"];

/// What the [`bare`] name of a column contains that seems to hold passwords: `Mot de passe initial`, `password1`.
const OF_PASSWORDS: [&str; 5] = ["password", "passwd", "passwort", "motdepasse", "motpasse"];
/// What may follow `mdp` in such a name: other words begin like it.
const OF_MDP: [&str; 5] = ["", "initial", "provisoire", "temporaire", "moodle"];

/// Whether a [`bare`] name seems to be that of a column with passwords, also one that is misspelt by a letter: no
/// reader takes its cells as passwords, but no file shows them.
pub fn resembles_password(bare: &str) -> bool {
    let mdp = bare.strip_prefix("mdp").map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_digit()));
    OF_PASSWORDS.iter().any(|part| bare.contains(part))
        || mdp.is_some_and(|rest| OF_MDP.contains(&rest))
        || is_off_by_one(bare, "password")
}

/// Whether two words differ by one letter that is missing, added or another.
fn is_off_by_one(word: &str, known: &str) -> bool {
    let (word, known): (Vec<char>, Vec<char>) = (word.chars().collect(), known.chars().collect());
    if word.len().abs_diff(known.len()) > 1 {
        return false;
    }
    let same = word.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (shorter, longer) = if word.len() < known.len() { (&word, &known) } else { (&known, &word) };
    let rest = if shorter.len() == longer.len() { &shorter[(same + 1).min(shorter.len())..] } else { &shorter[same..] };
    rest == &longer[(same + 1).min(longer.len())..]
}

/// What a header with passwords has besides, each [`bare`].
pub const BESIDE_PASSWORD: &[&str] = &[
    "username",
    "identifiant",
    "login",
    "uid",
    "nomdutilisateur",
    "email",
    "mail",
    "courriel",
    "adressedecourriel",
    "firstname",
    "prenom",
    "lastname",
    "nom",
    "nomdefamille",
    "idnumber",
    "cohort1",
    "operation",
];

/// A name as it is compared: in lower case, without accents, composed or not, and without blanks around it.
pub fn folded(name: &str) -> String {
    letters(name).collect()
}

/// Whether two names are the same once they are [`folded`].
pub fn same(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

/// A name as names of passwords are compared: only its letters and digits, in lower case and without accents;
/// compatible characters, such as full-width letters, are the same.
pub fn bare(name: &str) -> String {
    if name.is_ascii() {
        let counted = name.bytes().filter(u8::is_ascii_alphanumeric);
        return counted.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    }
    let lower = name.nfkd().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase);
    lower.filter(|c| c.is_alphanumeric()).collect()
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    let lower = name.trim_matches(is_blank).chars().flat_map(char::to_lowercase);
    lower.filter(|c| !('\u{300}'..='\u{36f}').contains(c)).map(unaccented)
}

fn unaccented(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        other => other,
    }
}

/// Whether a name matches a pattern: `*` is any text, `?` any one character, everything else itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    match_letters(&letters(pattern), &letters(name))
}

/// [`matches`] for many names: both are given as their characters.
pub fn match_letters(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where to resume when a star has to match one character more.
    let mut star = None;
    while of < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[of] => (at, of) = (at + 1, of + 1),
            _ => {
                let Some((from, upto)) = star else { return false };
                star = Some((from, upto + 1));
                (at, of) = (from + 1, upto + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_blanks_are_the_same_name() {
        for (name, expected) in [
            ("Opération", "operation"),
            ("ope\u{301}ration", "operation"),
            ("\u{a0}RÔLE ", "role"),
            ("Début", "debut"),
            ("N° étudiant", "n° etudiant"),
            ("user\u{200b}name", "user\u{200b}name"),
        ] {
            assert_eq!(folded(name), expected);
            assert!(same(name, expected) && !same(name, "role2"));
        }
    }

    #[test]
    fn only_letters_and_digits_of_a_bare_name_count() {
        for name in [
            "mot\u{a0}de\u{a0}passe",
            "Mot  de passe :",
            "Mot-de-passe*",
            "mot de\npasse",
            "MÔT d\u{e9} passe\u{301}",
            "ｍｏｔ ｄｅ ｐａｓｓｅ",
            "mot de pas\u{ad}s\u{200b}e",
        ] {
            assert_eq!(bare(name), "motdepasse", "{name:?}");
        }
        assert_eq!((bare("Pass word 1"), bare("***")), ("password1".to_owned(), String::new()));
        assert!(BESIDE_PASSWORD.iter().all(|name| bare(name) == *name));
    }

    #[test]
    fn every_name_is_folded_and_is_one_columns() {
        let all = [OPERATION, USER, COURSE, ROLE, TIME_START, TIME_END, PASSWORD].concat();
        for name in &all {
            assert_eq!(&folded(name), name);
            assert_eq!(all.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn names_like_those_of_passwords_are_found() {
        for name in [
            "pasword",
            "passsword",
            "rassword",
            "Password1",
            "Passwords",
            "mdp1",
            "MDP provisoire",
            "Mot de passe initial",
            "motpasse",
            "Passwort",
            "password (initial)",
            "Mot_de_passe provisoire",
        ] {
            assert!(resembles_password(&bare(name)), "{name}");
        }
        // Words of French universities and of files.
        for name in ["PASS", "MDPH", "L1-PASS", "passage", "passeport", "word", "mdpa", "email", "", "world", "paword"]
        {
            assert!(!resembles_password(&bare(name)), "{name}");
        }
    }
}
