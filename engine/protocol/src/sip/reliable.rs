//! Provisional responses that arrive for certain (RFC 3262), and what the two sides have agreed upon before the 2xx:
//! the callee's row of responses, each acknowledged by a PRACK before the next one goes, and the caller's early
//! dialogs, each with the number that it has come to. An INVITE of ours without an offer does not ask for them,
//! so the answer in a PRACK is read here and never written.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::dialog::Dialog;
use super::headers::HeaderName;
use super::message::{Request, Response};
use super::timers::{GIVE_UP, T1};
use super::transaction::key::ClientKey;

/// The option tag (RFC 3262 §8.1).
pub const OPTION: &str = "100rel";
/// Responses that wait for the PRACK of the one before. At the bound a new one takes the place of the last.
pub const MAX_WAITING: usize = 8;
/// RFC 3262 §3: the first number is below 2^31, so that no row of them wraps.
const MOST_FIRST_RSEQ: u32 = (1 << 31) - 1;

/// The callee's half: a caller who knows 100rel has rung, and hears what must not be lost reliably.
#[derive(Debug)]
pub(crate) struct Reliable {
    /// The caller takes no others (Require).
    required: bool,
    /// The INVITE carried the offer; else ours may go in a response, and the PRACK brings the answer.
    offered: bool,
    /// RSeq of the last one sent; none before the first.
    rseq: Option<u32>,
    /// What goes again while it rings.
    last_status: u16,
    open: Option<Open>,
    waiting: VecDeque<Provisional>,
    /// The 2xx, which waits until the description that went before it is acknowledged (§3).
    pub(crate) answer: Option<Option<Bytes>>,
    pub(crate) agreed: Agreed,
    pub(crate) updates: Updates,
}

/// A response that is to go.
#[derive(Debug)]
pub(crate) struct Provisional {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) sdp: Option<Bytes>,
}

/// A response that waits for its PRACK.
#[derive(Debug)]
struct Open {
    rseq: u32,
    described: bool,
    resend_at: Instant,
    resend_after: Duration,
    give_up_at: Instant,
}

/// How far offer and answer are before the 2xx (RFC 3262 §5, RFC 3311 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// The offer is open.
    #[default]
    No,
    /// By a reliable response, whose description the 2xx may repeat.
    Yes,
    /// Something else since, or the other way round: the 2xx says nothing of it.
    Anew,
}

/// UPDATEs of an early dialog that are under way (RFC 3311 §5.1): one each way.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    /// Theirs, or the offer in a PRACK of theirs: the server transaction that waits for the answer.
    pub(crate) theirs: Option<u64>,
    pub(crate) ours: Option<ClientKey>,
}

/// The caller's half: one phone that rings for our INVITE.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    /// The last RSeq taken.
    rseq: Option<u32>,
    /// Our PRACK that waits for its response; an UPDATE may not overtake it.
    pub(crate) prack: Option<ClientKey>,
    /// The first description that came; the answer to our offer.
    pub(crate) sdp: Option<Bytes>,
    pub(crate) agreed: Agreed,
    /// It lists UPDATE.
    pub(crate) takes_updates: bool,
    pub(crate) updates: Updates,
}

/// When a callee's half wants something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    NotYet,
    Now,
    /// §3: nobody acknowledged it in 64*T1.
    GiveUp,
}

impl Reliable {
    /// For an INVITE that speaks of 100rel; none for any other.
    pub(crate) fn of(request: &Request) -> Option<Box<Self>> {
        let required = request.headers.lists(HeaderName::Require, OPTION);
        (required || request.headers.lists(HeaderName::Supported, OPTION)).then(|| {
            Box::new(Self {
                required,
                offered: !request.body.is_empty(),
                rseq: None,
                last_status: 180,
                open: None,
                waiting: VecDeque::new(),
                answer: None,
                agreed: Agreed::No,
                updates: Updates::default(),
            })
        })
    }

    /// Takes a response that is to go reliably, all after the first; false if it may go as ever. What carries a
    /// description would be missed; that a phone rings is said again.
    pub(crate) fn take(&mut self, status: u16, reason: &str, sdp: &Option<Bytes>) -> bool {
        if !self.required && sdp.is_none() && self.rseq.is_none() && self.waiting.is_empty() {
            return false;
        }
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_back();
        }
        self.waiting.push_back(Provisional { status, reason: reason.to_owned(), sdp: sdp.clone() });
        true
    }

    /// The next response that may go, with its RSeq. `chance`: 31 bits of it begin the row.
    pub(crate) fn next(&mut self, now: Instant, chance: u64) -> Option<(u32, Provisional)> {
        if self.open.is_some() || self.answer.is_some() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        let rseq = match self.rseq {
            Some(last) => last + 1,
            None => (chance % u64::from(MOST_FIRST_RSEQ)) as u32 + 1,
        };
        self.rseq = Some(rseq);
        self.last_status = next.status;
        self.open = Some(Open {
            rseq,
            described: next.sdp.is_some(),
            resend_at: now + T1,
            resend_after: T1,
            give_up_at: now + GIVE_UP,
        });
        Some((rseq, next))
    }

    /// The PRACK of the open response came; false if there is none of this number. `answered`: with a description.
    pub(crate) fn acknowledged(&mut self, rseq: u32, answered: bool) -> bool {
        let Some(open) = self.open.take_if(|open| open.rseq == rseq) else { return false };
        if open.described && self.agreed == Agreed::No {
            self.agreed = match (self.offered, answered) {
                (true, _) => Agreed::Yes,
                (false, true) => Agreed::Anew,
                (false, false) => Agreed::No,
            };
        }
        true
    }

    /// The 2xx has to wait (§3).
    pub(crate) fn holds_answer(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.described)
    }

    /// A description in a PRACK answers ours, which went without an offer before it.
    pub(crate) fn wants_answer(&self) -> bool {
        !self.offered && self.agreed == Agreed::No
    }

    /// The caller has what went last, so a ringing phone says again that it rings.
    pub(crate) fn rings_on(&mut self) {
        if self.open.is_none() && self.waiting.is_empty() {
            let again = Provisional { status: self.last_status, reason: String::new(), sdp: None };
            self.waiting.push_back(again);
        }
    }

    /// Responses go reliably by now.
    pub(crate) fn has_begun(&self) -> bool {
        self.rseq.is_some()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.resend_at.min(open.give_up_at))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Resend {
        match &mut self.open {
            Some(open) if now >= open.give_up_at => Resend::GiveUp,
            Some(open) if now >= open.resend_at => {
                // Doubled without a bound, unlike a 2xx.
                open.resend_after *= 2;
                open.resend_at += open.resend_after;
                Resend::Now
            }
            _ => Resend::NotYet,
        }
    }
}

