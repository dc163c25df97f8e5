//! Processor time: what a candidate used, which hardly depends on what else runs, and what other programs used
//! meanwhile, for figures of a busy machine mislead.

use std::fs::read_to_string;
use std::time::Duration;

/// The share of the processors' time from which on a measurement is called disturbed.
pub(crate) const DISTURBED: f64 = 0.10;

/// In a second, as Linux counts them for programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The time that all threads of a process have used, and its children that ended.
pub(crate) fn used_by(process_id: u32) -> Duration {
    let stat = read_to_string(format!("/proc/{process_id}/stat")).unwrap_or_default();
    Duration::from_secs_f64(process(&stat).ticks / TICKS_PER_SECOND)
}

/// The time that this process has used.
pub(crate) fn used() -> Duration {
    used_by(std::process::id())
}

/// Processor time so far, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ticks {
    all: f64,
    busy: f64,
    ours: f64,
}

/// Compares processor time with that of an earlier moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Ticks);

impl Watch {
    pub(crate) fn begin() -> Self {
        Self(now())
    }

    /// The share of the processors that others used since the beginning or the last call. Programs that this one
    /// started count as its own.
    pub(crate) fn others(&mut self) -> f64 {
        let (before, after) = (self.0, now());
        self.0 = after;
        let busy = (after.busy - before.busy) - (after.ours - before.ours);
        (busy / (after.all - before.all).max(1.0)).max(0.0)
    }
}

/// Zeros where there is no such system.
fn now() -> Ticks {
    let (all, busy) = machine_ticks(&read_to_string("/proc/stat").unwrap_or_default());
    let me = f64::from(std::process::id());
    let ours = processes().filter(|process| process.id == me || process.parent == me);
    Ticks { all, busy, ours: ours.map(|process| process.ticks).sum() }
}

/// A process of this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Process {
    id: f64,
    parent: f64,
    /// Its own time, and that of children that ended.
    ticks: f64,
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(process(&read_to_string(entry.path().join("stat")).ok()?)))
}

/// Fields 1, 4, and 14 to 17 of proc_pid_stat(5). The second is a name in brackets, the third a letter.
fn process(stat: &str) -> Process {
    let fields = stat.rsplit(')').next().map(numbers).unwrap_or_default();
    let field = |number: usize| fields.get(number - 4).copied().unwrap_or_default();
    let id = stat.split(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default();
    Process { id, parent: field(4), ticks: (14..=17).map(field).sum() }
}

/// All time and busy time, from the first line of proc_stat(5): user, nice, system, idle, iowait, irq, softirq,
/// steal. The two for guests are part of user already.
fn machine_ticks(stat: &str) -> (f64, f64) {
    let fields = stat.lines().next().map(numbers).unwrap_or_default();
    let all: f64 = fields.iter().take(8).sum();
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (all, all - idle)
}

/// The numbers among the words of a line.
fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read() {
        assert_eq!(machine_ticks("cpu  10 20 30 100 5 1 2 3 7 0\ncpu0 1 1 1 1\n"), (171.0, 66.0));
        let stat = "42 (km 1) 2) S 7 42 42 0 -1 4194304 100 0 0 0 7 8 9 10 20 0 3 0\n";
        assert_eq!(process(stat), Process { id: 42.0, parent: 7.0, ticks: 34.0 });
        assert_eq!((machine_ticks(""), process("")), ((0.0, 0.0), Process::default()));
    }

    #[test]
    fn this_process_is_among_those_of_the_machine() {
        assert!(processes().any(|process| process.id == f64::from(std::process::id())));
    }

    #[test]
    fn time_of_this_process_is_counted() {
        let begun = used();
        assert!((0..100_000_000_u64).fold(0, |sum: u64, n| std::hint::black_box(sum ^ n)) < u64::MAX);
        assert!(used() > begun);
    }

    #[test]
    fn a_share_is_never_negative() {
        assert!((0.0..=1.0).contains(&Watch::begin().others()));
    }
}
