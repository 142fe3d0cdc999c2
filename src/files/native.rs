//! The separator of a line, determined line by line: in Moodle's native form (spec flatfile 3.3), and in a list.
//! It must not know fields: it only finds separators outside quotes.

use super::Delimiter;
use super::cells::past_quotes;

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Comma if the line holds one outside quotes, else semicolon, else tab, else none.
pub(super) fn separator(line: &str) -> Option<Delimiter> {
    if !line.contains(['"', '\'']) {
        return Delimiter::ALL.into_iter().find(|delimiter| line.contains(delimiter.as_char()));
    }
    let mut found: Option<Delimiter> = None;
    let mut rest = line;
    loop {
        rest = past_quotes(rest, &SEPARATORS).unwrap_or(rest);
        let Some(at) = rest.find(SEPARATORS) else {
            return found;
        };
        let here = Delimiter::ALL.into_iter().find(|delimiter| rest[at..].starts_with(delimiter.as_char()));
        found = match (found, here) {
            (_, Some(Delimiter::Comma)) => return here,
            (Some(Delimiter::Semicolon), _) => found,
            (_, here) => here,
        };
        rest = &rest[at + 1..];
    }
}

/// The first separator after the first cell, which may be quoted.
pub(super) fn first_separator(line: &str) -> Option<Delimiter> {
    let rest = if line.trim_start().starts_with('"') { past_quotes(line, &SEPARATORS).unwrap_or(line) } else { line };
    let at = rest.find(SEPARATORS)?;
    Delimiter::ALL.into_iter().find(|delimiter| rest[at..].starts_with(delimiter.as_char()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comma_wins_then_semicolon_then_tab_outside_quotes() {
        let table = [
            ("add,student,u,c", Some(Delimiter::Comma)),
            ("add;student;u;c", Some(Delimiter::Semicolon)),
            ("add\tstudent\tu\tc", Some(Delimiter::Tab)),
            ("add;student;u,1;c", Some(Delimiter::Comma)),
            ("add;student;\"u,1\";c", Some(Delimiter::Semicolon)),
            ("'add';'student';'u,1';c", Some(Delimiter::Semicolon)),
            ("add\tstudent\t\"u;1\"\tc", Some(Delimiter::Tab)),
            ("add\tstudent\tO'Brien\tc;d", Some(Delimiter::Semicolon)),
            ("add;student;'t Hooft,x;c", Some(Delimiter::Comma)),
            ("nothing here", None),
            ("\"a,b\"", None),
        ];
        for (line, expected) in table {
            assert_eq!(separator(line), expected, "{line}");
        }
    }

    #[test]
    fn in_a_list_the_first_separator_counts() {
        for (line, expected) in [
            ("55000901;TD 1, mardi", Some(Delimiter::Semicolon)),
            ("55000901,A;B", Some(Delimiter::Comma)),
            ("\"a,b\"\tc", Some(Delimiter::Tab)),
            ("'t Hooft,x", Some(Delimiter::Comma)),
            ("55000901", None),
        ] {
            assert_eq!(first_separator(line), expected, "{line}");
        }
    }
}
