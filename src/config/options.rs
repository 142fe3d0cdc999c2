//! The options of one file: those of a profile or the defaults of its kind, and what the operator sets for one run.
//! It must not know layers: an option of the command line overrides them all.

use std::sync::LazyLock;

use config::ValueKind;
use serde::Deserialize;
use serde_json::Value;

use super::each_table::{example, unfit};
use super::keys::{Kind, nearest, profiles};
use super::sections::{FileKind, Profile};

/// The defaults of the reference.
static DEFAULTS: LazyLock<Profile> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Reference {
        profiles: std::collections::BTreeMap<String, Profile>,
    }
    let mut read: Reference =
        toml::from_str(&example(&profiles::SECTION, "x")).expect("the reference is constant, and a test reads it");
    read.profiles.remove("x").expect("the example has this name")
});

impl Profile {
    /// The options of a file of this kind for which no profile names any.
    pub fn of(kind: FileKind) -> Self {
        Self { kind, ..DEFAULTS.clone() }
    }

    /// The same options with those that are set for one run: the key without `profiles.NAME.`, and its value as text.
    ///
    /// # Errors
    /// What is wrong, for the operator: an unknown key, a value that it does not accept, or one that does not fit the
    /// kind of file.
    pub fn with(&self, set: &[(String, String)]) -> Result<Self, String> {
        let mut document = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, text) in set {
            if let Some(reason) = profiles::not_of_a_run(name) {
                return Err(format!("option {name} {reason}"));
            }
            let key = profiles::SECTION.find(name).ok_or_else(|| self.unknown(name))?;
            let text = match text.as_str() {
                "oui" if matches!(key.kind, Kind::Flag) => "yes",
                "non" if matches!(key.kind, Kind::Flag) => "no",
                text => text,
            };
            let value = match key.accept(&ValueKind::String(text.to_owned())) {
                _ if text.is_empty() && key.unset == super::keys::Unset::General => Value::Null,
                Ok(value) => json(value),
                Err(reason) => return Err(format!("option {name}: {reason}")),
            };
            match name.split_once('.') {
                Some((section, chosen)) => document[section][chosen] = value,
                None => document[name] = value,
            }
        }
        let profile: Self = serde_json::from_value(document).map_err(|error| error.to_string())?;
        match set.iter().find_map(|(name, _)| Some((name, unfit(&profile, name)?))) {
            Some((name, reason)) => Err(format!("option {name}: {reason}")),
            None => Ok(profile),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let known = nearest(&format!("{}.{name}", profiles::SECTION.table("x")));
        let known = known.rsplit('.').next().unwrap_or_default();
        let kind = self.kind;
        format!("unknown option {name}; the nearest is {known}; kind {kind} has {}", profiles::options(kind))
    }
}

fn json(value: ValueKind) -> Value {
    match value {
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::Array(list) => list.into_iter().map(|one| json(one.kind)).collect(),
        other => other.to_string().into(),
    }
}
