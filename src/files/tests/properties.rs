//! What holds for any file: nothing panics, every physical line is accounted for, line ends and read sizes do not
//! matter. It must not know how the reader works, only what it promises.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Pieces of files that combine in unusual ways.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "add", "del", ",", ";", "\t", "\"", "\"\"", "'", "\n", "\r", "\r\n", " ",
            "u1", "c1", "student", "é", "€", "\u{feff}",
            "operation,username,course,role\n", "operation;uid;cid;rolename;start;end\r",
            "add,u1,c1,student\n", "0", "2026-03-29 02:30",
            "sep=;\n", "Export\n", ";;;\n", "\u{1a}",
            "add,student,éèàù,c1\n", "\nadd,student,u1,c1", "add,\"u1,c1,student\n", "\",x,\"", "31/12/2026", " add,",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
        1 => prop::sample::select(vec![
            vec![0xff, 0xfe], vec![0xfe, 0xff], vec![0xe9], vec![0xc3], vec![0x0a, 0x00], vec![0x0d, 0x00],
        ]),
    ]
}

/// Lines with delimiters and quotes anywhere.
const LINE: &str = "[adel,;\" u1\té']{0,12}|add,student,u[0-9],c1|add,u1,c1,student|del,\"u|1\",c1,student";

/// Texts that look like times.
const TIME: &str = "[0-9+:/TZ -]{0,26}\
    |[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:?[0-9]{2})?|\\PC{0,14}";

fn file() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

fn kind() -> impl Strategy<Value = Option<Kind>> {
    prop::sample::select(vec![None, Some(Kind::Header), Some(Kind::Native)])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_or_accounted_for(bytes in file(), kind in kind()) {
        let reading = Reading { kind, ..reading() };
        match read_all(Cursor::new(bytes.clone()), &reading) {
            Err(FileProblem::Io(error)) => panic!("{error}"),
            Err(FileProblem::Rejected(_)) => {}
            Ok((scan, entries, tally)) => {
                prop_assert_eq!(tally.physical, scan.lines);
                prop_assert_eq!(tally.blank + tally.header + tally.read + tally.bad + tally.continued, tally.physical);
                let before = u64::from(scan.sep_line > 0) + scan.titles.len() as u64;
                prop_assert_eq!(tally.header, u64::from(scan.header_line > 0) + before);
                prop_assert_eq!(tally.read + tally.bad, entries.len() as u64);
                prop_assert_eq!(scan.has_data, !entries.is_empty());
                let lines: Vec<u64> = entries.iter().map(|entry| match entry {
                    Entry::Line(line) => line.line,
                    Entry::Bad(problem) => problem.line,
                }).collect();
                prop_assert!(lines.is_sorted_by(|a, b| a < b));
                let raw = raw_lines(Cursor::new(bytes), &scan, lines.clone()).into_iter().flatten().flatten();
                prop_assert_eq!(raw.map(|raw| raw.line).collect::<Vec<_>>(), lines);
            }
        }
    }

    #[test]
    fn the_size_of_reads_changes_nothing(bytes in file(), step in 1usize..7) {
        let whole = read_all(Cursor::new(bytes.clone()), &reading());
        let dribbled = read_all(Dribble { file: Cursor::new(bytes), step }, &reading());
        prop_assert_eq!(format!("{whole:?}"), format!("{dribbled:?}"));
    }

    #[test]
    fn chunk_borders_change_nothing(pad in 65_500usize..65_560, pieces in vec(piece(), 0..12)) {
        // The same pieces once far from the border of a chunk of 64 KiB and once around it.
        let native = Reading { kind: Some(Kind::Native), ..reading() };
        let after = |spaces: usize| {
            let bytes = [" ".repeat(spaces).as_bytes(), b"\n", &pieces.concat()].concat();
            read_all(Cursor::new(bytes), &native)
                .map(|(_, entries, tally)| (entries, tally))
                .map_err(|error| error.to_string())
        };
        prop_assert_eq!(format!("{:?}", after(3)), format!("{:?}", after(pad)));
    }

    #[test]
    fn line_ends_change_nothing(lines in vec(LINE, 0..12), header: bool) {
        let lf = format!("{}{}", if header { HEADER } else { "" }, lines.join("\n"));
        let result = |end: &str| {
            let text = lf.replace('\n', end).into_bytes();
            read_all(Cursor::new(text), &reading())
                .map(|(_, entries, tally)| (entries, tally))
                .map_err(|error| error.to_string())
        };
        let expected = format!("{:?}", result("\n"));
        prop_assert_eq!(&expected, &format!("{:?}", result("\r\n")));
        prop_assert_eq!(&expected, &format!("{:?}", result("\r")));
    }

    #[test]
    fn what_the_csv_crate_writes_is_read(
        users in vec("[a-z]([a-z,;\"'\\n é]{0,6}[a-z])?", 1..8),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["role", "username", "operation", "course"])?;
        for user in &users {
            writer.write_record(["student", user, "add", "c1"])?;
        }
        let (_, entries, _) = outcome(writer.into_inner().map_err(|error| TestCaseError::fail(error.to_string()))?);
        let read: Vec<_> = entries.into_iter().map(|entry| match entry {
            Entry::Line(line) => line.user,
            Entry::Bad(problem) => panic!("{problem:?}"),
        }).collect();
        prop_assert_eq!(read, users);
    }

    #[test]
    fn times_never_panic(text in TIME) {
        for zone in [chrono_tz::Europe::Paris, chrono_tz::Africa::Monrovia, chrono_tz::Pacific::Apia] {
            if let Ok(time) = times::parse(&text, times::Bound::End, zone, SmallTimes::Accept) {
                prop_assert!(time >= 0);
            }
        }
    }
}
