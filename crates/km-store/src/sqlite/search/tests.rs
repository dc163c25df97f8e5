//! The index against a model that scores every document, and through crashes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use km_search::Query;
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

/// A ledger that goes on for ever.
const ORIGIN: Origin = Origin { ledger_id: [1; 16], newest: i64::MAX };

/// An entry's head that owns its text.
#[derive(Clone, Debug)]
struct Head {
    position: i64,
    tenant: &'static str,
    entry: u8,
    path: &'static str,
    entry_type: Option<&'static str>,
    incident: Option<&'static str>,
    approval: Option<&'static str>,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
    occurred_at: i64,
    title: String,
    content: String,
}

fn head(position: i64, entry: u8, title: &str, content: &str) -> Head {
    Head {
        position,
        tenant: "default",
        entry,
        path: "incident_resolve",
        entry_type: None,
        incident: None,
        approval: None,
        tags: Vec::new(),
        labels: BTreeMap::new(),
        occurred_at: position,
        title: title.to_owned(),
        content: content.to_owned(),
    }
}

impl Head {
    fn document(&self) -> Document<'_> {
        Document {
            position: self.position,
            tenant: self.tenant,
            entry_id: [self.entry; 16],
            path: self.path,
            entry_type: self.entry_type,
            incident_id: self.incident,
            approval_id: self.approval,
            playbook: None,
            tags: &self.tags,
            labels: &self.labels,
            occurred_at: self.occurred_at,
            title: &self.title,
            content: &self.content,
        }
    }
}

/// An index in a directory of its own, and what a ledger would know of the heads it was fed with.
struct Bed {
    _directory: TempDir,
    path: PathBuf,
    index: SearchIndex,
    reader: SearchReader,
    heads: Heads,
}

/// The position of each entry's head.
type Heads = BTreeMap<(&'static str, u8), i64>;

/// A hit as a page shows it.
#[derive(Clone, Debug, PartialEq)]
struct Hit {
    entry: u8,
    position: i64,
    score: f32,
    why: Vec<Why>,
}

/// Everything that was written so far.
const ALL: View = View { through: i64::MAX, missed: None };

impl Bed {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("search.db");
        let index = SearchIndex::open(&path, ORIGIN).unwrap();
        let reader = SearchReader::open(&path).unwrap();
        Self { _directory: directory, path, index, reader, heads: Heads::new() }
    }

    fn of(heads: &[Head]) -> Self {
        let mut bed = Self::new();
        bed.feed(heads);
        bed
    }

    /// Indexes a batch, up to its highest position.
    fn feed(&mut self, heads: &[Head]) {
        let documents: Vec<_> = heads.iter().map(Head::document).collect();
        let through = heads.iter().map(|head| head.position).max().unwrap_or(0);
        self.heads = heads_with(&self.heads, heads);
        self.index.index(&documents, through).unwrap();
    }

    fn search(&self, query: &str, filter: &Filter, tail: &[Head]) -> Vec<Hit> {
        let heads = heads_with(&self.heads, tail);
        let newest =
            |head: &&Head| head.tenant == filter.tenant && heads[&(head.tenant, head.entry)] == head.position;
        let tail: Vec<Head> = tail.iter().filter(newest).cloned().collect();
        self.page(query, filter, (&tail, &heads), &Start::First(ALL), 50).0
    }

    /// A page of those that are heads still, and the cursor after it, there and back through its text.
    fn page(
        &self,
        query: &str,
        filter: &Filter,
        (tail, heads): (&[Head], &Heads),
        start: &Start,
        limit: usize,
    ) -> (Vec<Hit>, Option<Cursor>) {
        let tail: Vec<_> = tail.iter().map(Head::document).collect();
        let query = Query::parse(query).unwrap();
        let snapshot = self.reader.snapshot(&filter.tenant).unwrap();
        let ranking = snapshot.rank(&query, filter, &tail, start, limit).unwrap().unwrap();
        let entries = snapshot.entries(&ranking.found, &tail).unwrap();
        let living = |(found, id): (&Found, [u8; 16])| {
            let head = heads.iter().find(|((tenant, entry), _)| (*tenant, *entry) == (&filter.tenant, id[0]));
            head.filter(|(_, position)| **position == found.position()).map(|_| (*found, id[0]))
        };
        let mut kept: Vec<(Found, u8)> = ranking.found.iter().zip(entries).filter_map(living).collect();
        let more = kept.len() > limit || ranking.cut;
        kept.truncate(limit);
        let (found, entries): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
        let whys = snapshot.explain(&ranking, &found).unwrap();
        let next = found.last().filter(|_| more).map(|last| ranking.after(last).write(&query, filter));
        let hits = found.iter().zip(entries).zip(whys).map(|((found, entry), why)| Hit {
            entry,
            position: found.position(),
            score: found.score(),
            why,
        });
        (hits.collect(), next.map(|next| Cursor::read(&next, &query, filter).unwrap()))
    }

    /// The entries that a query finds, best first.
    fn found(&self, query: &str) -> Vec<u8> {
        entries(&self.search(query, &ours(), &[]))
    }

    fn listed(&self, filter: &Filter) -> Vec<u8> {
        let snapshot = self.reader.snapshot(&filter.tenant).unwrap();
        let (found, cut) = snapshot.list(filter, i64::MAX, 200).unwrap();
        assert!(!cut);
        snapshot.entries(&found, &[]).unwrap().into_iter().map(|id| id[0]).collect()
    }
}

