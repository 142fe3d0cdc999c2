//! The message codes (spec files 8) and the sentence each one becomes in English and in French.
//! It must not know who raises a code; a code is language-free, only `message` speaks a language.

use serde::{Serialize, Serializer};

pub use crate::config::Locale;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What is wrong with a line or with a file. The documentation of each code says
        /// what the `value` and the `hint` of its [`Problem`] hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// Every code, in the order of the declaration.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The stable, language-free name, as in spec files 8.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// No account matches. Value: what the line says; hint: the user key (`username`, ...).
    UserUnknown = "user-unknown",
    /// Several accounts match. Value: what the line says; hint: how many.
    UserAmbiguous = "user-ambiguous",
    /// No course matches. Value: what the line says; hint: the course key.
    CourseUnknown = "course-unknown",
    /// Several courses match. Value: what the line says; hint: how many.
    CourseAmbiguous = "course-ambiguous",
    /// No usable role. Value: what the line says; hint: the usable names, or nothing.
    RoleUnknown = "role-unknown",
    /// The operation is not one of those known. Value: what the line says; hint: the known ones.
    BadVerb = "bad-verb",
    /// A time that cannot be read. Value: what the line says; hint: the accepted forms.
    BadTime = "bad-time",
    /// Value: the end, hint: the start, both as the line writes them.
    EndBeforeStart = "end-before-start",
    /// A column nobody knows. Value: its name; hint: the nearest known name, or nothing,
    /// or [`hint::NOT_APPLIED`], or [`hint::SEVERAL_RECORDS`].
    ColumnUnknown = "column-unknown",
    /// Value: the required columns that the header lacks; hint: the columns found.
    ColumnMissing = "column-missing",
    /// Two columns mean the same. Value: the second; hint: the first.
    ColumnTwice = "column-twice",
    /// The columns are separated by something else. Value: what was found; hint: what is accepted.
    DelimiterSuspect = "delimiter-suspect",
    /// Bytes that are no text. Value: `NUL` or the encoding; hint: the first physical line with them.
    EncodingInvalid = "encoding-invalid",
    /// Value: the number of columns found (or the line's text for [`hint::QUOTE`]);
    /// hint: the number expected, or [`hint::QUOTE`], or [`hint::SEVERAL_RECORDS`].
    RowRagged = "row-ragged",
    /// Value: how the line begins; hint: the limit.
    RowTooLong = "row-too-long",
    /// Value: the column that is empty.
    EmptyIdentifier = "empty-identifier",
    /// Value: the enrolment method; hint: the course.
    NoMethod = "no-method",
    /// An administrator or the guest account. Value: what the line says.
    AccountProtected = "account-protected",
    /// Too many lines about one user in one course. Value: user and course; hint: the limit.
    TooManySteps = "too-many-steps",
    /// Another run touched the pair meanwhile. Value: user and course; hint: that run, or nothing.
    Overtaken = "overtaken",
    /// A limit of the guard. Value: what was counted, and the count; hint: the limit.
    GuardHeld = "guard-held",
    /// Value: when the same bytes were processed; hint: that run, or nothing.
    DuplicateFile = "duplicate-file",
    /// Value: the file's name or the kind asked for; hint: the known kinds.
    UnknownKind = "unknown-kind",
    /// No data line at all. Value: the file's name, or nothing.
    FileEmpty = "file-empty",
    /// Value: the file's path; hint: what the operating system said.
    FileUnreadable = "file-unreadable",
    /// An instance whose source course does not exist. Value: the course of the instance; hint: the id of the source.
    SourceGone = "source-gone",
    /// An instance whose role is gone. Value: the course of the instance; hint: the role's id.
    InstanceRoleGone = "instance-role-gone",
    /// An availability rule that enrold cannot follow. Value: the course; hint: what is wrong with it.
    RuleUnusable = "rule-unusable",
    /// Groups that cannot be named. Value: the course; hint: what is wrong.
    GroupName = "group-name",
}

