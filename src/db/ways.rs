//! Decides which form of a query is fast on which database, because the planners differ.
//! It must not know the queries; all forms give the same rows.

use super::dialect::Dialect;

impl Dialect {
    /// Whether the database joins whole sets by hashing. The others join row by row through indexes: for them a chain
    /// of joins (`:then`) is ordered so that each table is read once.
    pub fn joins_by_hash(self) -> bool {
        self == Self::Postgres
    }

    /// Whether one join compares two sets from both sides, in a statement that also writes the differences. The others
    /// have no fast join of this kind: they compare before they write.
    pub fn compares_from_both_sides(self) -> bool {
        self == Self::Postgres
    }

    /// Whether a row is always looked up by a unique key that is given whole, whatever the statistics.
    pub fn prefers_unique_keys(self) -> bool {
        self != Self::Postgres
    }

    /// Whether a role assignment is best looked up by its owning instance (`:by_item`) and not by its user
    /// (`:by_user`).
    pub fn finds_roles_by_item(self) -> bool {
        self != Self::Postgres
    }

    /// Whether a temporary view can replace a temporary table that is only read ([`super::Conn::temporary_view`]).
    pub fn has_temporary_views(self) -> bool {
        self == Self::Postgres
    }

    /// A [`Dialect::json_whole_row`] text of numbers only, with the numbers as strings and without its closing brace;
    /// `None` where this is not faster than building the text anew.
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