fn heads_with(heads: &Heads, newer: &[Head]) -> Heads {
    let mut heads = heads.clone();
    heads.extend(newer.iter().map(|head| ((head.tenant, head.entry), head.position)));
    heads
}

fn ours() -> Filter {
    Filter { tenant: "default".to_owned(), ..Filter::default() }
}

fn entries(hits: &[Hit]) -> Vec<u8> {
    hits.iter().map(|hit| hit.entry).collect()
}

/// The fields that the first reason of a hit names.
fn fields(hit: &Hit) -> &[Field] {
    match &hit.why[0].reason {
        Reason::Term { fields, .. } => fields,
        Reason::Name(_) => &[],
    }
}

#[test]
fn words_of_every_script_are_found() {
    let bed = Bed::of(&[
        head(1, 1, "磁盘空间不足", "节点的内存也快满了"),
        head(2, 2, "ノードの再起動", "データベースが停止した"),
        head(3, 3, "서버 장애", "디스크가 가득 찼다"),
        head(4, 4, "Disk is full", "Pods were evicted from node01"),
        head(5, 5, "磁碟陣列故障", "伺服器無法開機"),
    ]);
    assert_eq!(bed.found("内存"), [1]);
    assert_eq!(bed.found("陣列"), [5]);
    assert_eq!(bed.found("阵列"), [5]);
    assert_eq!(bed.found("記憶體 空間"), [1]);
    assert_eq!(bed.found("服务器"), [5]);
    assert_eq!(bed.found("再起動"), [2]);
    assert_eq!(bed.found("장애"), [3]);
    assert_eq!(bed.found("evict"), [4]);
    assert_eq!(bed.found("nothing like it"), [] as [u8; 0]);
}

#[test]
fn one_character_is_found_wherever_it_stands() {
    let bed = Bed::of(&[head(1, 1, "磁盘空间", ""), head(2, 2, "网络", "磁 盘"), head(3, 3, "网络", "")]);
    for (character, mut expected) in
        [("磁", vec![1, 2]), ("间", vec![1]), ("盤", vec![1, 2]), ("络", vec![2, 3])]
    {
        let mut found = bed.found(character);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{character}");
    }
}

#[test]
fn identifiers_are_found_by_their_parts_and_whole() {
    let bed = Bed::of(&[
        head(1, 1, "KubePodCrashLooping", "x"),
        head(2, 2, "KubeNodeNotReady", "node_memory_MemAvailable_bytes"),
    ]);
    for query in ["crash looping", "KubePodCrashLooping", "kubepodcrashlooping", "kube-pod-crash-looping"] {
        assert_eq!(bed.found(query)[0], 1, "{query}");
    }
    assert_eq!(bed.found("MemAvailable"), [2]);
    assert_eq!(bed.found("node_memory_MemAvailable_bytes"), [2]);
}

