//! Undoes what happens to a text on its way: character references of HTML, and bytes that were read in another
//! encoding. It must not decide what a text means, nor compare texts.

use std::sync::OnceLock;

use encoding_rs::{Encoding, ISO_8859_15, MACINTOSH, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252};

/// The upper half of code page 850.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
    ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// HTML's names of the characters from U+00A0 to U+00FF.
const LATIN_1: &str = "\
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 \
    sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc \
    Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve \
    Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute \
    acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde \
    ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// Further names that texts contain.
const OTHERS: [(&str, char); 22] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
    ("euro", '€'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("hellip", '…'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

/// An encoding of one byte for each character, by its upper half.
struct Page([char; 128]);

impl Page {
    /// The byte of a character. Characters from U+0080 to U+009F stand for the byte of their number: that is how a
    /// reader of Latin-1 leaves them.
    fn byte(&self, c: char) -> Option<u8> {
        if c.is_ascii() {
            return Some(c as u8);
        }
        let at = self.0.iter().position(|other| *other == c);
        let number = at.map(|at| at + 0x80).or_else(|| ('\u{80}'..='\u{9f}').contains(&c).then_some(c as usize))?;
        u8::try_from(number).ok()
    }

    /// The bytes of a text; `None` if it has another character.
    fn bytes(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.byte(c)).collect()
    }

    fn text(&self, bytes: &[u8]) -> String {
        let read = |byte: &u8| self.0.get(usize::from(*byte).wrapping_sub(0x80)).copied();
        bytes.iter().map(|byte| read(byte).unwrap_or(char::from(*byte))).collect()
    }
}

/// The first ones are those of Western Europe: each is read in place of the others. Behind them, words of other
/// languages look like bytes of UTF-8.
const WESTERN: usize = 4;

/// Windows-1252, ISO-8859-15, Mac Roman and code page 850; then Windows-1250 and Windows-1251.
fn pages() -> &'static [Page; 6] {
    static PAGES: OnceLock<[Page; 6]> = OnceLock::new();
    PAGES.get_or_init(|| {
        let upper: Vec<u8> = (0x80..=0xff).collect();
        let of = |text: &str| {
            let mut page = ['\u{fffd}'; 128];
            page.iter_mut().zip(text.chars()).for_each(|(place, c)| *place = c);
            Page(page)
        };
        let read = |encoding: &'static Encoding| of(&encoding.decode_without_bom_handling(&upper).0);
        let [windows, latin, mac, central, cyrillic] =
            [WINDOWS_1252, ISO_8859_15, MACINTOSH, WINDOWS_1250, WINDOWS_1251].map(read);
        [windows, latin, mac, of(CP850), central, cyrillic]
    })
}

/// What a text may have been before its bytes were read in the wrong encoding once: in UTF-8, or in one of the pages.
pub fn reread(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.is_ascii() {
        return found;
    }
    for (from, page) in pages().iter().enumerate() {
        let Some(bytes) = page.bytes(text) else { continue };
        let others = pages()[..WESTERN].iter().enumerate().filter(|(to, _)| *to != from);
        found.extend(others.filter(|_| from < WESTERN).map(|(_, page)| page.text(&bytes)));
        found.extend(String::from_utf8(bytes));
    }
    found.retain(|other| other != text);
    found
}

/// Whether a text shows bytes of UTF-8 that were read as another encoding: `Ã©`, `â€™`, `√©`, `├®`.
pub fn is_mojibake(text: &str) -> bool {
    // Texts show letters of Europe and marks of typography in this way; other sequences are chance.
    let usual = |c: char| matches!(c, '\u{a0}'..='\u{17f}' | '\u{2010}'..='\u{2122}');
    let chars: Vec<char> = text.chars().collect();
    let shows = |page: &Page, at: usize, long: usize| {
        let part = chars.get(at..at + long)?;
        let bytes: Vec<u8> = part.iter().map(|c| page.byte(*c)).collect::<Option<_>>()?;
        let read = std::str::from_utf8(&bytes).ok()?;
        read.chars().next().filter(|c| usual(*c) && c.len_utf8() == long)
    };
    let places = (0..chars.len()).filter(|at| !chars[*at].is_ascii());
    places
        .into_iter()
        .any(|at| pages()[..WESTERN].iter().any(|page| [2, 3].iter().any(|long| shows(page, at, *long).is_some())))
}

