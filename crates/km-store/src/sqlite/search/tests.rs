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

/// An index in a directory of its own.
struct Bed {
    _directory: TempDir,
    path: PathBuf,
    index: SearchIndex,
    reader: SearchReader,
}

impl Bed {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("search.db");
        let index = SearchIndex::open(&path, ORIGIN).unwrap();
        let reader = SearchReader::open(&path).unwrap();
        Self { _directory: directory, path, index, reader }
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
        self.index.index(&documents, through).unwrap();
    }

    fn search(&self, query: &str, filter: &Filter, tail: &[Head]) -> Vec<Hit> {
        let tail: Vec<_> = tail.iter().map(Head::document).collect();
        let query = Query::parse(query).unwrap();
        self.reader.snapshot().unwrap().search(&query, filter, &tail, None, 50).unwrap().hits
    }

    /// The entries that a query finds, best first.
    fn found(&self, query: &str) -> Vec<u8> {
        entries(&self.search(query, &ours(), &[]))
    }

    fn listed(&self, filter: &Filter) -> Vec<u8> {
        entries(&self.reader.snapshot().unwrap().list(filter, &[], None, 50).unwrap().hits)
    }
}

fn ours() -> Filter {
    Filter { tenant: "default".to_owned(), ..Filter::default() }
}

fn entries(hits: &[Hit]) -> Vec<u8> {
    hits.iter().map(|hit| hit.entry_id[0]).collect()
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
        assert_eq!(hits[0].why[0].fields, [Field::Names]);
    }
}

#[test]
fn the_title_outweighs_the_content_and_reasons_add_up_to_the_score() {
    let bed = Bed::of(&[head(1, 1, "Network", "disk cable"), head(2, 2, "Disk", "network cable")]);
    let hits = bed.search("disk", &ours(), &[]);
    assert_eq!(entries(&hits), [2, 1]);
    assert_eq!(hits[0].why[0].fields, [Field::Title]);
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
fn a_forgotten_entry_is_found_no_more() {
    let mut bed = Bed::of(&[head(1, 1, "disk", "secret"), head(2, 2, "disk", "")]);
    bed.index.forget(&[("default", [1; 16]), ("default", [77; 16])]).unwrap();
    assert_eq!(bed.found("disk secret"), [2]);
    assert_eq!(bed.listed(&ours()), [2]);
    bed.feed(&[head(3, 1, "disk", "written again")]);
    assert_eq!(bed.found("again"), [1]);
}

#[test]
fn pages_cover_every_hit_once_in_order() {
    let heads: Vec<Head> = (0..200)
        .map(|at| head(i64::from(at) + 1, at, "disk", ["full", "full full", "x"][usize::from(at) % 3]))
        .collect();
    let mut bed = Bed::of(&heads[..80]);
    heads[80..150].chunks(7).for_each(|batch| bed.feed(batch));
    let tail: Vec<_> = heads[140..].iter().map(Head::document).collect();
    let snapshot = bed.reader.snapshot().unwrap();
    let query = Query::parse("disk full").unwrap();
    for limit in [1, 7, 50] {
        for searching in [true, false] {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = match searching {
                    true => snapshot.search(&query, &ours(), &tail, after, limit).unwrap(),
                    false => snapshot.list(&ours(), &tail, after, limit).unwrap(),
                };
                assert!(page.hits.len() <= limit);
                all.extend(page.hits);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(entries(&all).into_iter().collect::<BTreeSet<_>>().len(), 200);
            assert_eq!(all.len(), 200);
            assert!(
                all.windows(2).all(|two| (two[0].score, two[0].position) > (two[1].score, two[1].position))
            );
        }
    }
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
    let page = reader.snapshot().unwrap().list(&ours(), &[], None, 10).unwrap();
    assert_eq!(entries(&page.hits), [2, 1]);
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
    let snapshot = other.snapshot().unwrap();
    bed.feed(&[head(2, 2, "disk", ""), head(3, 1, "network", "")]);
    let page = snapshot.search(&Query::parse("disk").unwrap(), &ours(), &[], None, 10).unwrap();
    assert_eq!((snapshot.indexed_through(), entries(&page.hits)), (1, vec![1]));
    drop(snapshot);
    assert_eq!((other.snapshot().unwrap().indexed_through(), bed.found("disk")), (3, vec![2]));
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
    let mut index = SearchIndex::open(&path, ours(7)).unwrap();
    index.index(&[head(7, 1, "disk", "").document()], 7).unwrap();
    index.rebuild().unwrap();
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
    assert_eq!(reader.snapshot().unwrap().indexed_through(), 1);
}

#[test]
fn rebuilding_empties_the_index_and_it_can_be_fed_again() {
    let heads = [head(1, 1, "disk", ""), head(2, 2, "disk", "")];
    let mut bed = Bed::of(&heads);
    bed.index.rebuild().unwrap();
    assert_eq!((bed.index.indexed_through().unwrap(), bed.found("disk")), (0, vec![]));
    bed.feed(&heads);
    assert_eq!(bed.found("disk"), [2, 1]);
}

#[test]
fn damaged_rows_are_an_error_that_calls_for_a_rebuild() {
    let bed = Bed::of(&[head(1, 1, "disk", "")]);
    Connection::open(&bed.path).unwrap().execute_batch("UPDATE segment_column SET data = x'00'").unwrap();
    let query = Query::parse("disk").unwrap();
    let error = bed.reader.snapshot().unwrap().search(&query, &ours(), &[], None, 10).unwrap_err();
    assert!(error.calls_for_rebuild(), "{error}");
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
        let heads = |hits: &Vec<Hit>| hits.iter().map(|hit| (hit.entry_id, hit.position)).collect::<BTreeSet<_>>();
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
}
