//! Who wants to know what (RFC 6665): busy lamps (RFC 4235), message lamps (RFC 3842) and telephones of a user
//! (RFC 3680), and presence (RFC 3856); and messages between users (RFC 3428). Lamps and presence of anyone in the tenant
//! may be watched, messages and telephones by the user alone. Nothing is kept over a restart: a telephone whose refresh gets 481 subscribes anew.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use exchange::{LegKey, Presence};
use protocol::sip::pidf::{self, escaped};
use protocol::sip::stack::{MessageId, NewMessage, Package, SubscriptionId};
use protocol::sip::uri::Uri;

use super::Shard;
use super::dialling::{dialled, user_part};
use super::registrations::device_names;

/// Subscriptions of one user's telephones together; a further one gets 403.
const MOST_OF_A_USER: usize = 200;

/// One subscription.
struct Watch {
    tenant: Arc<str>,
    /// Who watches.
    by: Arc<str>,
    /// Who is watched.
    user: String,
    package: Package,
    /// Of the next document (RFC 4235 §4.1.1): up by one with each.
    version: u32,
    /// What a lamp shows.
    shown: Option<Presence>,
    /// What was said of the user's presence.
    says: Option<pidf::Presence>,
}

/// All subscriptions of a shard.
#[derive(Default)]
pub(super) struct Watchers {
    all: HashMap<SubscriptionId, Watch>,
    /// The legs that were begun to each watched user's telephones; they may be over.
    rung: HashMap<(Arc<str>, String), Vec<LegKey>>,
    /// Those of one user, by tenant and name.
    of: HashMap<(Arc<str>, String), Vec<SubscriptionId>>,
}

impl Shard {
    /// A telephone of a user is rung.
    pub(super) fn rings_at(&mut self, tenant: &str, user: &str, leg: LegKey) {
        let key = (Arc::from(tenant), user.to_owned());
        if !self.watchers.all.is_empty() && self.watchers.of.contains_key(&key) {
            let lines = &self.lines;
            let rung = self.watchers.rung.entry(key).or_default();
            rung.retain(|leg| lines.get(*leg).is_some_and(|line| line.session.is_some()));
            rung.push(leg);
        }
    }

    /// It rings, so its dialog has a name by which others may pick it up (RFC 3891, RFC 4235 §4.1.2).
    pub(super) fn rings_under_name(&mut self, now: Instant, leg: LegKey) {
        let user =
            self.watchers.rung.iter().find(|(_, rung)| rung.contains(&leg)).map(|(user, _)| user.clone());
        if let Some((tenant, user)) = user {
            self.tell_watchers(now, &tenant, &user, Package::Dialog);
        }
    }

    /// Call-ID, this side's tag and the telephone's of what is rung at a user's; none of it until the telephone has said
    /// that it rings. None where no telephone is rung.
    fn rung_name(&self, tenant: &Arc<str>, user: &str) -> Option<Option<(String, String, String)>> {
        let rung = self.watchers.rung.get(&(tenant.clone(), user.to_owned()))?;
        let mut sessions = rung.iter().filter_map(|leg| self.lines.get(*leg)?.session).peekable();
        sessions.peek()?;
        let name = sessions.find_map(|session| {
            let (call_id, ours, theirs) = self.stack.dialog_name(session)?;
            Some((call_id.to_owned(), ours, theirs.to_owned()))
        });
        Some(name)
    }

    /// Somebody wants to know something.
    pub(super) fn subscribed(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        (tenant, by): (&Arc<str>, &Arc<str>),
        to: &Uri,
        package: Package,
    ) {
        let world = self.world.clone();
        let user = world.tenant(tenant).and_then(|tenant| tenant.user(&dialled(to)));
        let own =
            self.watchers.all.values().filter(|watch| watch.tenant == *tenant && watch.by == *by).count();
        let refusal = match user {
            None => Some(404),
            Some(user) if matches!(package, Package::MessageSummary | Package::Reg) && user.name != **by => {
                Some(403)
            }
            Some(_) if own >= MOST_OF_A_USER => Some(403),
            Some(_) => None,
        };
        if let Some(status) = refusal {
            return self.stack.refuse_subscription(now, id, status, &mut self.outputs);
        }
        let Some(user) = user else { return };
        let watch = Watch {
            tenant: tenant.clone(),
            by: by.clone(),
            user: user.name.clone(),
            package,
            version: 0,
            shown: None,
            says: None,
        };
        self.watchers.of.entry((tenant.clone(), user.name.clone())).or_default().push(id);
        self.watchers.all.insert(id, watch);
        self.exchange.watch_users(true);
        let Some(body) = self.told(now, id) else { return };
        self.stack.accept_subscription(now, id, body, &mut self.outputs);
    }

