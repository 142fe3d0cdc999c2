//! The whole sentence of a problem: its place, what is wrong, and what to do about it.
//! It must not know where a problem is found.

use crate::config::Locale;
use crate::problem::{Code, Problem};
use crate::report::visible;

impl Code {
    /// The sentence of the code: what is wrong, and what to do about it.
    /// `value` and `hint` are those of the code (see each code).
    pub fn message(self, locale: Locale, value: &str, hint: &str) -> String {
        match locale {
            Locale::En => self.english(value, hint),
            Locale::Fr => self.french(value, hint),
        }
    }
}

impl Problem {
    /// The whole sentence, with its line: `line 7: no account matches ...`, `night-2.csv, line 7: …`.
    pub fn text(&self, locale: Locale) -> String {
        let message = self.code.message(locale, &visible(&self.value), &visible(&self.hint));
        let place = match (self.line, locale) {
            (0, _) => String::new(),
            (line, Locale::En) => format!("line {line}"),
            (line, Locale::Fr) => format!("ligne {line}"),
        };
        let both = [visible(&self.file).into_owned(), place]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        match locale {
            _ if both.is_empty() => message,
            Locale::En => format!("{both}: {message}"),
            Locale::Fr => format!("{both} : {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::problem::hint;

    #[test]
    fn every_code_has_its_own_name_and_is_found_by_it() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for &code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("no-such-code"), None);
    }

    #[test]
    fn every_code_speaks_both_languages_and_says_what_was_found() {
        let mut seen = HashSet::new();
        for &code in Code::ALL {
            for locale in [Locale::En, Locale::Fr] {
                let message = code.message(locale, "VALUE", "HINT");
                assert!(message.contains("VALUE"), "{code}: {message}");
                assert!(message.contains([';', ':', '?']), "{code} says what to do: {message}");
                assert!(seen.insert(message), "{code}: the same sentence twice");
                assert!(!code.message(locale, "", "").is_empty());
            }
        }
    }

    #[test]
    fn the_hints_that_choose_a_sentence_are_never_shown() {
        let special = [
            (Code::EncodingInvalid, hint::LINE),
            (Code::RowRagged, hint::QUOTE),
            (Code::RowRagged, hint::SEVERAL_RECORDS),
            (Code::BadTime, "day-number 2027-06-30"),
            (Code::BadTime, "year 2027"),
            (Code::BadTime, "year-month 2027-06"),
            (Code::BadTime, "compact-date 2027-06-30"),
            (Code::BadTime, hint::SMALL_NUMBER),
            (Code::ValueUnusable, hint::SECTION),
            (Code::ValueUnusable, "section 8"),
            (Code::ColumnUnknown, hint::NOT_APPLIED),
            (Code::ColumnUnknown, hint::SEVERAL_RECORDS),
        ];
        for (code, hint) in special {
            let (en, fr) = (code.message(Locale::En, "9", hint), code.message(Locale::Fr, "9", hint));
            assert_ne!(en, fr);
            assert_ne!(en, code.message(Locale::En, "9", "6"));
            assert!(!en.contains("several-records") && !en.contains("not-applied"), "{en}");
            for text in [&en, &fr] {
                assert!(!text.contains("day-number") && !text.contains("-date ") && !text.contains("small-"), "{text}");
            }
        }
    }

    #[test]
    fn a_key_that_may_be_meant_is_named() {
        let told = |code: Code, locale| code.message(locale, "0e42", &hint::with_keys("username", &["e42", "e42b"]));
        for code in [Code::UserUnknown, Code::CourseUnknown] {
            assert!(told(code, Locale::En).contains("matches username=0e42; did you mean e42, e42b?"), "{code}");
            assert!(told(code, Locale::Fr).contains("s'agit-il de e42, e42b ?"), "{code}");
        }
    }

    #[test]
    fn a_problem_names_its_line() {
        let problem = Problem::new(7, Code::UserUnknown, "e42", "username");
        assert!(problem.text(Locale::En).starts_with("line 7: no account matches username=e42"));
        assert!(
            problem.text(Locale::Fr).starts_with("ligne 7 : valeur d'identification d'utilisateur non valide (e42)")
        );
        let elsewhere = problem.clone().in_file("night-2.csv");
        assert!(elsewhere.text(Locale::En).starts_with("night-2.csv, line 7: no account"));
        assert!(elsewhere.text(Locale::Fr).starts_with("night-2.csv, ligne 7 : valeur"));
        let whole = Problem { line: 0, ..problem };
        assert!(whole.text(Locale::En).starts_with("no account"));
        assert!(whole.in_file("a.csv").text(Locale::En).starts_with("a.csv: no account"));
    }

    #[test]
    fn locale_is_written_en_or_fr() {
        assert_eq!(serde_json::to_string(&Locale::Fr).ok().as_deref(), Some("\"fr\""));
        assert_eq!(serde_json::from_str::<Locale>("\"en\"").ok(), Some(Locale::En));
    }
}
