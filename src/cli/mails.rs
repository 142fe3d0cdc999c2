//! `enrold mails`: what waits to be sent or was refused, the order to try again, to send now, and a test mail.
//! It must not write mails.

use crate::cli::{Exit, Setting, output};
use crate::config::Locale;
use crate::daemon::log_round;
use crate::db::Conn;
use crate::lease::{LEADER, Lease};
use crate::mail::{self, Round, store};
use crate::moodle::site::Site;
use crate::report::words::pick;
use crate::run;

/// The words of `mails`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Sent mails, and those to users who get none, as well
    #[arg(long)]
    all: bool,
    /// How many mails are listed
    #[arg(long, default_value_t = 50)]
    limit: i64,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Queue refused and given-up mails anew, all or some
    Retry {
        /// Their numbers; without any: all
        ids: Vec<i64>,
    },
    /// Send now what is due
    Send,
    /// Send one mail to an address, to see whether the settings are right
    Test {
        /// Where to
        address: String,
    },
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    match &options.command {
        None => list(setting, options).await,
        Some(Command::Retry { ids }) => retry(setting, ids).await,
        Some(Command::Send) => send(setting).await,
        Some(Command::Test { address }) => test(setting, address).await,
    }
}

async fn ready(setting: &Setting) -> anyhow::Result<Conn> {
    let mut conn = setting.database()?.connect().await?;
    run::require_ready(&mut conn).await?;
    Ok(conn)
}

async fn list(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let mut conn = ready(setting).await?;
    let mails = store::list(&mut conn, options.all, options.limit).await?;
    let counts = store::counts(&mut conn).await?;
    conn.close().await;
    if setting.json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.into_iter().map(|(state, count)| (state, count.into())).collect();
        output::json(
            &serde_json::json!({ "enabled": setting.settings.smtp.enabled, "counts": counts, "mails": mails }),
        );
        return Ok(Exit::Done);
    }
    let locale = setting.locale();
    if !setting.settings.smtp.enabled {
        output::line(&pick(locale, "mails are off (smtp.enabled)", "les courriels sont désactivés (smtp.enabled)"));
    }
    if counts.is_empty() {
        output::line(&pick(locale, "no mails", "aucun courriel"));
        return Ok(Exit::Done);
    }
    let told: Vec<String> = counts.iter().map(|(state, count)| format!("{} {count}", word(state, locale))).collect();
    output::line(&told.join(", "));
    for mail in mails {
        output::line(&format!(
            "{:>8}  {:<10}  {:<14}  run {:<6}  {:<32}  {}",
            mail.id,
            word(&mail.state, locale),
            mail.kind,
            mail.run,
            mail.address,
            mail.message
        ));
    }
    Ok(Exit::Done)
}

fn word(state: &str, locale: Locale) -> String {
    let french = match state {
        "queued" => "en attente",
        "sending" => "en envoi",
        "sent" => "envoyé",
        "failed" => "refusé",
        "given-up" => "abandonné",
        "skipped" => "écarté",
        other => other,
    };
    let english = if state == "failed" { "refused" } else { state };
    pick(locale, english, french)
}

async fn retry(setting: &Setting, ids: &[i64]) -> anyhow::Result<Exit> {
    let mut conn = ready(setting).await?;
    let now = setting.clock.now();
    let queued = store::retry(&mut conn, ids, now, now + setting.settings.smtp.kept()).await?;
    conn.close().await;
    if setting.json {
        output::json(&serde_json::json!({ "queued": queued }));
    } else {
        let text = pick(
            setting.locale(),
            "queued; they leave with the next round",
            "en attente ; ils partent au prochain envoi",
        );
        output::line(&format!("{queued}: {text}"));
    }
    Ok(if queued == 0 && !ids.is_empty() { Exit::Failed } else { Exit::Done })
}

async fn send(setting: &Setting) -> anyhow::Result<Exit> {
    ready(setting).await?.close().await;
    if !setting.settings.smtp.enabled {
        anyhow::bail!("mails are off: set smtp.enabled");
    }
    let database = std::sync::Arc::new(setting.database()?);
    let round = mail::deliver(&database, &setting.settings, setting.clock, None).await?.unwrap_or_default();
    if setting.json {
        output::json(&round);
    } else {
        output::line(&said(&round, setting.locale()));
    }
    Ok(if round.problem.is_some() || round.failed > 0 { Exit::Failed } else { Exit::Done })
}

fn said(round: &Round, locale: Locale) -> String {
    let Round { sent, put_off, failed, given_up, skipped, problem, .. } = round;
    let counts = pick(
        locale,
        &format!(
            "{sent} sent, {put_off} put off, {failed} refused, {given_up} given up, {skipped} to users who get none"
        ),
        &format!("{sent} envoyés, {put_off} remis, {failed} refusés, {given_up} abandonnés, {skipped} écartés"),
    );
    problem.as_ref().map_or_else(|| counts.clone(), |problem| format!("{counts}\n  ! {problem}"))
}

async fn test(setting: &Setting, address: &str) -> anyhow::Result<Exit> {
    let mut conn = ready(setting).await?;
    let site = Site::read(&mut conn).await?;
    conn.close().await;
    let sent = mail::probe(&setting.settings, &site, setting.clock.now(), address).await;
    let id = sent.map_err(|reason| anyhow::anyhow!("the test mail was not taken: {reason}"))?;
    if setting.json {
        output::json(&serde_json::json!({ "message_id": id }));
    } else {
        let text = pick(setting.locale(), "the server took it", "le serveur l'a accepté");
        output::line(&format!("{text}: {id}"));
    }
    Ok(Exit::Done)
}

/// Sends what a command has just queued, unless a daemon leads, who does. The command itself is done whatever comes of it.
pub(super) async fn after(setting: &Setting) {
    if !setting.settings.smtp.enabled {
        return;
    }
    let sending = async {
        let database = std::sync::Arc::new(setting.database()?);
        let mut conn = database.connect().await?;
        let led = Lease::is_held(&mut conn, LEADER, setting.settings.run.lease_ttl.as_secs()).await?;
        conn.close().await;
        if !led && let Some(round) = mail::deliver(&database, &setting.settings, setting.clock, None).await? {
            log_round(&round, None);
        }
        anyhow::Ok(())
    };
    if let Err(error) = sending.await {
        tracing::warn!("mails: {error:#}; they wait, see 'enrold mails'");
    }
}