    /// A subscription goes on, or is asked for the last time.
    pub(super) fn subscribed_again(&mut self, now: Instant, id: SubscriptionId) {
        match self.told(now, id) {
            Some(body) => self.stack.notify(now, id, body, &mut self.outputs),
            None => self.stack.end_subscription(now, id, &mut self.outputs),
        }
    }

    /// A subscription is over.
    pub(super) fn unsubscribed(&mut self, id: SubscriptionId) {
        let Some(watch) = self.watchers.all.remove(&id) else { return };
        let key = (watch.tenant, watch.user);
        if let Some(ids) = self.watchers.of.get_mut(&key) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.watchers.rung.remove(&key);
                self.watchers.of.remove(&key);
            }
        }
        if self.watchers.all.is_empty() {
            self.exchange.watch_users(false);
        }
    }

    /// Telephones of users began or ended to ring or to talk.
    pub(super) fn light_lamps(&mut self, now: Instant) {
        if self.watchers.all.is_empty() {
            return;
        }
        for (tenant, user) in self.exchange.take_changed_users() {
            self.tell_watchers(now, &tenant, &user, Package::Dialog);
            self.tell_watchers(now, &tenant, &user, Package::Presence);
        }
    }

    /// Tells those who watch this of a user.
    pub(super) fn tell_watchers(&mut self, now: Instant, tenant: &str, user: &str, package: Package) {
        if self.watchers.all.is_empty() {
            return;
        }
        let Some(ids) = self.watchers.of.get(&(Arc::from(tenant), user.to_owned())).cloned() else { return };
        for id in ids {
            let Some(watch) = self.watchers.all.get(&id).filter(|watch| watch.package == package) else {
                continue;
            };
            // A second call on a telephone that talks changes nothing that a lamp shows.
            let shown = watch.shown;
            let presence = self.exchange.presence(tenant, user, false);
            if package == Package::Dialog && shown == Some(presence) {
                continue;
            }
            if package == Package::Presence
                && watch.says.as_ref() == Some(&self.presence_of(now, tenant, user))
            {
                continue;
            }
            // A telephone that was asked to ring does when it says so.
            let key = watch.tenant.clone();
            if package == Package::Dialog
                && presence == Presence::Ringing
                && self.rung_name(&key, user) == Some(None)
            {
                continue;
            }
            if let Some(body) = self.told(now, id) {
                self.stack.notify(now, id, body, &mut self.outputs);
            }
        }
    }

    /// What there is to tell; none when the user is no more.
    fn told(&mut self, now: Instant, id: SubscriptionId) -> Option<Bytes> {
        let watch = self.watchers.all.get(&id)?;
        let name = self.rung_name(&watch.tenant, &watch.user).flatten();
        let says =
            (watch.package == Package::Presence).then(|| self.presence_of(now, &watch.tenant, &watch.user));
        let watch = self.watchers.all.get_mut(&id)?;
        let tenant = self.world.tenant(&watch.tenant)?;
        let user = tenant.user_by_name(&watch.user)?;
        let host = tenant.domains.first().map_or(self.around.host.as_str(), String::as_str);
        let version = watch.version;
        watch.version += 1;
        Some(
            match watch.package {
                Package::Dialog => {
                    let presence = self.exchange.presence(&watch.tenant, &user.name, false);
                    watch.shown = Some(presence);
                    let name = name.as_ref().map(|(call_id, ours, theirs)| (&**call_id, &**ours, &**theirs));
                    dialog_info(&format!("sip:{}@{host}", user.number), &user.number, presence, version, name)
                }
                Package::MessageSummary => {
                    let counts = self.around.node.mailboxes.counts(&watch.tenant, &watch.user);
                    message_summary(&format!("sip:{}@{host}", user.name), counts.unheard, counts.heard)
                }
                Package::Presence => {
                    watch.says = says;
                    let says = watch.says.as_ref()?;
                    says.write(&format!("sip:{}@{host}", user.number))
                }
                Package::Reg => {
                    let bindings = self.registrar.bindings(now, &watch.tenant, &user.name);
                    let contacts: Vec<_> = bindings
                        .iter()
                        .map(|binding| (binding.key.as_str(), binding.contact.uri.to_string()))
                        .collect();
                    reg_info(&format!("sip:{}@{host}", user.name), &contacts, version)
                }
            }
            .into(),
        )
    }

    /// A user writes to another, whose telephones all get it.
    pub(super) fn message_came(
        &mut self,
        now: Instant,
        id: MessageId,
        (tenant, from): (&str, &str),
        to: &Uri,
        (content_type, body): (&str, &[u8]),
    ) {
        let world = self.world.clone();
        let known = world
            .tenant(tenant)
            .and_then(|tenant| Some((tenant, tenant.user_by_name(from)?, tenant.user(&dialled(to))?)));
        let Some((tenant, sender, user)) = known else {
            return self.stack.respond_message(now, id, 404, &mut self.outputs);
        };
        let devices: Vec<_> =
            device_names(&self.registrar, &tenant.name, &user.name).map(exchange::Device).collect();
        let places: Vec<_> = devices
            .iter()
            .filter_map(|device| self.device_place(now, tenant, &user.name, device).ok())
            .collect();
        if places.is_empty() {
            return self.stack.respond_message(now, id, 480, &mut self.outputs);
        }
        let host = tenant.domains.first().map_or(self.around.host.as_str(), String::as_str);
        let from = format!("<sip:{}@{host}>", user_part(&sender.number));
        for place in places {
            let message = NewMessage {
                request_uri: &place.request_uri,
                to: &place.to,
                from: &from,
                destination: place.destination,
                content_type,
                body,
            };
            self.stack.send_message(now, message, &mut self.outputs);
        }
        // RFC 3428 §7: it is on its way, which is not yet there.
        self.stack.respond_message(now, id, 202, &mut self.outputs);
    }
}

