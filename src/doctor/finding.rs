//! Describes one finding of the doctor: its severity, and its text in two languages.
//! It must not know how a finding is made.

use serde::Serialize;

use crate::config::Locale;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be, or good to know.
    Ok,
    /// enrold works, but an operator should check this.
    Warning,
    /// enrold cannot work like this.
    Error,
}

/// The text in one language: what was found, and what to do (empty where nothing is to be done).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// What was found.
    pub found: String,
    /// What to do.
    pub todo: String,
}

impl Words {
    fn sentence(&self, separator: &str) -> String {
        if self.todo.is_empty() { self.found.clone() } else { format!("{}{separator}{}", self.found, self.todo) }
    }
}

/// Makes the text in one language.
pub(super) fn words(found: impl Into<String>, todo: impl Into<String>) -> Words {
    Words { found: found.into(), todo: todo.into() }
}

/// One result of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its severity.
    pub level: Level,
    /// Its stable, language-free name.
    pub code: &'static str,
    /// In English.
    pub en: Words,
    /// In French.
    pub fr: Words,
    /// SQL statements that an administrator of the database runs, in this order; none for most findings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
}

impl Finding {
    pub(super) fn ok(code: &'static str, en: Words, fr: Words) -> Self {
        Self { level: Level::Ok, code, en, fr, statements: Vec::new() }
    }

    pub(super) fn warning(code: &'static str, en: Words, fr: Words) -> Self {
        Self { level: Level::Warning, ..Self::ok(code, en, fr) }
    }

    pub(super) fn error(code: &'static str, en: Words, fr: Words) -> Self {
        Self { level: Level::Error, ..Self::ok(code, en, fr) }
    }

    pub(super) fn with(mut self, statements: Vec<String>) -> Self {
        self.statements = statements;
        self
    }

    /// The text for an operator: what was found and what to do, then the statements, one per line with a semicolon.
    pub fn text(&self, locale: Locale) -> String {
        let mut text = match locale {
            Locale::En => self.en.sentence("; "),
            Locale::Fr => self.fr.sentence(" ; "),
        };
        for statement in &self.statements {
            text.push_str(&format!("\n    {statement};"));
        }
        text
    }
}

/// The last sentence of an examination: whether enrold can work, and how many findings ask for something.
pub fn verdict(findings: &[Finding], locale: Locale) -> String {
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    match (locale, errors, warnings) {
        (Locale::En, 0, 0) => "enrold can work here".to_owned(),
        (Locale::En, 0, 1) => "enrold can work here; look at the warning".to_owned(),
        (Locale::En, 0, _) => format!("enrold can work here; look at the {warnings} warnings"),
        (Locale::En, ..) => format!(
            "enrold cannot work here: put right what is marked ERROR ({errors}), from the top; warnings: {warnings}"
        ),
        (Locale::Fr, 0, 0) => "enrold peut travailler ici".to_owned(),
        (Locale::Fr, 0, 1) => "enrold peut travailler ici ; examinez l'avertissement".to_owned(),
        (Locale::Fr, 0, _) => format!("enrold peut travailler ici ; examinez les {warnings} avertissements"),
        (Locale::Fr, ..) => format!(
            "enrold ne peut pas travailler ici : corrigez ce qui est marqué ERROR ({errors}), en commençant par le \
             haut ; avertissements : {warnings}"
        ),
    }
}

/// True if no finding keeps enrold from working.
pub fn can_work(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level < Level::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_to_do_in_the_readers_language() {
        let finding = Finding::error("x", words("it is off", "switch it on"), words("c'est éteint", "allumez"));
        assert_eq!(finding.text(Locale::En), "it is off; switch it on");
        let finding = finding.with(vec!["GRANT A".to_owned(), "GRANT B".to_owned()]);
        assert_eq!(finding.text(Locale::Fr), "c'est éteint ; allumez\n    GRANT A;\n    GRANT B;");
    }

    #[test]
    fn the_verdict_is_that_of_the_findings() {
        let quiet = || words("", "");
        let (ok, warning) = (Finding::ok("a", quiet(), quiet()), Finding::warning("b", quiet(), quiet()));
        let error = Finding::error("c", quiet(), quiet());
        assert_eq!(verdict(std::slice::from_ref(&ok), Locale::En), "enrold can work here");
        let two = [ok, warning.clone(), warning.clone()];
        assert_eq!(verdict(&two, Locale::En), "enrold can work here; look at the 2 warnings");
        assert!(verdict(std::slice::from_ref(&warning), Locale::Fr).ends_with("examinez l'avertissement"));
        assert!(verdict(&[warning, error.clone()], Locale::En).starts_with("enrold cannot work here: put right"));
        assert!(verdict(&[error], Locale::Fr).starts_with("enrold ne peut pas travailler ici : corrigez"));
    }

    #[test]
    fn only_errors_keep_enrold_from_working() {
        let quiet = || words("", "");
        assert!(can_work(&[Finding::ok("a", quiet(), quiet()), Finding::warning("b", quiet(), quiet())]));
        assert!(!can_work(&[Finding::ok("a", quiet(), quiet()), Finding::error("b", quiet(), quiet())]));
    }
}
