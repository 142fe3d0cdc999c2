//! The staged lines of a file and the staged rows of a full set: both are the temporary table `stage_line`, whose keys
//! [`crate::staging::resolve`] looks up. It must not depend on what fills it.

use crate::db::Table;
use crate::db::table::{int, small, text};
use crate::staging::resolve::KEY_WIDTH;

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
        text("gkey", KEY_WIDTH).by_default(),
        small("other").by_default(),
        int("status").by_default(),
        int("timestart").by_default(),
        int("timeend").by_default(),
    ],
);
