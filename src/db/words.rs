//! Removes the values that a database's error message quotes, which may be personal names.
//! It must not sort errors: the code only says what the message may quote.

/// Replaces a value.
const HIDDEN: &str = "…";

/// MariaDB's and MySQL's errors that name tables, columns, keys, accounts, variables and collations, and no value of a
/// row.
const NAMES_ONLY: [u16; 90] = [
    1005, 1020, 1021, 1031, 1036, 1040, 1041, 1043, 1044, 1045, 1046, 1047, 1048, 1049, 1050, 1051, 1052, 1053, 1054,
    1055, 1060, 1061, 1069, 1071, 1072, 1075, 1091, 1093, 1104, 1110, 1114, 1115, 1118, 1136, 1137, 1138, 1142, 1143,
    1146, 1153, 1158, 1159, 1160, 1161, 1176, 1180, 1184, 1192, 1193, 1203, 1205, 1206, 1213, 1226, 1227, 1231, 1235,
    1238, 1241, 1242, 1248, 1253, 1264, 1265, 1267, 1270, 1271, 1273, 1286, 1290, 1298, 1305, 1317, 1356, 1364, 1370,
    1406, 1449, 1451, 1452, 1615, 1785, 1792, 1836, 1927, 1950, 1969, 1998, 3024, 3159,
];

/// A database's message without values of rows. PostgreSQL's codes have five characters, MariaDB's are numbers from
/// 1000, SQLite's are smaller, and its messages quote nothing but the template.
///
/// What may stay is a list: any other message ends before its first quotation, so that an unforeseen error shows less,
/// not more. The key or column named behind a value stays.
pub(super) fn without_values(code: &str, message: &str) -> String {
    match code.parse::<u16>() {
        _ if code.len() == 5 => postgres(code, message),
        Ok(number) if number >= 1000 => maria(number, message),
        _ => message.to_owned(),
    }
}

fn postgres(code: &str, message: &str) -> String {
    match code {
        // Raised by a trigger or function of the site, whose text may contain anything.
        _ if code.starts_with("P0") || code.starts_with("45") => {
            "a trigger or function of the database refused it".to_owned()
        }
        // The message quotes the encoding; the invalid bytes follow a colon.
        "22021" => message.split(": ").next().unwrap_or_default().to_owned(),
        _ if code.starts_with("22") || code == "42601" => before_quotation(message, '"'),
        _ => message.to_owned(),
    }
}

fn maria(number: u16, message: &str) -> String {
    if NAMES_ONLY.contains(&number) {
        return message.to_owned();
    }
    // 1644: SIGNAL of a trigger or procedure; 1811: RAISE of a trigger on SQLite.
    if number == 1644 || number == 1811 {
        return "a trigger or function of the database refused it".to_owned();
    }
    let begins = before_quotation(message, '\'');
    // The last match: a value may contain these words too.
    let behind = ["' for key ", "' for column "].iter().filter_map(|mark| message.rfind(mark)).max();
    match behind {
        Some(at) if begins.ends_with(HIDDEN) => format!("{begins}{}", &message[at + 1..]),
        _ => begins,
    }
}

fn before_quotation(message: &str, quote: char) -> String {
    match message.find(quote) {
        Some(at) => format!("{}{HIDDEN}", &message[..at]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_are_left_out_and_names_of_things_stay() {
        for (code, message, shown) in [
            (
                "1062",
                "Duplicate entry 'O'Neil Bob-3' for key 'mdl_user_uix'",
                "Duplicate entry … for key 'mdl_user_uix'",
            ),
            ("1062", "Duplicate entry 'a' for key 'b' for key 'c'", "Duplicate entry … for key 'c'"),
            (
                "1366",
                "Incorrect string value: '\\xF0\\x9F' for column `m`.`mdl_groups`.`name` at row 1",
                "Incorrect string value: … for column `m`.`mdl_groups`.`name` at row 1",
            ),
            (
                "1064",
                "You have an error in your SQL syntax; near 'Dupont' at line 1",
                "You have an error in your SQL syntax; near …",
            ),
            ("1146", "Table 'm.mdl_x' doesn't exist", "Table 'm.mdl_x' doesn't exist"),
            ("1406", "Data too long for column 'name' at row 1", "Data too long for column 'name' at row 1"),
            ("4025", "CONSTRAINT `x` failed for `m`.`t`", "CONSTRAINT `x` failed for `m`.`t`"),
            ("1644", "Dupont is refused", "a trigger or function of the database refused it"),
            ("22P02", "invalid input syntax for type bigint: \"Dupont\"", "invalid input syntax for type bigint: …"),
            (
                "22021",
                "invalid byte sequence for encoding \"UTF8\": 0xe9 0x37",
                "invalid byte sequence for encoding \"UTF8\"",
            ),
            ("42601", "syntax error at or near \"Dupont\"", "syntax error at or near …"),
            ("42703", "column \"x\" does not exist", "column \"x\" does not exist"),
            (
                "23505",
                "duplicate key value violates unique constraint \"uix\"",
                "duplicate key value violates unique constraint \"uix\"",
            ),
            ("P0001", "Dupont is refused", "a trigger or function of the database refused it"),
            ("2067", "UNIQUE constraint failed: mdl_user.username", "UNIQUE constraint failed: mdl_user.username"),
        ] {
            assert_eq!(without_values(code, message), shown, "{code}");
        }
    }
}
