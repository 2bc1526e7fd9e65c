//! What is counted, by name, for `/metrics` in the OpenMetrics text form. Counting is an atomic add;
//! names and units follow the Prometheus conventions.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use protocol::sip::flow::Transport;
use script::{Run, Version};

use crate::signalling::Ended;
use crate::throttle::Pace;

/// A tenant.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfTenant {
    /// Its name.
    pub tenant: String,
}

/// What was wrong.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfKind {
    /// "forged" or "replayed".
    pub kind: String,
}

/// A codec.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfCodec {
    /// As session descriptions name it: "PCMU", "opus" ...
    pub codec: &'static str,
}

/// An encoder or a decoder of a codec.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfCoder {
    /// As session descriptions name it.
    pub codec: &'static str,
    /// "encoder" or "decoder".
    pub what: &'static str,
}

/// A tenant's script.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfScript {
    /// The tenant's name.
    pub tenant: String,
    /// The script's name.
    pub script: String,
}

/// A tenant's calls, or its scripts' requests to servers, that ended one way.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfOutcome {
    /// The tenant's name.
    pub tenant: String,
    /// As in the call record; of a request "answered", "timed-out", the limit's key ...
    pub outcome: String,
}

/// One way in which a script's run ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfFailure {
    /// The tenant's name.
    pub tenant: String,
    /// The script's name.
    pub script: String,
    /// "trap", "out-of-time", "missing" ...
    pub why: String,
}

/// One place in which a script's runs fail.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfPlace {
    /// The tenant's name.
    pub tenant: String,
    /// The script's name.
    pub script: String,
    /// "trap in route (lib.rs:7)"; "elsewhere" beyond so many of one version.
    pub place: String,
}

/// A tenant's letters of one kind.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfLetter {
    /// The tenant's name.
    pub tenant: String,
    /// "mail", "sms", "webhook", "chat" or "crm".
    pub kind: String,
}

/// Connections of one transport.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfTransport {
    /// "tcp", "tls", "ws" or "wss".
    pub transport: String,
}

impl OfTransport {
    /// The label of a transport.
    pub fn new(transport: Transport) -> Self {
        Self { transport: transport.as_str().to_ascii_lowercase() }
    }
}

/// Connections of one transport that ended one way.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfEnd {
    /// "tcp", "tls", "ws" or "wss".
    pub transport: String,
    /// "by-peer", "handshake", "silent", "slow" ...
    pub why: &'static str,
}

impl OfEnd {
    /// The labels of an end.
    pub fn new(transport: Transport, why: Ended) -> Self {
        Self { transport: transport.as_str().to_ascii_lowercase(), why: why.as_str() }
    }
}

/// Messages of sources that ask too much, by what became of them.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OfPace {
    /// "refused": answered with 503, or read later where it came on a connection; "unread"; "account": a user's request.
    pub what: &'static str,
}

impl OfPace {
    /// The label; none for what is taken.
    pub fn new(pace: Pace) -> Option<Self> {
        let what = match pace {
            Pace::Free => return None,
            Pace::Busy => "refused",
            Pace::Flood => "unread",
        };
        Some(Self { what })
    }

