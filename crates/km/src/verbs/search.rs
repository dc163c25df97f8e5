//! `km search`.

use crate::cli::{Filters, SearchArgs};
use crate::client::{Call, Client, Entry, Highlight, Hit, Hits};
use crate::console::{BOLD, CYAN, Console, DIM, RESET, YELLOW, brief, safe};
use crate::failure::{Ending, Failure};

/// Characters of a title that are shown.
const TITLE_SHOWN: usize = 90;
/// Pieces of a text that are shown.
const PIECES_SHOWN: usize = 2;
/// Reasons that are shown, the most telling first.
const REASONS_SHOWN: usize = 4;

pub(super) async fn run(console: Console, client: &Client, args: &SearchArgs) -> Result<Ending, Failure> {
    let call = Call::get("/v1/search")
        .query("q", args.words.join(" "))
        .query("limit", args.limit.to_string())
        .query_opt("cursor", args.cursor.as_deref());
    let answer = client.ask(filtered(call, &args.filters)).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        say(console, &answer.read()?)?;
    }
    Ok(Ending::Done)
}

/// The filters as parameters.
fn filtered(call: Call, filters: &Filters) -> Call {
    let call = call
        .query_opt("path", filters.path.map(|path| path.as_str()))
        .query_opt("entry_type", filters.entry_type.as_deref())
        .query_opt("incident_id", filters.incident.as_deref())
        .query_opt("approval_id", filters.approval.as_deref())
        .query_opt("occurred_from", filters.from.as_deref())
        .query_opt("occurred_before", filters.before.as_deref());
    let call = filters.tags.iter().fold(call, |call, tag| call.query("tag", tag));
    filters.labels.iter().fold(call, |call, (name, value)| call.query(format!("label.{name}"), value))
}

/// Hits, best first; nothing known is said as such, and never when something was left out.
pub(super) fn say(console: Console, hits: &Hits) -> Result<(), Failure> {
    for (rank, hit) in (1..).zip(&hits.hits) {
        say_hit(console, rank, hit)?;
    }
    if !hits.searched.complete {
        console
            .note(format_args!("{YELLOW}the newest writes are not indexed yet and were left out{RESET}"))?;
    } else if hits.hits.is_empty() {
        console.note("nothing known")?;
    }
    if let Some(cursor) = &hits.next_cursor {
        console.note(format_args!("{DIM}more: --cursor {cursor}{RESET}"))?;
    }
    Ok(())
}

fn say_hit(console: Console, rank: usize, hit: &Hit) -> Result<(), Failure> {
    let Entry { entry_id, .. } = &hit.entry;
    let title = hit.highlights.iter().find(|piece| piece.field == "title").map(marked);
    let title = title.unwrap_or_else(|| brief(hit.entry.heading(), TITLE_SHOWN));
    console.line(format_args!("{BOLD}{rank:>2}{RESET}  {title}  {DIM}{:.1}{RESET}", hit.score))?;
    console.line(format_args!("    {CYAN}{}{RESET}", about(&hit.entry)))?;
    for piece in hit.highlights.iter().filter(|piece| piece.field != "title").take(PIECES_SHOWN) {
        let line = marked(piece).split_whitespace().collect::<Vec<_>>().join(" ");
        console.line(format_args!("    … {line} …"))?;
    }
    let why = hit.why.iter().take(REASONS_SHOWN).map(|reason| safe(reason));
    let why: Vec<String> = why.collect();
    if !why.is_empty() {
        console.line(format_args!("    {DIM}why: {}{RESET}", why.join("; ")))?;
    }
    console.line(format_args!("    {DIM}km show {entry_id}{RESET}"))?;
    Ok(())
}

/// What an entry is about, in one line.
pub(super) fn about(entry: &Entry) -> String {
    let day = entry.occurred_at.get(..10).unwrap_or_default();
    [
        entry.incident_id.as_deref(),
        entry.approval_id.as_deref(),
        entry.playbook.as_deref(),
        Some(entry.path.as_str()),
        Some(day),
    ]
    .into_iter()
    .flatten()
    .filter(|part| !part.is_empty())
    .map(safe)
    .collect::<Vec<_>>()
    .join(" · ")
}

/// A piece of text with what matched in bold.
fn marked(piece: &Highlight) -> String {
    let mut shown = String::new();
    let mut rest = 0;
    for (start, end) in piece.ranges.iter().copied() {
        let (Some(before), Some(word)) = (piece.text.get(rest..start), piece.text.get(start..end)) else {
            break;
        };
        shown += &safe(before);
        shown += &format!("{BOLD}{YELLOW}{}{RESET}", safe(word));
        rest = end;
    }
    shown + &safe(piece.text.get(rest..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, ranges: &[(usize, usize)]) -> Highlight {
        Highlight { field: "content".to_owned(), text: text.to_owned(), ranges: ranges.to_vec() }
    }

    #[test]
    fn what_matched_is_marked_by_bytes() {
        let shown = marked(&piece("数据库连接池耗尽", &[(9, 18)]));
        assert_eq!(shown, format!("数据库{BOLD}{YELLOW}连接池{RESET}耗尽"));
    }

    #[test]
    fn ranges_that_do_not_fit_leave_the_text_as_it_is() {
        assert_eq!(marked(&piece("数据", &[(1, 2)])), "数据");
        assert_eq!(marked(&piece("abc", &[(2, 9)])), "abc");
    }
}
