//! The options of a users file: what its profile names, and what holds where it names nothing. It must not read the
//! file or the database.

use crate::accounts::AccountsFile;
use crate::config::{BlankCell, MatchBy, Operation, PasswordFrom, PasswordMail, Profile, Settings, Update};
use crate::db::Dialect;
use crate::moodle::account;
use crate::moodle::site::Site;
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem};

/// The options of a users file.
pub struct Options<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Whether `oldusername` renames.
    pub rename: bool,
    /// Whether `deleted` deletes.
    pub delete: bool,
    /// Whether `suspended` changes accounts that exist.
    pub suspend: bool,
    /// Whether the address of an account may change.
    pub change_email: bool,
    /// Whether the authentication method of an account may change.
    pub change_auth: bool,
    /// Whether the file may give passwords to new accounts.
    pub give_password: bool,
    /// Whether the file may change the passwords of accounts that exist.
    pub change_password: bool,
    /// Whether a password for an account that exists is told as a change that is not allowed: in a dropped file.
    pub refuses_password: bool,
    /// Who mails the password of an account for which the file gives none.
    pub password_mail: PasswordMail,
    /// Authentication methods whose accounts get no password, and no value that the directory locks.
    pub foreign_auth: &'a [String],
    /// Whether two accounts may have one address.
    pub shares_addresses: bool,
    /// Whether accounts with roles above the courses are left alone.
    pub spares_roles: bool,
}

impl<'a> Options<'a> {
    /// The options of a file: what is not named is Moodle's default, and not allowed in a dropped file.
    ///
    /// # Errors
    /// `options-conflict`.
    pub fn of(profile: &'a Profile, settings: &'a Settings, site: &Site, file: &AccountsFile<'_>) -> RunResult<Self> {
        let refused = |one: &str, other: &str| {
            let (one, other) = (one.to_owned(), other.to_owned());
            Err(RunError::Rejected(Problem::new(0, Code::OptionsConflict, one, other)))
        };
        if matches!(profile.operation, Operation::Add | Operation::AddAll) && profile.update != Update::None {
            return refused("update", &format!("operation = {}", profile.operation.as_str()));
        }
        // As in Moodle, files that only add accounts neither rename nor delete any.
        let updates = matches!(profile.operation, Operation::AddUpdate | Operation::Update);
        let overwrites = matches!(profile.update, Update::File | Update::FileAndDefaults);
        let or = |named: Option<bool>, moodles: bool| named.unwrap_or(moodles && !file.dropped);
        Ok(Self {
            profile,
            rename: updates && or(profile.rename, false),
            delete: updates && or(profile.delete, false),
            suspend: or(profile.suspend, true),
            change_email: or(profile.change_email, true),
            change_auth: or(profile.change_auth, true),
            give_password: or(profile.give_password, true),
            change_password: profile.password_update && overwrites,
            refuses_password: file.dropped && !profile.password_update && overwrites,
            password_mail: settings.accounts.mails_passwords(settings.smtp.enabled),
            foreign_auth: &settings.accounts.foreign_auth,
            shares_addresses: profile.email_duplicates && account::shares_addresses(site),
            spares_roles: file.dropped,
        })
    }

    /// Whether rows find their account by its address.
    pub fn by_mail(&self) -> bool {
        self.profile.match_by == MatchBy::Email
    }

    /// Whether an update writes values of the row over others.
    pub fn overwrites(&self) -> bool {
        matches!(self.profile.update, Update::File | Update::FileAndDefaults)
    }

    /// Whether the file gives other authentication methods to accounts that exist.
    pub fn changes_auths(&self) -> bool {
        self.change_auth && self.overwrites()
    }

    /// Whether Moodle stores the passwords of accounts with this authentication method.
    pub fn stores_password(&self, auth: &str) -> bool {
        account::is_internal(auth) && !self.foreign_auth.iter().any(|foreign| foreign == auth)
    }

    /// The authentication methods whose passwords Moodle stores, as literals.
    pub fn internal_auths(&self) -> String {
        let stored = account::INTERNAL_AUTHS.iter().filter(|auth| self.stores_password(auth));
        let stored = stored.map(|auth| format!("'{auth}'"));
        std::iter::once("''".to_owned()).chain(stored).collect::<Vec<_>>().join(", ")
    }

    /// Whether enrold generates the passwords that the file does not give.
    pub fn generates(&self) -> bool {
        self.profile.password == PasswordFrom::Create && self.password_mail != PasswordMail::Moodle
    }

    /// The authentication method of an account `x` once its row `s` with the defaults `d` is applied, as SQL; of a new
    /// account all columns of `x` are NULL.
    pub fn auth_after(&self, dialect: Dialect) -> String {
        let own = dialect.neutral("x.auth");
        let row = format!("NULLIF({}, '')", dialect.neutral("s.auth"));
        let changed = match self.profile.update {
            Update::File if self.change_auth => format!("COALESCE({row}, {own})"),
            Update::FileAndDefaults if self.change_auth => {
                format!("COALESCE({row}, {}, {own})", dialect.neutral("d.auth"))
            }
            _ => own,
        };
        format!("CASE WHEN x.id IS NULL THEN {} ELSE {changed} END", Self::auth_of_new(dialect))
    }

    /// The authentication method that a row `s` with the defaults `d` gives an account that exists, as SQL; else empty,
    /// or NULL.
    pub fn auth_given(&self) -> &'static str {
        match self.profile.update {
            Update::FileAndDefaults => "COALESCE(NULLIF(s.auth, ''), d.auth)",
            _ => "s.auth",
        }
    }

    /// The authentication method of a new account, as SQL.
    pub fn auth_of_new(dialect: Dialect) -> String {
        let given = ["s.auth", "d.auth"].map(|column| format!("NULLIF({}, '')", dialect.neutral(column)));
        format!("COALESCE({}, 'manual')", given.join(", "))
    }

    /// Whether an empty cell makes the value empty.
    pub fn erases(&self) -> bool {
        self.profile.blank == BlankCell::Erase
    }
}

/// The columns without which the header of a users file is refused: what a row needs and no default of the profile
/// gives.
pub fn required(profile: &Profile) -> Vec<&'static str> {
    let mut required = vec![if profile.match_by == MatchBy::Email { "email" } else { "username" }];
    if matches!(profile.operation, Operation::Add | Operation::AddAll) {
        required.extend(["firstname", "lastname", "email"]);
    }
    required.dedup();
    required.retain(|column| !profile.default.contains_key(*column));
    required
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileKind;

    #[test]
    fn every_column_of_an_account_can_have_a_default() {
        let users = Profile::of(FileKind::Users);
        for column in account::VALUES.iter().map(|(column, _)| *column).chain(["username", "profile_field_X"]) {
            users.with(&[(format!("default.{column}"), "x".to_owned())]).unwrap();
        }
    }
}
