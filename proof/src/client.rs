//! A client: it writes, notes what it was told, and repeats what it was not told.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::answer::{Answer, Problem, Receipt, json, said};
use crate::dice::Dice;
use crate::failure::Failure;
use crate::http::{Call, Caller, Reply};
use crate::log::{Line, Log, LogReader};
use crate::work::{Author, Draft, Landmark};

/// Acknowledged writes that a client remembers, to send them again.
const REMEMBERED_MAX: usize = 64;
/// Words that a client remembers, to search for them.
const LANDMARKS_MAX: usize = 16;
/// A running server takes a write by then, whatever was in its way.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of a write that was not kept.
const PAUSE: Duration = Duration::from_millis(20);
/// The same on a full disk, where each write that is not kept will need room later.
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(50);

/// What clients are told while they write.
#[derive(Debug, Default)]
pub(crate) struct Phase(AtomicU8);

impl Phase {
    const DOOMED: u8 = 1;
    const OVER: u8 = 2;

    /// The server is about to be ended: a connection may break from now on.
    pub(crate) fn doom(&self) {
        self.0.fetch_max(Self::DOOMED, Ordering::SeqCst);
    }

    /// No further write is begun.
    pub(crate) fn end(&self) {
        self.0.fetch_max(Self::OVER, Ordering::SeqCst);
    }

    fn is_doomed(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= Self::DOOMED
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= Self::OVER
    }
}

/// One client with its log.
#[derive(Debug)]
pub(crate) struct Client {
    caller: Caller,
    log: Log,
    dice: Dice,
    author: Author,
    /// Acknowledged not long ago.
    remembered: Vec<(Draft, Receipt)>,
    /// Acknowledged writes that a search must find.
    landmarks: Vec<Landmark>,
    /// Sent, and nobody knows.
    unknown: Vec<Draft>,
    /// Not kept, and not given up.
    not_kept: Vec<Draft>,
}

/// What became of one try.
enum Tried {
    Answered(Answer),
    /// The connection broke; the try is in doubt if it was begun.
    Broke(io::Error),
}

/// A write that was taken in the end.
struct Insisted {
    outcome: String,
    tries: u32,
}

impl Client {
    /// The client called `name` with its log in `directory`.
    pub(crate) fn new(name: &str, directory: PathBuf, dice: Dice) -> Result<Self, Failure> {
        let path = directory.join(format!("client-{name}.jsonl"));
        let log = Log::create(path.clone()).map_err(Failure::file(&path))?;
        Ok(Self {
            caller: Caller::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            log,
            author: Author::new(name, dice.clone()),
            dice,
            remembered: Vec::new(),
            landmarks: Vec::new(),
            unknown: Vec::new(),
            not_kept: Vec::new(),
        })
    }

    /// A reader of its log.
    pub(crate) fn evidence(&self) -> Result<LogReader, Failure> {
        self.log.reader().map_err(Failure::because("could not read a client's log"))
    }

    /// Speaks to this server from now on.
    pub(crate) fn turn_to(&mut self, address: SocketAddr) {
        self.caller = Caller::new(address);
    }

    /// Writes until the phase is over or the doomed server is gone.
    pub(crate) fn write_on(&mut self, phase: &Phase) -> Result<(), Failure> {
        while !phase.is_over() {
            match self.step()? {
                Tried::Answered(Answer::Declined(_)) if phase.is_doomed() => break,
                Tried::Answered(_) => {}
                Tried::Broke(_) if phase.is_doomed() => break,
                Tried::Broke(error) => {
                    let what = format!("a connection broke though nobody ended the server: {error}");
                    return Err(Failure::broken(what));
                }
            }
        }
        self.flush()
    }

    /// Writes two kilobytes at a time until nothing was kept for `span`.
    pub(crate) fn fill(&mut self, span: Duration, limit: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut acknowledged_at = Instant::now();
        while begun.elapsed() < limit {
            let draft = self.author.two_kilobytes();
            match self.send(&draft)? {
                Tried::Answered(Answer::Acknowledged { .. }) => acknowledged_at = Instant::now(),
                Tried::Answered(Answer::Declined(problem)) if acknowledged_at.elapsed() < span => {
                    must_say_full(&problem)?;
                    sleep(PAUSE_WHEN_FULL);
                }
                Tried::Answered(Answer::Declined(problem)) => {
                    must_say_full(&problem)?;
                    return self.flush();
                }
                other => return Err(unwanted(&draft, &other)),
            }
        }
        Err(Failure::hindered(format!("the disk was not full after {limit:?}")))
    }

