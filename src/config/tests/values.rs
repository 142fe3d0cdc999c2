//! Unknown keys and bad values: all reported at once, each with its place and what is expected.

use super::*;
use crate::config::keys;

#[test]
fn unknown_keys_of_every_layer_are_reported_at_once() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "[guard]\nmod = \"warn\"\n\n[tasks.flatfiel]\nenabled = true\n[tasks.nightly]\n");
    let sources = Sources {
        files: vec![path.clone()],
        env: pairs(&[("ENROLD__DATABSE__PREFIX", "m_")]),
        sets: pairs(&[("local", "fr"), ("guard", "off"), ("guard.mode", "of")]),
        ..Sources::default()
    };
    let file = path.display();
    assert_eq!(
        problems(&sources),
        [
            format!("file {file}, line 2: unknown key `guard.mod`; the nearest known key is `guard.mode`"),
            format!(
                "file {file}, line 5: unknown key `tasks.flatfiel.enabled`; the nearest known key is \
                 `tasks.flatfile.enabled`"
            ),
            format!("file {file}, line 6: unknown key `tasks.nightly`; the nearest known key is `tasks.meta.enabled`"),
            "environment ENROLD__DATABSE__PREFIX: unknown key `databse.prefix`; the nearest known key is \
             `database.prefix`"
                .to_owned(),
            "--set: unknown key `local`; the nearest known key is `locale`".to_owned(),
            "--set: `guard` is a section and takes no value; it holds keys such as `guard.mode`".to_owned(),
            "--set: `guard.mode`: found \"of\", expected one of hold, warn, off".to_owned(),
        ]
    );
}

#[test]
fn the_nearest_key_forgives_slips_and_wrong_sections() {
    for (unknown, nearest) in [
        ("run.settle", "inbox.settle"),
        ("url", "database.url"),
        ("guard.removals_percent", "guard.run.removals_percent"),
        ("flatfile.delscope", "flatfile.del_scope"),
        ("tasks.nightly.schedul", "tasks.cohort.schedule"),
        ("timezone", "site.timezone"),
    ] {
        assert_eq!(keys::nearest(unknown), nearest, "{unknown}");
    }
}

#[test]
fn a_bad_value_is_a_problem_even_where_a_higher_layer_overrides_it() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "run.retries = -1\n");
    let mut sources = from_files(&[&path]);
    sources.sets = pairs(&[("run.retries", "3")]);
    assert_eq!(
        problems(&sources),
        [format!(
            "file {}, line 1: `run.retries`: found -1, expected a whole number of attempts from 0 to 1000",
            path.display()
        )]
    );
}

#[test]
fn values_are_neither_rounded_nor_guessed() {
    let refused = [
        ("run.retries", "2.5"),
        ("run.retries", "1e2"),
        ("run.retries", ""),
        ("run.retries", "many"),
        ("inbox.settle", "3601"),
        ("guard.run.removals_percent", "101"),
        ("guard.hold_empty", "maybe"),
        ("locale", "EN"),
        ("locale", ""),
        ("database.prefix", "Mdl_"),
        ("database.prefix", "mdl;drop"),
        ("database.prefix", "a2345678901234567"),
        ("database.url", ""),
        ("state.path", " "),
        ("site.timezone", "Paris"),
        ("tasks.flatfile.schedule", "15 * * *"),
        ("tasks.flatfile.schedule", "75 * * * *"),
        ("tasks.flatfile.schedule", "0 0 15 * * * *"),
        ("tasks.flatfile.schedule", "60 15 * * * *"),
        ("tasks.meta.timezone", "Paris"),
        ("tasks.meta.courses", "A,,B"),
        ("tasks.meta.courses", "A,,"),
        ("tasks.meta.courses", ","),
        ("tasks.meta.when_disabled", "drop"),
        ("tasks.meta.guard.removals_percent", "101"),
        ("tasks.flatfile.schedule", "@hourly"),
        ("tasks.flatfile.schedule", "5/5 * * * *"),
        ("tasks.flatfile.schedule", "0 0 30 2 *"),
        ("log.level", "infoo"),
        ("flatfile.roles", "@"),
        ("flatfile.roles", "teacher = editingteacher"),
        ("flatfile.roles", "student teacher"),
        ("flatfile.roles", "*student"),
        ("waiting.not_auth", "email, O'Neill"),
    ];
    for (key, value) in refused {
        let found = problems(&from_sets(&[(key, value)]));
        assert_eq!(found.len(), 1, "{key}={value}: {found:?}");
        assert!(found[0].starts_with(&format!("--set: `{key}`: ")), "{found:?}");
    }
    let dir = Dir::new();
    let path = dir.file(
        "site.toml",
        "run.retries = 2.5\nguard.hold_empty = 1\ndatabase.prefix = 5\nlocale = [\"en\"]\nrun.lease_ttl = true\n",
    );
    let found = problems(&from_files(&[&path]));
    let reasons: Vec<_> = found.iter().filter_map(|one| one.split("`: ").nth(1)).collect();
    assert_eq!(
        reasons,
        [
            "found 2.5, expected a whole number of attempts from 0 to 1000",
            "found 1, expected true or false",
            "found 5, expected text in quotes",
            "found a list, expected one of en, fr",
            "found true, expected a whole number of seconds from 10 to 3600",
        ]
    );
}

