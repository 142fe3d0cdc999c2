//! Reports the daemon's state to the service manager: ready, status, reloading, stopping, alive (sd_notify(3)).
//! It must not know what the daemon does; without a service manager it sends nothing, and it never fails.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The most characters of a status; `systemctl status` shows it in one line.
const STATUS_MAX: usize = 200;

/// How long the service manager may take to read a message: a busy one must not stop the worker.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connection to the service manager, shared by all clones.
#[derive(Clone, Debug)]
pub struct Notify {
    address: Option<SocketAddr>,
    watchdog: Option<Duration>,
    failed: Arc<AtomicBool>,
}

impl Notify {
    /// The connection that the environment names: `NOTIFY_SOCKET`, with `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_env() -> Self {
        Self::new(std::env::var_os("NOTIFY_SOCKET").as_deref(), sd_notify::watchdog_enabled())
    }

    /// The connection to a socket: an absolute path, or `@` and the name of an abstract one. Any other address is
    /// logged, and then nothing is sent. `watchdog` is the time after which the service manager gives up.
    pub fn new(socket: Option<&OsStr>, watchdog: Option<Duration>) -> Self {
        // sd-notify sends to paths only, so only its message texts are used here, not its socket.
        let address = socket.filter(|name| !name.is_empty()).and_then(|name| match address(name) {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET: {error}; the service manager is told nothing");
                None
            }
        });
        Self { address, watchdog: watchdog.filter(|time| !time.is_zero()), failed: Arc::default() }
    }

    /// Reports that the daemon has started or reloaded.
    pub fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    /// Reports what the daemon does now: one line of at most 200 characters, without names or mail addresses, because
    /// every account of the host can read it.
    pub fn status(&self, text: &str) {
        self.send(&[NotifyState::Status(&one_line(text))]);
    }

    /// Reports that the daemon reads its configuration again; [`Notify::ready`] must follow, whatever the result.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            // systemd 253 with Type=notify-reload requires both in one message.
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// Reports that the daemon is about to end.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// Requests at least `time` from now on before a start or a stop counts as failed (at most 71 minutes).
    pub fn extend(&self, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.send(&[NotifyState::ExtendTimeoutUsec(micros)]);
    }

    /// The time without a ping after which the service manager kills the process; `None` if it does not watch.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Reports that the daemon is alive.
    pub fn ping(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(address) = &self.address else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = deliver(address, message.as_bytes())
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the service manager does not listen ({error}); this is said once");
        }
    }
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither an absolute path nor an abstract socket")),
    }
}

/// Uses a new socket for each message, so that a restarted service manager is reached again.
fn deliver(address: &SocketAddr, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(message, address).map(|_| ())
}

/// Replaces control characters, because a line end would begin another message to the service manager.
fn one_line(text: &str) -> String {
    let line = text.trim().replace(char::is_control, " ");
    match line.char_indices().nth(STATUS_MAX) {
        Some(_) => line.chars().take(STATUS_MAX - 1).chain(['…']).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket in the place of a service manager, which answers nothing.
    fn listening() -> (tempfile::TempDir, UnixDatagram, Notify) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(Some(path.as_os_str()), None);
        (dir, socket, notify)
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_service_manager_hears_each_word() {
        let (_dir, socket, notify) = listening();
        notify.ready();
        assert_eq!(heard(&socket), "READY=1\n");
        notify.status("Applying enrols.csv");
        assert_eq!(heard(&socket), "STATUS=Applying enrols.csv\n");
        notify.stopping();
        assert_eq!(heard(&socket), "STOPPING=1\n");
        notify.ping();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
        notify.extend(Duration::from_secs(10));
        assert_eq!(heard(&socket), "EXTEND_TIMEOUT_USEC=10000000\n");
        notify.extend(Duration::MAX);
        assert_eq!(heard(&socket), format!("EXTEND_TIMEOUT_USEC={}\n", u32::MAX));
    }

    #[test]
    fn reloading_comes_with_the_monotonic_time() {
        let (_dir, socket, notify) = listening();
        notify.reloading();
        let message = heard(&socket);
        let micros = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        assert!(micros.parse::<u64>().is_ok(), "{message:?}");
    }

    #[test]
    fn an_abstract_socket_is_reached() {
        let name = format!("enrold-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        Notify::new(Some(OsStr::new(&format!("@{name}"))), None).ready();
        assert_eq!(heard(&socket), "READY=1\n");
    }

    #[test]
    fn a_status_is_one_short_line() {
        let (_dir, socket, notify) = listening();
        notify.status("Reading a\nREADY=1\u{1b}[31m ");
        assert_eq!(heard(&socket), "STATUS=Reading a READY=1 [31m\n");
        notify.status(&"é".repeat(300));
        assert_eq!(heard(&socket), format!("STATUS={}…\n", "é".repeat(199)));
        notify.status(&"é".repeat(200));
        assert_eq!(heard(&socket), format!("STATUS={}\n", "é".repeat(200)));
    }

    #[test]
    fn without_a_listener_nothing_happens() {
        let dir = tempfile::tempdir().unwrap();
        Notify::new(None, None).ready();
        Notify::new(Some(OsStr::new("")), None).ready();
        Notify::new(Some(OsStr::new("relative/path")), None).ready();
        let notify = Notify::new(Some(dir.path().join("gone").as_os_str()), None);
        notify.ready();
        notify.ping();
        assert!(notify.failed.load(Ordering::Relaxed));
    }

    #[test]
    fn a_watchdog_of_no_time_is_none() {
        assert_eq!(Notify::new(None, Some(Duration::ZERO)).watchdog_interval(), None);
        let minute = Some(Duration::from_secs(60));
        assert_eq!(Notify::new(None, minute).watchdog_interval(), minute);
    }
}
