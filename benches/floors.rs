//! The floors: files with the bare SQL that any implementation must run.
//! It must not know what enrold does, nor run or time anything.

/// The statements of a floor; a `;` at the end of a line always ends a statement.
pub fn statements(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.starts_with("--")).fold(String::new(), |code, line| code + line + "\n");
    code.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}
