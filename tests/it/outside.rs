//! The environment of a daemon under test: a service manager that receives messages, a holder of locks, a connection to
//! the database that can be cut. It must not know what the daemon does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enrold::db::{Conn, Dialect, Params};

use crate::doctor_rights::url;
use crate::program::Program;
use crate::running::Running;
use crate::site::Site;

/// Creates a test for each of the two servers: SQLite has neither row locks nor a network connection.
macro_rules! on_both_servers {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use enrold::db::Dialect;

            #[test]
            fn postgresql() {
                crate::servers::run_on(Dialect::Postgres, super::$name);
            }

            #[test]
            fn mariadb() {
                crate::servers::run_on(Dialect::Maria, super::$name);
            }
        }
    )+};
}
pub(crate) use on_both_servers;

/// Users of the sample who are not enrolled in the course of [`enrols`].
const PEOPLE: [&str; 9] = [
    "moreaul26",
    "simona26",
    "laurentn26",
    "lefebvrei26",
    "michelr26",
    "garciae26",
    "davidg26",
    "bertrandf26",
    "rouxs26",
];

/// A file that enrols one of these users, by index from 0 to 8.
pub fn enrols(person: usize) -> String {
    format!("operation,username,course,role\nadd,{},L1-MATH-101,student\n", PEOPLE[person])
}

/// The service manager's end of `NOTIFY_SOCKET`, which stores all messages.
pub struct Manager {
    path: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    /// Listens on a socket in this directory.
    pub fn listen(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                kept.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned());
            }
        });
        Self { path, heard }
    }

    /// The program with this service manager.
    pub fn of(&self, program: &Program) -> Program {
        program.clone().env("NOTIFY_SOCKET", &self.path.display().to_string())
    }

    /// All messages so far, without the pings of the watchdog.
    pub fn words(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().filter(|message| *message != "WATCHDOG=1").cloned().collect()
    }

    /// The number of pings so far.
    pub fn pings(&self) -> usize {
        self.heard.lock().unwrap().iter().filter(|message| *message == "WATCHDOG=1").count()
    }

    /// Waits for a message with this beginning, and returns its index in [`Manager::words`].
    #[track_caller]
    pub fn until(&self, daemon: &mut Running, begin: &str) -> usize {
        let place = || self.words().iter().position(|message| message.starts_with(begin));
        daemon.until(&format!("{begin} to the service manager"), || place().is_some());
        place().unwrap()
    }
}

/// Waits until a session waits for a lock in the database of a connection; false if none does for a minute.
pub async fn somebody_waits(conn: &mut Conn) -> bool {
    let sql = match conn.dialect() {
        Dialect::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        _ => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p
                 ON p.id = x.trx_mysql_thread_id WHERE p.db = DATABASE() AND x.trx_state = 'LOCK WAIT'"
        }
    };
    for _ in 0..400 {
        if conn.number(sql, &Params::new()).await.unwrap() > 0 {
            return true;
        }
        // MariaDB refreshes this table only if it was not read for a tenth of a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    false
}

impl Site {
    /// Locks every enrolment of the site against writers, until the connection is closed.
    pub async fn hold_enrolments(&mut self) -> Conn {
        self.hold_table("user_enrolments").await
    }