impl Early {
    pub(crate) fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            rseq: None,
            prack: None,
            sdp: None,
            agreed: Agreed::No,
            takes_updates: false,
            updates: Updates::default(),
        }
    }

    /// What a response of its says beside that it rings.
    pub(crate) fn hear(&mut self, response: &Response, reliably: bool) {
        self.takes_updates |= response.headers.lists(HeaderName::Allow, "UPDATE");
        if !response.body.is_empty() {
            self.sdp.get_or_insert_with(|| response.body.clone());
            if reliably && self.agreed == Agreed::No {
                self.sdp = Some(response.body.clone());
                self.agreed = Agreed::Yes;
            }
        }
    }

    /// A response with this RSeq is the next of its row (§4); any other is neither acknowledged nor heard.
    pub(crate) fn take_rseq(&mut self, rseq: u32) -> bool {
        let next = self.rseq.is_none_or(|last| last.checked_add(1) == Some(rseq));
        if next {
            self.rseq = Some(rseq);
        }
        next
    }
}

/// The RSeq of a response that wants a PRACK (§4).
pub(crate) fn rseq(response: &Response) -> Option<u32> {
    if !response.headers.lists(HeaderName::Require, OPTION) {
        return None;
    }
    response.headers.get(HeaderName::RSeq)?.trim().parse().ok().filter(|rseq| *rseq > 0)
}

/// Which response a PRACK is for: its RSeq and the number in CSeq of the INVITE (§7.2).
pub(crate) fn rack(request: &Request) -> Option<(u32, u32)> {
    let mut parts = request.headers.get(HeaderName::RAck)?.split_ascii_whitespace();
    let (rseq, cseq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next() == Some("INVITE") && parts.next().is_none()).then_some((rseq, cseq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reliable(required: bool) -> Box<Reliable> {
        let uri = crate::sip::uri::Uri::parse("sip:boris@b.example").unwrap();
        let mut invite = Request::new(crate::sip::method::Method::Invite, uri);
        invite
            .headers
            .push(if required { HeaderName::Require } else { HeaderName::Supported }, "timer, 100Rel");
        invite.body = Bytes::from_static(b"offer");
        Reliable::of(&invite).expect("it speaks of 100rel")
    }

    #[test]
    fn rfc3262_3_a_response_goes_after_the_one_before_was_acknowledged() {
        let (now, sdp) = (Instant::now(), Some(Bytes::from_static(b"answer")));
        let mut row = reliable(false);
        assert!(!row.take(180, "", &None), "that it rings may be lost");
        assert!(row.take(183, "", &sdp) && row.take(180, "", &None), "all after the first");
        let (first, _) = row.next(now, u64::MAX).unwrap();
        assert!((1..1 << 31).contains(&first));
        assert!(row.next(now, 0).is_none() && row.holds_answer());
        assert!(!row.acknowledged(first + 1, false) && row.acknowledged(first, false));
        assert_eq!(row.agreed, Agreed::Yes);
        let (second, ringing) = row.next(now, 0).unwrap();
        assert_eq!((second, ringing.status), (first + 1, 180));
        assert!(!row.holds_answer(), "it describes nothing, so a 2xx may overtake its PRACK");
        assert!(reliable(true).take(180, "", &None), "the caller takes no other");
    }

    #[test]
    fn rfc3262_3_it_is_repeated_at_doubling_intervals_for_32_seconds() {
        let zero = Instant::now();
        let mut row = reliable(true);
        row.take(180, "", &None);
        row.next(zero, 7);
        let mut at = Vec::new();
        let given_up = loop {
            let now = row.next_timeout().expect("it waits for its PRACK");
            match row.handle_timeout(now) {
                Resend::Now => at.push((now - zero).as_millis()),
                Resend::GiveUp => break (now - zero).as_millis(),
                Resend::NotYet => panic!("woken for nothing"),
            }
        };
        assert_eq!((at, given_up), (vec![500, 1_500, 3_500, 7_500, 15_500, 31_500], 32_000));
    }

    #[test]
    fn the_row_of_waiting_responses_is_bounded() {
        let mut row = reliable(true);
        for status in 0..3 * MAX_WAITING as u16 {
            row.take(101 + status, "", &None);
        }
        assert_eq!((row.waiting.len(), row.waiting.back().unwrap().status), (MAX_WAITING, 124));
    }
}
