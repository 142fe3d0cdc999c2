//! Which way to go where the databases' planners differ: each question says what a caller wants to do.
//! It must not know what is asked for; the ways give the same rows.

use super::dialect::Dialect;

impl Dialect {
    /// Whether whole sets are joined by hashing. The others go from row to row by indexes: for them a chain of joins
    /// (`:then`) is laid out so that each table is read once.
    pub fn joins_by_hash(self) -> bool {
        self == Self::Postgres
    }

    /// Whether two sets are compared by one join from both sides, in a statement that also writes down what differs.
    /// The others have no such join that is fast; they compare before they write.
    pub fn compares_from_both_sides(self) -> bool {
        self == Self::Postgres
    }

    /// Whether a row is always looked up by a unique key that is given whole, whatever the statistics say.
    pub fn prefers_unique_keys(self) -> bool {
        self != Self::Postgres
    }

    /// Whether a role is best found among those of the instance that owns it (`:by_item`), and not among those of its
    /// user (`:by_user`).
    pub fn finds_roles_by_item(self) -> bool {
        self != Self::Postgres
    }

    /// Whether a view may stand for a temporary table that is only read ([`super::Conn::temporary_view`]).
    pub fn has_temporary_views(self) -> bool {
        self == Self::Postgres
    }

    /// The object text of [`Dialect::json_whole_row`], all of whose values are numbers, with texts in their stead and
    /// without its last brace; `None` where it is not faster than to build it anew.
    pub fn numbers_as_texts(self, row: &str) -> Option<String> {
        (self == Self::Postgres)
            .then(|| format!(r#"replace(replace(replace({row}, ',"', '","'), '":', '":"'), '}}', '"')"#))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_texts() {
        let texts = Dialect::Postgres.numbers_as_texts("c.oldrow");
        assert_eq!(
            texts.as_deref(),
            Some(r#"replace(replace(replace(c.oldrow, ',"', '","'), '":', '":"'), '}', '"')"#)
        );
        assert_eq!(Dialect::Maria.numbers_as_texts("c.oldrow"), None);
    }
}
