//! CPU time and memory of a process with its children, and the machine they ran on, as Linux tells them.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// CPU time of a process tree from a moment on.
pub struct Load {
    pid: u32,
    before: Duration,
}

impl Load {
    /// From now on.
    pub fn of(pid: u32) -> Self {
        Self { pid, before: cpu_time(pid) }
    }

    /// Microseconds of CPU time for each of `count` units since.
    pub fn per(&self, count: u32) -> f64 {
        (cpu_time(self.pid) - self.before).as_secs_f64() * 1e6 / f64::from(count)
    }
}

/// User and system time of the process and all below it.
fn cpu_time(pid: u32) -> Duration {
    let mut ticks = 0;
    let mut parents = HashMap::new();
    let mut spent = HashMap::new();
    for entry in fs::read_dir("/proc").expect("Linux has /proc").flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // proc(5): after the name in parentheses come state, ppid; utime and stime are fields 14 and 15.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let field = |n: usize| rest.split(' ').nth(n - 3).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        parents.insert(id, field(4) as u32);
        spent.insert(id, field(14) + field(15));
    }
    for (&id, own) in &spent {
        let mut ancestor = Some(id);
        while ancestor.is_some_and(|a| a != pid) {
            ancestor = ancestor.and_then(|a| parents.get(&a).copied());
        }
        ticks += if ancestor == Some(pid) { *own } else { 0 };
    }
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Resident bytes of a process, a page that is mapped in many places counted once: every sandbox of a
/// component maps the same image, and VmRSS would count it for each (proc(5), Pss).
pub fn resident(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the server runs");
    let line =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a running process has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}

/// The most it has been within some time, looking twice a second.
pub fn most_resident_until(pid: u32, length: Duration) -> u64 {
    let until = Instant::now() + length;
    let mut most = 0;
    while Instant::now() < until {
        most = most.max(resident(pid));
        thread::park_timeout(Duration::from_millis(500));
    }
    most
}

/// A line of the table.
pub struct Row {
    work: String,
    unit: &'static str,
    strowger: f64,
    beside: Option<(&'static str, f64)>,
    goal: f64,
}

impl Row {
    /// A cost in microseconds of CPU time.
    pub fn micros(work: &str, strowger: f64, beside: Option<(&'static str, f64)>, goal: f64) -> Self {
        let row = Self { work: work.into(), unit: "us", strowger, beside, goal };
        println!("{row}");
        row
    }

    /// So many times as long as without.
    pub fn times(work: &str, ratio: f64, goal: f64) -> Self {
        let row = Self { work: work.into(), unit: "x", strowger: ratio, beside: None, goal };
        println!("{row}");
        row
    }

    /// A length in milliseconds.
    pub fn millis(work: &str, length: f64, goal: f64) -> Self {
        let row = Self { work: work.into(), unit: "ms", strowger: length, beside: None, goal };
        println!("{row}");
        row
    }

    /// A cost in kB.
    pub fn kilobytes(work: &str, strowger: f64, goal: f64) -> Self {
        let row = Self { work: work.into(), unit: "kB", strowger, beside: None, goal };
        println!("{row}");
        row
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, unit, strowger, beside, goal } = self;
        let (other, ratio) = match beside {
            Some((name, cost)) => (format!("{name} {cost:.1} {unit}"), format!("{:.2}", strowger / cost)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let over = if strowger > goal { " over" } else { "" };
        write!(f, "{work:<44} {strowger:>9.2} {unit} {other:>24} {ratio:>7} {goal:>6} {unit}{over}")
    }
}

/// The machine, and how busy it is.
pub struct Machine {
    model: String,
    cores: usize,
    load: String,
}

impl Machine {
    /// Reads it.
    pub fn read() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
        Self {
            model: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            load: fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores of {}, load {}", self.cores, self.model, self.load)
    }
}
