use super::*;

const ENGINES: [Dialect; 3] = [Dialect::Postgres, Dialect::Maria, Dialect::Lite];

fn known(name: &str) -> &'static Table {
    table(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"))
}

#[test]
fn the_catalogue_reads_and_names_each_table_and_column_once() {
    let catalogue = read(CATALOGUE).expect("the catalogue reads");
    assert_eq!(catalogue.len(), 61);
    let mut names = HashSet::new();
    for table in &catalogue {
        assert!(names.insert(table.name), "{} twice", table.name);
        let mut columns = HashSet::new();
        for column in &table.columns {
            assert!(columns.insert(column.name), "{}.{} twice", table.name, column.name);
        }
        for key in table.unique.iter().chain(&table.indexes) {
            assert!(key.iter().all(|column| columns.contains(column)), "{}: key {key:?}", table.name);
        }
    }
}

#[test]
fn columns_carry_type_nullness_and_default() {
    let enrolments = known("user_enrolments");
    let names: Vec<&str> = enrolments.columns.iter().map(|column| column.name).collect();
    assert_eq!(
        names,
        ["id", "status", "enrolid", "userid", "timestart", "timeend", "modifierid", "timecreated", "timemodified"]
    );
    let never = enrolments.column("timeend").expect("timeend");
    assert_eq!((never.kind, never.nullable, never.default), (Kind::Int(10), false, Some("2147483647")));
    let cohort = known("cohort").column("idnumber").expect("idnumber");
    assert_eq!((cohort.kind, cohort.nullable, cohort.default), (Kind::Char(100), true, None));
    let grade = known("grade_items").column("multfactor").expect("multfactor");
    assert_eq!((grade.kind, grade.default), (Kind::Number(10, 5), Some("1.0")));
    assert_eq!(known("forum_digests").column("maildigest").expect("maildigest").default, Some("-1"));
}

#[test]
fn keys_are_moodles() {
    assert_eq!(known("user_enrolments").unique, [["enrolid", "userid"]]);
    assert_eq!(known("user").unique, [["mnethostid", "username"]]);
    assert_eq!(known("groups_members").unique, [["userid", "groupid"]]);
    assert_eq!(known("context").unique, [["contextlevel", "instanceid"]]);
    assert_eq!(known("context").prefixes, ["path"]);
    // No unique key prevents assigning a role twice.
    assert!(known("role_assignments").unique.is_empty());
    assert!(known("cache_flags").unique.is_empty());
}

#[test]
fn what_cannot_be_read_is_named() {
    for bad in [" name c255", "user\n  name", "user\n  name x9", "user\n  name n10", "user\n  name t5"] {
        assert!(read(bad).is_err(), "{bad:?} was read");
    }
}

#[test]
fn index_names_are_unique_in_the_schema_and_fit() {
    let mut taken = HashSet::new();
    for table in tables() {
        taken.insert(format!("mdl_{}", table.name));
    }
    for key in tables().iter().flat_map(|table| keys(table, "mdl_")) {
        assert!(key.name.len() <= 60, "{} is too long", key.name);
        assert!(taken.insert(key.name.clone()), "{} twice", key.name);
    }
}

#[test]
fn indexes_fit_mariadb() {
    for table in tables() {
        for key in table.unique.iter().chain(&table.indexes) {
            let bytes: usize = key
                .iter()
                .map(|name| match table.column(name).expect("a column of the table").kind {
                    Kind::Char(length) => usize::from(length) * 4,
                    _ => 8,
                })
                .sum();
            assert!(bytes <= 3072, "{} {key:?} takes {bytes} bytes", table.name);
        }
    }
}

#[test]
fn each_engine_gets_its_own_words() {
    let cohort_members = known("cohort_members");
    assert_eq!(
        ddl(Dialect::Postgres, cohort_members, "mdl_"),
        [
            "CREATE TABLE \"mdl_cohort_members\" (\n  \"id\" BIGSERIAL PRIMARY KEY,\n  \
             \"cohortid\" BIGINT NOT NULL DEFAULT 0,\n  \"userid\" BIGINT NOT NULL DEFAULT 0,\n  \
             \"timeadded\" BIGINT NOT NULL DEFAULT 0\n)",
            "CREATE UNIQUE INDEX \"mdl_cohort_members_cohuse_uix\" ON \"mdl_cohort_members\" \
             (\"cohortid\", \"userid\")",
            "CREATE INDEX \"mdl_cohort_members_coh_ix\" ON \"mdl_cohort_members\" (\"cohortid\")",
            "CREATE INDEX \"mdl_cohort_members_use_ix\" ON \"mdl_cohort_members\" (\"userid\")",
        ]
    );
    assert_eq!(
        ddl(Dialect::Maria, known("role_context_levels"), ""),
        ["CREATE TABLE `role_context_levels` (\n  `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,\n  \
          `roleid` BIGINT NOT NULL,\n  `contextlevel` BIGINT NOT NULL,\n  \
          UNIQUE KEY `role_context_levels_conrol_uix` (`contextlevel`, `roleid`),\n  \
          KEY `role_context_levels_rol_ix` (`roleid`)\n\
          ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci ROW_FORMAT=DYNAMIC"]
    );
    let user = ddl(Dialect::Lite, known("user"), "mdl_").swap_remove(0);
    assert!(user.contains("\"id\" INTEGER PRIMARY KEY AUTOINCREMENT"), "{user}");
    assert!(user.contains("\"timezone\" TEXT NOT NULL DEFAULT '99'"), "{user}");
    assert!(user.contains("\"idnumber\" TEXT NOT NULL DEFAULT ''"), "{user}");
    assert!(user.contains("\"middlename\" TEXT,"), "{user}");
}

#[test]
fn long_texts_have_no_default() {
    for dialect in ENGINES {
        let statement = ddl(dialect, known("forum"), "mdl_").swap_remove(0);
        let intro = statement.lines().find(|line| line.contains("intro") && line.contains("TEXT"));
        assert_eq!(intro.map(|line| line.trim().ends_with("TEXT NOT NULL,")), Some(true), "{statement}");
    }
}

#[test]
fn every_table_has_statements_on_every_engine() {
    for dialect in ENGINES {
        for table in tables() {
            let statements = ddl(dialect, table, "mdl_");
            assert!(statements[0].starts_with("CREATE TABLE "), "{statements:?}");
            let keys = match dialect {
                Dialect::Maria => 0,
                Dialect::Lite => table.unique.len() + table.indexes.len(),
                Dialect::Postgres => table.unique.len() + table.indexes.len() + table.prefixes.len(),
            };
            assert_eq!(statements.len(), 1 + keys, "{}", table.name);
        }
    }
}

#[test]
fn the_sample_site_names_only_tables_and_columns_of_the_catalogue() {
    let sample = include_str!("../sample.sql");
    let mut statements = 0;
    for line in sample.lines().filter_map(|line| line.strip_prefix("INSERT INTO {")) {
        let (name, rest) = line.split_once("} (").expect("a table, then its columns");
        let columns = rest.strip_suffix(") VALUES").expect("columns, then values");
        for column in columns.split(", ") {
            assert!(known(name).column(column).is_some(), "{name}.{column}");
        }
        statements += 1;
    }
    assert_eq!(statements, sample.lines().filter(|line| line.ends_with(';')).count());
}
