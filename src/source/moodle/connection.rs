//! Builds the URL of the database that the settings of Moodle's external database plugin name.
//! It must not connect, and no message repeats the URL or the password.

use super::{MoodleSourceError, filled};

/// The databases that enrold reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Postgres,
    Maria,
    Lite,
}

impl Engine {
    /// The database that a driver name of Moodle stands for.
    fn of(driver: &str) -> Option<Self> {
        let driver = driver.trim().to_ascii_lowercase();
        let name = driver.strip_prefix("pdo").map_or(driver.as_str(), |rest| rest.trim_start_matches(['_', '+', ':']));
        match name {
            "pgsql" => Some(Self::Postgres),
            name if name.starts_with("postgres") => Some(Self::Postgres),
            "mysql" | "mysqli" | "mysqlt" | "mariadb" => Some(Self::Maria),
            "sqlite" | "sqlite3" => Some(Self::Lite),
            _ => None,
        }
    }
}

/// The parts of a database URL, not escaped yet.
#[derive(Default)]
struct Place {
    host: String,
    port: String,
    user: String,
    password: String,
    name: String,
}

/// The URL that the settings name; `None` if they name no database.
pub(super) fn url<'a>(setting: &dyn Fn(&str) -> &'a str) -> Result<Option<String>, MoodleSourceError> {
    let Some(driver) = filled(setting("dbtype")) else {
        return Ok(None);
    };
    let unknown = |driver: &str| MoodleSourceError::Driver { driver: driver.to_owned() };
    if let Some((scheme, rest)) = driver.split_once("://") {
        let engine = Engine::of(scheme).ok_or_else(|| unknown(scheme))?;
        // The text after the question mark holds options of Moodle's own driver.
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        return Ok(Some(match engine {
            Engine::Postgres => format!("postgres://{rest}"),
            Engine::Maria => format!("mysql://{rest}"),
            Engine::Lite => format!("sqlite://{rest}"),
        }));
    }
    let mut place = Place {
        user: setting("dbuser").to_owned(),
        password: setting("dbpass").to_owned(),
        name: setting("dbname").trim().to_owned(),
        ..Place::default()
    };
    let host = setting("dbhost").trim();
    let engine = match driver.to_ascii_lowercase().as_str() {
        "pdo" => read_dsn(host, &mut place)
            .ok_or_else(|| unknown(&format!("pdo {}", host.split(':').next().unwrap_or_default())))?,
        _ => {
            (place.host, place.port) = host_and_port(host);
            Engine::of(driver).ok_or_else(|| unknown(driver))?
        }
    };
    if engine == Engine::Lite {
        let path = if host.starts_with('/') { host } else { &place.name };
        return Ok(Some(format!("sqlite://{}", escaped_path(path))));
    }
    if place.name.is_empty() {
        let reason = "it names no database".to_owned();
        return Err(MoodleSourceError::Setting { setting: "dbname", reason, key: "url" });
    }
    Ok(Some(place.url(engine)))
}

impl Place {
    fn url(&self, engine: Engine) -> String {
        let (scheme, socket) = match engine {
            Engine::Postgres => ("postgres", "host"),
            _ => ("mysql", "socket"),
        };
        let mut url = format!("{scheme}://{}", escaped(&self.user));
        if !self.password.is_empty() {
            url += &format!(":{}", escaped(&self.password));
        }
        if !self.user.is_empty() || !self.password.is_empty() {
            url.push('@');
        }
        let is_socket = self.host.starts_with('/');
        url += match self.host.as_str() {
            "" => "localhost",
            _ if is_socket => "localhost",
            host => host,
        };
        if !self.port.is_empty() {
            url += &format!(":{}", self.port);
        }
        url += &format!("/{}", escaped(&self.name));
        if is_socket {
            url += &format!("?{socket}={}", escaped(&self.host));
        }
        url
    }
}

/// `host`, `host:port`, `[::1]:port`, or the path of a socket.
fn host_and_port(text: &str) -> (String, String) {
    match text.rsplit_once(':') {
        Some((host, port))
            if !text.starts_with('/')
                && !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            (host.to_owned(), port.to_owned())
        }
        _ => (text.to_owned(), String::new()),
    }
}

