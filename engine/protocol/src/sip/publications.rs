//! What users' telephones have published of them (RFC 3903, an event state compositor): each publication has an entity-tag
//! that changes with every request, and ends by itself. Who may publish, and composing what was published with what is
//! known otherwise, is not here; nor is any package but presence. Nothing outlives the process: a telephone whose
//! entity-tag nobody knows any more gets 412 and publishes anew (§4.1).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::headers::HeaderName;
use super::message::Request;
use super::pidf::{self, Presence};

/// The one event package.
pub const EVENT: &str = "presence";
/// Publications of all users together; at the bound new ones get 503, those that are there go on.
pub const MAX_PUBLICATIONS: usize = 20_000;
/// Publications of one user; at the bound the one that was changed longest ago gives way: most likely its telephone was
/// started anew.
pub const MOST_OF_A_USER: usize = 16;
/// How long one lasts that does not say, and at most.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Shorter ones get 423 (RFC 3903 §6), but for 0, which removes.
const SHORTEST: Duration = Duration::from_secs(60);

/// Why a PUBLISH changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More than one entity-tag, nothing to publish, or no document: 400.
    Unreadable,
    /// The entity-tag names nothing, or nothing any more: 412.
    NotThere,
    /// More than [`pidf::MOST_BYTES`]: 413.
    TooLong,
    /// Not a PIDF document: 415, with what is read in Accept.
    MediaType,
    /// Shorter than may be: 423, with the least in Min-Expires.
    TooBrief,
    /// Another event package: 489, with the one that is known in Allow-Events.
    Event,
    /// [`MAX_PUBLICATIONS`] reached: 503.
    Full,
}

impl Refusal {
    /// Status and headers of the answer.
    pub fn answer(self) -> (u16, Vec<(String, String)>) {
        let with = |status, name: &str, value: String| (status, vec![(name.to_owned(), value)]);
        match self {
            Self::Unreadable => (400, Vec::new()),
            Self::NotThere => (412, Vec::new()),
            Self::TooLong => (413, Vec::new()),
            Self::MediaType => with(415, "Accept", pidf::MEDIA_TYPE.to_owned()),
            Self::TooBrief => with(423, "Min-Expires", SHORTEST.as_secs().to_string()),
            Self::Event => with(489, "Allow-Events", EVENT.to_owned()),
            Self::Full => with(503, "Retry-After", super::stack::RETRY_AFTER.to_owned()),
        }
    }
}

/// What the 200 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The entity-tag by which this publication is refreshed, changed or removed.
    pub tag: String,
    /// Seconds until it ends; 0: it has.
    pub expires: u64,
    /// Whether anything else is published now than before.
    pub changed: bool,
}

struct Publication {
    tag: u64,
    what: Presence,
    changed_at: Instant,
    ends_at: Instant,
}

type Whose = (Arc<str>, Arc<str>);

/// All publications of all tenants.
#[derive(Default)]
pub struct Publications {
    /// By tenant and user, the one that was changed last at the end.
    all: HashMap<Whose, Vec<Publication>>,
    deadlines: BTreeSet<(Instant, u64, Whose)>,
    last_tag: u64,
}

impl Publications {
    /// Nothing is published. `seed`: so that an entity-tag of another process names nothing here.
    pub fn new(seed: u64) -> Self {
        Self { last_tag: seed, ..Self::default() }
    }

    /// A PUBLISH of a user, who has proved to be that, and about whom it is (§6).
    ///
    /// # Errors
    /// It changes nothing, and why.
    pub fn publish(
        &mut self,
        now: Instant,
        tenant: &Arc<str>,
        user: &Arc<str>,
        request: &Request,
    ) -> Result<Accepted, Refusal> {
        let event = request.headers.get(HeaderName::Event).unwrap_or_default();
        if event.split(';').next().unwrap_or_default().trim() != EVENT {
            return Err(Refusal::Event);
        }
        let key = (tenant.clone(), user.clone());
        let mut matches = request.headers.all(HeaderName::Other("SIP-If-Match"));
        let tag = matches.next();
        if matches.next().is_some() {
            return Err(Refusal::Unreadable);
        }
        let before = match tag {
            None => None,
            Some(tag) => Some(self.named(&key, tag, now).ok_or(Refusal::NotThere)?),
        };
        let wish = request.expires().map_err(|_| Refusal::Unreadable)?.unwrap_or(LONGEST);
        if !wish.is_zero() && wish < SHORTEST {
            return Err(Refusal::TooBrief);
        }
        let length = wish.min(LONGEST);
        // Whoever removes has nothing to say (§4.5).
        let body = if length.is_zero() { None } else { document(request)? };
        let old = before.and_then(|tag| self.take(&key, tag));
        let what = match (body, &old) {
            (Some(new), _) => new,
            (None, Some(old)) => old.what.clone(),
            (None, None) if length.is_zero() => Presence::default(),
            (None, None) => return Err(Refusal::Unreadable),
        };
        if old.is_none() && self.deadlines.len() >= MAX_PUBLICATIONS {
            return Err(Refusal::Full);
        }
        self.last_tag = self.last_tag.wrapping_add(1);
        let changed = match &old {
            Some(old) => length.is_zero() || old.what != what,
            None => !length.is_zero(),
        };
        let tag = self.last_tag;
        if !length.is_zero() {
            let changed_at = old.filter(|_| !changed).map_or(now, |old| old.changed_at);
            self.put(key, Publication { tag, what, changed_at, ends_at: now + length });
        }
        Ok(Accepted { tag: written(tag), expires: length.as_secs(), changed })
    }

