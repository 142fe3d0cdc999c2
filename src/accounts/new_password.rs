//! What becomes of the password of a row. It must not know rows of the database.

use crate::accounts::options::Options;
use crate::config::{ForceChange, PasswordFrom, PasswordMail, Profile};
use crate::moodle::password::{NOT_CACHED, PasswordPolicy, TO_BE_GENERATED};

/// The password of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPassword {
    /// `user.password`; `None` if the account cannot be made without one in the file. A given or generated password is
    /// hashed later.
    pub stored: Option<String>,
    /// The preference `create_password`: Moodle's task generates and mails the password.
    pub create: bool,
    /// The preference `auth_forcepasswordchange`.
    pub force: bool,
}

/// The password of a new account with this authentication method and this cell.
pub fn of_new(options: &Options<'_>, policy: &PasswordPolicy, auth: &str, cell: &str) -> NewPassword {
    let not_cached = Some(NOT_CACHED.to_owned());
    if !options.stores_password(auth) {
        return NewPassword { stored: not_cached, ..NewPassword::default() };
    }
    if options.give_password && !cell.is_empty() {
        return NewPassword { stored: not_cached, create: false, force: is_to_change(options.profile, policy, cell) };
    }
    if options.profile.password == PasswordFrom::Create {
        let by_moodle = options.password_mail == PasswordMail::Moodle;
        return NewPassword { stored: Some(TO_BE_GENERATED.to_owned()), create: by_moodle, force: !by_moodle };
    }
    NewPassword::default()
}

/// Whether a given password must be changed at the next login.
pub fn is_to_change(profile: &Profile, policy: &PasswordPolicy, password: &str) -> bool {
    match profile.force_change {
        ForceChange::None => false,
        ForceChange::Weak => !policy.admits(password),
        ForceChange::All => true,
    }
}
