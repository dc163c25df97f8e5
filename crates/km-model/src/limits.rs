//! Every bound on what may enter km, in one table. Each is tested at the limit and one past it.

/// Largest body of one write request, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body of one batch request, in bytes; each of its lines obeys [`BODY_BYTES_MAX`].
pub const BATCH_BODY_BYTES_MAX: usize = 16 << 20;
/// Most writes in one batch request.
pub const BATCH_WRITES_MAX: usize = 1_000;
/// Longest content, in bytes of UTF-8.
pub const CONTENT_BYTES_MAX: usize = 256 << 10;
/// Longest title, in bytes of UTF-8.
pub const TITLE_BYTES_MAX: usize = 512;
/// Most tags on one write.
pub const TAGS_MAX: usize = 64;
/// Longest tag, in bytes of UTF-8.
pub const TAG_BYTES_MAX: usize = 256;
/// Most labels on one write or alert.
pub const LABELS_MAX: usize = 64;
/// Longest label name, in bytes of UTF-8.
pub const LABEL_NAME_BYTES_MAX: usize = 256;
/// Longest label value, in bytes of UTF-8.
pub const LABEL_VALUE_BYTES_MAX: usize = 4 << 10;
/// Longest incident, approval, execution or playbook id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 256;
/// Longest write id, in bytes; visible ASCII only.
pub const WRITE_ID_BYTES_MAX: usize = 128;
/// Longest tenant name, in bytes; lower-case ASCII letters, digits, `-` and `_`.
pub const TENANT_BYTES_MAX: usize = 64;
/// Longest field of `source`, in bytes of UTF-8.
pub const SOURCE_BYTES_MAX: usize = 1 << 10;
/// Largest `metadata`, in bytes of its JSON.
pub const METADATA_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of arrays and objects in `metadata`.
pub const NESTING_MAX: usize = 64;
/// How far `occurred_at` may lie ahead of our clock, in seconds.
pub const FUTURE_SECONDS_MAX: i64 = 300;
