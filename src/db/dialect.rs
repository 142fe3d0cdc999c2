//! Names the three database engines.
//! It must not know how to reach one of them.

/// A database engine that enrold works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Postgres,
    /// MariaDB, and MySQL.
    Maria,
    /// SQLite, the embedded default.
    Lite,
}
