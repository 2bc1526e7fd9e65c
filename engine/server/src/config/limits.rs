//! `[tenant.limits]`: every bound that a tenant lives under, by name, with its default. What happens
//! at a bound is said beside it. Bounds of the whole process stand in `[node]`.

use std::time::Duration;

/// The bounds of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `concurrent_calls`: one more gets 503.
    pub concurrent_calls: u32,
    /// `calls_per_second`: one more gets 503 with Retry-After.
    pub calls_per_second: u32,
    /// `call_length`: a call this old is hung up.
    pub call_length: Duration,
    /// `legs_per_call`: one more dial target fails with `limit`.
    pub legs_per_call: u32,
    /// `contacts_per_user`: one more REGISTER gets 403.
    pub contacts_per_user: u32,
    /// `requests_per_user`: REGISTER, INVITE and the like of one user in a second, ten times as many at once; one more gets
    /// 503 with Retry-After. Zero: as many as there are.
    pub requests_per_user: u32,
    /// `script_size`: a larger component gets 413 at upload.
    pub script_size: u64,
    /// `script_memory`: a sandbox that wants more traps, and its call goes to the fallback.
    pub script_memory: u64,
    /// `script_cpu`: computing between two imports; a sandbox that computes longer traps. A version that does so in ten runs
    /// with the same settings in a row is suspended for these: its calls go to their fallbacks at once, but for one a second,
    /// until one of those ends otherwise.
    pub script_cpu: Duration,
    /// `script_rest`: a script that waits longer gives its sandbox back until the answer is there.
    pub script_rest: Duration,
    /// `script_cpu_per_second`: computing of all the tenant's call scripts; when they have had more, the next call's script
    /// waits, for a second at most, and then the call goes to its fallback.
    pub script_cpu_per_second: Duration,
    /// `strategy_cpu`: the same for a queue strategy.
    pub strategy_cpu: Duration,
    /// `host_calls`: imports in one call; one more traps.
    pub host_calls: u32,
    /// `host_calls_per_second`: one more waits.
    pub host_calls_per_second: u32,
    /// `kv_value`: a larger value fails with `limit`.
    pub kv_value: u64,
    /// `kv_total`: all values of the tenant; one more byte fails with `limit`.
    pub kv_total: u64,
    /// `log_line`: a longer line is cut.
    pub log_line: u64,
    /// `log_call`: further lines of the call are dropped and counted.
    pub log_call: u64,
    /// `http_time`: one request of a script to a server outside, redirects included; then it fails with `timed-out`.
    pub http_time: Duration,
    /// `http_request_size`: headers and body of a request; a larger one fails with `limit`.
    pub http_request_size: u64,
    /// `http_response_size`: headers and body of an answer, which is kept on the tape; a larger one fails with `limit`.
    pub http_response_size: u64,
    /// `http_per_call`: requests of one script in one call, one after the other; one more fails with `limit`.
    pub http_per_call: u32,
    /// `http_per_second`: requests of the tenant; one more fails with `limit`.
    pub http_per_second: u32,
    /// `http_at_once`: requests of the tenant that have no answer yet; one more fails with `limit`.
    pub http_at_once: u32,
    /// `prompt_size`: a larger WAV gets 413 at upload.
    pub prompt_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_calls: 100,
            calls_per_second: 20,
            call_length: Duration::from_secs(4 * 3600),
            legs_per_call: 64,
            contacts_per_user: 10,
            requests_per_user: 20,
            script_size: 4 << 20,
            script_memory: 16 << 20,
            script_cpu: Duration::from_millis(20),
            script_rest: script::limits::REST,
            script_cpu_per_second: script::limits::CPU_PER_SECOND,
            strategy_cpu: Duration::from_millis(10),
            host_calls: 10_000,
            host_calls_per_second: 200,
            kv_value: 64 << 10,
            kv_total: 16 << 20,
            log_line: 4 << 10,
            log_call: 64 << 10,
            http_time: Duration::from_secs(10),
            http_request_size: 64 << 10,
            http_response_size: 256 << 10,
            http_per_call: 50,
            http_per_second: 20,
            http_at_once: 20,
            prompt_size: 16 << 20,
        }
    }
}

impl Limits {
    /// A run's bounds: the tenant's where it has a word to say.
    pub fn of_run(&self, run: script::Limits) -> script::Limits {
        script::Limits {
            memory: self.script_memory as usize,
            stretch: self.script_cpu,
            cpu_per_second: self.script_cpu_per_second,
            rest: self.script_rest,
            host_calls: run.host_calls.min(self.host_calls),
            host_calls_per_second: self.host_calls_per_second,
            log_line: self.log_line as usize,
            log: self.log_call as usize,
            ..run
        }
    }
}
