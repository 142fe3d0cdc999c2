//! Builds the message of a mail: sender, recipient, Message-ID, headers, body.
//! It must not know the words, the outbox or the server.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, message};

use crate::config::Settings;
use crate::mail::letter::{Draft, Letter};
use crate::moodle::site::Site;

/// The sender of all mails of the site.
pub struct Sender {
    from: Address,
    reply_to: Option<Address>,
    /// Identifies the site among those that send from the same domain.
    site: String,
}

/// What a mail has beside sender, recipient and text.
pub struct Envelope<'a> {
    /// The Message-ID, in angle brackets.
    pub message_id: &'a str,
    /// The date of the mail in Unix seconds.
    pub now: i64,
}

impl Sender {
    /// The sender that the settings name, or Moodle's `noreplyaddress`.
    ///
    /// # Errors
    /// What to configure, if neither is a mail address.
    pub fn of(settings: &Settings, site: &Site) -> Result<Self, String> {
        let configured = &settings.smtp.from;
        let from = if configured.is_empty() { site.config("noreplyaddress").unwrap_or_default() } else { configured };
        let from = from.trim().parse().map_err(|_| {
            "there is no sender: set smtp.from, or Moodle's setting `noreplyaddress`, to an address of the site's \
             domain"
                .to_owned()
        })?;
        let site = format!("{} {}", site.config("siteidentifier").unwrap_or_default(), settings.site.wwwroot);
        Ok(Self { from, reply_to: settings.smtp.reply_to.parse().ok(), site })
    }

    /// The Message-ID of the mail that `mark` identifies on the site: it is the same however often the mail is sent.
    pub fn message_id(&self, mark: &str) -> String {
        use sha2::{Digest, Sha256};
        let digest = format!("{:x}", Sha256::digest(format!("{}\n{mark}", self.site)));
        format!("<enrold.{}@{}>", &digest[..40], self.from.domain())
    }

    /// Builds the message. The sender is always the site's own address, so that the mail passes the checks on the
    /// domain (SPF, DKIM, DMARC); answers go to the contact of the letter, else to `smtp.reply_to`.
    ///
    /// # Errors
    /// What is wrong with the recipient's address.
    pub fn message(&self, draft: &Draft, letter: &Letter, envelope: &Envelope<'_>) -> Result<Message, String> {
        let to: Address = draft.address.trim().parse().map_err(|_| "not a mail address".to_owned())?;
        let contact = draft.contact();
        let site = one_line(draft.site());
        let from = match &contact {
            Some(contact) if !site.is_empty() => format!("{} (via {site})", one_line(&contact.name)),
            Some(contact) => one_line(&contact.name),
            None => site,
        };
        let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(envelope.now).unwrap_or(0));
        let mut builder = Message::builder()
            .from(named(&from, self.from.clone()))
            .to(named(&one_line(&draft.name), to))
            .subject(one_line(&letter.subject))
            .date(date)
            .message_id(Some(envelope.message_id.to_owned()))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let answered = contact.and_then(|contact| Some((one_line(&contact.name), contact.address?.parse().ok()?)));
        if let Some((name, address)) = answered.or_else(|| Some((String::new(), self.reply_to.clone()?))) {
            builder = builder.reply_to(named(&name, address));
        }
        body(builder, letter).map_err(|error| error.to_string())
    }
}

fn body(builder: message::MessageBuilder, letter: &Letter) -> Result<Message, lettre::error::Error> {
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.clone());
    match (&letter.html, &letter.attached) {
        (Some(html), _) => builder.multipart(MultiPart::alternative_plain_html(letter.text.clone(), html.clone())),
        (None, Some(attached)) => {
            let file = Attachment::new(one_line(&attached.name)).body(attached.text.clone(), csv());
            builder.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
        }
        (None, None) => builder.singlepart(text),
    }
}

fn csv() -> ContentType {
    ContentType::parse("text/csv; charset=utf-8").unwrap_or(ContentType::TEXT_PLAIN)
}

fn named(name: &str, address: Address) -> Mailbox {
    Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address)
}

/// A text without line ends and other control characters, as part of a header.
fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ").trim().to_owned()
}
