//! Converts plain text and HTML: the text of an HTML mail for clients that show no HTML, and escaping.
//! It must not know mails.

/// A text, escaped for HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text of an HTML fragment: blocks become lines, links keep their address, scripts and styles are left out.
pub(super) fn from_html(html: &str) -> String {
    let mut text = Lines::default();
    let mut link: Option<(String, usize)> = None;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.words(&rest[..at]);
        let begins = rest[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        let Some(end) = rest[at..].find('>').map(|end| at + end).filter(|_| begins) else {
            text.words("&lt;");
            rest = &rest[at + 1..];
            continue;
        };
        let tag = rest[at + 1..end].trim();
        rest = &rest[end + 1..];
        let name: String =
            tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect::<String>().to_ascii_lowercase();
        match name.as_str() {
            "script" | "style" => rest = after(rest, &format!("</{name}")),
            "br" | "br/" | "tr" | "/tr" => text.end_line(),
            "p" | "/p" | "div" | "/div" | "ul" | "/ul" | "ol" | "/ol" | "table" | "/table" | "/h1" | "/h2" | "/h3"
            | "/h4" => text.end_block(),
            "li" => {
                text.end_line();
                text.words("* ");
            }
            "a" => link = attribute(tag, "href").map(|to| (to, text.done.len())),
            "/a" => {
                if let Some((to, from)) = link.take()
                    && text.done.get(from..).is_none_or(|shown| shown.trim() != to)
                {
                    text.words(&format!(" ({to})"));
                }
            }
            _ => {}
        }
    }
    text.words(rest);
    text.done.trim().to_owned()
}

/// The rest after the first tag that begins with `tag`, in any case; empty if there is none.
fn after<'a>(rest: &'a str, tag: &str) -> &'a str {
    let found = rest.to_ascii_lowercase().find(tag);
    found.and_then(|at| rest[at..].find('>').map(|end| &rest[at + end + 1..])).unwrap_or("")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find(&format!("{name}="))? + name.len() + 1;
    let value = &tag[at..];
    let inside = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    Some(unescaped(inside))
}

#[derive(Default)]
struct Lines {
    done: String,
}

impl Lines {
    /// Adds text; any white space becomes one blank.
    fn words(&mut self, html: &str) {
        let text = unescaped(html);
        let blank_before = text.starts_with(char::is_whitespace) && !self.done.ends_with(['\n', ' ']);
        if blank_before && !self.done.is_empty() {
            self.done.push(' ');
        }
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            self.done.push_str(word);
            if words.peek().is_some() || text.ends_with(char::is_whitespace) {
                self.done.push(' ');
            }
        }
    }

    fn end_line(&mut self) {
        self.done.truncate(self.done.trim_end_matches(' ').len());
        if !self.done.is_empty() && !self.done.ends_with('\n') {
            self.done.push('\n');
        }
    }

    fn end_block(&mut self) {
        self.end_line();
        if !self.done.is_empty() && !self.done.ends_with("\n\n") {
            self.done.push('\n');
        }
    }
}

fn unescaped(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').filter(|end| *end <= 10).and_then(|end| Some((end, entity(&rest[1..end])?)));
        match entity {
            Some((end, letter)) => {
                text.push(letter);
                rest = &rest[end + 1..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text + rest
}

fn entity(name: &str) -> Option<char> {
    if let Some(digits) = name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
        return u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    }
    if let Some(digits) = name.strip_prefix('#') {
        return digits.parse().ok().and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "ccedil" => 'ç',
        "laquo" => '«',
        "raquo" => '»',
        "rsquo" => '’',
        "ndash" => '–',
        "hellip" => '…',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_links_and_entities() {
        for (html, text) in [
            ("<p>Bonjour&nbsp;!</p><p>Deux</p>", "Bonjour !\n\nDeux"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<ul><li>one</li><li>two &amp; three</li></ul>", "* one\n* two & three"),
            ("<a href=\"https://x.org/a?b=1&amp;c=2\">here</a>", "here (https://x.org/a?b=1&c=2)"),
            ("<a href='https://x.org'>https://x.org</a>", "https://x.org"),
            ("<STYLE>p{}</STYLE>a <b>bold</b> word<script>x<y</script>", "a bold word"),
            ("5 < 6 and &bogus; &#233;&#xe8;", "5 < 6 and &bogus; éè"),
            ("  <p> x </p> ", "x"),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
        assert_eq!(escaped("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
