//! The text of a mail with placeholders: `{name}` for a value, `{count:one|many}` for a word that follows a number.
//! It must not know which mails there are or where a text comes from.
//!
//! Paragraphs are separated by blank lines; one with a value that is empty is left out. `{{` and `}}` are braces.

use std::collections::BTreeMap;

use crate::config::Locale;
use crate::mail::plain;
use crate::report::visible;

/// The value of a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A name, a number, an address.
    Word(String),
    /// Lines, each an item of a list.
    List(Vec<String>),
}

/// The values of a mail, by the name of their placeholder.
pub(super) type Values = BTreeMap<&'static str, Value>;

/// What is wrong with a text, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub line: usize,
    pub what: String,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(String),
    Plural(String, String, String),
}

/// A text that was read.
#[derive(Clone, Debug)]
pub(super) struct Template {
    paragraphs: Vec<Vec<Piece>>,
}

impl Template {
    /// Reads a text whose first line has the number `first`, with the names that `known` accepts.
    pub(super) fn read(text: &str, first: usize, known: impl Fn(&str) -> Result<(), String>) -> Result<Self, Flaw> {
        let mut paragraphs = Vec::new();
        let mut lines: Vec<&str> = Vec::new();
        let mut began = first;
        for (number, line) in (first..).zip(text.lines().chain([""])) {
            if !line.trim().is_empty() {
                if lines.is_empty() {
                    began = number;
                }
                lines.push(line.trim_end());
                continue;
            }
            if !lines.is_empty() {
                let mut pieces = Vec::new();
                for (at, line) in lines.drain(..).enumerate() {
                    if at > 0 {
                        pieces.push(Piece::Text("\n".to_owned()));
                    }
                    let read = pieces_of(line, &mut pieces, &known);
                    read.map_err(|what| Flaw { line: began + at, what })?;
                }
                paragraphs.push(pieces);
            }
        }
        Ok(Self { paragraphs })
    }

    /// The names of its placeholders.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.paragraphs.iter().flatten().filter_map(|piece| match piece {
            Piece::Value(name) | Piece::Plural(name, ..) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The first of its paragraphs that has more than one of these placeholders, with two of them. It would be left out
    /// whenever one of them is empty.
    pub(super) fn paragraph_of_several<'a>(&'a self, among: &[&str]) -> Option<(&'a str, &'a str)> {
        self.paragraphs.iter().find_map(|pieces| {
            let mut names = pieces.iter().filter_map(|piece| match piece {
                Piece::Value(name) if among.contains(&name.as_str()) => Some(name.as_str()),
                _ => None,
            });
            names.next().zip(names.next())
        })
    }

    /// The text in one line; empty values are empty there.
    pub(super) fn line(&self, values: &Values, locale: Locale) -> String {
        let all = self.paragraphs.iter().flatten();
        all.map(|piece| piece.filled(values, locale, &Form::Text).unwrap_or_default()).collect()
    }

    /// The plain text.
    pub(super) fn text(&self, values: &Values, locale: Locale) -> String {
        self.filled(values, locale, &Form::Text).join("\n\n")
    }

    /// The text as HTML; values are escaped.
    pub(super) fn html(&self, values: &Values, locale: Locale) -> String {
        let told = self.filled(values, locale, &Form::Html);
        told.iter().map(|paragraph| format!("<div>{paragraph}</div>\n<br>\n")).collect()
    }

    fn filled(&self, values: &Values, locale: Locale, form: &Form) -> Vec<String> {
        let whole = |pieces: &Vec<Piece>| pieces.iter().map(|piece| piece.filled(values, locale, form)).collect();
        self.paragraphs.iter().filter_map(whole).collect()
    }
}

enum Form {
    Text,
    Html,
}

