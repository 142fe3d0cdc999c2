//! A fresh database with Moodle's tables for each test, on each of the three databases.
//! It must not know what a test does; a missing server is a failure, never a skipped test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use enrold::clock;
use enrold::db::{Conn, Database, Dialect, Params, migrate};
use enrold::moodle::tables::{self, Table};
use futures_util::FutureExt;
use tempfile::TempDir;

use crate::site::{NOW, Site};

/// The prefix of Moodle's tables in all tests.
pub const PREFIX: &str = "mdl_";

/// Creates three tests from each `async fn name(site: Site)`, one for each database, whose name the test has. The tables
/// are those of the catalogue, or others: `on_each_database!(crate::complete::V4_1.tables() => name)`.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        crate::servers::on_each_database!(enrold::moodle::tables::tables() => $($name),+);
    };
    ($tables:expr => $($name:ident),+ $(,)?) => {$(
        mod $name {
            use enrold::db::Dialect;

            #[test]
            fn sqlite() {
                crate::servers::run_in(Dialect::Lite, $tables, super::$name);
            }

            #[test]
            fn postgresql() {
                crate::servers::run_in(Dialect::Postgres, $tables, super::$name);
            }

            #[test]
            fn mariadb() {
                crate::servers::run_in(Dialect::Maria, $tables, super::$name);
            }
        }
    )+};
}
pub(crate) use on_each_database;

/// A test body with a boxed future. It need not be `Send`: to prove that of all bodies took the compiler three minutes.
type Body<'a> = Box<dyn FnOnce(Site) -> Pin<Box<dyn Future<Output = ()>>> + 'a>;

/// Runs one test body on a fresh database of one dialect, which is removed afterwards in any case.
pub fn run_on<F, T>(engine: Dialect, body: F)
where
    F: FnOnce(Site) -> T,
    T: Future<Output = ()> + 'static,
{
    run_in(engine, tables::tables(), body);
}

/// The same on other tables than those of the catalogue.
pub fn run_in<F, T>(engine: Dialect, tables: &'static [Table], body: F)
where
    F: FnOnce(Site) -> T,
    T: Future<Output = ()> + 'static,
{
    // The compiler generates the rest once, not for each of a thousand bodies.
    run_boxed(engine, tables, Box::new(move |site| Box::pin(body(site))));
}

fn run_boxed(engine: Dialect, tables: &'static [Table], body: Body<'_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let fresh = Fresh::make(engine, tables).await;
        let mut site = Site::open(&fresh.url, fresh.dir.path()).await;
        site.tables = tables;
        let outcome = AssertUnwindSafe(body(site)).catch_unwind().await;
        fresh.remove().await;
        outcome
    });
    if let Err(failure) = outcome {
        eprintln!("the test failed on {}", engine.name());
        resume_unwind(failure);
    }
}

/// A database for one test.
struct Fresh {
    engine: Dialect,
    name: String,
    url: String,
    dir: TempDir,
}

