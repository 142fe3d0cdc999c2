//! Which keys are like which: values as they are after damage by spreadsheets, encodings and editors, and what was
//! lost. It must not name anybody by it: what is like a key is spared, and never enrolled.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::files::is_format;
use crate::staging::recode;
use crate::staging::resolve::KEY_WIDTH;

/// The most texts that a value may stand for.
const MOST: usize = 64;
/// The most characters of a value that are compared; every key is shorter.
const LONGEST: usize = 1_000;
/// The digits of a number that a spreadsheet keeps.
const PRECISION: usize = 15;

/// A key without all that damage adds, takes or changes: in one Unicode form and case, without characters that are not
/// seen, blanks, quotes, marks of formulas, leading zeros and a fraction of zeros.
pub fn fold(key: &str) -> String {
    let plain: String = key.chars().filter(|c| is_kept(*c)).nfkc().filter(|c| is_kept(*c)).collect();
    let upper = plain.chars().flat_map(char::to_uppercase);
    let folded: String = upper.flat_map(char::to_lowercase).map(hyphen).collect();
    let body = folded.trim_start_matches(['=', '+', '@']);
    let body = without_fraction(body);
    let digits = body.trim_start_matches('0');
    // Of a number of zeros one stays.
    let body = if digits.is_empty() && !body.is_empty() { "0" } else { digits };
    body.to_owned()
}