/// Reads PHP's `pgsql:host=…;port=…;dbname=…`, which `dbhost` contains if the driver is `pdo`.
fn read_dsn(text: &str, place: &mut Place) -> Option<Engine> {
    let (driver, rest) = text.split_once(':')?;
    let engine = Engine::of(driver)?;
    if engine == Engine::Lite {
        place.name = rest.to_owned();
    }
    for (name, value) in rest.split([';', ' ']).filter_map(|pair| pair.split_once('=')) {
        let value = value.trim().to_owned();
        match name.trim() {
            "host" | "unix_socket" => place.host = value,
            "port" => place.port = value,
            "dbname" => place.name = value,
            "user" => place.user = value,
            "password" => place.password = value,
            _ => {}
        }
    }
    Some(engine)
}

/// The text, with every byte that has a meaning in a URL as `%XX`.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The path, with the three characters escaped that have a meaning in our SQLite URLs.
fn escaped_path(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(settings: &[(&str, &'static str)]) -> Result<Option<String>, MoodleSourceError> {
        let settings = settings.to_vec();
        url(&|name| settings.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value))
    }

    #[test]
    fn drivers_become_urls() {
        let found = |dbtype, dbhost, dbname| {
            url_of(&[
                ("dbtype", dbtype),
                ("dbhost", dbhost),
                ("dbuser", "r d"),
                ("dbpass", "p@:/?#é"),
                ("dbname", dbname),
            ])
            .unwrap()
            .unwrap()
        };
        let user = "r%20d:p%40%3A%2F%3F%23%C3%A9@";
        for driver in ["pgsql", "postgres", "postgres64", "postgres7", "postgres9", "pdo_pgsql", " PGSQL "] {
            assert_eq!(found(driver, "h", "apogee"), format!("postgres://{user}h/apogee"), "{driver}");
        }
        for driver in ["mysql", "mysqli", "mysqlt", "mariadb", "pdo_mysql"] {
            assert_eq!(found(driver, "h:3307", "a b"), format!("mysql://{user}h:3307/a%20b"), "{driver}");
        }
        assert_eq!(found("mysqli", "", "a"), format!("mysql://{user}localhost/a"));
        assert_eq!(found("pgsql", "[::1]:5433", "a"), format!("postgres://{user}[::1]:5433/a"));
        assert_eq!(found("pgsql", "/run/pg", "a"), format!("postgres://{user}localhost/a?host=%2Frun%2Fpg"));
        assert_eq!(found("mysqli", "/run/m.sock", "a"), format!("mysql://{user}localhost/a?socket=%2Frun%2Fm.sock"));
        assert_eq!(found("sqlite3", "/var/a?b.db", ""), "sqlite:///var/a%3Fb.db");
        assert_eq!(found("sqlite3", "localhost", "/var/a.db"), "sqlite:///var/a.db");
        assert_eq!(found("pdo", "pgsql:host=h;port=5433;dbname=x", ""), format!("postgres://{user}h:5433/x"));
        assert_eq!(found("pdo", "mysql:unix_socket=/s;dbname=x", ""), format!("mysql://{user}localhost/x?socket=%2Fs"));
        assert_eq!(found("pdo", "sqlite:/var/a.db", ""), "sqlite:///var/a.db");
        assert_eq!(found("mysqli://u:p@h/x?persist", "", ""), "mysql://u:p@h/x");
        assert_eq!(found("postgres8://u:p@h:1/x", "", ""), "postgres://u:p@h:1/x");
    }

    #[test]
    fn what_enrold_does_not_read_is_said() {
        assert_eq!(url_of(&[]), Ok(None));
        for driver in ["oci8", "mssqlnative", "odbc", "oci8://u:geheim@h/x", "access"] {
            let refused = url_of(&[("dbtype", driver), ("dbhost", "h"), ("dbname", "x")]).unwrap_err().to_string();
            assert!(refused.contains("sources.database.files") && !refused.contains("geheim"), "{refused}");
        }
        let refused = url_of(&[("dbtype", "pdo"), ("dbhost", "oci:dbname=x;password=geheim")]).unwrap_err().to_string();
        assert!(refused.contains("\"pdo oci\"") && !refused.contains("geheim"), "{refused}");
        let nameless = url_of(&[("dbtype", "mysqli"), ("dbhost", "h")]).unwrap_err();
        assert!(nameless.to_string().contains("sources.database.url"), "{nameless}");
    }
}
