//! The courses that texts of the target column mean: globs of short names, and paths of categories; a file that means
//! too much costs no more than one that means enough. It must not know what is done in the courses.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::RunContext;
use crate::config::CourseKey;
use crate::coursefiles::methods::MOST_COURSES;
use crate::coursefiles::methods::facts::{Course, Facts, Unresolved};
use crate::db::statement;
use crate::disk::blocking;
use crate::files::names::match_letters;
use crate::moodle::category;
use crate::outcome::RunResult;
use crate::problem::Code;
use crate::staging::resolve::{KEY_WIDTH, fits};

/// The most different patterns of a file.
const MOST_PATTERNS: usize = 1_000;

const ALL_COURSES: &str = statement(include_str!("methods.sql"), "all courses");

/// Whether a text that is no key of a course may mean several.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '/'])
}

/// Finds the courses that each pattern means, in two statements.
///
/// # Errors
/// The database's error.
pub async fn expand(
    ctx: &mut RunContext<'_>,
    patterns: &[&str],
    (key, facts): (CourseKey, &mut Facts),
) -> RunResult<()> {
    let mut known: Vec<(i64, Course, i64)> = Vec::new();
    ctx.conn
        .each(ALL_COURSES, &ctx.params(), |row| {
            let course = Course { contextid: row.int(1), shortname: row.text(2), fullname: row.text(3) };
            known.push((row.int(0), course, row.int(4)));
            Ok(())
        })
        .await?;
    let categories = match patterns.iter().any(|text| text.contains('/')) {
        true => category::all(ctx.conn).await?,
        false => Vec::new(),
    };
    let paths = categories.iter().map(|category| (category.id, plain(&category.path))).collect();
    let all =
        Courses::of(known.iter().map(|(id, course, category)| (*id, course.shortname.as_str(), *category)), paths);
    let found = blocking(|| meant(&all, patterns, key.as_str()));
    let named: BTreeSet<i64> = found.iter().flatten().flatten().copied().collect();
    facts.courses.extend(known.into_iter().filter(|(id, ..)| named.contains(id)).map(|(id, course, _)| (id, course)));
    for (text, outcome) in patterns.iter().zip(found) {
        facts.patterns.insert((*text).to_owned());
        facts.targets.insert((*text).to_owned(), outcome);
    }
    Ok(())
}

/// The courses of a site, in the order of their names.
struct Courses {
    names: Vec<(Vec<char>, i64)>,
    /// Positions in `names`, by category.
    of_category: BTreeMap<i64, Vec<usize>>,
    /// The categories with their [`plain`] paths.
    paths: Vec<(i64, String)>,
}

impl Courses {
    fn of<'a>(courses: impl Iterator<Item = (i64, &'a str, i64)>, paths: Vec<(i64, String)>) -> Self {
        let mut all: Vec<(Vec<char>, i64, i64)> =
            courses.map(|(id, name, category)| (name.chars().collect(), id, category)).collect();
        all.sort_unstable();
        let mut of_category: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (at, (.., category)) in all.iter().enumerate() {
            of_category.entry(*category).or_default().push(at);
        }
        Self { names: all.into_iter().map(|(name, id, _)| (name, id)).collect(), of_category, paths }
    }

    /// The courses of a glob, at most `most`; only names that begin as it does are compared.
    fn by_name(&self, glob: &str, most: usize) -> Vec<i64> {
        let letters: Vec<char> = glob.chars().collect();
        let fixed: Vec<char> = letters.iter().copied().take_while(|letter| !['*', '?'].contains(letter)).collect();
        let from = self.names.partition_point(|(name, _)| *name < fixed);
        let begun = self.names[from..].iter().take_while(|(name, _)| name.starts_with(&fixed));
        begun.filter(|(name, _)| match_letters(&letters, name)).map(|(_, id)| *id).take(most).collect()
    }

    /// Those of a category and of the ones below it, at most `most`.
    fn by_path(&self, path: &str, most: usize) -> Vec<i64> {
        let path = plain(path);
        let below = format!("{path}/");
        let within = self.paths.iter().filter(|(_, known)| *known == path || known.starts_with(&below));
        let mut at: Vec<usize> =
            within.filter_map(|(id, _)| self.of_category.get(id)).flatten().copied().take(most).collect();
        at.sort_unstable();
        at.into_iter().map(|at| self.names[at].1).collect()
    }
}

