//! The staged lines of a file and the staged rows of a full set: both are the temporary table `stage_line`, whose keys
//! [`crate::staging::resolve`] looks up. It must not depend on what fills it.

use crate::db::Table;
use crate::db::table::{int, small, text};
use crate::staging::resolve::KEY_WIDTH;

/// The user key of a line as the feed writes it, for messages: `written` holds it where the key in `ukey` differs.
pub const WRITTEN: &str = "CASE WHEN l.written = '' THEN l.ukey ELSE l.written END";

/// What `written` holds for a key that was written like this.
pub fn written<'a>(key: &str, text: &'a str) -> &'a str {
    if key == text { "" } else { text }
}

/// The lines of a flat file: `op` is 1 for `add`, 2 for `del`.
pub const FILE_LINES: Table = Table::new(
    "stage_line",
    &[
        int("line"),
        small("op"),
        int("roleid"),
        text("ukey", KEY_WIDTH),
        text("ckey", KEY_WIDTH),
        int("timestart"),
        int("timeend"),
        text("written", KEY_WIDTH),
    ],
);

/// The rows of a full set; columns that its header lacks get defaults.
pub const SET_LINES: Table = Table::new(
    "stage_line",
    &[
        int("line"),
        text("ukey", KEY_WIDTH),
        text("ckey", KEY_WIDTH),
        int("roleid"),
        text("written", KEY_WIDTH).by_default(),
        text("gkey", KEY_WIDTH).by_default(),
        small("other").by_default(),
        int("status").by_default(),
        int("timestart").by_default(),
        int("timeend").by_default(),
    ],
);

/// The users of a course list: `op` is the number of what is said of them, `nth` counts the users of a line.
pub const LIST_LINES: Table = Table::new(
    "stage_line",
    &[int("line"), int("nth"), small("op"), text("ukey", KEY_WIDTH), text("written", KEY_WIDTH)],
);

/// The rows of a file of members of groups: `op` is the number of the command, `ckey` may be empty.
pub const GROUP_LINES: Table = Table::new(
    "stage_line",
    &[
        int("line"),
        small("op"),
        text("ukey", KEY_WIDTH),
        text("ckey", KEY_WIDTH),
        text("gkey", KEY_WIDTH),
        text("written", KEY_WIDTH),
    ],
);

/// The rows of a cohort file that name a user: `op` is the number of the command.
pub const MEMBER_LINES: Table = Table::new(
    "stage_line",
    &[int("line"), small("op"), text("ukey", KEY_WIDTH), text("ckey", KEY_WIDTH), text("written", KEY_WIDTH)],
);
