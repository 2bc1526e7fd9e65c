//! A child process and what it says: both outputs are read line by line as they come, and a test waits
//! for the line that it needs, up to a limit. A child that is dropped is killed, by its own process id.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// Lines of a child kept for the report of a failure; older ones are forgotten.
const KEPT_LINES: usize = 400;

/// Lines as they come from someone who is waited for, and the ones that were waited through.
#[derive(Debug)]
pub struct Lines {
    name: String,
    coming: Receiver<String>,
    heard: Vec<String>,
}

impl Lines {
    /// `name` is said when a wait fails.
    pub fn new(name: &str, coming: Receiver<String>) -> Self {
        Self { name: name.into(), coming, heard: Vec::new() }
    }

    /// The next line for which `wanted` has an answer. Panics after `limit`, or when there are no more lines.
    #[track_caller]
    pub fn wait_for<T>(&mut self, what: &str, limit: Duration, wanted: impl FnMut(&str) -> Option<T>) -> T {
        match self.seek(limit, wanted) {
            Some(found) => found,
            None => self.fail(&format!("no {what} within {limit:?}")),
        }
    }

    /// As `wait_for`, with none when the limit passes or there are no more lines.
    pub fn seek<T>(&mut self, limit: Duration, mut wanted: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let until = Instant::now() + limit;
        loop {
            let found = wanted(self.next(until).ok()?);
            if found.is_some() {
                return found;
            }
        }
    }

    /// Hears what comes for a while; false when nothing can come any more.
    pub fn running(&mut self, length: Duration) -> bool {
        let until = Instant::now() + length;
        loop {
            match self.next(until) {
                Ok(_) => {}
                Err(why) => return why == RecvTimeoutError::Timeout,
            }
        }
    }

    /// The lines that were waited through, the last few hundred.
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// Ends the test with all that was said.
    #[track_caller]
    pub fn fail(&self, why: &str) -> ! {
        panic!("{}: {why}; it said:\n  {}", self.name, self.heard.join("\n  "))
    }

    fn next(&mut self, until: Instant) -> Result<&str, RecvTimeoutError> {
        let line = self.coming.recv_timeout(until.saturating_duration_since(Instant::now()))?;
        if self.heard.len() == KEPT_LINES {
            self.heard.remove(0);
        }
        self.heard.push(line);
        Ok(self.heard.last().expect("a line was just kept"))
    }
}

/// A running child, and its lines.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it prints, on either output.
    pub lines: Lines,
}

impl Process {
    /// Starts it. Panics, naming the program, when it can't be started.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| {
                panic!("{name}: {command:?} does not start: {why}; `make test` installs it")
            });
        let (tell, coming) = mpsc::channel();
        read_lines(child.stdout.take().expect("stdout is piped"), tell.clone());
        read_lines(child.stderr.take().expect("stderr is piped"), tell);
        let stdin = child.stdin.take();
        Self { child, stdin, lines: Lines::new(name, coming) }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    pub fn say(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        if let Err(why) = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()) {
            self.lines.fail(&format!("does not listen: {why}"));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a child that was not waited for can be signalled");
    }

    /// Waits for its end. Panics after `limit`.
    #[track_caller]
    pub fn exit(&mut self, limit: Duration) -> ExitStatus {
        let until = Instant::now() + limit;
        loop {
            match self.lines.next(until) {
                Ok(_) => {}
                // Both outputs are closed: it is ending, or has ended.
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().expect("a child can be waited for");
                }
                Err(RecvTimeoutError::Timeout) => self.lines.fail(&format!("still running after {limit:?}")),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(from: impl Read + Send + 'static, tell: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            if tell.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
}