/// The folded texts that a value may stand for: as it is, and after undoing references and wrong encodings, twice at
/// most. Grows with the length of the value, for values of ASCII only a little.
pub fn forms(value: &str) -> Vec<String> {
    let mut forms: Vec<String> = origins(value).iter().map(|text| fold(text)).filter(|form| !form.is_empty()).collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// A value as it is, and after undoing references and wrong encodings.
fn origins(value: &str) -> Vec<String> {
    let mut texts: Vec<String> = vec![value.chars().take(LONGEST).collect()];
    let mut next = 0;
    for _ in 0..2 {
        for at in std::mem::replace(&mut next, texts.len())..texts.len() {
            let mut found = recode::reread(&texts[at]);
            found.push(recode::without_references(&texts[at]));
            found.extend(ungrouped(&texts[at]));
            for text in found {
                if texts.len() < MOST && !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
    }
    texts
}

/// A number without the marks between its thousands: `22,612,003`, `22.612.003,00`.
fn ungrouped(value: &str) -> Option<String> {
    let value: String = value.chars().filter(|c| is_kept(*c)).collect();
    let mark = value.chars().find(|c| matches!(c, ',' | '.'))?;
    let (whole, fraction) = match value.rsplit_once([',', '.']) {
        Some((whole, fraction)) if fraction.len() != 3 => (whole, fraction),
        _ => (value.as_str(), ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(mark);
    let begins = groups.next().is_some_and(|group| (1..=3).contains(&group.len()) && digits(group));
    let grouped = begins && groups.all(|group| group.len() == 3 && digits(group));
    (grouped && fraction.bytes().all(|byte| byte == b'0')).then(|| whole.split(mark).collect())
}

/// What a value may have been, as keys are written: without unseen characters, quotes and marks of formulas, in small
/// letters, capitals or both, with and without leading zeros, after undoing references and wrong encodings. The value
/// itself is not among them.
pub fn variants(value: &str) -> Vec<String> {
    let mut variants: Vec<String> = Vec::new();
    for text in origins(value) {
        let seen: String = text.chars().filter(|c| !c.is_control() && !is_format(*c)).collect();
        let plain: String = seen.nfkc().map(|c| if c.is_whitespace() { ' ' } else { hyphen(c) }).collect();
        let marks = |c: char| c == ' ' || c == '=' || c == '+' || c == '@' || !is_kept(c);
        let bare = without_fraction(plain.trim_matches(marks)).to_owned();
        let straight: String = bare.chars().map(|c| if is_kept(c) || c == ' ' { c } else { '\'' }).collect();
        let close: String = bare.chars().filter(|c| is_kept(*c)).collect();
        let digits = bare.trim_start_matches('0').to_owned();
        let padded = [format!("0{bare}"), format!("00{bare}")];
        let number = bare.bytes().all(|byte| byte.is_ascii_digit());
        let padded = padded.into_iter().filter(|_| number);
        for variant in [seen.nfc().collect(), plain, bare, straight, close, digits].into_iter().chain(padded) {
            variants.extend([variant.to_lowercase(), variant.to_uppercase(), capitalised(&variant), variant]);
        }
    }
    let fits = |text: &String| !text.is_empty() && text != value && text.chars().count() <= KEY_WIDTH;
    variants.retain(fits);
    variants.sort_unstable();
    variants.dedup();
    variants
}

/// Each word with a capital and small letters.
fn capitalised(text: &str) -> String {
    let mut inside = false;
    let letter = |c: char| {
        let first = !std::mem::replace(&mut inside, c.is_alphanumeric());
        if first { c.to_uppercase().collect::<String>() } else { c.to_lowercase().collect() }
    };
    text.chars().map(letter).collect()
}

/// Whether a value has lost something: characters that stand for lost ones, bytes in a wrong encoding, the digits of a
/// number; or has more than any key can have.
pub fn is_damaged(value: &str) -> bool {
    let value = value.trim();
    value.contains('\u{fffd}')
        || value.chars().count() > KEY_WIDTH
        || value.chars().any(char::is_control)
        || is_error(value)
        || has_lost_letters(value)
        || recode::is_mojibake(value)
        || recode::has_reference(&recode::without_references(value))
        || is_scientific(value)
        || has_lost_digits(value)
}

/// Whether a value is a number with empty decimals or a date, as a spreadsheet writes a number or a name: `7001,00`,
/// `1 234.0`, `12/03/2026`. Without its marks it would be another number.
pub fn is_reformatted(value: &str) -> bool {
    let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = value.split('/').all(digits) && (2..=3).contains(&value.split('/').count());
    let is_number = value.rsplit_once(['.', ',']).is_some_and(|(whole, fraction)| {
        digits(&whole.replace(['.', ','], "")) && digits(fraction) && fraction.bytes().all(|byte| byte == b'0')
    });
    is_date || is_number
}

/// What a spreadsheet shows in place of a value: `#####`, `#N/A`, `#REF!`, `#NOM?`, `Err:502`.
fn is_error(value: &str) -> bool {
    if let Some(number) = value.strip_prefix("Err:") {
        return number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    }
    let Some(name) = value.strip_prefix('#') else { return false };
    let marked = name.strip_suffix(['!', '?']).or(Some(name).filter(|name| *name == "N/A"));
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'/' | b'0'))
    };
    marked.is_some_and(is_name) || (value.len() > 2 && value.bytes().all(|byte| byte == b'#'))
}

/// A question mark beside a letter: what databases and mail programs put for a character that they cannot write.
fn has_lost_letters(value: &str) -> bool {
    let chars: Vec<char> = value.chars().collect();
    chars.windows(2).any(|pair| match pair {
        ['?' | '¿', c] | [c, '?' | '¿'] => c.is_alphabetic(),
        _ => false,
    })
}

/// A number that a spreadsheet shows by its power of ten: `2.2612E+07`, `2,26E+07`, `1E+15`.
fn is_scientific(value: &str) -> bool {
    let plain: String = value.nfkc().filter(|c| is_kept(*c)).collect();
    let Some((number, power)) = plain.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.trim_start_matches(['=', '+', '-']);
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let (signed, power) = match power.strip_prefix(['+', '-']) {
        Some(power) => (true, power),
        None => (false, power),
    };
    // 2E07 may be the code of a course.
    // One digit, or up to three in the notation of engineers.
    let short = whole.len() == 1 || (whole.len() <= 3 && !fraction.is_empty());
    digits(whole) && short && digits(power) && (digits(fraction) || (signed && fraction.is_empty()))
}

/// A number of more digits than a spreadsheet keeps, all further ones zeros.
fn has_lost_digits(value: &str) -> bool {
    let is_number = value.len() > PRECISION && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number && value.bytes().skip(PRECISION).all(|byte| byte == b'0')
}

/// Without `.0` or `,00` behind a number.
fn without_fraction(text: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(['.', ',']) {
        Some((whole, fraction)) if digits(whole) && digits(fraction) && fraction.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

fn is_kept(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control() && !matches!(c, ' ' | '\'' | '"' | '`');
    }
    !(c.is_control() || c.is_whitespace() || is_format(c) || is_quote(c))
}

/// Quotes, apostrophes and accents that stand for them.
fn is_quote(c: char) -> bool {
    matches!(
        c,
        '´' | '«'
            | '»'
            | '\u{2b9}'..='\u{2bd}'
            | '\u{2c8}'
            | '\u{2ca}'
            | '\u{2cb}'
            | '\u{2ee}'
            | '\u{2018}'..='\u{201f}'
            | '\u{2032}'..='\u{2037}'
            | '\u{2039}'
            | '\u{203a}'
            | '\u{275b}'..='\u{275e}'
            | '\u{300c}'..='\u{300f}'
            | '\u{301d}'..='\u{301f}'
            | '\u{a78b}'
            | '\u{a78c}'
            | '\u{ff02}'
            | '\u{ff07}'
            | '\u{ff40}'
    )
}

/// One hyphen for all of them: editors write others.
fn hyphen(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    }
}

/// Names that nothing has, of which those that are like an existing one are looked for: nothing is made of such a name,
/// because it would take over those who belong to another. A name is one of its scope, such as a course.
#[derive(Debug, Default)]
pub struct NewNames {
    by_form: BTreeMap<(i64, String), Vec<String>>,
    alike: BTreeSet<(i64, String)>,
    damaged: BTreeSet<(i64, String)>,
}

impl NewNames {
    /// Adds a name that nothing has.
    pub fn add(&mut self, scope: i64, name: &str) {
        forms(name).into_iter().for_each(|form| self.by_form.entry((scope, form)).or_default().push(name.to_owned()));
        if is_damaged(name) {
            self.damaged.insert((scope, name.to_owned()));
        }
    }

    /// Compares an existing name.
    pub fn existing(&mut self, scope: i64, name: &str) {
        let alike = self.by_form.remove(&(scope, fold(name))).into_iter().flatten();
        self.alike.extend(alike.map(|name| (scope, name)));
    }

    /// Those like an existing one.
    pub fn alike(self) -> BTreeSet<(i64, String)> {
        self.alike
    }

    /// Those like an existing one, and the damaged ones.
    pub fn suspect(mut self) -> BTreeSet<(i64, String)> {
        self.alike.append(&mut self.damaged);
        self.alike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(value: &str, key: &str) -> bool {
        forms(value).contains(&fold(key))
    }

    #[test]
    fn what_is_damaged_is_like_what_it_was() {
        for (value, key) in [
            ("médecine-p2", "Médecine-P2"),
            ("\u{a0}Médecine-P2\u{202f}", "Médecine-P2"),
            ("Médecine-P2\u{200b}", "Médecine-P2"),
            ("Méd\u{ad}ecine-P2", "Médecine-P2"),
            ("Me\u{301}decine-P2", "Médecine-P2"),
            ("MÃ©decine-P2", "Médecine-P2"),
            ("MÃƒÂ©decine-P2", "Médecine-P2"),
            ("M&eacute;decine-P2", "Médecine-P2"),
            ("M&amp;eacute;decine-P2", "Médecine-P2"),
            ("MŽdecine-P2", "Médecine-P2"),
            ("M‚decine-P2", "Médecine-P2"),
            ("Médecine\u{2011}P2", "Médecine-P2"),
            ("Straße", "STRASSE"),
            ("022612003", "22612003"),
            ("22612003", "0022612003"),
            ("22612003.0", "22612003"),
            ("22612003,00", "22612003"),
            ("'22612003", "22612003"),
            ("=\"22612003\"", "22612003"),
            ("+22612003", "22612003"),
            ("２２６１２００３", "22612003"),
            ("22 612 003", "22612003"),
            ("22,612,003", "22612003"),
            (" 22.612.003,00", "22612003"),
            ("22’612’003", "22612003"),
            ("22,612", "22612"),
            ("O\u{2019}Hara", "o'hara"),
            ("O´Hara", "o'hara"),
            ("226\u{1}12003", "22612003"),
            ("0", "000"),
        ] {
            assert!(alike(value, key), "{value:?} {key:?}: {:?} {:?}", forms(value), fold(key));
        }
        for (value, key) in [
            ("22612003", "22612004"),
            ("Medecine", "Médecine"),
            ("v1.0", "v1"),
            ("10", "1"),
            ("1.5", "1"),
            ("1,22", "122"),
        ] {
            assert!(!alike(value, key), "{value:?} {key:?}");
        }
        assert!(forms("\u{200b} ''").is_empty());
        assert_eq!(forms("e1"), ["e1"]);
    }

    #[test]
    fn variants_are_written_as_keys_are() {
        for (value, key) in [
            ("022612003", "22612003"),
            ("22612003", "022612003"),
            ("22612003.0", "22612003"),
            ("=\"22612003\"", "22612003"),
            ("JDoe\u{200b}", "jdoe"),
            ("jdoe ", "jdoe"),
            ("m&uuml;ller", "müller"),
            ("MÃ©decine P2", "Médecine P2"),
            ("o\u{2019}hara", "o'hara"),
            ("l1-math-101", "L1-MATH-101"),
            ("MÉDECINE-P2", "Médecine-P2"),
        ] {
            assert!(variants(value).contains(&key.to_owned()), "{value}: {:?}", variants(value));
        }
        assert_eq!(variants("nobody"), ["NOBODY", "Nobody"]);
        assert!(variants("é".repeat(400).as_str()).iter().all(|variant| variant.chars().count() <= KEY_WIDTH));
    }

    #[test]
    fn what_has_lost_something_is_seen() {
        for value in [
            "M\u{fffd}decine",
            "226\u{1}12",
            "2.2612E+07",
            "2,26E+07",
            "1E+15",
            "2.26e7",
            "22.6E+06",
            "#####",
            "#N/A",
            "#REF!",
            "#DIV/0!",
            "#NOM?",
            "Err:502",
            "1234567890123450000",
            "MÃ©decine",
            "M?decine",
            "D¿PARTEMENT",
            "M&xyzzy;decine",
        ] {
            assert!(is_damaged(value), "{value}");
        }
        for value in [
            "Médecine-P2",
            "2E07",
            "E12",
            "22612003",
            "123456789012345",
            "1234567890123456",
            "R&D",
            "a1@example.org",
            "#1",
            "#RH",
            "#promo!",
            "Err:5",
            "22E06",
            "Quoi ?",
            "C++",
            "2026-E",
            "",
            "\u{a0}x",
        ] {
            assert!(!is_damaged(value), "{value}");
        }
    }

    #[test]
    fn numbers_and_dates_of_spreadsheets_are_known() {
        for value in ["7001,00", "22612003.0", "1 234,0", "1.234,00", "12/03/2026", "3/26", "7\u{a0}001,00"] {
            assert!(is_reformatted(value), "{value}");
        }
        for value in
            ["7001", "22612003", "p.martin", "martin.0a", "1.5", "7001,05", "a/b", ".0", "", "l.p0", "2026-03-12"]
        {
            assert!(!is_reformatted(value), "{value}");
        }
    }
}
