//! `enrold mails`: lists mails that wait or were refused, retries them, sends now, or sends a test mail.
//! It must not write mails.

use crate::cli::{Exit, Setting, operator, output};
use crate::config::Locale;
use crate::front::Outbox;
use crate::outcome::{Observer, Round};
use crate::report::words::pick;

/// The arguments of `mails`.
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
    let (front, who) = (setting.front_observed(Observer::none())?, operator());
    match &options.command {
        None => {
            list(setting, front.mails(&who, options.all, options.limit).await?);
            Ok(Exit::Done)
        }
        Some(Command::Retry { ids }) => {
            let queued = front.retry_mails(&who, ids).await?;
            retried(setting, queued);
            Ok(if queued == 0 && !ids.is_empty() { Exit::Failed } else { Exit::Done })
        }
        Some(Command::Send) => {
            let round = front.send_mails(&who).await?;
            if setting.json {
                output::json(&round);
            } else {
                output::lines(&said(&round, setting.locale()));
            }
            Ok(if round.problem.is_some() || round.failed > 0 { Exit::Failed } else { Exit::Done })
        }
        Some(Command::Test { address }) => {
            let sent = front.test_mail(&who, address).await?;
            tested(setting, &sent.map_err(|reason| anyhow::anyhow!("the test mail was not taken: {reason}"))?);
            Ok(Exit::Done)
        }
    }
}

fn list(setting: &Setting, outbox: Outbox) {
    let Outbox { enabled, counts, mails } = outbox;
    if setting.json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.into_iter().map(|(state, count)| (state, count.into())).collect();
        output::json(&serde_json::json!({ "enabled": enabled, "counts": counts, "mails": mails }));
        return;
    }
    let locale = setting.locale();
    if !enabled {
        output::line(&pick(locale, "mails are off (smtp.enabled)", "les courriels sont désactivés (smtp.enabled)"));
    }
    if counts.is_empty() {
        output::line(&pick(locale, "no mails", "aucun courriel"));
        return;
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

fn retried(setting: &Setting, queued: u64) {
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

fn tested(setting: &Setting, id: &str) {
    if setting.json {
        output::json(&serde_json::json!({ "message_id": id }));
    } else {
        let text = pick(setting.locale(), "the server took it", "le serveur l'a accepté");
        output::line(&format!("{text}: {id}"));
    }
}
