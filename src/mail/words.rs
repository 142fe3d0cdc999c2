//! enrold's own texts of mails, in English and French, for instances that have none of their own.
//! It must not know where the facts come from.

use crate::config::Locale;

/// The facts of a text; one that is unknown is empty, and paragraphs that need it are left out.
pub(super) struct Facts<'a> {
    pub name: &'a str,
    pub course: &'a str,
    pub completed: &'a str,
    pub contact: &'a str,
    pub end: &'a str,
    pub link: &'a str,
    pub profile: &'a str,
    pub participants: &'a str,
    pub days: i64,
}

const MONTHS: [(&str, &str); 12] = [
    ("January", "janvier"),
    ("February", "février"),
    ("March", "mars"),
    ("April", "avril"),
    ("May", "mai"),
    ("June", "juin"),
    ("July", "juillet"),
    ("August", "août"),
    ("September", "septembre"),
    ("October", "octobre"),
    ("November", "novembre"),
    ("December", "décembre"),
];

/// The name of a month, 0 for January.
pub(super) fn month(month0: usize, locale: Locale) -> &'static str {
    let (english, french) = MONTHS[month0 % 12];
    match locale {
        Locale::En => english,
        Locale::Fr => french,
    }
}

/// Paragraphs, of which those with an empty fact are left out.
fn paragraphs(parts: &[(&str, String)]) -> String {
    let told: Vec<&str> = parts.iter().filter(|(needs, _)| !needs.is_empty()).map(|(_, text)| text.as_str()).collect();
    told.join("\n\n")
}

/// Subject and text of a welcome mail.
pub(super) fn welcome(facts: &Facts<'_>, locale: Locale) -> (String, String) {
    let Facts { name, course, completed, link, profile, .. } = facts;
    match locale {
        Locale::En => (
            format!("Welcome to {course}"),
            paragraphs(&[
                (name, format!("Hello {name},")),
                (completed, format!("You have completed the course {completed}.")),
                (course, format!("You are now enrolled in the course {course}.")),
                (link, format!("The course: {link}")),
                (profile, format!("Your profile in it, which others see: {profile}")),
            ]),
        ),
        Locale::Fr => (
            format!("Bienvenue dans {course}"),
            paragraphs(&[
                (name, format!("Bonjour {name},")),
                (completed, format!("Vous avez achevé le cours {completed}.")),
                (course, format!("Vous êtes maintenant inscrit au cours {course}.")),
                (link, format!("Le cours : {link}")),
                (profile, format!("Votre profil dans ce cours, que les autres voient : {profile}")),
            ]),
        ),
    }
}

/// Subject and text for the owner of a new account: its user name and its password.
pub(super) fn password(
    name: &str,
    site: &str,
    (account, password): (&str, &str),
    login: &str,
    locale: Locale,
) -> (String, String) {
    match locale {
        Locale::En => (
            format!("Your new account: {site}"),
            paragraphs(&[
                (name, format!("Hello {name},")),
                (site, format!("A new account was made for you on {site}.")),
                (account, format!("User name: {account}\nPassword: {password}")),
                (account, "You will be asked to change the password when you log in for the first time.".to_owned()),
                (login, format!("Log in: {login}")),
            ]),
        ),
        Locale::Fr => (
            format!("Votre nouveau compte : {site}"),
            paragraphs(&[
                (name, format!("Bonjour {name},")),
                (site, format!("Un nouveau compte a été créé pour vous sur {site}.")),
                (account, format!("Nom d'utilisateur : {account}\nMot de passe : {password}")),
                (account, "Il vous sera demandé de changer le mot de passe à votre première connexion.".to_owned()),
                (login, format!("Connexion : {login}")),
            ]),
        ),
    }
}

/// Subject and text for a participant whose enrolment ends soon.
pub(super) fn expiry_user(facts: &Facts<'_>, locale: Locale) -> (String, String) {
    let Facts { name, course, contact, end, link, .. } = facts;
    match locale {
        Locale::En => (
            format!("Your enrolment ends soon: {course}"),
            paragraphs(&[
                (name, format!("Hello {name},")),
                (course, format!("Your enrolment in the course {course} ends on {end}.")),
                (contact, format!("If you need more time, please ask {contact}.")),
                (link, format!("The course: {link}")),
            ]),
        ),
        Locale::Fr => (
            format!("Votre inscription prend bientôt fin : {course}"),
            paragraphs(&[
                (name, format!("Bonjour {name},")),
                (course, format!("Votre inscription au cours {course} prend fin le {end}.")),
                (contact, format!("Si vous avez besoin de plus de temps, adressez-vous à {contact}.")),
                (link, format!("Le cours : {link}")),
            ]),
        ),
    }
}

/// Subject and text of the digest for the enroller of a course.
pub(super) fn expiry_teacher(facts: &Facts<'_>, lines: &str, locale: Locale) -> (String, String) {
    let Facts { name, course, participants, days, .. } = facts;
    match locale {
        Locale::En => (
            format!("Enrolments that end soon: {course}"),
            paragraphs(&[
                (name, format!("Hello {name},")),
                (course, format!("In the course {course}, these enrolments end within {days} day(s):")),
                (lines, lines.trim_end().to_owned()),
                (participants, format!("The participants of the course: {participants}")),
            ]),
        ),
        Locale::Fr => (
            format!("Inscriptions qui prennent bientôt fin : {course}"),
            paragraphs(&[
                (name, format!("Bonjour {name},")),
                (course, format!("Dans le cours {course}, ces inscriptions prennent fin d'ici {days} jour(s) :")),
                (lines, lines.trim_end().to_owned()),
                (participants, format!("Les participants du cours : {participants}")),
            ]),
        ),
    }
}

/// Subject and text of the mail of `enrold mails test`.
pub(super) fn test(locale: Locale) -> (String, String) {
    match locale {
        Locale::En => ("enrold: a test".to_owned(), "This mail shows that enrold can send mails.".to_owned()),
        Locale::Fr => {
            ("enrold : un essai".to_owned(), "Ce courriel montre qu'enrold peut envoyer des courriels.".to_owned())
        }
    }
}