#[test]
fn ids_tags_and_labels_are_found_as_text_and_say_so() {
    let mut named = head(1, 1, "title", "content");
    named.incident = Some("INC-4711");
    named.tags = vec!["postgres".to_owned()];
    named.labels = BTreeMap::from([("alertname".to_owned(), "ReplicationLagHigh".to_owned())]);
    let bed = Bed::of(&[named, head(2, 2, "other", "text")]);
    for query in ["inc-4711", "postgres", "replication lag"] {
        let hits = bed.search(query, &ours(), &[]);
        assert_eq!(entries(&hits), [1], "{query}");
        assert_eq!(fields(&hits[0]), [Field::Names]);
    }
}

#[test]
fn the_title_outweighs_the_content_and_reasons_add_up_to_the_score() {
    let bed = Bed::of(&[head(1, 1, "Network", "disk cable"), head(2, 2, "Disk", "network cable")]);
    let hits = bed.search("disk", &ours(), &[]);
    assert_eq!(entries(&hits), [2, 1]);
    assert_eq!(fields(&hits[0]), [Field::Title]);
    for hit in bed.search("disk network cable", &ours(), &[]) {
        let sum: f32 = hit.why.iter().map(|why| why.score).sum();
        assert!((sum - hit.score).abs() < 1e-5);
        assert_eq!(hit.why.len(), 3);
    }
}

#[test]
fn every_filter_holds_alone_and_together_with_the_index_and_the_tail() {
    let mut full = head(5, 1, "disk", "full");
    full.path = "approval_manual";
    full.entry_type = Some("incident_case");
    full.incident = Some("INC-1");
    full.approval = Some("AP-1");
    full.tags = vec!["storage".to_owned(), "db".to_owned()];
    full.labels = BTreeMap::from([("env".to_owned(), "prod".to_owned()), ("az".to_owned(), "a".to_owned())]);
    let mut foreign = full.clone();
    (foreign.tenant, foreign.entry, foreign.position) = ("other", 9, 6);
    let plain = head(7, 2, "disk", "full");
    let heads = [full, foreign, plain];
    let some = |text: &str| Some(text.to_owned());
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let by = |change: &dyn Fn(&mut Filter)| {
        let mut filter = ours();
        change(&mut filter);
        filter
    };
    let cases: Vec<(Filter, &[u8])> = vec![
        (ours(), &[2, 1]),
        (Filter { tenant: "other".to_owned(), ..Filter::default() }, &[9]),
        (Filter { tenant: "nobody".to_owned(), ..Filter::default() }, &[]),
        (by(&|f| f.path = some("approval_manual")), &[1]),
        (by(&|f| f.path = some("approval")), &[]),
        (by(&|f| f.entry_type = some("incident_case")), &[1]),
        (by(&|f| f.incident_id = some("INC-1")), &[1]),
        (by(&|f| f.approval_id = some("AP-1")), &[1]),
        (by(&|f| f.approval_id = some("INC-1")), &[]),
        (by(&|f| f.tags = vec!["db".to_owned(), "storage".to_owned()]), &[1]),
        (by(&|f| f.tags = vec!["db".to_owned(), "cache".to_owned()]), &[]),
        (by(&|f| f.labels = vec![label("env", "prod"), label("az", "a")]), &[1]),
        (by(&|f| f.labels = vec![label("env", "prod"), label("az", "b")]), &[]),
        (by(&|f| (f.occurred_from, f.occurred_to) = (Some(5), Some(7))), &[1]),
        (by(&|f| f.occurred_from = Some(6)), &[2]),
    ];
    let indexed = Bed::of(&heads);
    let empty = Bed::new();
    for (filter, expected) in cases {
        assert_eq!(indexed.listed(&filter), expected, "{filter:?}");
        for hits in [indexed.search("disk", &filter, &[]), empty.search("disk", &filter, &heads)] {
            let found: BTreeSet<u8> = entries(&hits).into_iter().collect();
            assert_eq!(found, expected.iter().copied().collect(), "{filter:?}");
        }
    }
}