/// Hints that are not shown as they are: they choose another sentence.
pub mod hint {
    /// The quotes of the line do not pair.
    pub const QUOTE: &str = "quote";
    /// Several records stand on one line (the layout accident of spec files 2.1).
    pub const SEVERAL_RECORDS: &str = "several-records";
    /// A column of other programs that this version does not apply.
    pub const NOT_APPLIED: &str = "not-applied";
}

impl Code {
    /// The code of this name, `None` if there is none.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// The sentence that a person reads: what is wrong, and what to do about it.
    /// `value` and `hint` are those of the code (see each code).
    pub fn message(self, locale: Locale, value: &str, hint: &str) -> String {
        match locale {
            Locale::En => self.english(value, hint),
            Locale::Fr => self.french(value, hint),
        }
    }

    fn english(self, v: &str, h: &str) -> String {
        match self {
            Code::UserUnknown => {
                format!("no account matches {h}={v}; create the account or correct the line")
            }
            Code::UserAmbiguous => {
                format!("{h} accounts match \"{v}\", none was used; give each account its own value")
            }
            Code::CourseUnknown => {
                format!("no course matches {h}={v}; create the course or correct the line")
            }
            Code::CourseAmbiguous => {
                format!("{h} courses match \"{v}\", none was used; give each course its own value")
            }
            Code::RoleUnknown if h.is_empty() => {
                format!("no such role \"{v}\"; use the short name or the alias of a role of this site")
            }
            Code::RoleUnknown => format!("no such role \"{v}\"; use one of: {h}"),
            Code::BadVerb => format!("operation \"{v}\" is not known; use one of: {h}"),
            Code::BadTime => format!("unreadable date \"{v}\"; write it like one of: {h}"),
            Code::EndBeforeStart => {
                format!("the end \"{v}\" comes before the start \"{h}\"; correct one of them")
            }
            Code::ColumnUnknown => match h {
                "" => format!("header refused: column \"{v}\" is not known; remove it or give it a known name"),
                hint::NOT_APPLIED => format!(
                    "file refused: this version does not apply column \"{v}\", and ignoring it would lose data; remove the column or use the program it was made for"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "header refused: \"{v}\" holds a column name and the start of a record; write the header and each record on a line of its own"
                ),
                near => {
                    format!("header refused: column \"{v}\" is not known, did you mean \"{near}\"? Correct the header")
                }
            },
            Code::ColumnMissing => format!(
                "header refused: required column missing: {v} (found: {h}); add it to the header and to each line"
            ),
            Code::ColumnTwice => format!("header refused: columns \"{h}\" and \"{v}\" mean the same; keep one of them"),
            Code::DelimiterSuspect => format!(
                "file refused: the columns seem to be separated by {v}; use {h}, the same in the header and in each line"
            ),
            Code::EncodingInvalid if v == "NUL" => format!(
                "file refused: NUL byte on line {h}, this is no text file; export it again as UTF-8 (UTF-16 needs its byte order mark)"
            ),
            Code::EncodingInvalid => {
                format!("file refused: line {h} is not valid {v}; export the file again, as UTF-8")
            }
            Code::RowRagged => match h {
                hint::QUOTE => format!(
                    "quotes that do not pair in: {v}; close the quote, and double a quote that belongs to a value"
                ),
                hint::SEVERAL_RECORDS => {
                    format!("{v} columns: several records seem to stand on this line; write one record per line")
                }
                expected => format!("{v} columns where {expected} are expected; correct the separators of this line"),
            },
            Code::RowTooLong => {
                format!("longer than {h}, not read (it begins with: {v}); check that each record ends with a line end")
            }
            Code::EmptyIdentifier => {
                format!("column \"{v}\" is empty; fill it, an empty value never matches anything")
            }
            Code::NoMethod => {
                format!("no usable enrolment method \"{v}\" in course {h}; add or enable it in the course")
            }
            Code::AccountProtected => format!(
                "account \"{v}\" is an administrator or the guest and is never changed from a file; remove the line"
            ),
            Code::TooManySteps => {
                format!("more than {h} lines about {v} in one file, none applied; send only the wanted final state")
            }
            Code::Overtaken if h.is_empty() => {
                format!("{v} was changed meanwhile, line not applied; send it again if it still holds")
            }
            Code::Overtaken => {
                format!("{v} was changed meanwhile by run {h}, line not applied; send it again if it still holds")
            }
            Code::GuardHeld => {
                format!("{v} exceeds the limit {h}; file held, nothing written: approve or reject the run")
            }
            Code::DuplicateFile if h.is_empty() => {
                format!("same content already processed on {v}, not applied again; send a file with new content")
            }
            Code::DuplicateFile => format!(
                "same content already processed on {v} (run {h}), not applied again; send a file with new content"
            ),
            Code::UnknownKind => format!("\"{v}\" is of no known kind; use one of: {h}"),
            Code::FileEmpty if v.is_empty() => {
                "no data line in the file, nothing to do; check the export that made it".to_owned()
            }
            Code::FileEmpty => {
                format!("no data line in {v}, nothing to do; check the export that made it")
            }
            Code::FileUnreadable => {
                format!("{v} cannot be read: {h}; check that it exists and that enrold may read it")
            }
            Code::RuleUnusable => format!(
                "the rule of an autoenrol method in course {v} cannot be used: {h}; nobody was enrolled or removed by it: correct it, or disable the method"
            ),
            Code::GroupName => format!(
                "autoenrol in course {v}: {h}; the enrolments were made, these groups were not: correct the group settings"
            ),
            Code::SourceGone => format!(
                "course {v} is linked to a course that does not exist (id {h}); nobody was enrolled or removed by the link: remove or disable it"
            ),
            Code::InstanceRoleGone => {
                format!("an enrolment method of course {v} gives role {h}, which is gone; choose another role in it")
            }
        }
    }

