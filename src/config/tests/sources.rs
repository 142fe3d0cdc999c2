//! Section `sources`: names chosen by the operator, defaults per source, secrets, and keys that fit together.

use chrono::NaiveDate;

use super::*;
use crate::config::each_table::example;
use crate::config::keys::sources::{OF_SOURCE, SECTION};

const VIEW: &str = "[sources.apogee]\nurl = \"postgres://r:geheim@records/apogee\"\ntable = \"v_enrol\"\n\
    [sources.apogee.columns]\nuser = \"num\"\ncourse = \"elp\"\n";

fn loaded(text: &str) -> Loaded {
    let dir = Dir::new();
    let path = dir.file("site.toml", text);
    load(&from_files(&[&path])).unwrap()
}

/// The problems of a file, without the place.
fn refused(text: &str) -> Vec<String> {
    let dir = Dir::new();
    let path = dir.file("site.toml", text);
    let place = format!("file {}, ", path.display());
    problems(&from_files(&[&path])).iter().map(|one| one.replace(&place, "")).collect()
}

#[test]
fn there_is_no_source_until_one_is_named() {
    let defaults = load(&Sources::default()).unwrap();
    assert!(defaults.settings.sources.is_empty());
    assert!(!defaults.origins.iter().any(|one| one.key.starts_with("sources")));
}

#[test]
fn a_source_has_the_defaults_of_the_reference() {
    let loaded = loaded(VIEW);
    let source = &loaded.settings.sources["apogee"];
    assert_eq!(source.url.as_ref().unwrap().expose_secret(), "postgres://r:geheim@records/apogee");
    assert_eq!((source.table.as_str(), source.columns.user.as_str()), ("v_enrol", "num"));
    assert!(source.enabled && !source.create_groups && !source.create_cohorts);
    assert_eq!((source.target, source.format), (Target::Enrolments, SetFormat::Csv));
    assert_eq!(
        (source.user_key, source.course_key, source.role_key),
        (UserKey::Idnumber, CourseKey::Idnumber, RoleKey::Shortname)
    );
    assert_eq!((source.unenrolaction, source.ignore_hidden_courses), (None, None));
    assert_eq!((source.connect_timeout.as_secs(), source.statement_timeout.as_secs()), (10, 600));
    assert_eq!(
        (source.guard.rows_fewer_percent, source.guard.rows_more_percent, source.guard.unknown_percent),
        (30, 100, 10)
    );
    assert_eq!((source.guard.courses_max, source.expected_by.is_none()), (200, true));
    assert_eq!(source.guard.own, OwnLimits::default());
    assert_eq!(source.unknown_protects, UnknownProtects::Likely);
    assert_eq!((source.removal_grace.as_secs(), source.stale_after.as_secs(), source.same_bytes_days), (0, 0, 0));
    assert_eq!(source.schedule.as_str(), "30 2 * * *");
    assert_eq!((source.courses.table.as_str(), source.courses.default_category), ("", 1));
    assert_eq!(effective(&loaded, "sources.apogee.guard.rows_fewer_percent"), ("30".to_owned(), "default".to_owned()));
    assert_eq!(effective(&loaded, "sources.apogee.unenrolaction").1, "Moodle's own setting");
    assert_eq!(effective(&loaded, "sources.apogee.url").0, "********");
    assert!(!format!("{loaded:?}").contains("geheim"));
}

/// The example has every key of a source, and its values are the defaults.
#[test]
fn the_example_names_every_key_of_a_source() {
    let in_full: String = example(&SECTION, "x")
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    let mut told = Vec::new();
    reference::flat(&in_full.parse().unwrap(), "", &mut told);
    told.sort();
    let mut known: Vec<String> = OF_SOURCE.iter().map(|key| format!("sources.x.{}", key.name)).collect();
    known.sort();
    assert_eq!(told, known);

    let from_example = loaded(
        &format!("{}[sources.y]\n", example(&SECTION, "x"))
            .replace("files = []", "files = [\"a.csv\"]")
            .replace("[sources.y]", "[sources.y]\nfiles = [\"a.csv\"]"),
    );
    let [x, y] = ["x", "y"].map(|name| {
        let mut source = from_example.settings.sources[name].clone();
        source.given.clear();
        format!("{source:?}")
    });
    assert_eq!(x, y);
}