    /// A user's account asks too much.
    pub const ACCOUNT: Self = Self { what: "account" };
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    /// SIP messages read.
    pub sip_received: Counter,
    /// SIP messages sent.
    pub sip_sent: Counter,
    /// Bytes that were no SIP message.
    pub sip_malformed: Counter,
    /// SIP messages dropped because a shard had too much to do.
    pub sip_dropped: Counter,
    /// Calls that a killed process left and this one has taken up.
    pub calls_resumed: Counter,
    /// Calls that a killed process left and this one has closed.
    pub calls_lost: Counter,
    /// Requests with wrong credentials, from unknown sides, or over a bound.
    pub sip_refused: Counter,
    /// Addresses that were banned.
    pub sip_bans: Counter,
    /// Datagrams and connections of banned addresses, unread.
    pub sip_unheard: Counter,
    /// Messages of sources that ask too much.
    pub sip_throttled: Family<OfPace, Counter>,
    /// Connections that are open, or being opened.
    pub sip_connections: Family<OfTransport, Gauge>,
    /// Connections that ended.
    pub sip_connections_ended: Family<OfEnd, Counter>,
    /// Calls that are up.
    pub calls_up: Family<OfTenant, Gauge>,
    /// Calls that ended.
    pub calls: Family<OfOutcome, Counter>,
    /// Calls to carriers that were held back, by the bound.
    pub calls_held_back: Family<OfOutcome, Counter>,
    /// Calls from carriers by what became of the callers' signed identities: "passed", "failed", "absent".
    pub identities: Family<OfOutcome, Counter>,
    /// Contacts that are registered.
    pub registered: Family<OfTenant, Gauge>,
    /// Bytes of the tapes of calls that are over, as last looked.
    pub tapes_size: Family<OfTenant, Gauge>,
    /// Tapes removed for their age or the room they took.
    pub tapes_removed: Family<OfTenant, Counter>,
    /// Records removed for their age.
    pub records_removed: Family<OfTenant, Counter>,
    /// Dead letters that were kept no longer.
    pub dead_letters_removed: Family<OfTenant, Counter>,
    /// Runs of scripts that failed.
    pub script_failures: Family<OfFailure, Counter>,
    /// Runs of scripts that failed, by where they did.
    pub script_traps: Family<OfPlace, Counter>,
    /// What a script computes from the answer to one import to the next: how long a call waits for its decision.
    pub script_decision: Family<OfScript, Histogram>,
    /// CPU time of one run of a script.
    pub script_cpu: Family<OfScript, Histogram>,
    /// How often runs of a script gave their sandbox back while they waited.
    pub script_rests: Family<OfScript, Counter>,
    /// Sandboxes alive, as last looked.
    pub sandboxes: Gauge,
    /// Memory of one run of a script when it ended, in bytes.
    pub script_memory: Family<OfScript, Histogram>,
    /// From a question to a strategy until its answer, in seconds: what a queue waits for.
    pub strategy_decision: Family<OfScript, Histogram>,
    /// Carriers that went out of service.
    pub trunks_lost: Family<OfTenant, Counter>,
    /// Carriers that do not register us any more.
    pub registrations_lost: Family<OfTenant, Counter>,
    /// RTP packets received, by closed legs.
    pub rtp_received: Counter,
    /// RTP packets sent, by closed legs.
    pub rtp_sent: Counter,
    /// RTP packets that never came, by closed legs.
    pub rtp_lost: Counter,
    /// DTLS handshakes that brought no keys.
    pub dtls_failed: Counter,
    /// Protected packets that were not taken, by closed legs.
    pub srtp_refused: Family<OfKind, Counter>,
    /// Legs that are closed, by the codec that they had last.
    pub rtp_legs: Family<OfCodec, Counter>,
    /// Encoders and decoders there are.
    pub coders: Family<OfCoder, Gauge>,
    /// Where sound was decoded: 20 ms that were made up for packets that did not come in time, by closed legs.
    pub rtp_concealed: Family<OfCodec, Counter>,
    /// And packets that came after their time.
    pub rtp_late: Family<OfCodec, Counter>,
    /// Records, tapes or registrations that could not be kept.
    pub store_failures: Counter,
    /// Speech engines that began to fail, by the tenant that found out.
    pub speech_failures: Family<OfTenant, Counter>,
    /// Requests of scripts to servers outside, by how they ended.
    pub http_requests: Family<OfOutcome, Counter>,
    /// From such a request to its end, in seconds.
    pub http_request: Family<OfTenant, Histogram>,
    /// Calls whose traces the collector has.
    pub traces_sent: Counter,
    /// Calls whose traces were dropped, because the collector is slow or away.
    pub traces_dropped: Counter,
    /// Prompts asked for that nobody recorded.
    pub prompts_missing: Family<OfTenant, Counter>,
    /// Bytes of prompts in memory, at all rates at which they were heard.
    pub prompts_memory: Gauge,
    /// Notices that arrived.
    pub letters_delivered: Family<OfLetter, Counter>,
    /// Attempts to deliver that failed.
    pub letters_failed: Family<OfLetter, Counter>,
    /// Notices for which there was no room.
    pub letters_refused: Family<OfTenant, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("strowger");
        let histogram = || Histogram::new(exponential_buckets(0.000_02, 2.0, 14));
        let metrics = Self {
            sip_received: Counter::default(),
            sip_sent: Counter::default(),
            sip_malformed: Counter::default(),
            sip_dropped: Counter::default(),
            calls_resumed: Counter::default(),
            calls_lost: Counter::default(),
            sip_refused: Counter::default(),
            sip_bans: Counter::default(),
            sip_unheard: Counter::default(),
            sip_throttled: Family::default(),
            sip_connections: Family::default(),
            sip_connections_ended: Family::default(),
            calls_up: Family::default(),
            calls: Family::default(),
            calls_held_back: Family::default(),
            identities: Family::default(),
            registered: Family::default(),
            tapes_size: Family::default(),
            tapes_removed: Family::default(),
            records_removed: Family::default(),
            dead_letters_removed: Family::default(),
            script_failures: Family::default(),
            script_traps: Family::default(),
            script_decision: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_001, 2.0, 18))
            }),
            script_cpu: Family::new_with_constructor(histogram),
            script_rests: Family::default(),
            sandboxes: Gauge::default(),
            script_memory: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(65_536.0, 2.0, 12))
            }),
            strategy_decision: Family::new_with_constructor(histogram),
            trunks_lost: Family::default(),
            registrations_lost: Family::default(),
            rtp_received: Counter::default(),
            rtp_sent: Counter::default(),
            rtp_lost: Counter::default(),
            dtls_failed: Counter::default(),
            srtp_refused: Family::default(),
            rtp_legs: Family::default(),
            coders: Family::default(),
            rtp_concealed: Family::default(),
            rtp_late: Family::default(),
            store_failures: Counter::default(),
            speech_failures: Family::default(),
            http_requests: Family::default(),
            http_request: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 15))
            }),
            traces_sent: Counter::default(),
            traces_dropped: Counter::default(),
            prompts_missing: Family::default(),
            prompts_memory: Gauge::default(),
            letters_delivered: Family::default(),
            letters_failed: Family::default(),
            letters_refused: Family::default(),
            registry: Registry::default(),
        };
        registry.register("sip_received", "SIP messages read", metrics.sip_received.clone());
        registry.register("sip_sent", "SIP messages sent", metrics.sip_sent.clone());
        registry.register("sip_malformed", "Bytes that were no SIP message", metrics.sip_malformed.clone());
        let resumed = metrics.calls_resumed.clone();
        registry.register("calls_resumed", "Calls of a killed process that were taken up", resumed);
        let lost = metrics.calls_lost.clone();
        registry.register("calls_lost", "Calls of a killed process that were closed", lost);
        registry.register("sip_dropped", "SIP messages dropped under load", metrics.sip_dropped.clone());
        registry.register("sip_refused", "Requests refused for who sent them", metrics.sip_refused.clone());
        registry.register("sip_bans", "Addresses banned for what they tried", metrics.sip_bans.clone());
        registry.register(
            "sip_unheard",
            "Datagrams and connections of banned addresses",
            metrics.sip_unheard.clone(),
        );
        let throttled = metrics.sip_throttled.clone();
        registry.register("sip_throttled", "Messages of sources that ask too much", throttled);
        registry.register("sip_connections", "Connections open", metrics.sip_connections.clone());
        let ended = metrics.sip_connections_ended.clone();
        registry.register("sip_connections_ended", "Connections that ended, by why", ended);
        registry.register("calls_up", "Calls that are up", metrics.calls_up.clone());
        registry.register("calls", "Calls that ended", metrics.calls.clone());
        let held_back = metrics.calls_held_back.clone();
        registry.register("calls_held_back", "Calls to carriers held back, by the bound", held_back);
        let identities = metrics.identities.clone();
        registry.register("identities", "Calls from carriers by the callers' signed identities", identities);
        registry.register("registered_contacts", "Contacts registered", metrics.registered.clone());
        registry.register_with_unit("tapes", "Tapes that are kept", Unit::Bytes, metrics.tapes_size.clone());
        registry.register("tapes_removed", "Tapes kept no longer", metrics.tapes_removed.clone());
        registry.register("records_removed", "Records kept no longer", metrics.records_removed.clone());
        registry.register(
            "dead_letters_removed",
            "Dead letters kept no longer",
            metrics.dead_letters_removed.clone(),
        );
        registry.register("script_failures", "Runs that failed", metrics.script_failures.clone());
        registry.register("script_traps", "Runs that failed, by where", metrics.script_traps.clone());
        let decision = "Computing from one import's answer to the next";
        registry.register_with_unit(
            "script_decision",
            decision,
            Unit::Seconds,
            metrics.script_decision.clone(),
        );
        let cpu = "CPU time of one run";
        registry.register_with_unit("script_cpu", cpu, Unit::Seconds, metrics.script_cpu.clone());
        registry.register("script_rests", "Sandboxes given back while waiting", metrics.script_rests.clone());
        registry.register("sandboxes", "Sandboxes alive", metrics.sandboxes.clone());
        let memory = "Memory of one run when it ended";
        registry.register_with_unit("script_memory", memory, Unit::Bytes, metrics.script_memory.clone());
        let decision = "From a question to a strategy until its answer";
        let family = metrics.strategy_decision.clone();
        registry.register_with_unit("strategy_decision", decision, Unit::Seconds, family);
        registry.register("trunks_lost", "Carriers that stopped answering", metrics.trunks_lost.clone());
        registry.register(
            "trunk_registrations_lost",
            "Registrations with carriers that were refused or not renewed",
            metrics.registrations_lost.clone(),
        );
        registry.register("rtp_received_packets", "RTP packets received", metrics.rtp_received.clone());
        registry.register("rtp_sent_packets", "RTP packets sent", metrics.rtp_sent.clone());
        registry.register("rtp_lost_packets", "RTP packets that never came", metrics.rtp_lost.clone());
        registry.register("dtls_failed", "Handshakes that brought no keys", metrics.dtls_failed.clone());
        registry.register(
            "srtp_refused_packets",
            "Encrypted packets of a wrong key, or twice",
            metrics.srtp_refused.clone(),
        );
        registry.register("rtp_legs", "Legs by their codec", metrics.rtp_legs.clone());
        let coders = "Encoders and decoders of legs that are not passed on as they are";
        registry.register("rtp_coders", coders, metrics.coders.clone());
        let concealed = "Frames made up for packets that did not come in time";
        registry.register("rtp_concealed_frames", concealed, metrics.rtp_concealed.clone());
        registry.register("rtp_late_packets", "RTP packets too late to be heard", metrics.rtp_late.clone());
        registry.register("store_failures", "Writes that were not kept", metrics.store_failures.clone());
        registry.register("speech_failures", "Engines that began to fail", metrics.speech_failures.clone());
        registry.register("prompts_missing", "Prompts that nobody recorded", metrics.prompts_missing.clone());
        let held = "Bytes of prompts in memory, at all rates at which they were heard";
        registry.register("prompts_memory_bytes", held, metrics.prompts_memory.clone());
        registry.register("letters_delivered", "Notices that arrived", metrics.letters_delivered.clone());
        registry.register("letters_failed", "Deliveries that failed", metrics.letters_failed.clone());
        registry.register("letters_refused", "Notices without room", metrics.letters_refused.clone());
        registry.register(
            "http_requests",
            "Scripts' requests, by how they ended",
            metrics.http_requests.clone(),
        );
        registry.register("traces_sent", "Calls traced", metrics.traces_sent.clone());
        registry.register(
            "traces_dropped",
            "Calls not traced for want of a collector",
            metrics.traces_dropped.clone(),
        );
        let request = "From a script's request to its end";
        registry.register_with_unit("http_request", request, Unit::Seconds, metrics.http_request.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A script's request to a server outside is over.
    pub fn note_fetch(&self, tenant: &str, outcome: String, took: Duration) {
        let of = OfOutcome { tenant: tenant.into(), outcome };
        self.http_requests.get_or_create(&of).inc();
        self.http_request.get_or_create(&OfTenant { tenant: tenant.into() }).observe(took.as_secs_f64());
    }

    /// A run of a script is over.
    pub fn note_run(&self, tenant: &str, script: &str, version: &Version, run: &Run) {
        let of = OfScript { tenant: tenant.into(), script: script.into() };
        self.script_cpu.get_or_create(&of).observe(run.cpu.as_secs_f64());
        self.script_memory.get_or_create(&of).observe(run.memory as f64);
        if let Some(place) = version.place_of(&run.finish) {
            let of = OfPlace { tenant: tenant.into(), script: script.into(), place };
            self.script_traps.get_or_create(&of).inc();
        }
        if run.rests > 0 {
            self.script_rests.get_or_create(&of).inc_by(run.rests.into());
        }
    }

    /// The OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a String takes what is written");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_with_its_labels() {
        let metrics = Metrics::default();
        metrics.calls.get_or_create(&OfOutcome { tenant: "a".into(), outcome: "missed".into() }).inc();
        let text = metrics.render();
        assert!(text.contains("strowger_calls_total{tenant=\"a\",outcome=\"missed\"} 1"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
