//! Invalid archives, by accident or by intent.
//! It must not know what the rows of a valid one are.

use proptest::prelude::*;

use super::*;

#[test]
fn a_manifest_is_needed_at_the_top() {
    let mut entries = bulk().entries();
    for (name, _) in &mut entries {
        *name = format!("export/{name}");
    }
    let place = Place::new();
    place.write(&entries, CompressionMethod::Deflated);
    let error = place.read(&by("", ""), EXPANDED_LIMIT).unwrap_err().to_string();
    assert!(
        error.contains("export.zip: it has no manifest.csv") && error.contains("entries: 6, manifest.csv in a folder"),
        "{error}"
    );
}

#[test]
fn an_archive_that_is_none_is_not_quoted() {
    let place = Place::new();
    place.write(&[("S3CRET.txt".to_owned(), b"S3CRET".to_vec())], CompressionMethod::Stored);
    let error = place.read(&by("", ""), EXPANDED_LIMIT).unwrap_err().to_string();
    assert!(error.contains("it has no manifest.csv") && error.contains("(entries: 1)"), "{error}");
    assert!(!error.contains("S3CRET"), "{error}");
}

#[test]
fn the_manifest_must_say_what_is_there() {
    let manifest = bulk().manifest();
    let table = [
        (
            manifest.replace("oneroster.version,1.1", "oneroster.version,1.0"),
            "oneroster.version is \"1.0\"; it must be 1.1 or 1.2",
        ),
        (manifest.replace("oneroster.version", "oneroster.Version"), "oneroster.version is missing"),
        (manifest.replace("manifest.version,1.0", "manifest.version,2.0"), "manifest.version is \"2.0\""),
        (
            manifest.replace("file.users,bulk", "file.users,Bulk"),
            "file.users is \"Bulk\"; it must be bulk, delta or absent",
        ),
        (manifest.replace("file.users,bulk", "file.users,absent"), "users.csv is there, but manifest.csv does not say"),
        (manifest.replace("file.users,bulk\r\n", ""), "users.csv is there, but manifest.csv does not say"),
        (manifest.replace("file.users,bulk", "file.users,bulk\r\nfile.users,bulk"), "file.users stands there twice"),
        (
            manifest.replace("propertyName", "PropertyName"),
            "required column missing: propertyName (found: PropertyName, value)",
        ),
        (manifest.replace(',', ";"), "separated by \";\"; use ,"),
        (manifest.replace("file.users,bulk", "\"file.users,bulk"), "quotes that do not pair"),
    ];
    for (manifest, expected) in table {
        let mut export = bulk();
        export.files.insert("manifest.csv".to_owned(), manifest.into_bytes());
        let error = export.refusal();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let mut export = bulk();
    export.files.remove("classes.csv");
    assert!(export.refusal().contains("classes.csv is announced by manifest.csv, but not there"));
    assert!(bulk().without("enrollments").refusal().contains("has no enrollments.csv"));
}

#[test]
fn headers_and_encoding_are_those_of_the_specification() {
    let table = [
        (
            "users",
            USERS.replace("sourcedId,", "SourcedId,").into_bytes(),
            "users.csv: line 1: header refused: required column missing: sourcedId",
        ),
        ("enrollments", ENROLMENTS.replace("userSourcedId", "user").into_bytes(), "userSourcedId"),
        ("users", USERS.replace("password", "username").into_bytes(), "\"username\" and \"username\""),
        (
            "users",
            USERS.replace("Ada,", "\u{fffd},").into_bytes().iter().filter(|byte| **byte != 0xbf).copied().collect(),
            "line 2 is not valid UTF-8",
        ),
        ("enrollments", ENROLMENTS.lines().next().unwrap().as_bytes().to_vec(), "no data line"),
        ("classes", Vec::new(), "no data line"),
    ];
    for (file, text, expected) in table {
        let error = bulk().with(file, "bulk", text).refusal();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let ragged = bulk().with("users", "bulk", format!("{USERS}s-4,,\n"));
    let (kept, _) = ragged.read(&by("users.username", "")).unwrap();
    assert_eq!(kept.told(), ["users.csv:5 row-ragged 3"]);
}

#[test]
fn the_order_of_columns_does_not_matter() {
    let text = "role,userSourcedId,classSourcedId,dateLastModified,status,sourcedId\nstudent,s-1,k-1,,,e-1\n";
    assert_eq!(bulk().with("enrollments", "bulk", text).rows(&by("", "")), ["k-1|s-1|student"]);
}

#[test]
fn an_archive_that_expands_too_far_is_refused() {
    let place = Place::new();
    let blanks = vec![b'\n'; 1_000_000];
    place.write(
        &bulk().with("users", "bulk", [USERS.as_bytes(), &blanks].concat()).entries(),
        CompressionMethod::Deflated,
    );
    let error = place.read(&by("", ""), 100_000).unwrap_err().to_string();
    assert!(error.contains("users.csv expands beyond"), "{error}");
    assert!(place.read(&by("", ""), 2_000_000).is_ok());
}

#[test]
fn a_directory_that_would_not_fit_is_refused_before_it_is_read() {
    let place = Place::new();
    let path = place.0.path().join("export.zip");
    let mut entries = bulk().entries();
    entries.extend((0..200).map(|number| (format!("x{number}.csv"), Vec::new())));
    place.write(&entries, CompressionMethod::Stored);
    let error = place.read(&by("", ""), EXPANDED_LIMIT).unwrap_err().to_string();
    assert!(error.contains("entries, more than 200"), "{error}");
    // A small archive whose end record has the values of a zip64 file.
    place.write(&bulk().entries(), CompressionMethod::Stored);
    let whole = std::fs::read(&path).unwrap();
    let end = whole.len() - 22;
    for (at, length) in [(8, 4), (12, 4), (16, 4)] {
        let mut claims = whole.clone();
        claims[end + at..end + at + length].fill(0xff);
        std::fs::write(&path, claims).unwrap();
        let error = place.read(&by("", ""), EXPANDED_LIMIT).unwrap_err().to_string();
        assert!(error.contains("zip64"), "{at}: {error}");
    }
    std::fs::write(&path, whole).unwrap();
    assert!(place.read(&by("", ""), EXPANDED_LIMIT).is_ok());
}

#[test]
fn texts_without_end_are_kept_as_far_as_they_matter() {
    let long = "x".repeat(100_000);
    let row = |name: &str| format!("{long},,,true,o-1,student,{name}{long},,Ada,Lovelace,,,,,,,,\n");
    let users = bulk().with("users", "bulk", format!("{USERS}{}{}", row("a"), row("b")));
    let (kept, _) = users.read(&by("users.username", "")).unwrap();
    assert_eq!(kept.lines().len(), 4, "the others are read");
    let values: Vec<usize> = kept.problems.iter().map(|told| told.problem.value.len()).collect();
    assert_eq!(values, [256], "two rows of one identifier");
}

#[test]
fn only_entries_of_the_exact_names_are_read_and_none_is_written() {
    let mut entries = bulk().entries();
    for name in ["../users.csv", "/tmp/users.csv", "x/../../users.csv", "users.csv/", "USERS.CSV", "users.csv "] {
        entries.push((name.to_owned(), b"nothing".to_vec()));
    }
    let place = Place::new();
    place.write(&entries, CompressionMethod::Stored);
    let (kept, _) = place.read(&by("users.username", ""), EXPANDED_LIMIT).unwrap();
    assert_eq!(kept.lines().len(), 4);
}

#[test]
fn doubled_names_broken_bytes_and_other_files_are_refused() {
    let place = Place::new();
    let path = place.0.path().join("export.zip");
    let mut entries = bulk().entries();
    entries.push(("userz.csv".to_owned(), USERS.as_bytes().to_vec()));
    place.write(&entries, CompressionMethod::Stored);
    let bytes = std::fs::read(&path).unwrap();
    let refused = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        place.read(&by("", ""), EXPANDED_LIMIT).unwrap_err().to_string()
    };
    let doubled = refused(replaced(&bytes, b"userz.csv", b"users.csv"));
    assert!(doubled.contains("same name") || doubled.contains("uplicate"), "{doubled}");
    let broken = refused(replaced(&bytes, b"s-1,,,true", b"s-9,,,true"));
    assert!(broken.contains("users.csv: ") && broken.contains("hecksum"), "{broken}");
    assert!(refused(b"user,course,role\n".to_vec()).contains("as a zip file"));
    assert!(refused(bytes[..bytes.len() / 2].to_vec()).contains("send it again"));
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..=bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + from.len()].copy_from_slice(to);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_its_bytes_an_archive_never_makes_the_reader_panic(
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let place = Place::new();
        place.write(&bulk().entries(), CompressionMethod::Deflated);
        let path = place.0.path().join("export.zip");
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, byte) in spots {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = place.read(&by("", ""), 1_000_000);
    }
}