impl Piece {
    /// `None` if its value is empty.
    fn filled(&self, values: &Values, locale: Locale, form: &Form) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Value(name) => match (values.get(name.as_str())?, form) {
                (Value::Word(word), _) if word.is_empty() => None,
                (Value::Word(word), Form::Text) => Some(visible(word).into_owned()),
                (Value::Word(word), Form::Html) => Some(plain::escaped(&visible(word))),
                (Value::List(lines), _) if lines.is_empty() => None,
                (Value::List(lines), Form::Text) => {
                    let items: Vec<String> = lines.iter().map(|line| format!("  * {}", visible(line))).collect();
                    Some(items.join("\n"))
                }
                (Value::List(lines), Form::Html) => {
                    let item = |line: &String| format!("<li>{}</li>\n", plain::escaped(&visible(line)));
                    Some(format!("<ul>\n{}</ul>", lines.iter().map(item).collect::<String>()))
                }
            },
            Self::Plural(name, one, many) => {
                let Some(Value::Word(number)) = values.get(name.as_str()) else { return Some(many.clone()) };
                let number: i64 = number.parse().unwrap_or(2);
                Some(if is_one(number, locale) { one.clone() } else { many.clone() })
            }
        }
    }
}

/// Whether a number takes the singular: in French 0 does too.
pub(super) fn is_one(number: i64, locale: Locale) -> bool {
    match locale {
        Locale::En => number == 1,
        Locale::Fr => (0..2).contains(&number),
    }
}

fn pieces_of(line: &str, pieces: &mut Vec<Piece>, known: &impl Fn(&str) -> Result<(), String>) -> Result<(), String> {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let closed = if brace == "{" { rest.split_once('}') } else { None };
        let Some((inside, after)) = closed else {
            return Err(format!("a brace {brace} that is not part of a placeholder; write it twice"));
        };
        rest = after;
        let (name, words) = inside.split_once(':').map_or((inside, None), |(name, words)| (name, Some(words)));
        known(name)?;
        pieces.push(Piece::Text(std::mem::take(&mut text)));
        pieces.push(match words {
            None => Piece::Value(name.to_owned()),
            Some(words) => {
                let (one, many) = words.split_once('|').ok_or_else(|| {
                    format!("{{{inside}}} is not complete: two words with | between them, such as {{{name}:day|days}}")
                })?;
                Piece::Plural(name.to_owned(), one.to_owned(), many.to_owned())
            }
        });
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Template, Flaw> {
        Template::read(text, 1, |name| if name == "no" { Err("unknown".to_owned()) } else { Ok(()) })
    }

    fn values(pairs: &[(&'static str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| (*name, Value::Word((*value).to_owned()))).collect()
    }

    #[test]
    fn paragraphs_with_an_empty_value_are_left_out() {
        let template = read("Hello {name},\n\n\nThe course: {link}\n\n{{braces}}\nstay\n").unwrap();
        let given = values(&[("name", "Zoé <b>"), ("link", "")]);
        assert_eq!(template.text(&given, Locale::En), "Hello Zoé <b>,\n\n{braces}\nstay");
        assert!(template.html(&given, Locale::En).starts_with("<div>Hello Zoé &lt;b&gt;,</div>"));
    }

    #[test]
    fn words_follow_numbers_in_each_language() {
        let template = read("{n} {n:jour|jours}").unwrap();
        for (number, english, french) in
            [("0", "0 jours", "0 jour"), ("1", "1 jour", "1 jour"), ("2", "2 jours", "2 jours")]
        {
            let given = values(&[("n", number)]);
            assert_eq!(template.text(&given, Locale::En), english);
            assert_eq!(template.text(&given, Locale::Fr), french);
        }
    }

    #[test]
    fn lists_are_lines_or_items() {
        let template = read("{list}").unwrap();
        let list = Value::List(vec!["a & b".to_owned(), "c\nd".to_owned()]);
        let given = Values::from([("list", list)]);
        assert_eq!(template.text(&given, Locale::En), "  * a & b\n  * c\u{fffd}d");
        assert!(template.html(&given, Locale::En).contains("<ul>\n<li>a &amp; b</li>\n<li>c\u{fffd}d</li>\n</ul>"));
    }

    #[test]
    fn flaws_have_their_line() {
        for (text, line, what) in [
            ("a\n\nb {no}", 3, "unknown"),
            ("a\nb {n:one}", 2, "two words"),
            ("{open", 1, "write it twice"),
            ("a }", 1, "write it twice"),
        ] {
            let flaw = read(text).unwrap_err();
            assert!(flaw.line == line && flaw.what.contains(what), "{flaw:?}");
        }
    }
}