#[test]
fn a_newer_head_replaces_the_text_also_within_a_batch_and_after_a_merge() {
    let mut bed =
        Bed::of(&[head(1, 1, "disk", "old words"), head(2, 2, "disk", "stays"), head(3, 1, "disk", "newer")]);
    assert_eq!(bed.found("old"), [] as [u8; 0]);
    bed.feed(&[head(4, 1, "network", "newest")]);
    assert_eq!(bed.found("newer"), [] as [u8; 0]);
    assert_eq!(bed.found("newest"), [1]);
    assert_eq!(bed.found("disk"), [2]);
    for position in 5..60 {
        bed.feed(&[head(position, 1, "network", &format!("version{position}"))]);
    }
    assert_eq!(bed.found("version"), [1]);
    assert_eq!(bed.listed(&ours()), [1, 2]);
    assert!(stored_segments(&bed.path) < 16);
}

/// How many documents the segments hold, the dead included.
fn stored_documents(path: &Path) -> usize {
    let connection = Connection::open(path).unwrap();
    let total: u32 = connection
        .query_row("SELECT coalesce(sum(document_count), 0) FROM segment", [], |row| row.get(0))
        .unwrap();
    total as usize
}

fn stored_segments(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM segment", [], |row| row.get(0)).unwrap()
}

#[test]
fn pages_cover_every_hit_once_in_order() {
    let heads: Vec<Head> = (0..200)
        .map(|at| head(i64::from(at) + 1, at, "disk", ["full", "full full", "x"][usize::from(at) % 3]))
        .collect();
    let mut bed = Bed::of(&heads[..80]);
    heads[80..150].chunks(7).for_each(|batch| bed.feed(batch));
    let tail = &heads[150..];
    let known = heads_with(&bed.heads, tail);
    for limit in [1, 7, 50] {
        let (mut all, mut start) = (Vec::new(), Start::First(ALL));
        loop {
            let (hits, next) = bed.page("disk full", &ours(), (tail, &known), &start, limit);
            assert!(hits.len() <= limit);
            all.extend(hits);
            match next {
                Some(next) => start = Start::After(next),
                None => break,
            }
        }
        assert_eq!(entries(&all).into_iter().collect::<BTreeSet<_>>().len(), 200);
        assert_eq!(all.len(), 200);
        assert!(all.windows(2).all(|two| (two[0].score, two[0].position) > (two[1].score, two[1].position)));
    }
}

#[test]
fn a_list_goes_on_below_a_position() {
    let heads: Vec<Head> = (0..200).map(|at| head(i64::from(at) + 1, at, "disk", "")).collect();
    let mut bed = Bed::new();
    heads.chunks(7).for_each(|batch| bed.feed(batch));
    let snapshot = bed.reader.snapshot("default").unwrap();
    let (mut all, mut before) = (Vec::new(), i64::MAX);
    loop {
        let (mut found, cut) = snapshot.list(&ours(), before, 7).unwrap();
        let cut = cut || found.len() > 7;
        found.truncate(7);
        all.extend(found.iter().map(Found::position));
        match found.last().filter(|_| cut) {
            Some(last) => before = last.position(),
            None => break,
        }
    }
    assert_eq!(all, (1..=200).rev().collect::<Vec<_>>());
}

