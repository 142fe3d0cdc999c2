//! The truth of a part while a rule becomes SQL: a constant, or a condition that is never NULL.
//! It must not interpret the conditions.

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Holds for every user.
    Always,
    /// Holds for no user.
    Never,
    /// Holds where this SQL does.
    When(String),
}

impl Truth {
    /// A truth that is a constant.
    pub fn known(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }

    /// The opposite.
    pub fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::When(sql) => Self::When(format!("NOT ({sql})")),
        }
    }

    /// The opposite if `not` is true.
    pub fn unless(self, not: bool) -> Self {
        if not { self.not() } else { self }
    }

    /// Every part holds; true without parts.
    pub fn every(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, "AND", Self::Always, Self::Never)
    }

    /// Some part holds; false without parts.
    pub fn some(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, "OR", Self::Never, Self::Always)
    }

    /// As SQL in parentheses.
    pub fn into_sql(self) -> String {
        match self {
            Self::Always => "(1 = 1)".to_owned(),
            Self::Never => "(1 = 0)".to_owned(),
            Self::When(sql) => format!("({sql})"),
        }
    }

    /// `empty` is the result without parts, and has no effect as a part; one part that is `decides` is the result.
    fn joined(parts: impl IntoIterator<Item = Self>, word: &str, empty: Self, decides: Self) -> Self {
        let parts: Vec<Self> = parts.into_iter().filter(|part| *part != empty).collect();
        if parts.contains(&decides) {
            return decides;
        }
        match <[Self; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) if parts.is_empty() => empty,
            Err(parts) => {
                let parts: Vec<String> = parts.into_iter().map(Self::into_sql).collect();
                Self::When(parts.join(&format!(" {word} ")))
            }
        }
    }
}