/// RFC 4235 §4: one dialog while the user rings or talks, none else. `name`: Call-ID, this side's tag and the telephone's, by
/// which another telephone may ask to take its place.
fn dialog_info(
    entity: &str,
    id: &str,
    presence: Presence,
    version: u32,
    name: Option<(&str, &str, &str)>,
) -> String {
    let state = match presence {
        Presence::Ringing => Some("early"),
        Presence::Busy => Some("confirmed"),
        Presence::Free | Presence::Offline => None,
    };
    let dialog = state.map_or(String::new(), |state| {
        let name = name.map_or(String::new(), |(call_id, ours, theirs)| {
            let (call_id, theirs) = (escaped(call_id), escaped(theirs));
            format!(" call-id=\"{call_id}\" local-tag=\"{theirs}\" remote-tag=\"{ours}\"")
        });
        let id = escaped(id);
        format!("<dialog id=\"{id}\"{name} direction=\"recipient\"><state>{state}</state></dialog>\n")
    });
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"{}\">\n{dialog}</dialog-info>\n",
        escaped(entity)
    )
}

/// RFC 3842 §5.2.
fn message_summary(account: &str, new: u32, old: u32) -> String {
    let waiting = if new > 0 { "yes" } else { "no" };
    format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {new}/{old} (0/0)\r\n"
    )
}

/// RFC 3680 §5.
fn reg_info(aor: &str, contacts: &[(&str, String)], version: u32) -> String {
    let state = if contacts.is_empty() { "terminated" } else { "active" };
    let mut text = format!(
        "<?xml version=\"1.0\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" \
         state=\"full\">\n<registration aor=\"{}\" id=\"a\" state=\"{state}\">\n",
        escaped(aor)
    );
    for (key, uri) in contacts {
        let (key, uri) = (escaped(key), escaped(uri));
        let _ = writeln!(
            text,
            "<contact id=\"{key}\" state=\"active\" event=\"registered\"><uri>{uri}</uri></contact>"
        );
    }
    text + "</registration>\n</reginfo>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4235_4_a_lamp_is_lit_while_its_user_rings_or_talks() {
        let info = |presence| dialog_info("sip:101@acme.example", "101", presence, 3, None);
        assert!(info(Presence::Ringing).contains("<state>early</state>"));
        assert!(info(Presence::Busy).contains("<state>confirmed</state>"));
        assert!(!info(Presence::Free).contains("<dialog "), "no dialog, and the lamp is dark");
        let name = Some(("c@1", "ours", "<theirs>"));
        let named = dialog_info("sip:101@acme.example", "101", Presence::Ringing, 3, name);
        let said = r#"<dialog id="101" call-id="c@1" local-tag="&lt;theirs&gt;" remote-tag="ours" direction="recipient">"#;
        assert!(named.contains(said), "{named}");
        assert!(
            info(Presence::Free).contains("version=\"3\" state=\"full\" entity=\"sip:101@acme.example\"")
        );
    }

    #[test]
    fn rfc3842_5_2_new_messages_light_the_lamp_and_old_ones_are_counted() {
        let lines = |new, old| message_summary("sip:ana@acme.example", new, old);
        assert!(lines(2, 8).starts_with("Messages-Waiting: yes\r\n"));
        assert!(lines(2, 8).ends_with("Voice-Message: 2/8 (0/0)\r\n"));
        assert!(lines(0, 8).starts_with("Messages-Waiting: no\r\n"));
    }

    #[test]
    fn what_a_telephone_says_of_itself_stays_text() {
        let info = reg_info("sip:ana@a", &[("<key>", "sip:ana@192.0.2.1;x=\"&\"".into())], 0);
        assert!(info.contains("id=\"&lt;key&gt;\"") && info.contains("x=&quot;&amp;&quot;</uri>"), "{info}");
    }
}
