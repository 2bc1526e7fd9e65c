//! The timers of RFC 3261 by the names it gives them (Table 4, with timers L and M of RFC 6026).
//! Values are those that the RFC recommends for the open Internet. Timer C is a proxy's and is not here.

use std::time::Duration;

/// RFC 3261 §17.1.1.1: an estimate of the round-trip time.
pub const T1: Duration = Duration::from_millis(500);
/// RFC 3261 §17.1.2.2: the longest wait between two copies of a non-INVITE request or an INVITE's response.
pub const T2: Duration = Duration::from_secs(4);
/// RFC 3261 §17.1.2.2: how long a message can stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64*T1: how long a side tries before it gives up on the other.
pub const GIVE_UP: Duration = Duration::from_secs(32);

/// §17.1.1.2: the first wait before an INVITE is sent again over UDP; doubles each time.
pub const TIMER_A: Duration = T1;
/// §17.1.1.2: an INVITE nobody answered is given up.
pub const TIMER_B: Duration = GIVE_UP;
/// §17.1.1.2: over UDP, how long repeated 3xx-6xx of an INVITE are acknowledged; 0 s on reliable transports.
pub const TIMER_D: Duration = GIVE_UP;
/// §17.1.2.2: the first wait before another request is sent again over UDP; doubles up to T2.
pub const TIMER_E: Duration = T1;
/// §17.1.2.2: a request nobody answered is given up.
pub const TIMER_F: Duration = GIVE_UP;
/// §17.2.1: the first wait before a 3xx-6xx of an INVITE is sent again over UDP; doubles up to T2.
pub const TIMER_G: Duration = T1;
/// §17.2.1: the ACK of a 3xx-6xx is no longer waited for.
pub const TIMER_H: Duration = GIVE_UP;
/// §17.2.1: over UDP, how long repeated ACKs are absorbed; 0 s on reliable transports.
pub const TIMER_I: Duration = T4;
/// §17.2.2: over UDP, how long a repeated request is answered again; 0 s on reliable transports.
pub const TIMER_J: Duration = GIVE_UP;
/// §17.1.2.2: over UDP, how long repeated responses are absorbed; 0 s on reliable transports.
pub const TIMER_K: Duration = T4;
/// RFC 6026 §7.1: how long a server transaction absorbs repeated INVITEs after a 2xx.
pub const TIMER_L: Duration = GIVE_UP;
/// RFC 6026 §7.2: how long a client transaction passes on 2xx after the first.
pub const TIMER_M: Duration = GIVE_UP;

/// RFC 3261 §14.1: whoever owns the Call-ID waits this long, and up to 4 s, after a 491.
pub const GLARE_OWNER: (Duration, Duration) = (Duration::from_millis(2_100), Duration::from_secs(4));
/// RFC 3261 §14.1: the other side waits up to this long after a 491.
pub const GLARE_OTHER: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(2));
