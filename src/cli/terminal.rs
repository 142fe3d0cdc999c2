//! What is known of the terminal: whether there is one, its width, whether it is to show colours.
//! It must not print anything.

use std::ffi::OsStr;
use std::io::{IsTerminal, stderr, stdout};

use crate::config::Locale;
use crate::report::width::WIDTH;

/// The meaning of a line, which has a colour on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// It failed: red.
    Error,
    /// It must be looked at: yellow.
    Warning,
    /// It waits for a decision: bold.
    Held,
}

/// True if standard output is a terminal.
pub fn is_output() -> bool {
    stdout().is_terminal()
}

/// The width that lines must fit; `None` where standard output is no terminal, because a program that reads lines wants
/// them whole.
pub fn width() -> Option<usize> {
    is_output().then_some(WIDTH)
}

/// The width for what is indented by two blanks.
pub fn width_within() -> Option<usize> {
    width().map(|width| width - 2)
}

/// The text in the colour of its tone, if standard output shows colours.
pub fn painted(text: &str, tone: Tone) -> String {
    paint(text, tone, shows_colours(is_output()))
}

/// The text of a failure, in its colour if standard error shows colours.
pub fn painted_error(text: &str) -> String {
    paint(text, Tone::Error, shows_colours(stderr().is_terminal()))
}

/// True if a stream shows colours: on a terminal, unless NO_COLOR is set (no-color.org) or the terminal has none.
pub fn shows_colours(is_terminal: bool) -> bool {
    let variable = |name: &str| std::env::var_os(name);
    is_terminal && may_colour(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

fn may_colour(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

fn paint(text: &str, tone: Tone, colours: bool) -> String {
    let code = match tone {
        Tone::Error => "31",
        Tone::Warning => "33",
        Tone::Held => "1",
        Tone::Plain => return text.to_owned(),
    };
    if colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The language of the operator's environment: the first of LC_ALL, LC_MESSAGES and LANG that is set and not empty
/// names it, as in locale(7). `None` if they ask for none of the languages that reports have.
pub fn language() -> Option<Locale> {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).and_then(|value| of_name(&value))
}

/// The language of a locale's name: `fr`, `fr_CA.UTF-8`, `fr@euro`.
fn of_name(name: &str) -> Option<Locale> {
    let language = name.split(['_', '.', '@']).next().unwrap_or_default();
    language.eq_ignore_ascii_case("fr").then_some(Locale::Fr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_a_meaning_and_only_where_they_show() {
        assert_eq!(paint("no", Tone::Error, true), "\x1b[31mno\x1b[0m");
        assert_eq!(paint("look", Tone::Warning, true), "\x1b[33mlook\x1b[0m");
        assert_eq!(paint("held", Tone::Held, true), "\x1b[1mheld\x1b[0m");
        for (text, tone, colours) in [("no", Tone::Error, false), ("so", Tone::Plain, true), ("", Tone::Held, true)] {
            assert_eq!(paint(text, tone, colours), text);
        }
    }

    #[test]
    fn no_color_and_a_dumb_terminal_have_none() {
        let os = OsStr::new;
        assert!(may_colour(None, Some(os("xterm"))) && may_colour(Some(os("")), None));
        assert!(!may_colour(Some(os("1")), Some(os("xterm"))) && !may_colour(None, Some(os("dumb"))));
    }

    #[test]
    fn french_is_asked_for_by_the_name_of_a_locale() {
        for name in ["fr", "fr_FR.UTF-8", "fr_CA", "fr@euro", "FR_fr"] {
            assert_eq!(of_name(name), Some(Locale::Fr), "{name}");
        }
        for name in ["C", "POSIX", "en_GB.UTF-8", "frr_DE", "fy_NL", "de_DE"] {
            assert_eq!(of_name(name), None, "{name}");
        }
    }
}