    /// What is published of a user now, the latest word last.
    pub fn of(&self, now: Instant, tenant: &str, user: &str) -> impl Iterator<Item = &Presence> {
        let all = self.all.get(&(Arc::from(tenant), Arc::from(user))).into_iter().flatten();
        all.filter(move |publication| publication.ends_at > now).map(|publication| &publication.what)
    }

    /// When the next one ends.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Takes away what has ended, and answers of whom: tenant and user.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Whose> {
        let mut ended = Vec::new();
        while let Some((_, tag, key)) = self.deadlines.first().filter(|(at, ..)| *at <= now).cloned() {
            self.take(&key, tag);
            ended.push(key);
        }
        ended
    }

    fn named(&self, key: &Whose, tag: &str, now: Instant) -> Option<u64> {
        let tag = u64::from_str_radix(tag.trim(), 16).ok()?;
        let publication = self.all.get(key)?.iter().find(|publication| publication.tag == tag)?;
        (publication.ends_at > now).then_some(tag)
    }

    fn take(&mut self, key: &Whose, tag: u64) -> Option<Publication> {
        let all = self.all.get_mut(key)?;
        let publication = all.remove(all.iter().position(|publication| publication.tag == tag)?);
        if all.is_empty() {
            self.all.remove(key);
        }
        self.deadlines.remove(&(publication.ends_at, tag, key.clone()));
        Some(publication)
    }

    fn put(&mut self, key: Whose, publication: Publication) {
        self.deadlines.insert((publication.ends_at, publication.tag, key.clone()));
        let all = self.all.entry(key.clone()).or_default();
        all.push(publication);
        all.sort_by_key(|publication| publication.changed_at);
        if all.len() > MOST_OF_A_USER {
            let oldest = all[0].tag;
            self.take(&key, oldest);
        }
    }
}

/// The document that a PUBLISH brings; none where it refreshes.
fn document(request: &Request) -> Result<Option<Presence>, Refusal> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let media_type = request.content_type().unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(pidf::MEDIA_TYPE) {
        return Err(Refusal::MediaType);
    }
    if request.body.len() > pidf::MOST_BYTES {
        return Err(Refusal::TooLong);
    }
    pidf::read(&request.body).map(Some).map_err(|_| Refusal::Unreadable)
}