#[test]
fn a_batch_that_was_lost_is_taken_up_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("search.db");
    let heads = [head(1, 1, "disk", "one"), head(2, 2, "disk", "two")];
    let mut index = SearchIndex::open(&path, ORIGIN).unwrap();
    index.index(&[heads[0].document()], 1).unwrap();
    // The process ends before the second batch; after the restart the first may come again.
    drop(index);
    let mut index = SearchIndex::open(&path, ORIGIN).unwrap();
    assert_eq!(index.indexed_through().unwrap(), 1);
    index.index(&heads.each_ref().map(Head::document), 2).unwrap();
    assert_eq!(index.indexed_through().unwrap(), 2);
    let reader = SearchReader::open(&path).unwrap();
    let (found, _) = reader.snapshot("default").unwrap().list(&ours(), i64::MAX, 10).unwrap();
    assert_eq!(found.iter().map(Found::position).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_batch_that_fails_leaves_neither_words_nor_position() {
    let mut bed = Bed::of(&[head(1, 1, "disk", "")]);
    let connection = Connection::open(&bed.path).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
    let next = head(2, 1, "network", "");
    assert!(bed.index.index(&[next.document()], 2).is_err());
    assert_eq!(bed.index.indexed_through().unwrap(), 1);
    assert_eq!((bed.found("disk"), bed.found("network")), (vec![1], vec![]));
    connection.execute_batch("DROP TRIGGER refuse").unwrap();
    bed.feed(&[next]);
    assert_eq!((bed.found("disk"), bed.found("network")), (vec![], vec![1]));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut bed = Bed::of(&[head(1, 1, "disk", "")]);
    let other = SearchReader::open(&bed.path).unwrap();
    let snapshot = other.snapshot("default").unwrap();
    bed.feed(&[head(2, 2, "disk", ""), head(3, 1, "network", "")]);
    let query = Query::parse("disk").unwrap();
    let ranking = snapshot.rank(&query, &ours(), &[], &Start::First(ALL), 10).unwrap().unwrap();
    assert_eq!(ranking.found.iter().map(Found::position).collect::<Vec<_>>(), [1]);
    assert_eq!(snapshot.indexed_through(), 1);
    drop(snapshot);
    assert_eq!((other.indexed_through().unwrap(), bed.found("disk")), (3, vec![2]));
}

#[test]
fn an_index_of_another_ledger_or_ahead_of_its_own_is_made_anew() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("search.db");
    let ours = |newest| Origin { newest, ..ORIGIN };
    let through = |origin| SearchIndex::open(&path, origin).unwrap().indexed_through().unwrap();
    let mut index = SearchIndex::open(&path, ours(0)).unwrap();
    index.index(&[head(7, 1, "disk", "").document()], 7).unwrap();
    drop(index);
    assert_eq!(through(ours(7)), 7, "its own ledger, which may be further");
    assert_eq!(through(ours(6)), 0, "a ledger that was put back");
    let mut index = SearchIndex::replace(&path, ours(7)).unwrap();
    index.index(&[head(7, 1, "disk", "").document()], 7).unwrap();
    drop(index);
    assert_eq!(through(ours(7)), 7, "built anew, it still knows its ledger");
    assert_eq!(through(Origin { ledger_id: [2; 16], newest: 7 }), 0, "another ledger");
}

#[test]
fn a_file_of_another_version_or_without_sense_is_made_anew() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("search.db");
    let mut index = SearchIndex::open(&path, ORIGIN).unwrap();
    index.index(&[head(1, 1, "disk", "").document()], 1).unwrap();
    drop(index);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(SearchReader::open(&path), Err(SearchError::Outdated)));
    assert_eq!(SearchIndex::open(&path, ORIGIN).unwrap().indexed_through().unwrap(), 0);
    fs::write(&path, "this is no database, however long it may be".repeat(100)).unwrap();
    let mut index = SearchIndex::open(&path, ORIGIN).unwrap();
    index.index(&[head(1, 1, "disk", "").document()], 1).unwrap();
    let reader = SearchReader::open(&path).unwrap();
    assert_eq!(reader.indexed_through().unwrap(), 1);
}

#[test]
fn a_replaced_index_is_empty_and_those_who_read_the_old_one_read_on() {
    let heads = [head(1, 1, "disk", ""), head(2, 2, "disk", "")];
    let mut bed = Bed::of(&heads);
    assert!(bed.index.is_in_place());
    let replaced = SearchIndex::replace(&bed.path, ORIGIN).unwrap();
    assert!(replaced.is_in_place() && !bed.index.is_in_place());
    assert_eq!((replaced.indexed_through().unwrap(), bed.found("disk")), (0, vec![2, 1]));
    bed.index = replaced;
    bed.reader = SearchReader::open(&bed.path).unwrap();
    assert_eq!(bed.found("disk"), [] as [u8; 0]);
    bed.feed(&heads);
    assert_eq!(bed.found("disk"), [2, 1]);
}

