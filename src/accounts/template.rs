//! Templates of values: `%u`, `%f` and `%l` become the user name, the first and the last name, in another case or cut
//! (spec files 4.1). It must not know which column a value is for.

/// The names that a template may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// `%u`
    pub username: &'a str,
    /// `%f`
    pub firstname: &'a str,
    /// `%l`
    pub lastname: &'a str,
}

/// A template with the names in their places: after `%` one of `+` (capitals), `-` (small letters) and `~` (initial
/// capitals), and up to two digits for the length, may stand before the letter. What is behind `%%` stays as it is.
pub fn expanded(template: &str, names: Names<'_>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(behind) = after.strip_prefix('%') {
            out.push_str("%%");
            // The letter behind is no place either.
            let plain = behind.find('%').unwrap_or(behind.len());
            out.push_str(&behind[..plain]);
            rest = &behind[plain..];
            continue;
        }
        match place(after, names) {
            Some((value, behind)) => {
                out.push_str(&value);
                rest = behind;
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

/// The value of the place behind a `%`, and what follows it.
fn place<'a>(text: &'a str, names: Names<'_>) -> Option<(String, &'a str)> {
    let case = text.chars().next().filter(|c| "+-~".contains(*c));
    let inside = &text[case.map_or(0, char::len_utf8)..];
    let digits = inside.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (length, behind) = inside.split_at(digits);
    let name = match behind.chars().next()? {
        'u' => names.username,
        'f' => names.firstname,
        'l' => names.lastname,
        _ => return None,
    };
    let cased = match case {
        Some('+') => name.to_uppercase(),
        Some('-') => name.to_lowercase(),
        Some(_) => titled(name),
        None => name.to_owned(),
    };
    let length = length.parse().unwrap_or(usize::MAX);
    Some((cased.chars().take(length).collect(), &behind[1..]))
}

/// Every word with an initial capital.
fn titled(name: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        inside = c.is_alphanumeric() || c == '\'' || c == '’';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_length_and_doubled_signs() {
        let names = Names { username: "zoe", firstname: "Élodie", lastname: "DUPOND-Test" };
        for (template, expected) in [
            ("%-1f%-l", "édupond-test"),
            ("%u@example.org", "zoe@example.org"),
            ("%+l", "DUPOND-TEST"),
            ("%~l", "Dupond-Test"),
            ("%1f.%12l", "É.DUPOND-Test"),
            ("%3l", "DUP"),
            ("%%u-%2f", "%%u-Él"),
            ("100 % %x %", "100 % %x %"),
            ("plain", "plain"),
        ] {
            assert_eq!(expanded(template, names), expected, "{template}");
        }
    }
}
