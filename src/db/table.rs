//! Describes a temporary table as a value, one `const` in the module that owns it: name, typed columns, keys. It must
//! not know what the rows mean, nor when a table is created: `scratch` does.

use super::dialect::Dialect;

/// A column of a temporary table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
    by_default: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Int,
    Small,
    Text(usize),
    Long,
}

/// A whole number of 64 bits.
pub const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int, nullable: false, by_default: false }
}

/// A whole number of 16 bits: flags and states.
pub const fn small(name: &'static str) -> Column {
    Column { name, kind: Kind::Small, nullable: false, by_default: false }
}

/// A text of at most `width` characters.
pub const fn text(name: &'static str, width: usize) -> Column {
    Column { name, kind: Kind::Text(width), nullable: false, by_default: false }
}

/// A text of any length.
pub const fn long_text(name: &'static str) -> Column {
    Column { name, kind: Kind::Long, nullable: false, by_default: false }
}

impl Column {
    /// The same column, which may be NULL.
    pub const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// The same column, with the default 0 or empty.
    pub const fn by_default(self) -> Self {
        Self { by_default: true, ..self }
    }

    fn definition(self, dialect: Dialect) -> String {
        let kind = match self.kind {
            Kind::Int => "BIGINT".to_owned(),
            Kind::Small => "SMALLINT".to_owned(),
            Kind::Text(width) => format!("VARCHAR({width})"),
            // MariaDB's TEXT has room for 65,535 bytes.
            Kind::Long if dialect == Dialect::Maria => "LONGTEXT".to_owned(),
            Kind::Long => "TEXT".to_owned(),
        };
        let default = match self.kind {
            _ if !self.by_default => "",
            Kind::Int | Kind::Small => " DEFAULT 0",
            Kind::Text(_) | Kind::Long => " DEFAULT ''",
        };
        format!("{} {kind}{default}{}", self.name, if self.nullable { "" } else { " NOT NULL" })
    }

    /// The type to which a select is cast. Texts have no width: a cast would cut long ones without an error.
    fn cast(self) -> &'static str {
        match self.kind {
            Kind::Int => "BIGINT",
            Kind::Small => "SMALLINT",
            Kind::Text(_) | Kind::Long => "TEXT",
        }
    }
}

/// On which databases a table has its indexes and its primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indexed {
    Everywhere,
    /// PostgreSQL joins by hashing and has only the primary key.
    NotOnPostgres,
    /// Whole sets are joined by the index: PostgreSQL hashes and has no primary key either.
    NoKeyOnPostgres,
    OnMaria,
}

/// A temporary table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name; `[name]` in a template.
    pub name: &'static str,
    columns: &'static [Column],
    primary: &'static str,
    indexes: &'static [&'static str],
    indexed: Indexed,
}

impl Table {
    /// A table without keys.
    pub const fn new(name: &'static str, columns: &'static [Column]) -> Self {
        Self { name, columns, primary: "", indexes: &[], indexed: Indexed::Everywhere }
    }

    /// With a primary key: column names separated by commas.
    pub const fn primary(self, columns: &'static str) -> Self {
        Self { primary: columns, ..self }
    }