#[test]
fn a_file_that_was_taken_away_is_not_in_place() {
    let bed = Bed::of(&[head(1, 1, "disk", "")]);
    fs::remove_file(&bed.path).unwrap();
    assert!(!bed.index.is_in_place());
    assert!(matches!(SearchReader::open(&bed.path), Err(SearchError::Missing)));
}

/// Every byte that scores are made of, one changed at a time.
#[test]
fn damaged_rows_are_an_error_that_calls_for_a_rebuild() {
    let long = "disk ".repeat(3);
    let heads: Vec<Head> = (0..200).map(|at| head(i64::from(at) + 1, at, "disk", &long)).collect();
    for change in [
        "UPDATE segment_column SET data = x'00'",
        "UPDATE segment_column SET data = zeroblob(length(data))",
        "UPDATE block SET data = zeroblob(length(data))",
        "UPDATE posting SET data = zeroblob(length(data))",
        "UPDATE segment SET length_total = length_total + 1",
        "UPDATE segment SET dead = x'01', dead_count = 1",
        "DELETE FROM segment_column WHERE name = 'positions'",
        "DELETE FROM posting",
        "DELETE FROM document",
        "DELETE FROM state",
        "DROP TABLE tenant",
        "PRAGMA user_version = 7",
    ] {
        let bed = Bed::of(&heads);
        Connection::open(&bed.path).unwrap().execute_batch(change).unwrap();
        let query = Query::parse("disk").unwrap();
        let found = bed.reader.snapshot("default").and_then(|snapshot| {
            let ranking = snapshot.rank(&query, &ours(), &[], &Start::First(ALL), 10)?.unwrap();
            snapshot.entries(&ranking.found, &[])
        });
        assert!(found.is_err_and(|error| error.calls_for_rebuild()), "{change}");
    }
}

#[test]
fn an_entry_that_disagrees_with_its_document_is_damage_and_buries_no_other() {
    let mut bed = Bed::of(&[head(1, 1, "disk", ""), head(2, 2, "disk", "")]);
    Connection::open(&bed.path).unwrap().execute_batch("UPDATE entry SET number = 1 - number").unwrap();
    let error = bed.index.index(&[head(3, 1, "network", "").document()], 3).unwrap_err();
    assert!(error.calls_for_rebuild(), "{error}");
    assert_eq!(bed.found("disk"), [2, 1]);
}

#[test]
fn a_tail_that_replaces_heads_scores_as_it_will_when_it_is_indexed() {
    let text =
        |at: u8| format!("{} disk{}", ["磁盘 full", "node"][usize::from(at) % 2], " pod".repeat(at.into()));
    let heads: Vec<Head> = (0..10).map(|at| head(i64::from(at) + 1, at, "disk", &text(at))).collect();
    let tail =
        [head(11, 3, "disk pod", "磁碟"), head(12, 20, "new", "disk"), head(13, 3, "pod", "disk 磁盘")];
    let mut bed = Bed::of(&heads);
    let queries = ["disk", "pod 磁盘", "磁"];
    let before = queries.map(|query| bed.search(query, &ours(), &tail));
    bed.feed(&tail);
    assert_eq!(stored_segments(&bed.path), 2);
    assert_eq!(before, queries.map(|query| bed.search(query, &ours(), &[])));
    assert_eq!(before[0].len(), 11);
}

