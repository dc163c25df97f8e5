//! Measures what the search index finds and how fast it answers.
//!
//! ```text
//! cargo xtask eval quality DIRECTORY
//! cargo xtask eval named DIRECTORY
//! cargo xtask eval speed DIRECTORY 100000
//! ```
//!
//! A data set is a directory with `corpus*.jsonl` (id, title, text), `queries.jsonl` (id, text, track) and
//! `qrels.tsv` (query, document, grade). `named` asks those questions whose answer is called by one name, with
//! that name on a line before them.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a command that prints and takes time")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use km_search::{Query, is_identifier};
use km_store::search::{Document, Filter, Origin, SearchIndex, SearchReader, Start, View, Work};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

const BATCH: usize = 1_000;
const TENANT: &str = "default";
/// There is no ledger behind a data set.
const ORIGIN: Origin = Origin { ledger_id: [0; 16], newest: i64::MAX };

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["quality", directory] => quality(Path::new(directory), |question, _| Some(question.to_owned())),
        ["named", directory] => quality(Path::new(directory), |question, title| {
            is_identifier(title).then(|| format!("{title}\n{question}"))
        }),
        ["speed", directory, documents] => speed(Path::new(directory), documents.parse()?),
        _ => Err("usage: eval quality|named DIRECTORY | eval speed DIRECTORY DOCUMENTS".into()),
    }
}

/// One document of a data set.
struct Text {
    id: String,
    title: String,
    content: String,
}

struct Question {
    id: String,
    text: String,
    track: String,
}

fn lines(path: &Path) -> Outcome<Vec<Value>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn corpus(directory: &Path) -> Outcome<Vec<Text>> {
    let paths: Result<Vec<PathBuf>, _> =
        fs::read_dir(directory)?.map(|entry| Ok::<_, std::io::Error>(entry?.path())).collect();
    let mut paths: Vec<PathBuf> = paths?
        .into_iter()
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("corpus") && name.ends_with(".jsonl")
        })
        .collect();
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let read = |value: &Value| Text {
            id: word(value, "id"),
            title: word(value, "title"),
            content: word(value, "text"),
        };
        texts.extend(lines(&path)?.iter().map(read));
    }
    Ok(texts)
}

/// A new index in the temporary directory; removed when dropped.
struct Scratch {
    directory: PathBuf,
}

impl Scratch {
    fn new() -> Outcome<Self> {
        let directory = std::env::temp_dir().join(format!("km-eval-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    fn index(&self) -> PathBuf {
        self.directory.join("search.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            println!("could not remove {}: {error}", self.directory.display());
        }
    }
}

/// Indexes texts in order; the n-th (from 1) gets position n and n as its entry id.
fn fill(path: &Path, texts: impl Iterator<Item = (String, String)>) -> Outcome<SearchIndex> {
    let mut index = SearchIndex::open(path, ORIGIN)?;
    let labels = BTreeMap::new();
    let mut texts = texts.peekable();
    let mut position = 0;
    while texts.peek().is_some() {
        let batch: Vec<(String, String)> = texts.by_ref().take(BATCH).collect();
        let documents: Vec<Document<'_>> =
            (position + 1..).zip(&batch).map(|(at, text)| document(at, text, &labels)).collect();
        position += i64::try_from(batch.len())?;
        index.index(&documents, position)?;
    }
    Ok(index)
}

fn document<'a>(
    position: i64,
    text: &'a (String, String),
    labels: &'a BTreeMap<String, String>,
) -> Document<'a> {
    let mut entry_id = [0; 16];
    entry_id[..8].copy_from_slice(&position.to_le_bytes());
    Document {
        position,
        tenant: TENANT,
        entry_id,
        path: "incident_resolve",
        entry_type: None,
        incident_id: None,
        approval_id: None,
        playbook: None,
        tags: &[],
        labels,
        occurred_at: position,
        title: &text.0,
        content: &text.1,
    }
}

/// nDCG@10, recall@10 and MRR@10 of one query or, divided, of many.
#[derive(Clone, Copy, Default)]
struct Marks {
    queries: f64,
    ndcg: f64,
    recall: f64,
    mrr: f64,
}

impl Marks {
    fn add(&mut self, other: Self) {
        self.queries += other.queries;
        self.ndcg += other.ndcg;
        self.recall += other.recall;
        self.mrr += other.mrr;
    }

    fn mean(self) -> Self {
        let n = self.queries.max(1.0);
        Self { queries: self.queries, ndcg: self.ndcg / n, recall: self.recall / n, mrr: self.mrr / n }
    }

    fn of(ranking: &[&str], grades: &HashMap<String, f64>) -> Self {
        let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let gain = |place: usize, id: &str| grades.get(id).copied().unwrap_or(0.0) * discount(place);
        let found: f64 = ranking.iter().enumerate().map(|(place, id)| gain(place, id)).sum();
        let mut ideal: Vec<f64> = grades.values().copied().collect();
        ideal.sort_by(|left, right| right.total_cmp(left));
        let best: f64 = ideal.iter().take(10).enumerate().map(|(place, grade)| grade * discount(place)).sum();
        let known = ranking.iter().filter(|id| grades.contains_key(**id)).count() as f64;
        let first = ranking.iter().position(|id| grades.contains_key(*id));
        Self {
            queries: 1.0,
            ndcg: if best > 0.0 { found / best } else { 0.0 },
            recall: known / grades.len().clamp(1, 10) as f64,
            mrr: first.map_or(0.0, |place| 1.0 / (place as f64 + 1.0)),
        }
    }
}