#[test]
fn the_operators_page_names_every_key_of_a_source() {
    let page = include_str!("../../../docs/configuration.md");
    let missing = OF_SOURCE.iter().map(|key| key.name).filter(|name| !page.contains(&format!("`sources.NAME.{name}`")));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn names_and_keys_are_checked_like_all_others() {
    assert_eq!(
        refused("[sources.Apogee]\n[sources.meta]\n[sources.-x]\n[sources.all]\n[sources.\"a.b\"]\n"),
        [
            "line 1: `sources`: found the name \"Apogee\", expected at most 40 of a-z, 0-9, - and _, the first of them \
             a letter or digit",
            "line 2: `sources`: meta is the name of a task; give the source another",
            "line 3: `sources`: found the name \"-x\", expected at most 40 of a-z, 0-9, - and _, the first of them a \
             letter or digit",
            "line 4: `sources`: all is the name of a task; give the source another",
            "line 5: unknown key `sources.a.b`; the nearest known key is `sources.a.url`",
            "line 5: `sources.a.url`: a source needs a second database or files; set this, or url_file, or files",
        ]
    );
    let unknown = format!("{VIEW}[sources.apogee.guard]\nrow_fewer_percent = 3\nunknown_percent = 101\n");
    assert_eq!(
        refused(&unknown),
        [
            "line 8: unknown key `sources.apogee.guard.row_fewer_percent`; the nearest known key is \
             `sources.apogee.guard.rows_fewer_percent`",
            "line 9: `sources.apogee.guard.unknown_percent`: found 101, expected a whole number of percent from 0 to \
             100",
        ]
    );
    let section = problems(&from_sets(&[
        ("sources", "x"),
        ("sources.a", "x"),
        ("sources.a.guard", "1"),
        ("sources.a.files", "f"),
    ]));
    assert_eq!(
        section,
        [
            "--set: `sources` is a section and takes no value; it holds keys such as `sources.NAME.url`",
            "--set: `sources.a` is a section and takes no value; it holds keys such as `sources.a.url`",
            "--set: `sources.a.guard` is a section and takes no value; it holds keys such as \
             `sources.a.guard.rows_fewer_percent`",
        ]
    );
}

#[test]
fn layers_lie_over_each_other_within_a_source() {
    let dir = Dir::new();
    let secret = dir.file("url", " mysql://r:geheim@other/apogee\n");
    let path = dir.file("site.toml", VIEW);
    let mut sources = from_files(&[&path]);
    sources.env = pairs(&[
        ("ENROLD__SOURCES__APOGEE__URL_FILE", &secret.display().to_string()),
        ("ENROLD__SOURCES__APOGEE__COLUMNS__ROLE", "ROLE"),
        ("ENROLD__SOURCES__APOGEE__PROTECTED", "dean, root"),
        ("ENROLD__SOURCES__APOGEE__GUARD__REMOVALS_PERCENT", "7"),
        ("ENROLD__SOURCES__PROMO_2026__FILES", "promo-*.csv"),
    ]);
    sources.sets = pairs(&[("sources.apogee.enabled", "no"), ("sources.apogee.unenrolaction", "suspendnoroles")]);
    let loaded = load(&sources).unwrap();
    let source = &loaded.settings.sources["apogee"];
    assert_eq!(source.url.as_ref().unwrap().expose_secret(), "mysql://r:geheim@other/apogee");
    assert_eq!((source.columns.role.as_str(), source.columns.user.as_str()), ("ROLE", "num"));
    assert_eq!(source.protected, ["dean", "root"]);
    assert_eq!((source.enabled, source.unenrolaction), (false, Some(AbsentAction::SuspendNoRoles)));
    assert_eq!(source.guard.own, OwnLimits { removals_percent: Some(7), ..OwnLimits::default() });
    assert_eq!(loaded.settings.sources["promo_2026"].files, ["promo-*.csv"]);
    assert!(source.gives("url") && source.gives("columns.user") && source.gives("enabled") && !source.gives("query"));
    let two = format!("{VIEW}url_file = \"x\"\n")
        .replace("[sources.apogee.columns]", "url_file = \"x\"\n[sources.apogee.columns]")
        .replacen("\"elp\"\nurl_file = \"x\"", "\"elp\"", 1);
    assert_eq!(
        refused(&two)[0],
        "line 4: `sources.apogee.url` and `sources.apogee.url_file` are both set; keep one of them"
    );
}

#[test]
fn a_source_says_where_its_rows_are_and_says_it_once() {
    let of = |body: &str| refused(&format!("[sources.x]\n{body}"));
    assert_eq!(
        of("enabled = true\n"),
        ["line 2: `sources.x.url`: a source needs a second database or files; set this, or url_file, or files"]
    );
    assert_eq!(
        of("url = \"sqlite:a\"\n"),
        [
            "line 2: `sources.x.table`: what is to be read? Set this, or `sources.x.query`",
            "line 2: `sources.x.columns.user`: name the column of the table; without it no row says anything",
            "line 2: `sources.x.columns.course`: name the column of the table; without it no row says anything",
        ]
    );
    let columns = "columns = { user = \"u\", course = \"c\" }\n";
    assert_eq!(
        of(&format!("url = \"sqlite:a\"\ntable = \"t\"\nquery = \"SELECT 1\"\n{columns}")),
        ["line 4: `sources.x.query`: `sources.x.table` is set, too; keep one of them"]
    );
    assert_eq!(
        of(&format!("target = \"cohorts\"\nurl = \"sqlite:a\"\ntable = \"t\"\n{columns}")),
        ["line 2: `sources.x.columns.cohort`: name the column of the table; without it no row says anything"]
    );
    assert_eq!(
        of("files = [\"a\"]\ntable = \"t\"\n"),
        ["line 3: `sources.x.table`: `sources.x.files` makes it a source of files; keep one of them"]
    );
    for (key, value) in [
        ("query", "DELETE FROM t"),
        ("table", "t; DROP TABLE t"),
        ("table", "t -- x"),
        ("cohort_component", "A b"),
        ("courses.default_category", "0"),
    ] {
        let found = problems(&from_sets(&[("sources.x.files", "f"), (&format!("sources.x.{key}"), value)]));
        assert!(found[0].starts_with(&format!("--set: `sources.x.{key}`: ")), "{found:?}");
    }
}

/// Every key of the source `database` may come from Moodle; a layer overrides Moodle, a default does not.
#[test]
fn moodle_stands_below_the_source_database() {
    let loaded = loaded("[sources.database]\ncourses = { table = \"\" }\n");
    let source = &loaded.settings.sources["database"];
    assert!(source.gives("courses.table") && !source.gives("table") && source.url.is_none());
    for key in ["url", "table", "user_key", "columns.user", "courses.template"] {
        let shown = effective(&loaded, &format!("sources.database.{key}"));
        assert_eq!(shown, (String::new(), "Moodle's own setting".to_owned()), "{key}");
    }
    assert_eq!(effective(&loaded, "sources.database.format").1, "default");
    assert!(effective(&loaded, "sources.database.courses.table").1.starts_with("file "));
}

#[test]
fn a_season_has_limits_of_its_own() {
    let text = format!("{VIEW}[sources.apogee.guard]\nremovals_max = 9\n").replace(
        "table =",
        "seasons = [\"2026-08-25 -> 2026-10-15: rows_more_percent = 400, removals_percent = 0, courses_max = \
         900\", \"2026-10-01 -> 2026-10-31: unknown_percent = 50\"]\ntable =",
    );
    let settings = loaded(&text).settings;
    let source = &settings.sources["apogee"];
    let on = |year, month, day| source.limits(NaiveDate::from_ymd_opt(year, month, day).unwrap());
    assert_eq!(on(2026, 8, 24), source.guard);
    let begun = on(2026, 8, 25);
    assert_eq!((begun.rows_more_percent, begun.rows_fewer_percent, begun.unknown_percent), (400, 30, 10));
    assert_eq!((begun.courses_max, on(2026, 10, 20).courses_max), (900, 200));
    assert_eq!(begun.own, OwnLimits { removals_max: Some(9), removals_percent: Some(0), ..OwnLimits::default() });
    assert_eq!((on(2026, 10, 15).rows_more_percent, on(2026, 10, 15).unknown_percent), (400, 10));
    assert_eq!((on(2026, 10, 16).rows_more_percent, on(2026, 10, 16).unknown_percent), (100, 50));
    for (season, reason) in [
        ("2026-08-25: at_least = 1", "expected two days"),
        ("2026-08-25 -> 2026-02-30: at_least = 1", "expected two days"),
        ("2026-08-25 -> 2026-08-24: at_least = 1", "the last day lies before the first"),
        ("2026-08-25 -> 2026-08-26: most = 1", "most is not a limit"),
        ("2026-08-25 -> 2026-08-26: unknown_percent = 101", "from 0 to 100"),
        ("2026-08-25 -> 2026-08-26: at_least = 1, at_least = 2", "stands there twice"),
        ("2026-08-25 -> 2026-08-26", "expected two days"),
    ] {
        let found = problems(&from_sets(&[("sources.x.files", "f"), ("sources.x.seasons", season)]));
        assert!(found.len() == 1 && found[0].contains(reason), "{season}: {found:?}");
    }
}

/// The allowed roles of a set and the mapping of export roles: entries of one kind leave the other at its default.
#[test]
fn roles_of_both_kinds_stand_in_one_list() {
    let of = |roles: &str, more: &[(&str, &str)]| {
        let sets = [&[("sources.x.files", "f"), ("sources.x.roles", roles)], more].concat();
        load(&from_sets(&sets)).unwrap().settings.sources["x"].clone()
    };
    let maps = |source: &Source| {
        let one = |role: &RoleOf| format!("{}={}", role.from, role.to);
        source.roles.of_export.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let may = |source: &Source| {
        let list = source.allowed_roles();
        let roles = ["manager", "coursecreator", "editingteacher", "teacher", "student", "guest"];
        let named = roles.into_iter().filter(|role| list.covers(role, role));
        let own = ["tutor", "aide"].into_iter().filter(|role| list.covers(role, ""));
        named.chain(own).collect::<Vec<_>>().join(" ")
    };
    let default = load(&from_sets(&[("sources.x.files", "f")])).unwrap().settings.sources["x"].clone();
    assert_eq!(maps(&default), "student=student teacher=editingteacher");
    assert_eq!(may(&default), "editingteacher teacher student tutor aide");
    assert!(!default.lists_roles(), "nobody has said so");
    let listed = of("manager,@Student", &[]);
    assert_eq!((may(&listed), maps(&listed)), ("manager student".to_owned(), maps(&default)));
    assert!(listed.lists_roles());
    let mapped = of("aide = manager, pupil = student,x = -", &[("sources.x.format", "oneroster")]);
    assert_eq!(maps(&mapped), "aide=manager pupil=student x=-");
    assert_eq!(may(&mapped), "manager editingteacher teacher student tutor aide", "who maps a role has named it");
    assert!(!mapped.lists_roles());
    assert_eq!(may(&of("aide = manager", &[])), may(&default), "files of another form have no such words");
    let both =
        of("pupil = student\n@teacher", &[("sources.x.format", "oneroster"), ("sources.x.default_role", "guest")]);
    assert_eq!((may(&both), maps(&both)), ("teacher student guest".to_owned(), "pupil=student".to_owned()));
    let none = of("", &[]);
    assert_eq!((may(&none), maps(&none), none.lists_roles()), (String::new(), String::new(), true));
    for bad in ["@", "two words", "a@b", "= x", "x =", "**", "x = y, x = z", "http://u:p@x"] {
        let found = problems(&from_sets(&[("sources.x.files", "f"), ("sources.x.roles", bad)]));
        assert!(found.len() == 1 && found[0].starts_with("--set: `sources.x.roles`: "), "{bad}: {found:?}");
    }
}
