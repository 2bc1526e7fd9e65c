//! INVITE with Replaces (RFC 3891) or Join (RFC 3911): which session it is to take the place of, or to be added to, or why
//! it may not. Doing it is the owner's business: here the new session is one as any other.

use super::{SessionId, Stack};
use crate::sip::headers::HeaderName;
use crate::sip::message::Request;
use crate::sip::session::State;

/// Bytes of a Replaces or a Join; a longer one names no session of ours.
pub(super) const LONGEST: usize = 512;

/// Which dialog is meant.
pub(super) struct Named<'a> {
    call_id: &'a str,
    to: &'a str,
    from: &'a str,
    early_only: bool,
}

impl<'a> Named<'a> {
    pub(super) fn read(replaces: &'a str) -> Option<Self> {
        let mut parts = replaces.split(';').map(str::trim);
        let call_id = parts.next().filter(|_| replaces.len() <= LONGEST)?;
        let (mut to, mut from, mut early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, tag)) if name.eq_ignore_ascii_case("to-tag") => to = Some(tag),
                Some((name, tag)) if name.eq_ignore_ascii_case("from-tag") => from = Some(tag),
                None if part.eq_ignore_ascii_case("early-only") => early_only = true,
                _ => {}
            }
        }
        Some(Self { call_id, to: to?, from: from?, early_only })
    }
}

impl Stack {
    /// The session that this INVITE is to take the place of; none where it names none.
    ///
    /// # Errors
    /// The status that RFC 3891 §3 has for it: 400, 481, 486 or 603.
    pub fn replaces(&mut self, request: &Request) -> Option<Result<SessionId, u16>> {
        self.meant(request, HeaderName::Replaces, HeaderName::Join)
    }

    /// The session to whose conversation this INVITE is to be added; none where it names none.
    ///
    /// # Errors
    /// The status that RFC 3911 §4 has for it: 400, 481 or 603.
    pub fn joins(&mut self, request: &Request) -> Option<Result<SessionId, u16>> {
        self.meant(request, HeaderName::Join, HeaderName::Replaces)
    }

    fn meant(
        &mut self,
        request: &Request,
        by: HeaderName<'_>,
        other: HeaderName<'_>,
    ) -> Option<Result<SessionId, u16>> {
        let mut all = request.headers.all(by);
        let value = all.next()?;
        // Neither two of them, nor both wishes at once.
        if all.next().is_some() || request.headers.get(other).is_some() {
            return Some(Err(400));
        }
        let Some(named) = Named::read(value) else { return Some(Err(400)) };
        let Some(id) = self.named_by(&named) else { return Some(Err(481)) };
        let session = self.sessions.get(&id)?;
        Some(match &session.state {
            _ if session.over => Err(603),
            State::Ending { .. } => Err(603),
            // An early dialog that this side did not begin can't be replaced, nor joined.
            State::Ringing { .. } => Err(481),
            State::Calling { .. } => Ok(id),
            State::Talking { .. } if named.early_only => Err(486),
            State::Talking { .. } => Ok(id),
        })
    }

    /// The session of a dialog. Its tags are those of the one who gets it (RFC 3891 §3); a telephone that thinks of the
    /// far end's view writes them the other way round.
    pub(super) fn named_by(&mut self, named: &Named<'_>) -> Option<SessionId> {
        [(named.to, named.from), (named.from, named.to)].into_iter().find_map(|(ours, theirs)| {
            let id = SessionId(self.ids.read(ours)?);
            self.sessions.get_mut(&id)?.dialog_of(named.call_id, Some(theirs)).map(|_| id)
        })
    }

    /// How the dialog of a session is named: Call-ID, this side's tag and the other's, once there is one. Of several early
    /// ones the first.
    pub fn dialog_name(&self, session: SessionId) -> Option<(&str, String, &str)> {
        let of = self.sessions.get(&session)?;
        let dialog = match &of.state {
            State::Calling { early, .. } => &early.first()?.dialog,
            State::Ringing { dialog, .. } | State::Talking { dialog, .. } | State::Ending { dialog, .. } => {
                dialog
            }
        };
        Some((&dialog.call_id, self.ids.tag(session.0), &dialog.remote_tag))
    }
}