/// Asks every question, as `ask` says it with the title of its best answer.
fn quality(directory: &Path, ask: impl Fn(&str, &str) -> Option<String>) -> Outcome<()> {
    let texts = corpus(directory)?;
    let scratch = Scratch::new()?;
    fill(&scratch.index(), texts.iter().map(|text| (text.title.clone(), text.content.clone())))?;
    let reader = SearchReader::open(&scratch.index())?;
    let grades = grades(&directory.join("qrels.tsv"))?;
    let titles: HashMap<&str, &str> =
        texts.iter().map(|text| (text.id.as_str(), text.title.as_str())).collect();
    let mut tracks: BTreeMap<String, Marks> = BTreeMap::new();
    for question in questions(&directory.join("queries.jsonl"))? {
        let Some(grades) = grades.get(&question.id) else { continue };
        let answer = grades.iter().max_by(|left, right| left.1.total_cmp(right.1).then(right.0.cmp(left.0)));
        let title = answer.and_then(|(id, _)| titles.get(id.as_str())).copied().unwrap_or_default();
        let Some(text) = ask(&question.text, title) else { continue };
        let (positions, _) = best(&reader, &Query::like(&text), 10)?;
        let places = positions.into_iter().map(|position| usize::try_from(position - 1));
        let ranking: Vec<&str> = places.map(|place| Ok(texts[place?].id.as_str())).collect::<Outcome<_>>()?;
        tracks.entry(question.track).or_default().add(Marks::of(&ranking, grades));
    }
    report(&tracks);
    Ok(())
}

/// The positions of the best documents, found, named and explained as for a page, and what it cost.
fn best(reader: &SearchReader, query: &Query, limit: usize) -> Outcome<(Vec<i64>, Work)> {
    let filter = Filter { tenant: TENANT.to_owned(), ..Filter::default() };
    let snapshot = reader.snapshot(TENANT)?;
    let start = Start::First(View { through: i64::MAX, missed: None });
    let ranking = snapshot.rank(query, &filter, &[], &start, limit)?.ok_or("a first page has no cursor")?;
    let found = &ranking.found[..limit.min(ranking.found.len())];
    snapshot.entries(found, &[])?;
    snapshot.explain(&ranking, found)?;
    Ok((found.iter().map(|found| found.position()).collect(), ranking.work()))
}

fn questions(path: &Path) -> Outcome<Vec<Question>> {
    let read = |value: &Value| Question {
        id: word(value, "id"),
        text: word(value, "text"),
        track: word(value, "track"),
    };
    Ok(lines(path)?.iter().map(read).collect())
}

fn grades(path: &Path) -> Outcome<HashMap<String, HashMap<String, f64>>> {
    let mut grades: HashMap<String, HashMap<String, f64>> = HashMap::new();
    for line in fs::read_to_string(path)?.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [query, document, grade] = columns.as_slice() else {
            return Err("qrels.tsv has three columns".into());
        };
        grades.entry((*query).to_owned()).or_default().insert((*document).to_owned(), grade.parse()?);
    }
    Ok(grades)
}

fn report(tracks: &BTreeMap<String, Marks>) {
    println!("| track | n | nDCG@10 | recall@10 | MRR@10 |\n|---|---|---|---|---|");
    let (mut all, mut of_tracks) = (Marks::default(), Marks::default());
    for (track, marks) in tracks {
        row(track, marks.mean());
        all.add(*marks);
        of_tracks.add(Marks { queries: 1.0, ..marks.mean() });
    }
    row("all queries", all.mean());
    row("mean of tracks", of_tracks.mean());
}

fn row(name: &str, marks: Marks) {
    println!("| {name} | {} | {:.3} | {:.3} | {:.3} |", marks.queries, marks.ndcg, marks.recall, marks.mrr);
}

/// Chance that can be repeated (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A text of 1 to 2 kB: most of one document, some of another, and words of its own.
fn varied(texts: &[Text], at: usize, dice: &mut Dice) -> (String, String) {
    let (one, other) = (&texts[at % texts.len()], &texts[dice.below(texts.len())]);
    let piece = |text: &str, bytes: usize| text[..text.floor_char_boundary(bytes)].to_owned();
    let content = format!(
        "{}\n{}\nIncident {at} on node{:03}, request {:08x}.",
        piece(&one.content, 1_000),
        piece(&other.content, 600),
        at % 997,
        dice.below(1 << 32)
    );
    (one.title.clone(), content)
}

