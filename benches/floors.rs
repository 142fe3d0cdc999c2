//! The floors: files of bare SQL that must run in any case.
//! It must not know what enrold does, nor run or time anything.

/// The statements of a floor; a `;` at a line's end only ever ends a statement.
pub fn statements(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.starts_with("--")).fold(String::new(), |code, line| code + line + "\n");
    code.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}
