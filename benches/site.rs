//! A site of users u1… and courses c1… for the benchmarks, created by bulk loads in its own database.
//! It must not measure anything.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enrold::clock::Clock;
use enrold::config::Sources;
use enrold::db::{Bulk, Conn, Database, Dialect, Field, Params, migrate};
use enrold::moodle::install;
use enrold::outcome::Observer;
use enrold::run::Engine;

/// The clock of every run, Unix seconds.
pub const NOW: i64 = 1_795_299_194;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A site and the engine on it.
pub struct Bench {
    pub engine: Engine,
    pub url: String,
    admin: Option<(Database, String)>,
}

impl Bench {
    pub async fn new(engine: &str, folder: &Path, users: i64, courses: i64) -> Outcome<Self> {
        let unique = enrold::clock::nanos();
        let (url, admin) = if engine == "sqlite" {
            (format!("sqlite:{}", folder.join(format!("bench{unique}.sqlite")).display()), None)
        } else {
            let variable = format!("ENROLD_TEST_{}", engine.to_uppercase());
            let base = std::env::var(variable).map_err(|_| "start the servers: ./test --with cargo bench")?;
            let name = format!("enrold_bench_{unique}");
            let admin = database(&format!("{base}{}", if engine == "postgres" { "postgres" } else { "mysql" }))?;
            let mut conn = admin.connect().await?;
            conn.command(&format!("CREATE DATABASE {name}")).await?;
            conn.close().await;
            (format!("{base}{name}"), Some((admin, name)))
        };
        let database = database(&url)?.creating();
        let mut conn = database.connect().await?;
        fill(&mut conn, users, courses).await?;
        conn.close().await;
        let mut settings = enrold::config::load(&Sources::default())?.settings;
        settings.state.path = folder.to_owned();
        let engine = Engine {
            database: Arc::new(database),
            settings: Arc::new(settings),
            clock: Clock::frozen_at(Some(NOW)),
            wait: Duration::from_secs(10),
            observer: Observer::none(),
            rules: &enrold::rules::RULES,
            stop: tokio_util::sync::CancellationToken::new(),
        };
        Ok(Self { engine, url, admin })
    }

    pub async fn drop(self) -> Outcome<()> {
        if let Some((admin, name)) = self.admin {
            let mut conn = admin.connect().await?;
            conn.command(&format!("DROP DATABASE {name}")).await?;
            conn.close().await;
        }
        Ok(())
    }
}

fn database(url: &str) -> Outcome<Database> {
    Ok(Database::new(url, "mdl_", Duration::from_secs(60), Duration::from_secs(10))?)
}

const SETTINGS: [&str; 4] = [
    "INSERT INTO {config} (name, value) VALUES ('enrol_plugins_enabled', 'manual,flatfile'), ('siteadmins', '2'), ('siteguest', '1'), ('mnet_localhost_id', '1')",
    "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('tool_log', 'enabled_stores', 'logstore_standard')",
    "INSERT INTO {role} (id, name, shortname, description, sortorder, archetype) VALUES (5, '', 'student', '', 5, 'student')",
    "INSERT INTO {context} (id, contextlevel, instanceid, path, depth) VALUES (1, 10, 0, '/1', 1)",
];

async fn fill(conn: &mut Conn, users: i64, courses: i64) -> Outcome<()> {
    install::create_tables(conn).await?;
    migrate(conn, NOW).await?;
    conn.begin().await?;
    for statement in SETTINGS {
        conn.exec(statement, &Params::new()).await?;
    }
    let mut people =
        Bulk::new(conn.dialect(), &conn.table("user"), "id, username, idnumber, email, mnethostid, confirmed");
    for user in 1..=users + 2 {
        let (name, key, mail) =
            (format!("u{}", user - 2), format!("n{}", user - 2), format!("u{}@example.org", user - 2));
        let row =
            [Field::Int(user), Field::Text(&name), Field::Text(&key), Field::Text(&mail), Field::Int(1), Field::Int(1)];
        people.push(conn, &row).await?;
    }
    people.finish(conn).await?;
    let mut list =
        Bulk::new(conn.dialect(), &conn.table("course"), "id, category, sortorder, fullname, shortname, idnumber");
    let mut contexts = Bulk::new(conn.dialect(), &conn.table("context"), "id, contextlevel, instanceid, path, depth");
    for course in 1..=courses {
        let (name, key, path) = (format!("c{course}"), format!("ic{course}"), format!("/1/{}", course + 10));
        let id = Field::Int(course + 1);
        list.push(
            conn,
            &[id, Field::Int(1), Field::Int(course), Field::Text(&name), Field::Text(&name), Field::Text(&key)],
        )
        .await?;
        contexts.push(conn, &[Field::Int(course + 10), Field::Int(50), id, Field::Text(&path), Field::Int(2)]).await?;
    }
    list.finish(conn).await?;
    contexts.finish(conn).await?;
    conn.commit().await?;
    match conn.dialect() {
        Dialect::Postgres => {
            install::reset_sequences(conn).await?;
            conn.command("ANALYZE").await?;
        }
        Dialect::Lite => conn.command("ANALYZE").await?,
        Dialect::Maria => {}
    }
    Ok(())
}