fn speed(directory: &Path, count: usize) -> Outcome<()> {
    let scratch = Scratch::new()?;
    let texts = corpus(directory)?;
    let words = Words::of(fill_varied(&scratch.index(), &texts, count)?, count);
    let reader = SearchReader::open(&scratch.index())?;
    let mut dice = Dice(7);
    for (name, left, right) in [
        ("common + common", &words.common, &words.common),
        ("common + middle", &words.common, &words.middle),
        ("middle + rare", &words.middle, &words.rare),
    ] {
        let pairs =
            (0..500).map(|_| format!("{} {}", left[dice.below(left.len())], right[dice.below(right.len())]));
        time(&reader, name, &pairs.collect::<Vec<_>>())?;
    }
    let pasted = questions(&directory.join("queries.jsonl"))?.into_iter().map(|question| question.text);
    time(&reader, "whole questions and alerts", &pasted.collect::<Vec<_>>())?;
    let whole = texts.iter().take(500).map(|text| format!("{} {}", text.title, text.content));
    time(&reader, "whole documents", &whole.collect::<Vec<_>>())?;
    let characters: String = ('\u{4e00}'..='\u{53ff}').flat_map(|c| [c, ' ']).collect();
    time(&reader, "lone characters", &[characters])?;
    println!("memory, with the data set: {}", resident()?);
    Ok(())
}

/// Indexes so many varied texts, reports how fast, and answers how many of them hold each word.
fn fill_varied(path: &Path, texts: &[Text], count: usize) -> Outcome<HashMap<String, usize>> {
    let mut index = SearchIndex::open(path, ORIGIN)?;
    let (mut dice, labels) = (Dice(0x9e37_79b9_7f4a_7c15), BTreeMap::new());
    let (mut bytes, mut took, mut slowest) = (0, Duration::ZERO, Duration::ZERO);
    let mut holders = HashMap::new();
    for first in (0..count).step_by(BATCH) {
        let made: Vec<_> = (first..count.min(first + BATCH)).map(|at| varied(texts, at, &mut dice)).collect();
        made.iter().step_by(SAMPLED).for_each(|text| note_words(text, &mut holders));
        bytes += made.iter().map(|(title, content)| title.len() + content.len()).sum::<usize>();
        let through = i64::try_from(first + made.len())?;
        let positions = i64::try_from(first)? + 1..=through;
        let documents: Vec<_> = positions.zip(&made).map(|(at, text)| document(at, text, &labels)).collect();
        let start = Instant::now();
        index.index(&documents, through)?;
        took += start.elapsed();
        slowest = slowest.max(start.elapsed());
    }
    let (mean, rate) = (bytes / count.max(1), count as f64 / took.as_secs_f64());
    println!(
        "indexed {count} documents of {mean} bytes in {took:.1?}: {rate:.0}/s, slowest batch of {BATCH} {slowest:.0?}"
    );
    println!("file {} MB, memory {}", fs::metadata(path)?.len() / 1_000_000, resident()?);
    Ok(holders)
}

/// Every so many texts are looked at to know how common words are.
const SAMPLED: usize = 10;

fn note_words((title, content): &(String, String), holders: &mut HashMap<String, usize>) {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect()
    };
    let held: HashSet<String> =
        words(title).into_iter().chain(words(content)).filter(|word| word.len() > 1).collect();
    for word in held {
        *holders.entry(word).or_insert(0) += SAMPLED;
    }
}

/// Words by how many documents hold them.
struct Words {
    /// 10 to 50 %.
    common: Vec<String>,
    /// 0.5 to 10 %.
    middle: Vec<String>,
    /// Fewer.
    rare: Vec<String>,
}

impl Words {
    fn of(holders: HashMap<String, usize>, count: usize) -> Self {
        let mut all: Vec<_> = holders.into_iter().collect();
        all.retain(|(word, _)| Query::parse(word).is_ok_and(|query| !query.is_empty()));
        all.sort();
        let between = |low: f64, high: f64| {
            let inside = all.iter().filter(|(_, held)| (low..high).contains(&(*held as f64 / count as f64)));
            inside.map(|(word, _)| word.clone()).collect()
        };
        Self { common: between(0.1, 0.5), middle: between(0.005, 0.1), rare: between(0.0, 0.005) }
    }
}

fn time(reader: &SearchReader, name: &str, queries: &[String]) -> Outcome<()> {
    let mut took = Vec::with_capacity(queries.len());
    let mut most = Work::default();
    for query in queries {
        let start = Instant::now();
        let (_, work) = best(reader, &Query::like(query), 20)?;
        took.push(start.elapsed());
        most.lookups = most.lookups.max(work.lookups);
        most.postings = most.postings.max(work.postings);
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "{name}: {} queries, p50 {:.2?}, p99 {:.2?}, slowest {:.2?}; at most {} lookups, {} postings",
        took.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        most.lookups,
        most.postings
    );
    Ok(())
}

/// What the system says of this process's memory, where it says it.
fn resident() -> Outcome<String> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok("unknown".to_owned()) };
    let wanted = |line: &&str| line.starts_with("VmRSS") || line.starts_with("VmHWM");
    Ok(status.lines().filter(wanted).map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join(", "))
}
