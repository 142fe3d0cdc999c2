//! Splits the operator's statements for a new session, and recognises those that only set encodings.
//! It must not send them.

/// The single statements of a text. One with a dollar-quoted body or a comment is not split: these may contain a `;`.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    if ["$", "--", "/*", "#"].iter().any(|mark| text.contains(mark)) {
        return vec![text];
    }
    let mut quote = None;
    let ends = text.split(|c| match quote {
        Some(open) => {
            quote = (c != open).then_some(open);
            false
        }
        None if matches!(c, '\'' | '"' | '`') => {
            quote = Some(c);
            false
        }
        None => c == ';',
    });
    ends.map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

/// Whether a statement sets the encoding of the session's texts and nothing else: `SET NAMES …`, `SET CHARACTER SET …`,
/// `SET client_encoding …` and MariaDB's variables for it.
pub(super) fn is_about_encodings(statement: &str) -> bool {
    let lower = statement.trim().to_lowercase();
    let Some(rest) = lower.strip_prefix("set").filter(|rest| rest.starts_with(char::is_whitespace)) else {
        return false;
    };
    rest.split(',').all(|part| {
        let part = part.trim().trim_start_matches('@');
        let part = ["session", "local", "global"].iter().fold(part, |part, word| {
            let rest = part.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t', '\n', '.']));
            rest.map_or(part, |rest| rest.trim_start_matches([' ', '\t', '\n', '.', '@']))
        });
        let word = part.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        let second = part[word.len()..].split_whitespace().next().unwrap_or_default();
        match word {
            "names" | "charset" | "client_encoding" | "collation_connection" => true,
            "character" => second == "set",
            "character_set_client" | "character_set_connection" | "character_set_results" => true,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{is_about_encodings, pieces};

    #[test]
    fn statements_about_encodings_are_known() {
        for statement in [
            "SET NAMES 'utf8'",
            "set names utf8 collate utf8_general_ci",
            " SET  CHARACTER SET latin1",
            "SET CHARSET 'utf8'",
            "SET client_encoding TO 'LATIN1'",
            "SET SESSION client_encoding='x'",
            "SET character_set_results = NULL, character_set_client=utf8",
            "SET @@session.character_set_results=utf8mb4",
            "SET LOCAL collation_connection = utf8_bin",
        ] {
            assert!(is_about_encodings(statement), "{statement}");
        }
        for statement in [
            "SET NAMES utf8, sql_mode = ''",
            "SET search_path = names",
            "SET TIME ZONE 'UTC'",
            "SELECT 1",
            "SETNAMES utf8",
            "SET character_sets_dir = 'x'",
            "SET SESSION AUTHORIZATION names",
            "BEGIN NAMES",
        ] {
            assert!(!is_about_encodings(statement), "{statement}");
        }
    }

    #[test]
    fn several_statements_are_cut_where_that_is_plain() {
        assert_eq!(pieces("SET NAMES utf8; SET a = ';'; "), ["SET NAMES utf8", "SET a = ';'"]);
        assert_eq!(pieces("DO $$ BEGIN; END $$; SET x = 1"), ["DO $$ BEGIN; END $$; SET x = 1"]);
        assert_eq!(pieces("SELECT 1 -- a; b"), ["SELECT 1 -- a; b"]);
        assert_eq!(pieces(" ; "), [""; 0]);
    }
}
