//! Sends one mail at once, to check the settings: `enrold mails test`.
//! It must not touch the outbox.

use crate::config::Settings;
use crate::mail::letter::{Draft, Letter};
use crate::mail::message::{Envelope, Sender};
use crate::mail::post::Post;
use crate::mail::words;
use crate::moodle::site::Site;

/// Sends a test mail to `address` and returns its Message-ID, whether mails are on or off.
///
/// # Errors
/// A message for operators about the server, the settings or the address.
pub async fn probe(settings: &Settings, site: &Site, now: i64, address: &str) -> Result<String, String> {
    let sender = Sender::of(settings, site)?;
    let draft = Draft {
        kind: "test".to_owned(),
        userid: 0,
        courseid: 0,
        timeend: 0,
        name: String::new(),
        address: address.to_owned(),
        lang: String::new(),
        data: serde_json::Value::Null,
        entries: Vec::new(),
        queued: now,
        is_digest: false,
        timezone: String::new(),
        password: None,
        failed: None,
    };
    let (subject, text) = words::test(settings.locale);
    let message_id = sender.message_id(&format!("test/{now}/{address}"));
    let envelope = Envelope { message_id: &message_id, now };
    let message = sender
        .message(&draft, &Letter { subject, text, html: None, attached: None }, &envelope)
        .map_err(|reason| format!("{address}: {reason}"))?;
    let mut post = Post::open(&settings.smtp).await.map_err(|refused| refused.to_string())?;
    let outcome = post.hand_over(&message).await;
    post.close().await;
    outcome.map(|()| message_id).map_err(|refused| refused.to_string())
}