    /// Repeats every write that is in doubt until each is acknowledged.
    pub(crate) fn resolve(&mut self) -> Result<(), Failure> {
        for draft in std::mem::take(&mut self.unknown) {
            let was_kept = self.is_kept(&draft)?;
            let Insisted { outcome, tries } = self.insist(&draft)?;
            if tries == 1 && was_kept != (outcome == "replayed") {
                let id = &draft.write_id;
                let what = format!("{id} was looked up (kept: {was_kept}), and repeating it is {outcome}");
                return Err(Failure::broken(what));
            }
        }
        Ok(())
    }

    /// Repeats every write that was not kept until each is acknowledged.
    pub(crate) fn catch_up(&mut self) -> Result<(), Failure> {
        for draft in std::mem::take(&mut self.not_kept) {
            self.insist(&draft)?;
        }
        Ok(())
    }

    /// Sends a new write until it is acknowledged.
    pub(crate) fn insist_on_a_new_one(&mut self) -> Result<(), Failure> {
        let draft = self.author.two_kilobytes();
        self.insist(&draft).map(drop)
    }

    fn insist(&mut self, draft: &Draft) -> Result<Insisted, Failure> {
        let begun = Instant::now();
        let mut tries = 0;
        while begun.elapsed() < PATIENCE {
            let told = self.send(draft)?;
            tries += 1;
            match told {
                Tried::Answered(Answer::Acknowledged { outcome, .. }) => {
                    self.unknown.retain(|other| other.write_id != draft.write_id);
                    self.not_kept.retain(|other| other.write_id != draft.write_id);
                    return Ok(Insisted { outcome, tries });
                }
                Tried::Answered(Answer::Declined(_) | Answer::InDoubt) => sleep(PAUSE),
                Tried::Answered(Answer::Refused(_)) | Tried::Broke(_) => return Err(unwanted(draft, &told)),
            }
        }
        Err(Failure::broken(format!("{} was not taken within {PATIENCE:?}", draft.write_id)))
    }