fn any_head() -> impl Strategy<Value = Head> {
    let words =
        "(disk|node|磁盘|磁碟空間|重启|Pod|CrashLoop|full|内){1}( (disk|node|磁盘|空间|重|pod|x)){0,6}";
    (0_u8..12, words, words, prop::sample::select(vec!["default", "other"]))
        .prop_map(|(entry, title, content, tenant)| Head { tenant, ..head(0, entry, &title, &content) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What the tail answers is what the index answers once the tail is indexed; to the last bit of the score
    /// as long as no merge has dropped the dead, which the statistics count until then.
    #[test]
    fn the_tail_and_the_index_rank_alike(mut heads in prop::collection::vec(any_head(), 2..40), share in 0.5_f64..1.0) {
        heads.iter_mut().zip(1..).for_each(|(head, position)| head.position = position);
        let (indexed, tail) = heads.split_at((heads.len() as f64 * share) as usize);
        let mut bed = Bed::of(indexed);
        let queries = ["disk", "磁盘 pod", "磁", "crash node disk 空間"];
        let before = queries.map(|query| bed.search(query, &ours(), tail));
        let stored_before = stored_documents(&bed.path);
        bed.feed(tail);
        let after = queries.map(|query| bed.search(query, &ours(), &[]));
        let heads = |hits: &Vec<Hit>| hits.iter().map(|hit| (hit.entry, hit.position)).collect::<BTreeSet<_>>();
        prop_assert_eq!(before.each_ref().map(heads), after.each_ref().map(heads));
        let newest: BTreeSet<_> = tail.iter().map(|head| (head.tenant, head.entry)).collect();
        if stored_documents(&bed.path) == stored_before + newest.len() {
            prop_assert_eq!(before, after);
        }
    }

    /// However heads come in batches, replace each other and are merged, exactly the newest are found.
    #[test]
    fn exactly_the_newest_heads_are_found(mut heads in prop::collection::vec(any_head(), 1..120), batch in 1_usize..4) {
        heads.iter_mut().zip(1..).for_each(|(head, position)| head.position = position);
        let mut bed = Bed::new();
        heads.chunks(batch).for_each(|heads| bed.feed(heads));
        let mut newest: BTreeMap<u8, &Head> = BTreeMap::new();
        for head in heads.iter().filter(|head| head.tenant == "default") {
            newest.insert(head.entry, head);
        }
        let expected = |word: &str| -> BTreeSet<u8> {
            let holds = |head: &&&Head| format!("{} {}", head.title, head.content).split(' ').any(|one| one.eq_ignore_ascii_case(word));
            newest.values().filter(holds).map(|head| head.entry).collect()
        };
        for word in ["disk", "node", "pod", "full"] {
            prop_assert_eq!(bed.found(word).into_iter().collect::<BTreeSet<_>>(), expected(word), "{}", word);
        }
        prop_assert_eq!(bed.listed(&ours()).into_iter().collect::<BTreeSet<_>>(), newest.keys().copied().collect());
    }

    /// Whatever is written, indexed and merged between the pages, they are the ranking of the first page's moment
    /// without what was revised before its turn.
    #[test]
    fn pages_fit_together_whatever_happens_between_them(
        first in prop::collection::vec(any_head(), 1..60),
        later in prop::collection::vec((any_head(), 0_usize..6), 0..60),
        indexed in 0.0_f64..=1.0,
        limit in 1_usize..6,
        query in prop::sample::select(vec!["disk", "磁盘 pod", "磁", "crash node disk 空間"]),
    ) {
        let mut world = World::default();
        first.into_iter().for_each(|head| world.write(head));
        world.index((world.written.len() as f64 * indexed) as usize);
        let expected = entries(&world.page(query, &world.start(), 50).0);
        let (mut start, mut found, mut revised) = (world.start(), Vec::new(), BTreeSet::new());
        let mut later = later.into_iter();
        loop {
            let (hits, next) = world.page(query, &start, limit);
            found.extend(entries(&hits));
            let Some(next) = next else { break };
            start = Start::After(next);
            for (head, index) in later.by_ref().take(5) {
                let ours = Some(head.entry).filter(|_| head.tenant == "default");
                revised.extend(ours.filter(|entry| !found.contains(entry)));
                world.write(head);
                world.index(index);
            }
        }
        let kept = |entries: &[u8]| entries.iter().filter(|entry| !revised.contains(entry)).copied().collect::<Vec<_>>();
        prop_assert_eq!(kept(&found), kept(&expected));
        prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    }
}

/// A ledger of heads and the index that follows it.
#[derive(Default)]
struct World {
    bed: Option<Bed>,
    written: Vec<Head>,
    indexed: usize,
    heads: Heads,
}

impl World {
    fn write(&mut self, head: Head) {
        let position = i64::try_from(self.written.len()).unwrap() + 1;
        self.heads.insert((head.tenant, head.entry), position);
        self.written.push(Head { position, ..head });
    }

    fn is_head(&self, head: &Head) -> bool {
        self.heads[&(head.tenant, head.entry)] == head.position
    }

    /// Indexes so many rows more, as far as they are heads still.
    fn index(&mut self, rows: usize) {
        let end = (self.indexed + rows).min(self.written.len());
        let batch = &self.written[self.indexed..end];
        let heads: Vec<_> = batch.iter().filter(|head| self.is_head(head)).map(Head::document).collect();
        let bed = self.bed.get_or_insert_with(Bed::new);
        if let Some(last) = batch.last() {
            bed.index.index(&heads, last.position).unwrap();
        }
        self.indexed = end;
    }

    fn start(&self) -> Start {
        let through = i64::try_from(self.written.len()).unwrap();
        Start::First(View { through, missed: None })
    }

    fn page(&self, query: &str, start: &Start, limit: usize) -> (Vec<Hit>, Option<Cursor>) {
        let through = start.view().through;
        let in_tail =
            |head: &&Head| head.tenant == "default" && head.position <= through && self.is_head(head);
        let tail: Vec<Head> = self.written[self.indexed..].iter().filter(in_tail).cloned().collect();
        let bed = self.bed.as_ref().unwrap();
        bed.page(query, &ours(), (&tail, &self.heads), start, limit)
    }
}

/// Texts of so many different characters.
fn motley(documents: u8) -> Vec<Head> {
    let mut state = 7_u32;
    let mut character = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 16) % 1_500).unwrap()
    };
    let texts = (0..documents).map(|_| (0..1_500).map(|_| character()).collect::<String>());
    texts.zip(0..).map(|(text, at)| head(i64::from(at) + 1, at, "", &text)).collect()
}

