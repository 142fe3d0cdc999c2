//! A rule as a tree of typed conditions, read strictly from its JSON (spec availability 1 and 3).
//! It must not use the site: whether a field or a plugin exists is checked when the tree becomes SQL.

use serde_json::{Map, Value};

use super::condition::{self, Condition};
use super::refused::Refused;

/// The most conditions of one rule; not every database can parse a longer chain.
const MOST_CONDITIONS: usize = 300;

/// One operator with its children. What a failing user is shown (`show`, `showc`) is checked but not kept: rules that
/// differ in nothing else are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tree {
    /// Whether the operator begins with `!`.
    pub negated: bool,
    /// `&`: every child; else `|`: some child.
    pub every: bool,
    /// The operands; a tree without any holds for every user.
    pub children: Vec<Node>,
}

/// A child of a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A condition about a user.
    Condition(Condition),
    /// A nested tree.
    Tree(Tree),
}

/// Reads a rule; `None` is no restriction (`''` and `'0'`, spec availability 3; NULL counts as `''`).
///
/// # Errors
/// Anything that Moodle would not load, and conditions that enrold does not support.
pub fn read(text: &str) -> Result<Option<Tree>, Refused> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let json: Value = serde_json::from_str(text).map_err(|error| Refused::NotJson(error.to_string()))?;
    let at = "the rule";
    let object = json.as_object().ok_or_else(|| Refused::structure(at, "must be an object"))?;
    let tree = tree(object, at, "")?;
    shown(object, &tree, at)?;
    if conditions(&tree) > MOST_CONDITIONS {
        return Err(Refused::TooLarge(MOST_CONDITIONS));
    }
    Ok(Some(tree))
}

/// A member that is present; JSON's null counts as absent, as in PHP.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn tree(object: &Map<String, Value>, at: &str, number: &str) -> Result<Tree, Refused> {
    let op = member(object, "op").ok_or_else(|| Refused::structure(at, "has no op"))?;
    let (negated, every) = match op.as_str() {
        Some("&") => (false, true),
        Some("|") => (false, false),
        Some("!&") => (true, true),
        Some("!|") => (true, false),
        _ => return Err(Refused::structure(at, format!("op is {op}, not one of & | !& !|"))),
    };
    let list = member(object, "c").and_then(Value::as_array);
    let list = list.ok_or_else(|| Refused::structure(at, "has no list c of conditions"))?;
    let children = (1..).zip(list).map(|(place, child)| {
        let number = if number.is_empty() { format!("{place}") } else { format!("{number}.{place}") };
        node(child, &number)
    });
    Ok(Tree { negated, every, children: children.collect::<Result<_, _>>()? })
}

fn node(json: &Value, number: &str) -> Result<Node, Refused> {
    let at = format!("condition {number}");
    let object = json.as_object().ok_or_else(|| Refused::structure(&at, "must be an object"))?;
    match member(object, "type") {
        Some(kind) => Ok(Node::Condition(condition::read(kind, object, &at)?)),
        None => Ok(Node::Tree(tree(object, &at, number)?)),
    }
}

/// Checks what the root shows to users: one `show` for `|` and `!&`, one `showc` per child for `&` and `!|`.
fn shown(object: &Map<String, Value>, tree: &Tree, at: &str) -> Result<(), Refused> {
    if tree.every == tree.negated {
        let show = member(object, "show").ok_or_else(|| Refused::structure(at, "has no show"))?;
        return if show.is_boolean() { Ok(()) } else { Err(Refused::structure(at, "show must be true or false")) };
    }
    let list = member(object, "showc").ok_or_else(|| Refused::structure(at, "has no showc"))?;
    let list = list.as_array().ok_or_else(|| Refused::structure(at, "showc must be a list"))?;
    if list.len() != tree.children.len() {
        let what = format!("showc has {} entries for {} conditions", list.len(), tree.children.len());
        return Err(Refused::structure(at, what));
    }
    if list.iter().all(Value::is_boolean) {
        return Ok(());
    }
    Err(Refused::structure(at, "showc must hold true or false"))
}

fn conditions(tree: &Tree) -> usize {
    let of = |node: &Node| match node {
        Node::Condition(_) => 1,
        Node::Tree(tree) => 1 + conditions(tree),
    };
    tree.children.iter().map(of).sum()
}
