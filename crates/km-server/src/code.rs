//! Every failure that a caller can tell apart: its code, its status, whether to try again, its page.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $status:literal, $turn:ident, $title:literal;)+) => {
        /// The closed set of problem codes. A code never changes its meaning and is never given twice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// Every code, in the order of their ids.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable id, such as `KM0007`.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }

            /// What happened, in words without data.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }

            /// The HTTP status. Webhook senders are answered 503 wherever trying again can help.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                }
            }

            const fn turn(self) -> Turn {
                match self {
                    $(Self::$name => Turn::$turn,)+
                }
            }

            /// The page that explains it, as Markdown: `docs/errors/KMnnnn.md`.
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$name => {
                        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors/", $id, ".md"))
                    })+
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not UTF-8.
    InvalidJson = "KM0001", 400, Callers, "The body is not JSON";
    /// JSON of another shape: an unknown field, or a value of another type.
    WrongShape = "KM0002", 422, Callers, "The JSON has another shape than expected";
    /// A field that must be there is absent or empty.
    Missing = "KM0003", 422, Callers, "Something required is missing";
    /// Neither title nor content.
    NothingToRemember = "KM0004", 422, Callers, "There is nothing to remember";
    /// More bytes than the limit of a field.
    TooLong = "KM0005", 422, Callers, "A field is too long";
    /// More items than the limit of a field.
    TooMany = "KM0006", 422, Callers, "A field has too many items";
    /// Arrays and objects nested beyond the limit.
    TooDeep = "KM0007", 422, Callers, "A field is nested too deeply";
    /// A character that no store can be trusted to keep.
    ControlCharacter = "KM0008", 422, Callers, "A field holds a control character";
    /// Outside a field's alphabet or format.
    Malformed = "KM0009", 422, Callers, "A field is malformed";
    /// Not one of a closed set.
    NotOneOf = "KM0010", 422, Callers, "A value is not one of those allowed";
    /// Not one of the five paths.
    UnknownPath = "KM0011", 422, Callers, "The path is unknown";
    /// A field that means nothing on this path.
    NotOnThisPath = "KM0012", 422, Callers, "A field does not belong to this path";
    /// A time too far ahead of the server's clock.
    InTheFuture = "KM0013", 422, Callers, "The time lies in the future";
    /// The write id was used for other content.
    WriteIdConflict = "KM0014", 422, Callers, "The write id was used for other content";
    /// The header and the body name different write ids.
    WriteIdsDiffer = "KM0015", 422, Callers, "Two different write ids were given";
    /// The store will never take the write as it is.
    Unstorable = "KM0016", 422, Callers, "The store cannot keep the write as it is";
    /// The body is larger than the limit of the call.
    BodyTooLarge = "KM0017", 413, Callers, "The body is too large";
    /// More writes than a batch may hold.
    BatchTooLarge = "KM0018", 413, Callers, "The batch holds too many writes";
    /// The body is declared as something that the call does not read.
    UnsupportedMediaType = "KM0019", 415, Callers, "The media type is not supported";
    /// The caller accepts nothing that the call can answer with.
    NotAcceptable = "KM0020", 406, Callers, "No accepted media type can be produced";
    /// The body broke off before its end.
    BodyBroken = "KM0021", 400, Later, "The body broke off";
    /// No API key, an unknown one, or one that was revoked.
    Unauthenticated = "KM0022", 401, Callers, "A valid API key is needed";
    /// The key lacks the scope that the call needs.
    Forbidden = "KM0023", 403, Callers, "The API key does not allow this";
    /// Access without a key is given to this machine only.
    ForeignHost = "KM0024", 403, Callers, "Access without a key is for this machine only";
    /// There is no such thing.
    NotFound = "KM0025", 404, Callers, "There is no such thing";
    /// There is no such call.
    NoSuchCall = "KM0026", 404, Callers, "There is no such call";
    /// The address exists, for another method.
    MethodNotAllowed = "KM0027", 405, Callers, "The method is not allowed here";
    /// The cursor was not given out by this call.
    BadCursor = "KM0028", 400, Callers, "The cursor cannot be read";
    /// An unknown, repeated or unreadable parameter.
    BadFilter = "KM0029", 400, Callers, "A query parameter cannot be used";
    /// The dead letter was applied or discarded already.
    LetterClosed = "KM0030", 409, Callers, "The dead letter is decided already";
    /// The queue of writes is full.
    Overloaded = "KM0031", 429, Later, "Too many writes are waiting";
    /// The key sends more requests than it may.
    RateLimited = "KM0032", 429, Later, "The API key sends too many requests";
    /// Too many requests are being worked on.
    Busy = "KM0033", 503, Later, "The server works on too many requests";
    /// The store cannot be used now; nothing was kept.
    Unavailable = "KM0034", 503, Later, "The store is not available";
    /// The store cannot be trusted any longer; the process ends.
    StoreFailed = "KM0035", 503, Later, "The store failed";
    /// The server ends and takes nothing more.
    ShuttingDown = "KM0036", 503, Later, "The server is shutting down";
    /// The disk or the memory of the store is used up.
    DiskFull = "KM0037", 507, Later, "The disk is full";
    /// As many dead letters wait as may wait.
    DeadLettersFull = "KM0038", 507, Later, "Too many dead letters wait for a decision";
    /// The deadline passed with the outcome in doubt.
    UnknownOutcome = "KM0039", 504, Later, "The outcome of the write is not known";
    /// The request took longer than it may.
    RequestTimeout = "KM0040", 504, Later, "The request took too long";
    /// A fault of km itself.
    Internal = "KM0041", 500, Callers, "km made a mistake";
}

/// Whose turn it is after a failure.
#[derive(Clone, Copy)]
enum Turn {
    /// The same request again would fail again.
    Callers,
    /// The same request again may succeed, and is harmless.
    Later,
}

impl Code {
    /// Whether the same request, with the same write id, may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self.turn(), Turn::Later)
    }

    /// The code with this id; letters of either case.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_page_that_agrees_with_it() {
        for code in Code::ALL {
            let (id, page) = (code.id(), code.page());
            assert!(page.starts_with(&format!("# {id}: {}\n", code.title())), "{id}: heading");
            assert!(page.contains(&format!("HTTP status {}", code.status())), "{id}: status");
            let turn = if code.is_retryable() { "Retryable: yes" } else { "Retryable: no" };
            assert!(page.contains(turn), "{id}: turn");
            for part in ["## Meaning", "## What to do", "## Example"] {
                assert!(page.contains(part), "{id}: {part}");
            }
            assert!(page.contains(&format!("\"code\":\"{id}\"")), "{id}: example");
        }
    }

    #[test]
    fn ids_count_up_and_read_back() {
        for (nth, code) in Code::ALL.iter().enumerate() {
            assert_eq!(code.id(), format!("KM{:04}", nth + 1));
            assert_eq!(Code::from_id(&code.id().to_lowercase()), Some(*code));
        }
        assert_eq!(Code::from_id("KM9999"), None);
        let titles: HashSet<_> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len());
    }

    #[test]
    fn only_a_later_turn_or_a_fault_of_ours_is_a_5xx() {
        for code in Code::ALL {
            let ours = code.status() >= 500 || code.status() == 429;
            assert!(!ours || code.is_retryable() || *code == Code::Internal, "{}", code.id());
        }
    }
}