/// The text with its character references replaced: `&eacute;`, `&eacute`, `&#233;`, `&#xE9;`. Unknown ones stay.
pub fn without_references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (c, length) = reference(&rest[at + 1..]).unwrap_or(('&', 0));
        out.push(c);
        rest = &rest[at + 1 + length..];
    }
    out.push_str(rest);
    out
}

/// Whether a text has a character reference, known or not.
pub fn has_reference(text: &str) -> bool {
    text.split('&').skip(1).any(|rest| {
        let name = rest.split(';').next().unwrap_or_default();
        name.len() < rest.len() && name.len() > 1 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
    })
}

/// The character of the reference at the beginning of a text, behind the `&`, and the length of the reference.
fn reference(rest: &str) -> Option<(char, usize)> {
    let number = |digits: &str, radix: u32| {
        let long = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let c = char::from_u32(u32::from_str_radix(&digits[..long], radix).ok()?)?;
        Some((c, long))
    };
    let ended = |length: usize| length + usize::from(rest[length..].starts_with(';'));
    if let Some(hexadecimal) = rest.strip_prefix("#x").or_else(|| rest.strip_prefix("#X")) {
        return number(hexadecimal, 16).map(|(c, long)| (c, ended(2 + long)));
    }
    if let Some(decimal) = rest.strip_prefix('#') {
        return number(decimal, 10).map(|(c, long)| (c, ended(1 + long)));
    }
    let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    // Without its semicolon a name may run into the text behind it: the longest known one counts.
    let found = (2..=run.min(8)).rev().find_map(|long| Some((named(&rest[..long])?, long)));
    found.map(|(c, long)| (c, ended(long)))
}

fn named(name: &str) -> Option<char> {
    let latin = LATIN_1.split(' ').position(|other| other == name);
    let latin = latin.and_then(|at| char::from_u32(0xa0 + at as u32));
    latin.or_else(|| OTHERS.iter().find(|(other, _)| *other == name).map(|(_, c)| *c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_again() {
        for (wrong, right) in [
            ("MÃ©decine", "Médecine"),
            ("MÃ‰DECINE", "MÉDECINE"),
            ("M\u{c3}\u{89}DECINE", "MÉDECINE"),
            ("MÃšre", "Mère"),
            ("MŽdecine", "Médecine"),
            ("M‚decine", "Médecine"),
            ("M√©decine", "Médecine"),
            ("MĂ©decine", "Médecine"),
            ("MГ©decine", "Médecine"),
            ("M├®decine", "Médecine"),
            ("lâ€™eau", "l’eau"),
            ("½uvre", "œuvre"),
        ] {
            assert!(reread(wrong).contains(&right.to_owned()), "{wrong}: {:?}", reread(wrong));
        }
        assert!(reread("Medecine").is_empty());
        assert!(reread("学生").is_empty(), "no page has it");
    }

    #[test]
    fn a_page_of_128_characters_is_whole() {
        assert_eq!(CP850.chars().count(), 128);
        assert_eq!(
            (pages()[3].byte('é'), pages()[3].byte('■'), pages()[2].byte('é')),
            (Some(0x82), Some(0xfe), Some(0x8e))
        );
        assert_eq!(LATIN_1.split(' ').count(), 96);
        assert_eq!((named("eacute"), named("yuml"), named("nbsp")), (Some('é'), Some('ÿ'), Some('\u{a0}')));
    }

    #[test]
    fn mojibake_is_seen_and_names_are_not() {
        for text in ["MÃ©decine", "lâ€™eau", "M├®decine", "M√©decine", "Ã‰cole", "x Â» y"] {
            assert!(is_mojibake(text), "{text}");
        }
        for text in
            ["Médecine", "L’École", "«Été»", "MÜLLER", "Łódź", "Ñandú", "12 €", "São Paulo", "学生", "Ελλάδα", "Ça"]
        {
            assert!(!is_mojibake(text), "{text}");
        }
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("M&eacute;decine", "Médecine"),
            ("M&eacutedecine", "Médecine"),
            ("M&#233;decine", "Médecine"),
            ("M&#xE9;decine", "Médecine"),
            ("R&amp;D", "R&D"),
            ("R&D", "R&D"),
            ("O&apos;Hara", "O'Hara"),
            ("a&", "a&"),
            ("&#99999999;", "&#99999999;"),
            ("&nothing;é", "¬hing;é"),
            ("&é;", "&é;"),
        ] {
            assert_eq!(without_references(text), expected);
        }
        assert_eq!((has_reference("&xyz;"), has_reference("R&D; x"), has_reference("&#233;")), (true, false, true));
    }
}
