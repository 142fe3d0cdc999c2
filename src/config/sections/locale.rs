//! Top-level key `locale`: the language of reports and messages.
//! It must not know any message.

use crate::config::choice::choice;

choice! {
    /// Language of reports and line errors; the error codes are the same in both.
    Locale {
        /// English.
        En = "en",
        /// French.
        Fr = "fr",
    }
}
