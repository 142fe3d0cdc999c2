//! Planner: files about the participants, groups and methods of courses, one module for each kind of file.
//! It must not know bytes, leases or other planners.

mod enrolments;
mod group_members;
mod groups;
mod methods;
mod participants;

use crate::change::context::RunContext;
use crate::config::{FileKind, Profile, Settings};
use crate::files::is_format;
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem};
use crate::staging::likeness;

pub use crate::staging::CourseFile;
pub use methods::Gone;

/// Applies a file; of a file of methods, gives those that end after the rules have run. The number of statements does
/// not depend on the number of its rows, except for the chunks of the load.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Option<Gone>> {
    match profile.kind {
        FileKind::CourseList | FileKind::CourseText => {
            participants::apply(ctx, settings, profile, file).await.map(|()| None)
        }
        FileKind::Methods | FileKind::CourseMethods => methods::apply(ctx, settings, profile, file).await.map(Some),
        FileKind::Groups | FileKind::Groupings => groups::apply(ctx, settings, profile, file).await.map(|()| None),
        FileKind::GroupMembers => group_members::apply(ctx, settings, profile, file).await.map(|()| None),
        FileKind::Enrolments => enrolments::apply(ctx, settings, profile, file).await.map(|()| None),
        // Read by other planners.
        kind @ (FileKind::FlatFile
        | FileKind::Users
        | FileKind::Cohorts
        | FileKind::CohortMembers
        | FileKind::Convert
        | FileKind::Renew) => Err(RunError::Rejected(Problem::new(0, Code::KindUnknown, kind.as_str(), ""))),
    }
}

/// Whether a text may be stored that Moodle shows on its pages as it is: it holds no markup, and no character that is
/// not seen.
fn is_seen(text: &str) -> bool {
    markup(text).next().is_none() && !has_unseen(text)
}

/// Whether something may be made under a name: it is seen, so that no two names look alike, and has lost nothing.
fn is_sound(name: &str) -> bool {
    is_seen(name) && !likeness::is_damaged(name)
}

/// Whether a text may be stored that Moodle shows as HTML and does not clean everywhere: its markup is only that of
/// paragraphs, lists and emphasis.
fn is_plain_html(text: &str) -> bool {
    let simple = |tag: &str| {
        let name = tag.strip_prefix('/').unwrap_or(tag).split('>').next().unwrap_or_default();
        SIMPLE.contains(&name.trim_end_matches('/').trim_end().to_ascii_lowercase().as_str()) && tag.contains('>')
    };
    let lost = |c: char| c == '\u{fffd}' || (c.is_control() && !"\n\r\t".contains(c));
    markup(text).all(simple) && !text.contains(lost)
}

/// The elements of a description.
const SIMPLE: [&str; 13] = ["p", "br", "b", "i", "u", "em", "strong", "ul", "ol", "li", "sub", "sup", "hr"];

/// What follows each `<` that a browser may read as the begin of markup.
fn markup(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)))
}

/// Whether a text holds a character that is not seen, or stands for a lost one; what chooses the look of the sign
/// before it is seen.
fn has_unseen(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let joins = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
        let part = joins && !before.is_ascii() && !is_format(before);
        let unseen = (is_format(c) && !part) || c.is_control() || matches!(c, '\u{fffd}' | '\u{2028}' | '\u{2029}');
        if !part {
            before = c;
        }
        unseen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_markup_and_nothing_unseen() {
        for name in [
            "<b>TD</b>",
            "TD <script src=x>",
            "</p>",
            "<!-- x -->",
            "<?php",
            "TD\u{200b} 1",
            "TD\u{202e}1",
            "T\u{ad}D",
            "TD\u{2028}1",
            "TD\u{200d}1",
            "TD\u{7}",
            "#N/A",
        ] {
            assert!(!is_sound(name), "{name:?}");
        }
        for name in [
            "Groupe < 18 ans",
            "A <-> B",
            "TD 1 > TD 2",
            "<3",
            "R&D",
            "\u{2764}\u{fe0f}",
            "\u{645}\u{6cc}\u{200c}\u{62e}",
        ] {
            assert!(is_sound(name), "{name:?}");
        }
    }

    #[test]
    fn a_description_has_simple_markup() {
        for text in ["mardi 8 h", "<p>mardi<br />8 h</p>", "<UL><li>a</li></ul>", "a\nb", "a < b", ""] {
            assert!(is_plain_html(text), "{text:?}");
        }
        for text in
            ["<script>", "<p onclick=x>", "<img src=x>", "<b", "<!-- x", "<p/onclick=x>", "a\u{1b}b", "\u{fffd}"]
        {
            assert!(!is_plain_html(text), "{text:?}");
        }
    }
}
