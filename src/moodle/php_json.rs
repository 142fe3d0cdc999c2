//! Writes the JSON of events as PHP's `json_encode` does, so that a log reads the same whoever has written it.
//! It must not know what an event holds.

/// An object of texts, without blanks; `/` is escaped, and so is all that is not ASCII.
pub fn object(members: &[(&str, &str)]) -> String {
    let mut json = String::from("{");
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        push_text(name, &mut json);
        json.push(':');
        push_text(value, &mut json);
    }
    json.push('}');
    json
}

fn push_text(text: &str, json: &mut String) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' | '/' => json.extend(['\\', char]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='\u{7f}' => json.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn texts_are_escaped_as_by_php() {
        let json = object(&[("shortname", "L1/é"), ("fullname", "a \"b\" \\ 😀\t\u{1}\u{7f}")]);
        let expected = r#"{"shortname":"L1\/\u00e9","fullname":"a \"b\" \\ \ud83d\ude00\t\u0001"#;
        assert_eq!(json, format!("{expected}\u{7f}\"}}"));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["fullname"], "a \"b\" \\ 😀\t\u{1}\u{7f}");
        assert_eq!(object(&[]), "{}");
    }
}
