//! Top-level key `locale`: the language of what people read.
//! It must not know any message.

use crate::config::choice::choice;

choice! {
    /// Language of reports and line errors; codes are the same in both.
    Locale {
        /// English.
        En = "en",
        /// French.
        Fr = "fr",
    }
}