/// What each pattern means. What lies over a limit, and all after it, means nothing.
fn meant(courses: &Courses, patterns: &[&str], key: &str) -> Vec<Result<Vec<i64>, Unresolved>> {
    let mut left = MOST_COURSES;
    let mut full = false;
    let mut one = |(at, text): (usize, &&str)| {
        if fits(text).is_err() {
            return Err((Code::ValueTooLong, format!("course {KEY_WIDTH}")));
        }
        if at >= MOST_PATTERNS {
            return Err((Code::TooManyPatterns, MOST_PATTERNS.to_string()));
        }
        let ids = match text.contains(['*', '?']) {
            _ if full => Vec::new(),
            true => courses.by_name(text, left + 1),
            false => courses.by_path(text, left + 1),
        };
        full |= ids.len() > left;
        if full {
            return Err((Code::TooManyCourses, MOST_COURSES.to_string()));
        }
        left -= ids.len();
        if ids.is_empty() { Err((Code::CourseUnknown, key.to_owned())) } else { Ok(ids) }
    };
    patterns.iter().enumerate().map(&mut one).collect()
}

/// A path without blanks around its names, and without a slash at its ends.
fn plain(path: &str) -> String {
    path.split('/').map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(courses: &Courses, patterns: &[String]) -> Vec<Result<usize, Code>> {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let meant = meant(courses, &patterns, "shortname");
        meant.into_iter().map(|one| one.map(|ids| ids.len()).map_err(|(code, _)| code)).collect()
    }

    #[test]
    fn globs_and_paths_in_the_order_of_names() {
        let names = [(1, "L1-b", 5), (2, "L1-a", 6), (3, "L2", 5), (4, "l1-c", 7), (5, "Él", 7)];
        let paths = [(5, "S"), (6, "S/A"), (7, "SA")].map(|(id, path)| (id, path.to_owned())).to_vec();
        let courses = Courses::of(names.into_iter(), paths);
        let expected: [(&str, &[i64]); 8] = [
            ("L1-*", &[2, 1]),
            ("L?", &[3]),
            ("*", &[2, 1, 3, 4, 5]),
            ("?l", &[5]),
            ("*-?", &[2, 1, 4]),
            ("S/", &[2, 1, 3]),
            ("/ S / A", &[2]),
            ("L", &[]),
        ];
        for (pattern, ids) in expected {
            let found = if pattern.contains('/') { courses.by_path(pattern, 9) } else { courses.by_name(pattern, 9) };
            assert_eq!(found, ids, "{pattern}");
        }
    }

    #[test]
    fn a_file_that_means_too_much_is_cut_off() {
        let names: Vec<String> = (0..1_000).map(|n| format!("c{n:03}")).collect();
        let courses = Courses::of(names.iter().zip(1..).map(|(name, id)| (id, name.as_str(), 1)), Vec::new());
        // 200 of these are the limit; the next one is over it, and so is all that follows.
        let stars: Vec<String> = (1..=202).map(|n| "*".repeat(n)).chain(["c00?".to_owned()]).collect();
        let outcomes = told(&courses, &stars);
        assert!(outcomes[..200].iter().all(|one| *one == Ok(1_000)));
        assert!(outcomes[200..].iter().all(|one| *one == Err(Code::TooManyCourses)));
        let many: Vec<String> = (0..1_002).map(|n| format!("c{n}*")).collect();
        let outcomes = told(&courses, &many);
        assert_eq!((outcomes[0], outcomes[999]), (Ok(100), Ok(1)));
        assert_eq!(outcomes[1_000..], [Err(Code::TooManyPatterns); 2]);
        assert_eq!(told(&courses, &["*".repeat(300)]), [Err(Code::ValueTooLong)]);
    }
}
