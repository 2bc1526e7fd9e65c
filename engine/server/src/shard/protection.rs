//! How the sound of a leg may be protected: what its tenant or trunk wishes, and what the way of its signalling allows.

use std::time::Instant;

use protocol::sdp::{LocalMedia, Protection, Srtp};
use protocol::sip::flow::Transport;
use protocol::sip::stack::SessionId;
use ring::rand::{SecureRandom, SystemRandom};

use super::Shard;
use crate::config::Tenant;

impl Shard {
    /// Of a leg whose signalling goes over `transport`.
    pub(super) fn protection(
        &self,
        tenant: &Tenant,
        trunk: Option<&str>,
        transport: Transport,
    ) -> Protection {
        let of_trunk = trunk.and_then(|trunk| tenant.trunk(trunk)).map(|trunk| trunk.srtp);
        let mut secret = [0; 32];
        // Without true chance there are no keys, and so no encrypted sound: what has to be encrypted is refused.
        let has_chance = SystemRandom::new().fill(&mut secret).is_ok();
        let wished = of_trunk.unwrap_or(tenant.srtp);
        Protection {
            srtp: if has_chance || wished == Srtp::Required { wished } else { Srtp::Forbidden },
            may_say_keys: has_chance && (transport.is_secure() || self.world.sip.srtp_keys_unsecured),
            fingerprint: self.around.media.fingerprint().filter(|_| has_chance),
            is_browser: matches!(transport, Transport::Ws | Transport::Wss),
            secret,
        }
    }

    /// A telephone refused plain sound with encryption on the side: it is asked again for encrypted sound alone, which is
    /// all that many take. False: there is nothing else to ask for.
    pub(super) fn insist(&mut self, now: Instant, session: SessionId) -> bool {
        let Some((leg, line)) = self.lines.of_session(session) else { return false };
        let Some(mut invite) = line.insisting.take() else { return false };
        let Some(offer) = line.local.as_mut().and_then(LocalMedia::insist) else { return false };
        invite.sdp = Some(offer.into());
        self.lines.end_session(session);
        let session = self.stack.invite(now, *invite, &mut self.outputs);
        self.lines.begin_session(leg, session);
        self.lines.can_go_elsewhere(leg, None);
        true
    }
}