impl Fresh {
    async fn make(engine: Dialect, tables: &[Table]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let name = unique_name("enrold_test");
        match engine {
            Dialect::Lite => {
                let path = dir.path().join("moodle.sqlite");
                std::fs::copy(lite_template(tables).await, &path).unwrap();
                Self { engine, name, url: format!("sqlite:{}", path.display()), dir }
            }
            Dialect::Postgres => {
                let mut admin = connect(&server_url(engine, "postgres")).await;
                let template = postgres_template(&mut admin, tables).await;
                // Copying files takes a third of the time of WAL-logging their pages, the default from version 15.
                let version = "SELECT CAST(current_setting('server_version_num') AS INTEGER)";
                let is_new = admin.number(version, &Params::new()).await.unwrap() >= 150_000;
                let way = if is_new { "STRATEGY FILE_COPY" } else { "" };
                admin.command(&format!("CREATE DATABASE {name} TEMPLATE {template} {way}")).await.unwrap();
                Self { engine, url: server_url(engine, &name), name, dir }
            }
            Dialect::Maria => {
                let mut admin = connect(&server_url(engine, "")).await;
                admin
                    .command(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
                    .await
                    .unwrap();
                let url = server_url(engine, &name);
                create(&mut connect(&url).await, tables).await;
                Self { engine, name, url, dir }
            }
        }
    }

    async fn remove(self) {
        let name = &self.name;
        match self.engine {
            Dialect::Lite => {}
            Dialect::Postgres => {
                let mut admin = connect(&server_url(self.engine, "postgres")).await;
                admin.command(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            }
            Dialect::Maria => {
                let mut admin = connect(&server_url(self.engine, "")).await;
                admin.command(&format!("DROP DATABASE {name}")).await.unwrap();
            }
        }
    }
}

/// A database is copied faster than its tables are created: the first test creates the template, with enrold's tables,
/// too. Its name contains a hash of its statements.
fn template_name(engine: Dialect, tables: &[Table]) -> String {
    let mut hasher = DefaultHasher::new();
    statements(engine, tables).hash(&mut hasher);
    include_str!("../../src/db/schema.rs").hash(&mut hasher);
    format!("enrold_template_{:016x}", hasher.finish())
}

/// The template is a file beside what cargo has built.
async fn lite_template(tables: &[Table]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let template = dir.join(template_name(Dialect::Lite, tables));
    if !template.exists() {
        std::fs::create_dir_all(dir).unwrap();
        let draft = dir.join(unique_name("enrold_draft"));
        let mut conn = connect(&format!("sqlite:{}", draft.display())).await;
        create(&mut conn, tables).await;
        migrate(&mut conn, NOW).await.unwrap();
        conn.close().await;
        std::fs::rename(&draft, &template).unwrap();
    }
    template
}

async fn postgres_template(admin: &mut Conn, tables: &[Table]) -> String {
    let template = template_name(Dialect::Postgres, tables);
    let none = Params::new();
    admin.exec("SELECT pg_advisory_lock(20261121)", &none).await.unwrap();
    let known = "SELECT COUNT(*) FROM pg_database WHERE datname = :name";
    if admin.number(known, &Params::new().with("name", template.as_str())).await.unwrap() == 0 {
        let draft = unique_name("enrold_draft");
        admin.command(&format!("CREATE DATABASE {draft}")).await.unwrap();
        let mut conn = connect(&server_url(Dialect::Postgres, &draft)).await;
        create(&mut conn, tables).await;
        migrate(&mut conn, NOW).await.unwrap();
        conn.close().await;
        admin.command(&format!("ALTER DATABASE {draft} RENAME TO {template}")).await.unwrap();
    }
    admin.exec("SELECT pg_advisory_unlock(20261121)", &none).await.unwrap();
    template
}

fn statements(engine: Dialect, tables: &[Table]) -> Vec<String> {
    tables.iter().flat_map(|table| tables::ddl(engine, table, PREFIX)).collect()
}

/// Creates the tables of the catalogue.
pub async fn create_tables(conn: &mut Conn) {
    create(conn, tables::tables()).await;
}

/// Creates all tables in one message to the server.
async fn create(conn: &mut Conn, tables: &[Table]) {
    let mut batch = statements(conn.dialect(), tables).join(";\n");
    if conn.dialect() == Dialect::Lite {
        batch = format!("BEGIN;\n{batch};\nCOMMIT");
    }
    conn.command(&batch).await.unwrap();
}

/// Opens a connection as enrold does.
pub async fn connect(url: &str) -> Conn {
    let seconds = Duration::from_secs;
    Database::new(url, PREFIX, seconds(30), seconds(10)).unwrap().creating().connect().await.unwrap()
}

fn server_url(engine: Dialect, database: &str) -> String {
    let variable = if engine == Dialect::Postgres { "ENROLD_TEST_POSTGRES" } else { "ENROLD_TEST_MARIADB" };
    let Ok(server) = std::env::var(variable) else {
        panic!("{variable} is not set: run ./test, which starts the servers and names them");
    };
    format!("{}/{database}", server.trim_end_matches('/'))
}

fn unique_name(begin: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{begin}_{}_{}_{next}", std::process::id(), clock::nanos())
}