/// An entity-tag as it stands in SIP-ETag.
fn written(tag: u64) -> String {
    format!("{tag:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;
    use crate::sip::wire;

    const AWAY: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple id='a'><status><basic>open</basic>\
                        </status></tuple><person><activities><away/></activities></person></presence>";

    /// Ana's telephone publishes, in virtual time.
    struct Telephone {
        there: Publications,
        zero: Instant,
    }

    impl Telephone {
        fn new() -> Self {
            Self { there: Publications::new(0xfeed), zero: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.zero + Duration::from_secs(seconds)
        }

        /// `headers`: lines that end with a line break.
        fn publishes(&mut self, seconds: u64, headers: &str, body: &str) -> Result<Accepted, u16> {
            let length = body.len();
            let text = format!(
                "PUBLISH sip:ana@acme.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nMax-Forwards: 70\n\
                 From: <sip:ana@acme.example>;tag=1\nTo: <sip:ana@acme.example>\nCall-ID: 1\nCSeq: 1 PUBLISH\n\
                 {headers}Content-Type: application/pidf+xml\nContent-Length: {length}\n\n"
            );
            let text = text.replace('\n', "\r\n") + body;
            let Ok(Message::Request(request)) = wire::read(text.as_bytes()) else { panic!("{text}") };
            let now = self.at(seconds);
            let done = self.there.publish(now, &"acme".into(), &"ana".into(), &request);
            done.map_err(|refusal| refusal.answer().0)
        }

        fn says(&self, seconds: u64) -> Vec<&'static str> {
            let of = self.there.of(self.at(seconds), "acme", "ana");
            of.flat_map(|presence| presence.activities.clone()).collect()
        }
    }

    const EVENT: &str = "Event: presence\n";

    fn with(tag: &str, expires: u64) -> String {
        format!("{EVENT}SIP-If-Match: {tag}\nExpires: {expires}\n")
    }

    #[test]
    fn rfc3903_4_what_is_published_is_refreshed_changed_and_removed_by_its_latest_entity_tag() {
        let mut ana = Telephone::new();
        let first = ana.publishes(0, EVENT, AWAY).unwrap();
        assert_eq!((first.expires, first.changed), (3_600, true));
        assert_eq!(ana.says(1), ["away"]);
        let second = ana.publishes(100, &with(&first.tag, 600), "").unwrap();
        assert_eq!((second.expires, second.changed), (600, false));
        assert_ne!(second.tag, first.tag, "§6: each answer has a tag of its own");
        assert_eq!(ana.publishes(101, &with(&first.tag, 600), ""), Err(412), "that one was used up");
        let third = ana.publishes(200, &with(&second.tag, 600), &AWAY.replace("away", "meeting")).unwrap();
        assert!(third.changed);
        assert_eq!(ana.says(201), ["meeting"]);
        let gone = ana.publishes(300, &with(&third.tag, 0), "").unwrap();
        assert_eq!((gone.expires, gone.changed), (0, true));
        assert!(ana.says(301).is_empty() && ana.there.next_timeout().is_none());
    }

    #[test]
    fn rfc3903_6_what_is_not_refreshed_ends_and_its_tag_names_nothing_any_more() {
        let mut ana = Telephone::new();
        let kept = ana.publishes(0, &format!("{EVENT}Expires: 60\n"), AWAY).unwrap();
        let until = ana.at(60);
        assert_eq!(ana.there.next_timeout(), Some(until));
        assert!(ana.says(60).is_empty());
        assert_eq!(ana.publishes(60, &with(&kept.tag, 60), ""), Err(412), "even before anybody looked");
        let ended = ana.there.handle_timeout(until);
        assert_eq!(ended, [("acme".into(), "ana".into())]);
        assert_eq!((ana.there.next_timeout(), ana.there.all.len()), (None, 0));
        // Someone else's tag names nothing either.
        let kept = ana.publishes(61, EVENT, AWAY).unwrap();
        let other = ana.there.named(&("acme".into(), "boris".into()), &kept.tag, ana.at(62));
        assert_eq!(other, None);
    }

    #[test]
    fn rfc3903_6_each_fault_has_its_answer() {
        let mut ana = Telephone::new();
        assert_eq!(ana.publishes(0, "", AWAY), Err(489));
        assert_eq!(ana.publishes(0, "Event: dialog\n", AWAY), Err(489));
        assert_eq!(ana.publishes(0, EVENT, ""), Err(400), "nothing to begin with");
        assert_eq!(ana.publishes(0, EVENT, "<away/>"), Err(400));
        assert_eq!(ana.publishes(0, &format!("{EVENT}Expires: 5\n"), AWAY), Err(423));
        assert_eq!(ana.publishes(0, &with("0", 600), AWAY), Err(412));
        assert_eq!(ana.publishes(0, &with("not hexadecimal", 600), AWAY), Err(412));
        assert_eq!(ana.publishes(0, &format!("{}SIP-If-Match: b\n", with("a", 600)), AWAY), Err(400));
        assert_eq!(ana.publishes(0, &format!("{EVENT}Content-Type: text/plain\n"), AWAY), Err(415));
        let long = AWAY.replace("<person>", &format!("<!--{}--><person>", "x".repeat(pidf::MOST_BYTES)));
        assert_eq!(ana.publishes(0, EVENT, &long), Err(413));
        assert!(ana.says(0).is_empty() && ana.there.deadlines.is_empty());
        assert_eq!(Refusal::TooBrief.answer().1, [("Min-Expires".to_owned(), "60".to_owned())]);
    }

    #[test]
    fn a_user_has_no_more_than_so_many_and_the_oldest_gives_way() {
        let mut ana = Telephone::new();
        let first = ana.publishes(0, EVENT, AWAY).unwrap();
        for second in 1..=MOST_OF_A_USER as u64 {
            ana.publishes(second, EVENT, AWAY).unwrap();
        }
        assert_eq!((ana.says(30).len(), ana.there.deadlines.len()), (MOST_OF_A_USER, MOST_OF_A_USER));
        assert_eq!(ana.publishes(31, &with(&first.tag, 600), ""), Err(412));
    }
}