    /// Whether a write is there, by looking it up.
    fn is_kept(&mut self, draft: &Draft) -> Result<bool, Failure> {
        let reply = look_up(&mut self.caller, &draft.write_id)?;
        match reply.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(Failure::broken(format!("{} was looked up: {}", draft.write_id, said(&reply)))),
        }
    }

    /// Looks up some of the writes that were acknowledged not long ago.
    pub(crate) fn read_back(&mut self, count: usize) -> Result<(), Failure> {
        for _ in 0..count.min(self.remembered.len()) {
            let at = self.dice.place(self.remembered.len());
            let receipt = self.remembered[at].1.clone();
            read_back(&mut self.caller, &receipt)?;
        }
        Ok(())
    }

    /// Writes something that no other write says, and searches for it.
    pub(crate) fn write_and_find(&mut self) -> Result<(), Failure> {
        let landmark = self.author.landmark();
        self.insist(&landmark.draft)?;
        self.keep_landmark(landmark.clone());
        find(&mut self.caller, &landmark)
    }

    /// Searches for something that was acknowledged before.
    pub(crate) fn find_again(&mut self) -> Result<(), Failure> {
        self.any_landmark().map_or(Ok(()), |landmark| find(&mut self.caller, &landmark))
    }

    /// As [`Client::find_again`], but an index that cannot grow now may leave something out, and say so.
    pub(crate) fn find_or_hear_why_not(&mut self) -> Result<(), Failure> {
        self.any_landmark().map_or(Ok(()), |landmark| is_found(&mut self.caller, &landmark).map(drop))
    }

    fn any_landmark(&mut self) -> Option<Landmark> {
        let at = self.dice.place(self.landmarks.len());
        self.landmarks.get(at).cloned()
    }

    /// One more write, an earlier one again, or one that has to be refused.
    fn step(&mut self) -> Result<Tried, Failure> {
        let (chance, any) = (self.dice.below(100), !self.remembered.is_empty());
        match chance {
            0..=7 if any => self.repeat(),
            8..=10 if any => self.contradict(),
            11..=13 => self.break_a_rule(),
            14..=16 => self.set_a_landmark(),
            17..=30 if !self.not_kept.is_empty() => {
                let draft = self.not_kept.swap_remove(self.dice.place(self.not_kept.len()));
                self.send_valid(&draft)
            }
            _ => {
                let draft = self.author.draft();
                self.send_valid(&draft)
            }
        }
    }

    fn send_valid(&mut self, draft: &Draft) -> Result<Tried, Failure> {
        match self.send(draft)? {
            Tried::Answered(Answer::Refused(problem)) => {
                Err(Failure::broken(format!("the valid write {draft:?} was refused: {problem:?}")))
            }
            told => Ok(told),
        }
    }

    /// An earlier write again: the same receipt, and nothing new.
    fn repeat(&mut self) -> Result<Tried, Failure> {
        let (draft, first) = self.remembered[self.dice.place(self.remembered.len())].clone();
        let told = self.send_valid(&draft)?;
        if let Tried::Answered(Answer::Acknowledged { outcome, receipt }) = &told
            && (outcome != "replayed" || *receipt != first)
        {
            let id = &draft.write_id;
            return Err(Failure::broken(format!("{id} again is {outcome}, {receipt:?} after {first:?}")));
        }
        Ok(told)
    }

    /// Other content under a write id that is taken. What is kept under that id is another write's affair, so
    /// this is not noted as one.
    fn contradict(&mut self) -> Result<Tried, Failure> {
        let earlier = self.remembered[self.dice.place(self.remembered.len())].0.clone();
        let draft = self.author.contradiction(&earlier);
        let told = self.try_once(&draft)?;
        match &told {
            Tried::Answered(Answer::Refused(problem)) if problem.code == "KM0014" => Ok(told),
            Tried::Answered(Answer::Acknowledged { .. } | Answer::Refused(_)) => Err(unwanted(&draft, &told)),
            Tried::Answered(Answer::Declined(_) | Answer::InDoubt) | Tried::Broke(_) => Ok(told),
        }
    }

    fn break_a_rule(&mut self) -> Result<Tried, Failure> {
        let draft = self.author.invalid();
        let told = self.send(&draft)?;
        // Whether or not it was answered, it can never be there, and nobody will send it again.
        self.unknown.retain(|unknown| unknown.write_id != draft.write_id);
        self.not_kept.retain(|not_kept| not_kept.write_id != draft.write_id);
        match told {
            Tried::Answered(Answer::Acknowledged { .. }) => Err(unwanted(&draft, &told)),
            told => Ok(told),
        }
    }

    fn set_a_landmark(&mut self) -> Result<Tried, Failure> {
        let landmark = self.author.landmark();
        let told = self.send_valid(&landmark.draft)?;
        if matches!(told, Tried::Answered(Answer::Acknowledged { .. })) {
            self.keep_landmark(landmark);
        }
        Ok(told)
    }

    fn keep_landmark(&mut self, landmark: Landmark) {
        if self.landmarks.len() == LANDMARKS_MAX {
            self.landmarks.swap_remove(self.dice.place(LANDMARKS_MAX));
        }
        self.landmarks.push(landmark);
    }

    /// Sends a write: noted before, and what it was told noted after.
    fn send(&mut self, draft: &Draft) -> Result<Tried, Failure> {
        if let Err(error) = self.caller.connect() {
            return Ok(Tried::Broke(error));
        }
        self.note(&Line::sent(draft))?;
        let told = self.try_once(draft)?;
        match &told {
            Tried::Answered(Answer::Acknowledged { outcome, receipt }) => {
                must_fit(draft, outcome, receipt)?;
                let (outcome, receipt) = (outcome.clone(), receipt.clone());
                self.note(&Line::Acknowledged { outcome, receipt: receipt.clone() })?;
                self.remember(draft, receipt);
            }
            Tried::Answered(Answer::Declined(problem)) => {
                self.note(&Line::not_kept(draft, problem))?;
                self.not_kept.push(draft.clone());
            }
            Tried::Answered(Answer::Refused(problem)) => self.note(&Line::not_kept(draft, problem))?,
            Tried::Answered(Answer::InDoubt) | Tried::Broke(_) => self.unknown.push(draft.clone()),
        }
        Ok(told)
    }

    fn try_once(&mut self, draft: &Draft) -> Result<Tried, Failure> {
        // Both places for the write id are used, and both at once.
        let place = self.dice.below(3);
        let mut document = draft.document.clone();
        document.write_id = (place > 0).then(|| draft.write_id.clone());
        let body = serde_json::to_string(&document).map_err(Failure::because("a write is no JSON"))?;
        let key = (place < 2).then_some(draft.write_id.as_str());
        let call = Call { method: "POST", target: "/v1/writes", key, body: Some(&body) };
        match self.caller.call(call) {
            Ok(reply) => Answer::read(&reply).map(Tried::Answered).map_err(Failure::broken),
            Err(error) => Ok(Tried::Broke(error)),
        }
    }

    fn remember(&mut self, draft: &Draft, receipt: Receipt) {
        if self.remembered.len() == REMEMBERED_MAX {
            self.remembered.swap_remove(self.dice.place(REMEMBERED_MAX));
        }
        self.remembered.push((draft.clone(), receipt));
    }

    fn note(&mut self, line: &Line) -> Result<(), Failure> {
        self.log.note(line).map_err(Failure::because("a client could not write its log"))
    }

    /// Flushes its log to the disk.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.log.flush().map_err(Failure::because("a client could not flush its log"))
    }

    /// Takes these writes as its own that are in doubt, and forgets what it was told: the store that said it
    /// is gone.
    pub(crate) fn doubt(&mut self, drafts: Vec<Draft>) {
        self.remembered.clear();
        self.landmarks.clear();
        self.not_kept.clear();
        self.unknown = drafts;
    }
}