#[test]
fn text_of_the_environment_becomes_numbers_and_flags_but_stays_text_where_text_is_due() {
    let loaded = load(&from_env(&[
        ("ENROLD__DATABASE__PREFIX", "00123"),
        ("ENROLD__RUN__RETRIES", "7"),
        ("ENROLD__GUARD__HOLD_EMPTY", "no"),
        ("ENROLD__GUARD__RUN__CREATIONS_PERCENT", "250"),
        ("ENROLD__GUARD__MODE", "off"),
        ("ENROLD__TASKS__FLATFILE__ENABLED", "false"),
        ("ENROLD__SITE__TIMEZONE", "Europe/Paris"),
        ("ENROLD__FLATFILE__UNENROLACTION", "keep"),
    ]))
    .unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.database.prefix, "00123");
    assert_eq!(settings.run.retries, 7);
    assert!(!settings.guard.hold_empty);
    assert_eq!(settings.guard.run.creations_percent, 250);
    assert_eq!(settings.guard.mode, GuardMode::Off);
    assert!(!settings.tasks["flatfile"].enabled);
    assert_eq!(settings.site.timezone, Some(chrono_tz::Europe::Paris));
    assert_eq!(settings.flatfile.unenrolaction, Some(RemovalAction::Keep));
    assert_eq!(
        effective(&loaded, "guard.hold_empty"),
        ("false".to_owned(), "environment ENROLD__GUARD__HOLD_EMPTY".to_owned())
    );
}

#[test]
fn courses_are_a_list_or_a_text_with_commas() {
    let dir = Dir::new();
    let path = dir.file(
        "site.toml",
        "tasks.cohort.courses = [\" L1, A \", \"00123\"]\ntasks.meta.courses = []\ntasks.category.courses = [1]\n",
    );
    let found = problems(&from_files(&[&path]));
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("found a list, expected a list of names in quotes, none of them empty"), "{found:?}");
    let path = dir.file("site.toml", "[tasks.cohort]\ncourses = [\" L1, A \", \"00123\"]\n[tasks.cohort.guard]\n");
    let mut sources = from_files(&[&path]);
    sources.sets = pairs(&[
        ("tasks.meta.courses", "B-1, 00123"),
        ("tasks.autoenrol.courses", ""),
        // As in TOML, a comma may follow the last name.
        ("tasks.category.courses", "B-1, 00123, "),
    ]);
    let loaded = load(&sources).unwrap();
    let tasks = &loaded.settings.tasks;
    assert_eq!(tasks["cohort"].courses, ["L1, A", "00123"]);
    assert_eq!(tasks["meta"].courses, ["B-1", "00123"]);
    assert_eq!(tasks["category"].courses, ["B-1", "00123"]);
    assert!(tasks["autoenrol"].courses.is_empty());
    assert_eq!(effective(&loaded, "tasks.meta.courses").1, "--set");
}

