//! A small strict reader of the OpenMetrics text format, written from its specification (version 1.0.0).
//! It must not know any metric of enrold.

use std::collections::{BTreeMap, BTreeSet};

/// One line with a value.
pub struct Sample {
    /// The metric family, without the suffix of its type.
    pub family: String,
    /// The name as written.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

struct Family {
    name: String,
    kind: Option<String>,
    help: bool,
    unit: bool,
}

/// Reads a whole text; panics at the first violation of the format.
pub fn parse(text: &str) -> Vec<Sample> {
    let body = text.strip_suffix("# EOF\n").expect("the last line is # EOF");
    let mut samples: Vec<Sample> = Vec::new();
    let mut families: Vec<Family> = Vec::new();
    let mut series = BTreeSet::new();
    for line in body.split_terminator('\n') {
        assert!(!line.is_empty() && line.trim() == line, "a line that is empty or has blanks at an end: {line:?}");
        if let Some(comment) = line.strip_prefix("# ") {
            describe(comment, &mut families, samples.last());
            continue;
        }
        let family = families.last().expect("HELP and TYPE stand before the samples");
        let sample = sample(line, family);
        assert!(series.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
        samples.push(sample);
    }
    buckets(&samples);
    samples
}

fn describe(comment: &str, families: &mut Vec<Family>, last: Option<&Sample>) {
    let mut words = comment.splitn(3, ' ');
    let (what, name, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    assert!(is_name(name), "not a name: {name}");
    if families.last().is_none_or(|family| family.name != name) {
        assert!(families.iter().all(|family| family.name != name), "{name} is described in two places");
        families.push(Family { name: name.to_owned(), kind: None, help: false, unit: false });
    }
    assert!(last.is_none_or(|sample| sample.family != name), "{name} is described behind its samples");
    let family = families.last_mut().expect("just pushed");
    match what {
        "HELP" => assert!(!std::mem::replace(&mut family.help, true) && !rest.is_empty(), "HELP of {name}"),
        "TYPE" => {
            assert!(["counter", "gauge", "histogram", "info"].contains(&rest), "TYPE {rest} of {name}");
            assert!(family.kind.replace(rest.to_owned()).is_none(), "two TYPEs of {name}");
        }
        "UNIT" => assert!(!std::mem::replace(&mut family.unit, true) && name.ends_with(&format!("_{rest}"))),
        other => panic!("unknown comment {other}"),
    }
}

fn sample(line: &str, family: &Family) -> Sample {
    assert!(family.help, "no HELP before {line}");
    let kind = family.kind.as_deref().unwrap_or_else(|| panic!("no TYPE before {line}"));
    let end = line.find(['{', ' ']).expect("a name");
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest),
        None => (BTreeMap::new(), rest),
    };
    let value = value.strip_prefix(' ').expect("a blank before the value");
    let suffix = name.strip_prefix(&family.name).unwrap_or_else(|| panic!("{name} among {}", family.name));
    let suffixes: &[&str] = match kind {
        "counter" => &["_total"],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    assert!(suffixes.contains(&suffix), "{name} is no {kind}");
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    assert!(value.is_finite() && (kind == "gauge" || value >= 0.0), "{line}");
    Sample { family: family.name.clone(), name: name.to_owned(), labels, value }
}

/// Reads `a="x",b="y"}` and returns the text after the brace.
fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name), "not a label: {name}");
        let (value, after) = quoted(after);
        assert!(labels.insert(name.to_owned(), value).is_none(), "two labels {name}");
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, after.strip_prefix('}').expect("a closing brace")),
        }
    }
}

fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                other => panic!("unknown escape {other:?}"),
            },
            plain => value.push(plain),
        }
    }
    panic!("a value without an end: {text}");
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Buckets of a histogram never decrease and end with `+Inf`, whose value equals the count.
fn buckets(samples: &[Sample]) {
    for count in samples.iter().filter(|sample| sample.name == format!("{}_count", sample.family)) {
        let mut last = (f64::NEG_INFINITY, 0.0);
        for bucket in samples.iter().filter(|sample| sample.name == format!("{}_bucket", count.family)) {
            let mut labels = bucket.labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            if labels != count.labels {
                continue;
            }
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound") };
            assert!(bound > last.0 && bucket.value >= last.1, "buckets of {} fall", count.family);
            last = (bound, bucket.value);
        }
        assert_eq!(last, (f64::INFINITY, count.value), "the last bucket of {}", count.family);
    }
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a A.\n# TYPE a counter\na_total{x=\"y\\\"\"} 1\n# EOF\n";
    assert_eq!(parse(good)[0].labels["x"], "y\"");
    for bad in [
        "# HELP a A.\n# TYPE a counter\na_total 1\n",
        "a_total 1\n# EOF\n",
        "# TYPE a counter\na_total 1\n# EOF\n",
        "# HELP a A.\na 1\n# EOF\n",
        "# HELP a A.\n# TYPE a counter\na 1\n# EOF\n",
        "# HELP a A.\n# TYPE a gauge\na 1\na 1\n# EOF\n",
        "# HELP a A.\n# TYPE a gauge\na{x=\"y} 1\n# EOF\n",
        "# HELP a A.\n# TYPE a gauge\na one\n# EOF\n",
        "# HELP a A.\n# TYPE a gauge\n\na 1\n# EOF\n",
    ] {
        assert!(std::panic::catch_unwind(|| parse(bad)).is_err(), "accepted: {bad}");
    }
}
