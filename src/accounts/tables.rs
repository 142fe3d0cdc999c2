//! The temporary tables of users files, shared by the parts of the planner.
//! It must not contain statements.

use crate::db::Table;
use crate::db::table::{Column, int, long_text, small, text};
use crate::moodle::account::{Accepts, VALUES};

/// The rows of a users file that are alive: one account each.
pub const ACCOUNT_ROW: Table = Table::new(
    "account_row",
    &[
        int("line"),
        // The user name after standardising; what the row is called in messages.
        text("username", 255),
        // The account, once it is known or made.
        int("userid").or_null(),
        // 1: it is made by this run; 0: it existed.
        small("made").by_default(),
    ],
)
.primary("line");

/// Cohorts that rows name: `n` is the number of the column, `name` that of a new cohort, if the row has one.
pub const ACCOUNT_COHORT: Table =
    Table::new("account_cohort", &[int("line"), int("n"), text("ckey", 255), text("name", 255)]).primary("line, n");

/// Courses that rows name, with role, group and times; empty where the row has none.
pub const ACCOUNT_PLACE: Table = Table::new(
    "account_place",
    &[
        int("line"),
        int("n"),
        text("course", 255),
        text("grp", 255),
        text("role", 255),
        // `typeN`: 0 none, 1 student, 2 editing teacher, 3 teacher.
        small("kind"),
        // `enrolperiodN` in seconds; 0 for no end.
        int("period").or_null(),
        // `enrolstatusN`: 0 active, 1 suspended.
        small("status").or_null(),
        // `enroltimestartN` in Unix seconds.
        int("start").or_null(),
    ],
)
.primary("line, n");

/// Roles in the system or in categories that rows give or take.
pub const ACCOUNT_ROLE: Table = Table::new(
    "account_role",
    &[
        int("line"),
        int("n"),
        // `context.contextlevel`: 10 system, 40 category.
        small("level"),
        text("category", 255),
        text("role", 255),
        // 1: the role is taken away.
        small("removed"),
    ],
)
.primary("line, level, n");

/// Values of custom profile fields.
pub const ACCOUNT_FIELD: Table =
    Table::new("account_field", &[int("line"), int("fieldid"), long_text("value")]).primary("line, fieldid");

/// Interests, of the row or of the defaults (`preset`); `n` 0 stands for the list itself, which may be empty.
pub const ACCOUNT_INTEREST: Table =
    Table::new("account_interest", &[int("line"), int("n"), small("preset"), text("name", 255), text("rawname", 255)])
        .primary("line, n");

/// The columns that a table has of its own, and behind them one for each of [`VALUES`].
const fn with_values<const OWN: usize, const ALL: usize>(own: [Column; OWN]) -> [Column; ALL] {
    let mut columns = [int("line"); ALL];
    let mut at = 0;
    while at < ALL {
        columns[at] = match at < OWN {
            true => own[at],
            false => match VALUES[at - OWN] {
                (name, Accepts::Long) => long_text(name).or_null(),
                (name, _) => text(name, 255).or_null(),
            },
        };
        at += 1;
    }
    columns
}

const STAGED: [Column; 14 + VALUES.len()] = with_values([
    int("line"),
    // How the file writes the user name, and as it is compared.
    text("written", 255),
    text("username", 255),
    text("oldusername", 255),
    // 1: Moodle allows the user name in a new account; what it is standardised.
    small("clean"),
    text("standard", 255),
    // The address, of the row or of the defaults, as it is compared.
    text("mail", 255),
    small("deleted"),
    small("suspended").or_null(),
    // Of a new account: what is stored, and the two preferences.
    text("password", 255).or_null(),
    small("creates"),
    small("forces"),
    // Of an account that exists.
    text("newpassword", 255).or_null(),
    small("newforces").or_null(),
]);
const DEFAULTS: [Column; 1 + VALUES.len()] = with_values([int("line")]);

/// The rows of a users file as they are read; the values are NULL where the row gives none.
pub const ACCOUNT_STAGE: Table = Table::new("account_stage", &STAGED).primary("line");

/// The defaults of the profile for the rows that need some.
pub const ACCOUNT_DEFAULT: Table = Table::new("account_default", &DEFAULTS).primary("line");

/// The names by which rows depend on each other: rows that share one are applied one after the other.
pub const ACCOUNT_KEY: Table =
    Table::new("account_key", &[text("akey", 300), int("line")]).primary("akey, line").indexed(&["line"]);

/// The rows that free a name or an address, and those that want it: those of a later turn wait for the others.
pub const ACCOUNT_TURN: Table = Table::new(
    "account_turn",
    &[
        text("name", 255),
        int("line"),
        int("turn"),
        // 1: the row frees the name, and a row behind it wants it for another account.
        small("wanted"),
    ],
)
.primary("name, line")
.indexed(&["line"]);

/// The rows that have no step yet.
pub const ACCOUNT_PENDING: Table = Table::new("account_pending", &[int("line")]).primary("line");

/// The step of each row: rows about one account are applied one after the other, others together.
pub const ACCOUNT_ORDER: Table =
    Table::new("account_order", &[int("line"), int("step")]).primary("line").indexed(&["step"]);

/// The rows that are applied together.
pub const ACCOUNT_STEP: Table = Table::new("account_step", &[int("line")]).primary("line");

/// The rows that are applied together, and what becomes of each.
pub const ACCOUNT_NOW: Table = Table::new(
    "account_now",
    &[
        int("line"),
        // The account that the row names, once it exists, with its context.
        int("userid").or_null(),
        int("contextid").or_null(),
        // `create`, `update`, `same`, `delete`, `exists`, or the code of what is wrong, with the hint of its message.
        text("verdict", 40),
        text("hint", 255),
        // 1: the address is another than that of the account.
        small("newmail"),
        // 1: the account gets another user name.
        small("renames"),
        text("mail", 255),
    ],
)
.primary("line")
.indexed(&["userid"]);

/// The site's custom profile fields; `filled` is 1 if accounts get the default.
pub const PROFILE_FIELD: Table =
    Table::new("profile_field", &[int("fieldid"), small("filled"), small("rich"), long_text("preset")])
        .primary("fieldid");
