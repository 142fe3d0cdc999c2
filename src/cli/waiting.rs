//! `enrold waiting`: the lines that wait for an account or a course; drops them, lets them wait longer or again.
//! It must not find anything out itself.

use serde_json::json;

use crate::cli::{Exit, Setting, operator, output};
use crate::config::Locale;
use crate::front::{WaitingLines, WaitingRow};
use crate::outcome::Observer;
use crate::report::words::pick;

/// The arguments of `waiting`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Also the lines that wait no more
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// They wait no more, and nothing is applied
    Drop {
        #[command(flatten)]
        which: Which,
    },
    /// They wait longer
    Extend {
        #[command(flatten)]
        which: Which,
        /// For how many days from now; without it waiting.days
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
    },
    /// Lines that have expired or were cancelled wait again, from now
    Retry {
        #[command(flatten)]
        which: Which,
    },
}

/// The lines that a command names.
#[derive(Debug, clap::Args)]
struct Which {
    /// Their numbers, as `enrold waiting` shows them
    #[arg(required_unless_present = "run", conflicts_with = "run")]
    ids: Vec<i64>,
    /// Those of the file that this run read
    #[arg(long)]
    run: Option<i64>,
}

impl Which {
    fn lines(&self) -> WaitingLines {
        match self.run {
            Some(run) => WaitingLines::OfRun(run),
            None => WaitingLines::Ids(self.ids.iter().copied().collect()),
        }
    }
}

pub(super) async fn run(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let (front, who, locale) = (setting.front_observed(Observer::none())?, operator(), setting.locale());
    let tell = |document: serde_json::Value, text: &str| {
        if setting.json { output::json(&document) } else { output::line(text) }
    };
    match &options.command {
        None => list(setting, &front.waiting(&who, options.all).await?),
        Some(Command::Drop { which }) => {
            let dropped = front.drop_waiting(&who, &which.lines()).await?;
            tell(
                json!({ "dropped": dropped }),
                &pick(
                    locale,
                    &format!("dropped: {dropped}; nothing of them is applied"),
                    &format!("abandonnées : {dropped} ; rien n'en est appliqué"),
                ),
            );
        }
        Some(Command::Extend { which, days }) => {
            let days = front.waiting_days(*days)?;
            let (extended, until) = front.extend_waiting(&who, &which.lines(), days).await?;
            let at = moment(until);
            tell(
                json!({ "extended": extended, "until": until }),
                &pick(
                    locale,
                    &format!("extended: {extended}; they wait until {at} UTC, or until their own end"),
                    &format!("prolongées : {extended} ; elles attendent jusqu'au {at} UTC, ou jusqu'à leur propre fin"),
                ),
            );
        }
        Some(Command::Retry { which }) => {
            let days = front.waiting_days(None)?;
            let (retried, until) = front.retry_waiting(&who, &which.lines(), days).await?;
            let at = moment(until);
            tell(
                json!({ "retried": retried, "until": until }),
                &pick(
                    locale,
                    &format!(
                        "waiting again: {retried}, until {at} UTC; the next pass applies those whose account and \
                         course exist, or at once: enrold sync waiting"
                    ),
                    &format!(
                        "de nouveau en attente : {retried}, jusqu'au {at} UTC ; le prochain passage applique celles \
                         dont le compte et le cours existent, ou tout de suite : enrold sync waiting"
                    ),
                ),
            );
        }
    }
    Ok(Exit::Done)
}

fn list(setting: &Setting, rows: &[WaitingRow]) {
    let locale = setting.locale();
    if setting.json {
        output::json(&rows);
        return;
    }
    if rows.is_empty() {
        output::line(&pick(locale, "no line waits", "aucune ligne n'est en attente"));
        return;
    }
    let headings = [
        ("id", "id"),
        ("since (UTC)", "depuis (UTC)"),
        ("until (UTC)", "jusqu'au (UTC)"),
        ("state", "état"),
        ("user", "utilisateur"),
        ("place", "lieu"),
        ("role", "rôle"),
        ("lacks", "manque"),
        ("file:line", "fichier:ligne"),
        ("run", "exécution"),
    ];
    let mut lines = vec![headings.map(|(english, french)| pick(locale, english, french))];
    lines.extend(rows.iter().map(|row| {
        [
            row.id.to_string(),
            moment(row.since),
            moment(row.until),
            state(&row.state, locale),
            format!("{}={}", row.user_key, row.user),
            format!("{}={}", row.place_key, row.place),
            if row.kind.ends_with("member") { pick(locale, "(cohort)", "(cohorte)") } else { row.role.clone() },
            lacks(row, locale),
            format!("{}{}{}:{}", row.source, if row.file.is_empty() { "" } else { " " }, row.file, row.line),
            row.run.to_string(),
        ]
    }));
    output::columns(&lines);
}

fn state(state: &str, locale: Locale) -> String {
    let french = match state {
        "waiting" => "en attente",
        "applied" => "appliquée",
        "superseded" => "remplacée",
        "cancelled" => "annulée",
        "expired" => "expirée",
        other => other,
    };
    pick(locale, state, french)
}

fn lacks(row: &WaitingRow, locale: Locale) -> String {
    match (row.lacks.as_str(), row.kind.as_str()) {
        ("user", _) => pick(locale, "user", "utilisateur"),
        ("course", "member" | "set-member") => pick(locale, "cohort", "cohorte"),
        ("course", _) => pick(locale, "course", "cours"),
        ("both", _) => pick(locale, "both", "les deux"),
        (other, _) => other.to_owned(),
    }
}

fn moment(unix: i64) -> String {
    chrono::DateTime::from_timestamp(unix, 0).map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}