/// A key that a task does not set falls back to the general one; an empty text cancels the value of a lower layer.
#[test]
fn limits_of_a_task_of_its_own() {
    let dir = Dir::new();
    let path = dir.file(
        "site.toml",
        "[guard.method]\nremovals_max = 9\n[tasks.meta]\ntimezone = \"Asia/Tokyo\"\n[tasks.meta.guard]\n\
         removals_percent = 60\nat_least = 1\n",
    );
    let settings = load(&from_files(&[&path])).unwrap().settings;
    let general = &settings.guard.method;
    let own = settings.tasks["meta"].guard.over(general);
    assert_eq!(own, Limits { removals_percent: 60, at_least: 1, ..general.clone() });
    assert_eq!((own.removals_max, own.suspensions_percent), (9, 20));
    assert_eq!(settings.tasks["meta"].timezone, Some(chrono_tz::Asia::Tokyo));
    assert_eq!(settings.tasks["cohort"].guard.over(general), *general);
    let mut sources = from_files(&[&path]);
    sources.sets = pairs(&[("tasks.meta.guard.removals_percent", ""), ("tasks.meta.timezone", "")]);
    let settings = load(&sources).unwrap().settings;
    assert_eq!(settings.tasks["meta"].guard, OwnLimits { at_least: Some(1), ..OwnLimits::default() });
    assert_eq!(settings.tasks["meta"].timezone, None);
}

#[test]
fn an_empty_text_gives_the_decision_back_to_moodle() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "flatfile.unenrolaction = \"keep\"\n");
    let mut sources = from_files(&[&path]);
    sources.sets = pairs(&[("flatfile.unenrolaction", "")]);
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.settings.flatfile.unenrolaction, None);
    let shown = effective(&loaded, "flatfile.unenrolaction");
    assert_eq!(shown, (String::new(), "Moodle's own setting".to_owned()));
}

#[test]
fn all_problems_are_listed_under_one_heading() {
    let one = load(&from_sets(&[("locale", "de")])).unwrap_err();
    assert_eq!(
        one.to_string(),
        "the configuration has a problem: --set: `locale`: found \"de\", expected one of en, fr"
    );
    let two = load(&from_sets(&[("locale", "de"), ("log.level", "loud")])).unwrap_err();
    assert!(two.to_string().starts_with("the configuration has 2 problems:\n  --set: `locale`"));
}

#[test]
fn a_length_of_time_is_seconds_or_has_a_unit() {
    let delay = |value: &str| {
        let sources = Sources { sets: pairs(&[("coursecompleted.delay", value)]), ..Sources::default() };
        load(&sources).map(|loaded| loaded.settings.coursecompleted.delay.as_secs()).ok()
    };
    for (text, seconds) in
        [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("12 h", 43_200), ("30d", 2_592_000), ("1w", 604_800)]
    {
        assert_eq!(delay(text), Some(seconds), "{text}");
    }
    for text in ["", "d", "-1", "1.5d", "3y", "30 days", "99999999999999999999", "200000w"] {
        assert_eq!(delay(text), None, "{text}");
    }
}

#[test]
fn delays_name_two_courses_once() {
    let dir = Dir::new();
    let path =
        dir.file("site.toml", "[coursecompleted]\ndelay = 3600\ndelays = [\"A=B -> C = 30d\", \"A -> C d = 0\"]\n");
    let settings = load(&from_files(&[&path])).unwrap().settings;
    assert_eq!(settings.coursecompleted.delay, std::time::Duration::from_secs(3_600));
    let read: Vec<_> = settings
        .coursecompleted
        .delays
        .iter()
        .map(|delay| (delay.source.as_str(), delay.target.as_str(), delay.seconds))
        .collect();
    assert_eq!(read, [("A=B", "C", 2_592_000), ("A", "C d", 0)]);
    for (text, reason) in [
        ("A -> B", "expected \"SOURCE -> TARGET = 30d\""),
        ("A -> B = soon", "expected behind the \"=\" seconds"),
        ("A -> B -> C = 1d", "holds \" -> \" twice"),
        ("A -> B = 1d\nA -> B = 2d", "has a delay already"),
    ] {
        let sources = Sources { sets: pairs(&[("coursecompleted.delays", text)]), ..Sources::default() };
        let found = problems(&sources);
        assert!(found.len() == 1 && found[0].contains(reason), "{text}: {found:?}");
    }
}
