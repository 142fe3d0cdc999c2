//! Profile fields: which field, and how its value compares with a text, byte by byte (spec availability 4).
//! It must not handle other conditions.

use super::facts::{CustomField, TEXT_AREA};
use super::predicate::Compiler;
use super::refused::Refused;
use super::truth::Truth;

/// Which field of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// A column of `user`.
    Standard(String),
    /// A custom field, by its short name.
    Custom(String),
}

/// How a value compares. No trimming, no folding of case or accents, no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// The same bytes.
    IsEqualTo(String),
    /// The value contains the text; every value contains the empty text.
    Contains(String),
    /// The value does not contain the text; an empty value (also `0`) contains nothing.
    DoesNotContain(String),
    /// The value begins with the text; every value begins with the empty text.
    StartsWith(String),
    /// The value ends with the text; only the empty value ends with the empty text.
    EndsWith(String),
    /// The value is empty, or `0`: an unticked box.
    IsEmpty,
    /// The opposite.
    IsNotEmpty,
}

impl Test {
    /// Whether a value passes that is known before the SQL runs.
    pub fn passes(&self, value: &str) -> bool {
        match self {
            Self::IsEqualTo(text) => value == text,
            Self::Contains(text) => value.contains(text.as_str()),
            Self::DoesNotContain(text) => is_empty(value) || !value.contains(text.as_str()),
            Self::StartsWith(text) => value.starts_with(text.as_str()),
            Self::EndsWith(text) if text.is_empty() => value.is_empty(),
            Self::EndsWith(text) => value.ends_with(text.as_str()),
            Self::IsEmpty => is_empty(value),
            Self::IsNotEmpty => !is_empty(value),
        }
    }
}

fn is_empty(value: &str) -> bool {
    matches!(value, "" | "0")
}

/// The truth of a profile condition about the user `u`.
///
/// # Errors
/// A field that the site does not have.
pub(super) fn truth(compiler: &mut Compiler<'_>, field: &Field, test: &Test) -> Result<Truth, Refused> {
    match field {
        Field::Standard(name) => {
            let value = compiler.facts.standard_field(name, compiler.dialect);
            let value = value.ok_or_else(|| Refused::StandardField(name.clone()))?;
            Ok(tested(compiler, &value, test))
        }
        Field::Custom(name) => {
            let field = custom(compiler, name)?;
            Ok(of_custom(compiler, &field, test))
        }
    }
}

fn custom(compiler: &Compiler<'_>, name: &str) -> Result<CustomField, Refused> {
    let refuse = |why| Refused::CustomField { name: name.to_owned(), why };
    let fields = compiler.facts.custom.get(name).map_or(&[][..], Vec::as_slice);
    match fields {
        [] => Err(refuse("does not exist")),
        [field] if field.datatype == TEXT_AREA => Err(refuse("is a text area, which rules cannot test")),
        [field] => Ok(field.clone()),
        _ => Err(refuse("exists more than once")),
    }
}

/// If the default passes, the user must have no row that fails; else the user must have a row that passes.
fn of_custom(compiler: &mut Compiler<'_>, field: &CustomField, test: &Test) -> Truth {
    let by_default = test.passes(field.default.as_deref().unwrap_or_default());
    let sought = tested(compiler, "COALESCE(d.data, '')", test).unless(by_default).into_sql();
    let row = format!(
        "EXISTS (SELECT 1 FROM {{user_info_data}} d WHERE d.userid = u.id AND d.fieldid = {} AND {sought})",
        field.id
    );
    Truth::When(row).unless(by_default)
}

/// The test of a value in SQL, which is never NULL.
fn tested(compiler: &mut Compiler<'_>, value: &str, test: &Test) -> Truth {
    let dialect = compiler.dialect;
    let empty = |compiler: &mut Compiler<'_>| {
        let none = compiler.bound("");
        let zero = compiler.bound("0");
        Truth::some([&none, &zero].map(|text| Truth::When(dialect.same_bytes(value, text))))
    };
    match test {
        Test::IsEqualTo(text) => Truth::When(dialect.same_bytes(value, &compiler.bound(text))),
        Test::Contains(text) if text.is_empty() => Truth::Always,
        Test::Contains(text) => Truth::When(dialect.holds_bytes(value, &compiler.bound(text))),
        Test::DoesNotContain(text) => {
            let held = if text.is_empty() {
                Truth::Always
            } else {
                Truth::When(dialect.holds_bytes(value, &compiler.bound(text)))
            };
            Truth::some([empty(compiler), held.not()])
        }
        Test::StartsWith(text) if text.is_empty() => Truth::Always,
        Test::StartsWith(text) => Truth::When(dialect.begins_with_bytes(value, &compiler.bound(text))),
        Test::EndsWith(text) if text.is_empty() => Truth::When(dialect.same_bytes(value, &compiler.bound(""))),
        Test::EndsWith(text) => Truth::When(dialect.ends_with_bytes(value, &compiler.bound(text))),
        Test::IsEmpty => empty(compiler),
        Test::IsNotEmpty => empty(compiler).not(),
    }
}