/// Looks up an acknowledged write: it is applied, as its receipt says.
pub(crate) fn read_back(caller: &mut Caller, receipt: &Receipt) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Body {
        state: String,
        receipt: Receipt,
    }
    let reply = look_up(caller, &receipt.write_id)?;
    let body: Option<Body> =
        (reply.status == 200).then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    match body {
        Some(body) if body.state == "applied" && body.receipt == *receipt => Ok(()),
        Some(_) | None => Err(Failure::broken(format!("{receipt:?} was given, and now: {}", said(&reply)))),
    }
}

/// Whether an acknowledged write is found by its word. A search that did not look at everything says so; one
/// that did must have found it.
fn is_found(caller: &mut Caller, landmark: &Landmark) -> Result<bool, Failure> {
    let target = format!("/v1/search?q={}&limit=5", landmark.word);
    let reply = caller.call(Call::get(&target));
    let reply = reply.map_err(|error| Failure::broken(format!("{target}: {error}")))?;
    let body = json(&reply).map_err(Failure::broken)?;
    let hits = body["hits"].as_array().map_or(&[][..], Vec::as_slice);
    let title = landmark.draft.document.title.as_deref();
    let found = hits.iter().any(|hit| hit["entry"]["title"].as_str() == title);
    if !found && body["searched"]["complete"] != false {
        let id = &landmark.draft.write_id;
        return Err(Failure::broken(format!("{target} does not find {id}: {}", said(&reply))));
    }
    Ok(found)
}

/// Searches until the index has caught up.
fn find(caller: &mut Caller, landmark: &Landmark) -> Result<(), Failure> {
    let begun = Instant::now();
    while !is_found(caller, landmark)? {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::broken(format!("no search was complete within {PATIENCE:?}")));
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// Looks up a write that was not kept: there is no such thing.
pub(crate) fn read_nothing_back(caller: &mut Caller, write_id: &str) -> Result<(), Failure> {
    let reply = look_up(caller, write_id)?;
    match reply.status {
        404 => Ok(()),
        _ => Err(Failure::broken(format!("{write_id} was not kept, and now: {}", said(&reply)))),
    }
}

fn look_up(caller: &mut Caller, write_id: &str) -> Result<Reply, Failure> {
    let call = caller.call(Call::get(&format!("/v1/writes/{write_id}")));
    call.map_err(|error| Failure::broken(format!("{write_id} could not be looked up: {error}")))
}

/// A receipt is for the write that was sent, and only the first revision of an entry creates it.
fn must_fit(draft: &Draft, outcome: &str, receipt: &Receipt) -> Result<(), Failure> {
    let first = (outcome == "created") == (receipt.revision == 1) || outcome == "replayed";
    match receipt.write_id == draft.write_id && first {
        true => Ok(()),
        false => Err(Failure::broken(format!("{} was {outcome} with {receipt:?}", draft.write_id))),
    }
}

/// The answers that a full disk may give.
fn must_say_full(problem: &Problem) -> Result<(), Failure> {
    match (problem.status, problem.code.as_str()) {
        (507, "KM0037") | (503, "KM0034") => Ok(()),
        _ => Err(Failure::broken(format!("a full disk was answered as {problem:?}"))),
    }
}

fn unwanted(draft: &Draft, told: &Tried) -> Failure {
    let id = &draft.write_id;
    match told {
        Tried::Answered(answer) => Failure::broken(format!("{id} was answered {answer:?}")),
        Tried::Broke(error) => Failure::broken(format!("the connection broke at {id}: {error}")),
    }
}