    /// With an index for each of these lists of columns, by which other tables look it up.
    pub const fn indexed(self, indexes: &'static [&'static str]) -> Self {
        Self { indexes, ..self }
    }

    /// [`Table::indexed`] except on PostgreSQL, which joins by hashing.
    pub const fn indexed_not_on_postgres(self, indexes: &'static [&'static str]) -> Self {
        Self { indexes, indexed: Indexed::NotOnPostgres, ..self }
    }

    /// [`Table::indexed`] for joins of whole sets: PostgreSQL hashes and has no primary key either.
    pub const fn joined_by(self, indexes: &'static [&'static str]) -> Self {
        Self { indexes, indexed: Indexed::NoKeyOnPostgres, ..self }
    }

    /// [`Table::indexed`] on MariaDB only.
    pub const fn indexed_on_maria(self, indexes: &'static [&'static str]) -> Self {
        Self { indexes, indexed: Indexed::OnMaria, ..self }
    }

    /// The names of its columns in their order, separated by commas.
    pub fn columns(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    fn primary_on(&self, dialect: Dialect) -> Option<&'static str> {
        let spared = dialect == Dialect::Postgres && self.indexed == Indexed::NoKeyOnPostgres;
        (!self.primary.is_empty() && !spared).then_some(self.primary)
    }

    fn indexes_on(&self, dialect: Dialect) -> &'static [&'static str] {
        match (self.indexed, dialect) {
            (Indexed::Everywhere, _) | (Indexed::OnMaria, Dialect::Maria) => self.indexes,
            (Indexed::NotOnPostgres | Indexed::NoKeyOnPostgres, Dialect::Maria | Dialect::Lite) => self.indexes,
            _ => &[],
        }
    }

    /// The columns and keys as in CREATE TABLE.
    pub(super) fn definition(&self, dialect: Dialect) -> String {
        let columns = self.columns.iter().map(|column| column.definition(dialect));
        let primary = self.primary_on(dialect).map(|columns| format!("PRIMARY KEY ({columns})"));
        // Adding an index later would commit on MariaDB.
        let inside = if dialect == Dialect::Maria { self.indexes_on(dialect) } else { &[] };
        let keys = inside.iter().map(|columns| format!("KEY ({columns})"));
        columns.chain(primary).chain(keys).collect::<Vec<_>>().join(", ")
    }

    /// The statements that create it; the first one drops a table left by an earlier run.
    pub(super) fn makes(&self, dialect: Dialect) -> Vec<String> {
        let name = self.name;
        let drop = dialect.drop_temporary(name);
        let create = dialect.temporary(name, &self.definition(dialect));
        let indexes = self.indexes_on(dialect).iter().enumerate().filter_map(|(at, columns)| match dialect {
            Dialect::Postgres => Some(format!("CREATE INDEX ON {name} ({columns})")),
            Dialect::Lite => Some(format!("CREATE INDEX temp.{name}_key{at} ON {name} ({columns})")),
            Dialect::Maria => None,
        });
        [drop, create].into_iter().chain(indexes).collect()
    }

    /// The statement that creates the table on PostgreSQL from its first filling select; `None` if it has keys or
    /// defaults.
    pub(super) fn made_by(&self, select: &str) -> Option<String> {
        let keyed = self.primary_on(Dialect::Postgres).is_some() || !self.indexes_on(Dialect::Postgres).is_empty();
        if keyed || self.columns.iter().any(|column| column.by_default) {
            return None;
        }
        let (name, list) = (self.name, self.columns());
        let values = self.columns.iter().map(|c| format!("CAST(t.{} AS {}) AS {}", c.name, c.cast(), c.name));
        let values = values.collect::<Vec<_>>().join(", ");
        let drop = Dialect::Postgres.drop_temporary(name);
        Some(format!(
            "{drop}; CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {values} FROM ({select}) t ({list})"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Table = Table::new("pair", &[int("userid"), text("gkey", 255), small("op").or_null()]);

    #[test]
    fn keys_by_database() {
        let keyed = PAIR.primary("userid").joined_by(&["gkey, op"]);
        let columns = "userid BIGINT NOT NULL, gkey VARCHAR(255) NOT NULL, op SMALLINT";
        assert_eq!(keyed.definition(Dialect::Postgres), columns);
        assert_eq!(keyed.definition(Dialect::Maria), format!("{columns}, PRIMARY KEY (userid), KEY (gkey, op)"));
        assert_eq!(keyed.definition(Dialect::Lite), format!("{columns}, PRIMARY KEY (userid)"));
        assert_eq!(keyed.makes(Dialect::Lite)[2], "CREATE INDEX temp.pair_key0 ON pair (gkey, op)");
        let primary = PAIR.primary("userid").indexed_not_on_postgres(&["gkey"]);
        assert_eq!(primary.definition(Dialect::Postgres), format!("{columns}, PRIMARY KEY (userid)"));
        assert_eq!(primary.makes(Dialect::Postgres).len(), 2);
        assert_eq!(PAIR.indexed_on_maria(&["op"]).makes(Dialect::Lite).len(), 2);
        assert_eq!(PAIR.columns(), "userid, gkey, op");
    }

    #[test]
    fn the_first_filling_makes_a_table_without_keys() {
        let made = PAIR.made_by("SELECT 1, 'x', 2").unwrap();
        assert_eq!(
            made,
            "DROP TABLE IF EXISTS pg_temp.pair CASCADE; CREATE TEMPORARY TABLE pair ON COMMIT DROP AS SELECT \
             CAST(t.userid AS BIGINT) AS userid, CAST(t.gkey AS TEXT) AS gkey, CAST(t.op AS SMALLINT) AS op \
             FROM (SELECT 1, 'x', 2) t (userid, gkey, op)"
        );
        assert!(PAIR.primary("userid").made_by("SELECT 1, 'x', 2").is_none());
        assert!(PAIR.primary("userid").joined_by(&["op"]).made_by("SELECT 1, 'x', 2").is_some());
    }
}
