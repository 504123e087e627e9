//! Settings that are one of a few words.

use super::Setting;
use crate::config::fault::{Fault, did_you_mean};
use tidings_engine::slow::SlowPolicy;

macro_rules! choice {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$variant_doc:meta])* $variant:ident = $word:literal, )+ }
        wanted $wanted:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_doc])* $variant, )+ }

        impl $name {
            /// The word that stands for it.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        words! { $name { $( $variant = $word, )+ } wanted $wanted }
    };
}

/// The words of a type that may be declared elsewhere and has an `as_str`.
macro_rules! words {
    ($name:ident { $( $variant:ident = $word:literal, )+ } wanted $wanted:literal) => {
        impl Setting for $name {
            const WANTED: &'static str = $wanted;

            fn from_text(text: &str) -> Result<Self, Fault> {
                const WORDS: &[(&str, $name)] = &[$( ($word, $name::$variant), )+];
                match WORDS.iter().find(|(word, _)| *word == text) {
                    Some((_, value)) => Ok(*value),
                    None => {
                        let hint = did_you_mean(text, WORDS.iter().map(|(word, _)| *word));
                        Err(Fault::new(format!("expected {}{hint}", Self::WANTED)))
                    }
                }
            }

            fn to_toml(&self) -> String {
                format!("\"{}\"", self.as_str())
            }
        }
    };
}

choice! {
    /// Where the log is kept.
    StoreKind {
        /// In the data directory; an acknowledged event survives a power cut.
        Disk = "disk",
        /// In memory; it ends with the process, and a new log begins.
        Memory = "memory",
    }
    wanted "\"disk\" or \"memory\""
}

choice! {
    /// How log lines look.
    LogFormat {
        /// Text on a terminal, JSON otherwise.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// One object per line.
        Json = "json",
    }
    wanted "\"auto\", \"text\" or \"json\""
}

choice! {
    /// The least important log lines that are written.
    LogLevel {
        /// Something failed.
        Error = "error",
        /// Something needs attention.
        Warn = "warn",
        /// The hub's life: started, draining, stopped.
        Info = "info",
        /// Every connection and request.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
    wanted "\"error\", \"warn\", \"info\", \"debug\" or \"trace\""
}

choice! {
    /// What the tokens of a key may grant.
    Role {
        /// To publish.
        Publish = "publish",
        /// To watch.
        Subscribe = "subscribe",
    }
    wanted "\"publish\" or \"subscribe\""
}

impl Role {
    /// Every role.
    pub fn all() -> Vec<Self> {
        vec![Self::Publish, Self::Subscribe]
    }
}

words! {
    SlowPolicy {
        Disconnect = "disconnect",
        Gap = "gap",
        Latest = "latest",
    }
    wanted "\"disconnect\", \"gap\" or \"latest\""
}
