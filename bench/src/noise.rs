//! How much of the machine other programs used while something was measured: figures of a busy machine mislead.

use std::fs::read_to_string;

/// The share of the processors' time from which on a measurement is called disturbed.
pub(crate) const DISTURBED: f64 = 0.10;

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
    let machine = read_to_string("/proc/stat").unwrap_or_default();
    let (all, busy) = machine_ticks(&machine);
    let ours = std::iter::once("self".to_owned()).chain(children());
    let ticks =
        |process| read_to_string(format!("/proc/{process}/stat")).map_or(0.0, |stat| process_ticks(&stat));
    Ticks { all, busy, ours: ours.map(ticks).sum() }
}

/// Programs that were started by any thread of this one, and run.
fn children() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// All time and busy time, from the first line of proc_stat(5): user, nice, system, idle, iowait, irq, softirq,
/// steal. The two for guests are part of user already.
fn machine_ticks(stat: &str) -> (f64, f64) {
    let fields = stat.lines().next().map(numbers).unwrap_or_default();
    let all: f64 = fields.iter().take(8).sum();
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (all, all - idle)
}

/// Fields 14 to 17 of proc_pid_stat(5), its own time and that of children that ended; they follow a name in
/// brackets, a letter, and ten more.
fn process_ticks(stat: &str) -> f64 {
    let fields = stat.rsplit(')').next().map(numbers).unwrap_or_default();
    fields.iter().skip(10).take(4).sum()
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
        assert_eq!(process_ticks("42 (km 1) 2) S 1 42 42 0 -1 4194304 100 0 0 0 7 8 9 10 20 0 3 0\n"), 34.0);
        assert_eq!((machine_ticks(""), process_ticks("")), ((0.0, 0.0), 0.0));
    }

    #[test]
    fn a_share_is_never_negative() {
        assert!((0.0..=1.0).contains(&Watch::begin().others()));
    }
}