    /// Locks every row of a table of Moodle, and the places of new ones, until the connection is closed.
    pub async fn hold_table(&mut self, table: &str) -> Conn {
        let mut holder = self.database(Duration::from_secs(10)).connect().await.unwrap();
        if holder.dialect() == Dialect::Maria {
            // Only this level locks gaps as well, which blocks inserts.
            holder.command("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.unwrap();
        }
        holder.begin().await.unwrap();
        let none = Params::new();
        if holder.dialect() == Dialect::Postgres {
            holder.exec(&format!("LOCK TABLE {{{table}}} IN EXCLUSIVE MODE"), &none).await.unwrap();
        } else {
            holder.rows(&format!("SELECT id FROM {{{table}}} FOR UPDATE"), &none).await.unwrap();
        }
        holder
    }

    /// Waits until a session waits for a lock in this database.
    pub async fn until_somebody_waits(&mut self, daemon: &Running) {
        assert!(somebody_waits(&mut self.conn).await, "nobody waits for a lock; the log:\n{}", daemon.log());
    }

    /// The number of enrolments created by runs, according to the journal, and of imports done.
    pub async fn applied(&mut self) -> (i64, i64) {
        let changes = "SELECT COUNT(*) FROM {enrold_change} c JOIN {enrold_run} r ON r.id = c.run
            WHERE c.kind = 'enrolment.add' AND r.state IN ('done', 'done-with-errors')";
        let runs = "SELECT COUNT(*) FROM {enrold_run} WHERE kind = 'import' AND state IN ('done', 'done-with-errors')";
        let none = Params::new();
        (self.conn.number(changes, &none).await.unwrap(), self.conn.number(runs, &none).await.unwrap())
    }

    /// The number of free leases, of two.
    pub async fn free_leases(&mut self) -> i64 {
        let sql = "SELECT COUNT(*) FROM {enrold_lease} WHERE holder = ''";
        self.conn.number(sql, &Params::new()).await.unwrap()
    }

    /// A connection to this site's server that can be cut, and the program that uses it.
    pub fn wire(&self, program: &Program) -> (Wire, Program) {
        let url = url(&self.engine());
        let (account, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let wire = Wire::to(server.parse().unwrap());
        let program = program.clone().set(&format!("database.url={account}@{}/{name}", wire.address));
        (wire, program)
    }
}

/// Where the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the server receives a message with this text.
    Before(&'static str),
    /// After the server has received it, before it can answer.
    After(&'static str),
    /// Before the server receives it, without an error: sent data is lost silently.
    Dead(&'static str),
}

impl Cut {
    fn is_at(self, message: &[u8]) -> bool {
        let (Self::Before(text) | Self::After(text) | Self::Dead(text)) = self;
        message.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

/// A proxy between the daemon and the server that can cut the connection and restore it.
#[derive(Clone)]
pub struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    is_dead: bool,
    cut: Option<Cut>,
    ends: Vec<TcpStream>,
}

impl Wire {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let own = wire.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = own.state.lock().unwrap();
                if state.is_cut {
                    continue;
                }
                let server = TcpStream::connect(server).unwrap();
                state.ends.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                drop(state);
                let (up, down) = (own.clone(), own.clone());
                let (other_client, other_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || up.carry(client, server, true));
                std::thread::spawn(move || down.carry(other_server, other_client, false));
            }
        });
        wire
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, up: bool) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let message = &buffer[..length];
            let cut = self.state.lock().unwrap().cut.filter(|cut| up && cut.is_at(message));
            if let Some(Cut::Dead(_)) = cut {
                self.state.lock().unwrap().is_dead = true;
            }
            while self.state.lock().unwrap().is_dead {
                std::thread::sleep(Duration::from_millis(20));
            }
            if let Some(Cut::Before(_)) = cut {
                self.cut();
            }
            if to.write_all(message).is_err() {
                break;
            }
            if let Some(Cut::After(_)) = cut {
                self.cut();
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    /// Cuts it: connections break, new ones are refused.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        (state.is_cut, state.cut) = (true, None);
        for end in state.ends.drain(..) {
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// Cuts it at a message.
    pub fn cut_at(&self, cut: Cut) {
        self.state.lock().unwrap().cut = Some(cut);
    }

    /// True while it is cut or dead.
    pub fn is_cut(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.is_cut || state.is_dead
    }

    /// Restores it; connections that were silently lost stay broken.
    pub fn mend(&self) {
        let was_dead = self.state.lock().unwrap().is_dead;
        if was_dead {
            self.cut();
        }
        let mut state = self.state.lock().unwrap();
        (state.is_cut, state.is_dead) = (false, false);
    }
}