    /// The lines of `user-unknown` and `user-ambiguous` begin with the wording of seed 000.
    fn french(self, v: &str, h: &str) -> String {
        match self {
            Code::UserUnknown => format!(
                "valeur d'identification d'utilisateur non valide ({v}) : aucun compte avec ce {h} ; créez le compte ou corrigez la ligne"
            ),
            Code::UserAmbiguous => format!(
                "l'identité « {v} » n'est pas unique, {h} comptes trouvés, aucun utilisé ; donnez à chaque compte une valeur propre"
            ),
            Code::CourseUnknown => format!("cours « {v} » introuvable ({h}) ; créez le cours ou corrigez la ligne"),
            Code::CourseAmbiguous => {
                format!("{h} cours répondent à « {v} », aucun utilisé ; donnez à chaque cours une valeur propre")
            }
            Code::RoleUnknown if h.is_empty() => {
                format!("rôle « {v} » introuvable ; utilisez le nom abrégé ou l'alias d'un rôle de ce site")
            }
            Code::RoleUnknown => format!("rôle « {v} » introuvable ; utilisez l'un de : {h}"),
            Code::BadVerb => format!("commande « {v} » inconnue ; utilisez l'une de : {h}"),
            Code::BadTime => format!("date illisible « {v} » ; écrivez-la comme l'un de ces exemples : {h}"),
            Code::EndBeforeStart => format!("la fin « {v} » est antérieure au début « {h} » ; corrigez l'une des deux"),
            Code::ColumnUnknown => match h {
                "" => format!("en-tête refusé : colonne « {v} » inconnue ; retirez-la ou donnez-lui un nom connu"),
                hint::NOT_APPLIED => format!(
                    "fichier refusé : cette version n'applique pas la colonne « {v} », et l'ignorer perdrait des données ; retirez la colonne ou utilisez le programme auquel elle est destinée"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "en-tête refusé : « {v} » contient un nom de colonne et le début d'un enregistrement ; écrivez l'en-tête et chaque enregistrement sur sa propre ligne"
                ),
                near => format!(
                    "en-tête refusé : colonne « {v} » inconnue, vouliez-vous dire « {near} » ? Corrigez l'en-tête"
                ),
            },
            Code::ColumnMissing => format!(
                "en-tête refusé : colonne obligatoire absente : {v} (trouvées : {h}) ; ajoutez-la à l'en-tête et à chaque ligne"
            ),
            Code::ColumnTwice => {
                format!("en-tête refusé : les colonnes « {h} » et « {v} » ont le même sens ; gardez-en une seule")
            }
            Code::DelimiterSuspect => format!(
                "fichier refusé : les colonnes semblent séparées par {v} ; utilisez {h}, de même dans l'en-tête et dans chaque ligne"
            ),
            Code::EncodingInvalid if v == "NUL" => format!(
                "fichier refusé : octet NUL à la ligne {h}, ce n'est pas un fichier texte ; exportez-le de nouveau en UTF-8 (l'UTF-16 exige sa marque d'ordre des octets)"
            ),
            Code::EncodingInvalid => format!(
                "fichier refusé : la ligne {h} n'est pas de l'{v} valide ; exportez de nouveau le fichier, en UTF-8"
            ),
            Code::RowRagged => match h {
                hint::QUOTE => format!(
                    "guillemets non appariés dans : {v} ; fermez le guillemet, et doublez celui qui fait partie d'une valeur"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "{v} colonnes : plusieurs enregistrements semblent être sur cette ligne ; écrivez un enregistrement par ligne"
                ),
                expected => format!("{v} colonnes au lieu de {expected} ; corrigez les séparateurs de cette ligne"),
            },
            Code::RowTooLong => format!(
                "plus longue que {h}, non lue (elle commence par : {v}) ; vérifiez que chaque enregistrement se termine par une fin de ligne"
            ),
            Code::EmptyIdentifier => {
                format!("colonne « {v} » vide ; remplissez-la, une valeur vide ne correspond jamais à rien")
            }
            Code::NoMethod => format!(
                "aucune méthode d'inscription « {v} » active dans le cours {h} ; ajoutez-la ou activez-la dans le cours"
            ),
            Code::AccountProtected => format!(
                "le compte « {v} » est un administrateur ou l'invité, jamais modifié par un fichier ; retirez la ligne"
            ),
            Code::TooManySteps => format!(
                "plus de {h} lignes sur {v} dans un fichier, aucune appliquée ; n'envoyez que l'état final voulu"
            ),
            Code::Overtaken if h.is_empty() => {
                format!("{v} a été modifié entre-temps, ligne non appliquée ; renvoyez-la si elle vaut toujours")
            }
            Code::Overtaken => format!(
                "{v} a été modifié entre-temps par le passage {h}, ligne non appliquée ; renvoyez-la si elle vaut toujours"
            ),
            Code::GuardHeld => {
                format!("{v} dépasse le seuil {h} ; fichier retenu, rien n'est écrit : approuvez ou rejetez le passage")
            }
            Code::DuplicateFile if h.is_empty() => {
                format!("fichier identique déjà traité le {v}, non appliqué de nouveau ; envoyez un contenu nouveau")
            }
            Code::DuplicateFile => format!(
                "fichier identique déjà traité le {v} (passage {h}), non appliqué de nouveau ; envoyez un contenu nouveau"
            ),
            Code::UnknownKind => format!("« {v} » n'est d'aucun type connu ; utilisez l'un de : {h}"),
            Code::FileEmpty if v.is_empty() => {
                "aucune ligne de données dans le fichier, rien à faire ; vérifiez l'export qui l'a produit".to_owned()
            }
            Code::FileEmpty => {
                format!("aucune ligne de données dans {v}, rien à faire ; vérifiez l'export qui l'a produit")
            }
            Code::FileUnreadable => {
                format!("{v} ne peut pas être lu : {h} ; vérifiez qu'il existe et qu'enrold a le droit de le lire")
            }
            Code::RuleUnusable => format!(
                "la règle d'une méthode autoenrol du cours {v} est inutilisable ({h}) ; elle n'a inscrit ni retiré personne : corrigez-la ou désactivez la méthode"
            ),
            Code::GroupName => format!(
                "autoenrol dans le cours {v} : {h} ; les inscriptions ont été faites, pas ces groupes : corrigez les réglages des groupes"
            ),
            Code::SourceGone => format!(
                "le cours {v} est lié à un cours qui n'existe pas (id {h}) ; le lien n'a inscrit ni retiré personne : supprimez-le ou désactivez-le"
            ),
            Code::InstanceRoleGone => format!(
                "une méthode d'inscription du cours {v} donne le rôle {h}, qui n'existe plus ; choisissez-y un autre rôle"
            ),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something wrong with one line of a file, or with the whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The physical line, 1-based, on which the record begins; 0 is the whole file.
    pub line: u64,
    pub code: Code,
    /// What was found, see the code.
    pub value: String,
    /// The second parameter, see the code.
    pub hint: String,
}

impl Problem {
    /// A problem of the line `line` (0: of the whole file).
    pub fn new(line: u64, code: Code, value: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { line, code, value: value.into(), hint: hint.into() }
    }

    /// The whole sentence, with its line: `line 7: no account matches ...`.
    pub fn text(&self, locale: Locale) -> String {
        // Values come from files: a terminal must not obey them.
        let shown = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
        let message = self.code.message(locale, &shown(&self.value), &shown(&self.hint));
        match (self.line, locale) {
            (0, _) => message,
            (line, Locale::En) => format!("line {line}: {message}"),
            (line, Locale::Fr) => format!("ligne {line} : {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_its_own_name_and_is_found_by_it() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for &code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("no-such-code"), None);
    }

    #[test]
    fn every_code_speaks_both_languages_and_says_what_was_found() {
        let mut seen = HashSet::new();
        for &code in Code::ALL {
            for locale in [Locale::En, Locale::Fr] {
                let message = code.message(locale, "VALUE", "HINT");
                assert!(message.contains("VALUE"), "{code}: {message}");
                assert!(message.contains([';', ':', '?']), "{code} says what to do: {message}");
                assert!(seen.insert(message), "{code}: the same sentence twice");
                assert!(!code.message(locale, "", "").is_empty());
            }
        }
    }

    #[test]
    fn the_hints_that_choose_a_sentence_are_never_shown() {
        let special = [
            (Code::RowRagged, hint::QUOTE),
            (Code::RowRagged, hint::SEVERAL_RECORDS),
            (Code::ColumnUnknown, hint::NOT_APPLIED),
            (Code::ColumnUnknown, hint::SEVERAL_RECORDS),
        ];
        for (code, hint) in special {
            let (en, fr) = (code.message(Locale::En, "9", hint), code.message(Locale::Fr, "9", hint));
            assert_ne!(en, fr);
            assert_ne!(en, code.message(Locale::En, "9", "6"));
            assert!(!en.contains("several-records") && !en.contains("not-applied"), "{en}");
        }
    }

    #[test]
    fn a_problem_names_its_line() {
        let problem = Problem::new(7, Code::UserUnknown, "e42", "username");
        assert!(problem.text(Locale::En).starts_with("line 7: no account matches username=e42"));
        assert!(
            problem.text(Locale::Fr).starts_with("ligne 7 : valeur d'identification d'utilisateur non valide (e42)")
        );
        let whole = Problem { line: 0, ..problem };
        assert!(whole.text(Locale::En).starts_with("no account"));
    }

    #[test]
    fn locale_is_written_en_or_fr() {
        assert_eq!(serde_json::to_string(&Locale::Fr).ok().as_deref(), Some("\"fr\""));
        assert_eq!(serde_json::from_str::<Locale>("\"en\"").ok(), Some(Locale::En));
    }
}