#[test]
fn a_query_costs_so_much_and_no_more() {
    let heads = motley(140);
    let mut bed = Bed::new();
    heads.chunks(20).for_each(|batch| bed.feed(batch));
    let segments = u64::try_from(stored_segments(&bed.path)).unwrap();
    assert!(segments > 5);
    let cost = |text: &str| {
        let query = Query::parse(text).unwrap();
        let snapshot = bed.reader.snapshot("default").unwrap();
        let ranking = snapshot.rank(&query, &ours(), &[], &Start::First(ALL), 10).unwrap().unwrap();
        (ranking.work(), ranking.found.len())
    };
    let characters: String =
        (0x4e00..0x4e00 + 1_024).flat_map(|c| [char::from_u32(c).unwrap(), ' ']).collect();
    let (work, found) = cost(&characters);
    // A prefix that was begun is read to its end.
    let begun = segments * 64;
    assert!(work.lookups > km_search::LOOKUPS_MAX / 2, "{work:?}: the test asks for too little");
    assert!(work.lookups <= km_search::LOOKUPS_MAX + begun, "{work:?}");
    assert!(found > 10, "what was looked up is found");
    let words: String = (0..1_024).map(|n| format!("w{n} ")).collect();
    assert!(cost(&words).0.lookups <= km_search::LOOKUPS_MAX, "{:?}", cost(&words).0);
}

#[test]
fn a_lone_character_finds_all_that_hold_it_however_many_terms_begin_with_it() {
    let heads = motley(140);
    let mut bed = Bed::new();
    heads.chunks(20).for_each(|batch| bed.feed(batch));
    for character in ["一", "伀", "儀"] {
        let folded = Query::parse(character).unwrap().terms()[0].text.clone();
        let holds =
            |head: &&Head| km_search::terms(&head.content).iter().any(|term| term.text.starts_with(&*folded));
        let expected: BTreeSet<u8> = heads.iter().filter(holds).map(|head| head.entry).collect();
        let hits = bed.page(character, &ours(), (&[], &bed.heads), &Start::First(ALL), 200).0;
        assert_eq!(entries(&hits).into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
