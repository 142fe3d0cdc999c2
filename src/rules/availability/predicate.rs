//! A tree as one SQL condition over a user `u` (a row of `user`) and a course `v` (`courseid`, `contextid`).
//! It must not run the SQL, nor choose the users and courses.

use crate::db::{Dialect, Params};

use super::facts::Facts;
use super::leaf;
use super::refused::Refused;
use super::tree::{Node, Tree};
use super::truth::Truth;

/// The prefix of the parameters that hold its texts.
const TEXT: &str = "rule_text_";

/// The condition of one rule, which is true or false for every user but the guest, never NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// A template, in parentheses; its texts are parameters.
    pub sql: String,
    /// Whether it uses `v`, so that its result depends on the course.
    pub by_course: bool,
    texts: Vec<(String, String)>,
}

impl Predicate {
    /// The condition of a tree on this site at `now` (Unix seconds); without a tree every user passes.
    ///
    /// # Errors
    /// A field or condition of the tree that the site does not have, or has disabled.
    pub fn of(tree: Option<&Tree>, facts: &Facts, dialect: Dialect, now: i64) -> Result<Self, Refused> {
        let mut compiler = Compiler { facts, dialect, now, by_course: false, texts: Vec::new() };
        let truth = tree.map_or(Ok(Truth::Always), |tree| compiler.tree(tree, false))?;
        Ok(Self { sql: truth.into_sql(), by_course: compiler.by_course, texts: compiler.texts })
    }

    /// Adds the condition as `:rule`, with its texts.
    pub fn bind(&self, params: Params) -> Params {
        let params = params.fragment("rule", self.sql.clone());
        self.texts.iter().fold(params, |params, (name, text)| params.with(name.clone(), text.as_str()))
    }

    /// The condition and its texts for a statement with several rules: `number` makes its parameter names unique.
    pub fn beside_others(&self, number: usize, params: Params) -> (String, Params) {
        let own = |name: &str| format!("rule_{number}_{}", name.trim_start_matches(TEXT));
        let sql = self.sql.replace(&format!(":{TEXT}"), &format!(":{}", own("")));
        let params = self.texts.iter().fold(params, |params, (name, text)| params.with(own(name), text.as_str()));
        (sql, params)
    }

    /// Bytes of the condition and its texts.
    pub fn size(&self) -> usize {
        self.sql.len() + self.texts.iter().map(|(_, text)| text.len()).sum::<usize>()
    }
}

/// Compiles a tree into SQL.
pub(super) struct Compiler<'a> {
    pub facts: &'a Facts,
    pub dialect: Dialect,
    pub now: i64,
    pub by_course: bool,
    texts: Vec<(String, String)>,
}

impl Compiler<'_> {
    /// The name of a parameter that holds this text: texts are never part of the SQL.
    pub fn bound(&mut self, text: &str) -> String {
        let known = self.texts.iter().find(|(_, known)| known == text).map(|(name, _)| format!(":{name}"));
        known.unwrap_or_else(|| {
            let name = format!("{TEXT}{}", self.texts.len() + 1);
            self.texts.push((name.clone(), text.to_owned()));
            format!(":{name}")
        })
    }

    /// NOT is pushed down to the conditions, some of which ignore it; an empty tree holds even under NOT (spec
    /// availability 2).
    fn tree(&mut self, tree: &Tree, not: bool) -> Result<Truth, Refused> {
        let inner = tree.negated != not;
        if tree.children.is_empty() {
            return Ok(Truth::Always);
        }
        let children = tree.children.iter().map(|child| match child {
            Node::Tree(tree) => self.tree(tree, inner),
            Node::Condition(condition) => leaf::truth(self, condition, inner),
        });
        let parts = children.collect::<Result<Vec<_>, _>>()?;
        Ok(if tree.every != inner { Truth::every(parts) } else { Truth::some(parts) })
    }
}
