//! What was dialled, who decides about a call to it, and how a number is written where one is called.

use exchange::{Fallback, Origin, Party, Route, Target};
use protocol::sip::message::Request;
use protocol::sip::uri::Uri;

use crate::config::{FallbackTarget, Tenant, World};
use crate::shards::Wanted;

/// The number or name dialled, as the Request-URI has it.
pub(super) fn dialled(uri: &Uri) -> String {
    match uri {
        Uri::Tel(tel) => tel.digits(),
        other => other.user().unwrap_or_default(),
    }
}

/// The number that a carrier's call is for. Some carriers send all calls to the name that we registered, and say only
/// in To which number was dialled.
pub(super) fn meant(world: &World, tenant: &str, trunk: &str, request: &Request) -> String {
    let number = dialled(&request.uri);
    let tenant = world.tenant(tenant);
    let is_our_name = tenant.is_some_and(|tenant| {
        tenant.number(&number).is_none()
            && tenant
                .trunk(trunk)
                .is_some_and(|trunk| trunk.register.is_some() && trunk.user.as_ref() == Some(&number))
    });
    let to = request.to().ok().filter(|_| is_our_name).map(|to| dialled(&to.uri));
    to.unwrap_or(number)
}

/// Who decides about a call to `dialled`. A number of the tenant's has its script; anything else that
/// a user dials goes to the tenant's script for its own calls; a carrier's call to no number of ours
/// has no route.
pub(super) fn route(tenant: &Tenant, dialled: &str, by_user: bool) -> Option<Route> {
    if let Some(number) = tenant.number(dialled) {
        return Some(Route {
            script: number.script.clone(),
            settings: number.settings.clone(),
            fallback: number.fallback.iter().map(last_resort).collect(),
            source: number.source.clone(),
        });
    }
    by_user.then(|| {
        let known = tenant.user(dialled);
        Route {
            script: tenant.calls.script.clone(),
            settings: tenant.calls.settings.clone(),
            fallback: known.map(|user| Fallback::Ring(Target::User(user.name.clone()))).into_iter().collect(),
            source: None,
        }
    })
}

/// A call that someone wants begun, as the exchange begins it: routed as if `from` had dialled.
pub(super) fn origin(tenant: &Tenant, wanted: Wanted) -> Origin {
    let routed = route(tenant, &wanted.to, true).expect("what a user dials has a route");
    let route = match wanted.script {
        Some((script, settings)) => Route { script, settings, ..routed },
        None => routed,
    };
    let called = tenant.user(&wanted.to);
    Origin {
        tenant: tenant.name.to_string(),
        ring: vec![wanted.from],
        timeout: wanted.ring,
        present: Party {
            number: called.map_or_else(|| wanted.to.clone(), |user| user.number.clone()),
            name: called.map(|user| user.name.clone()),
            uri: format!("tel:{}", wanted.to),
        },
        dialled: wanted.to,
        language: tenant.language.clone(),
        route,
        token: None,
    }
}

fn last_resort(target: &FallbackTarget) -> Fallback {
    match target {
        FallbackTarget::User(name) => Fallback::Ring(Target::User(name.clone())),
        FallbackTarget::Number(number) => Fallback::Ring(Target::Number(number.clone())),
        FallbackTarget::Voicemail(mailbox) => Fallback::Voicemail(mailbox.clone()),
    }
}

/// Only what may stand unescaped in the user part of a URI (RFC 3261 §25.1); a script can't write a
/// header by way of a number.
pub(super) fn user_part(number: &str) -> String {
    let unescaped = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(c);
    let mut part = String::with_capacity(number.len());
    for c in number.chars() {
        if unescaped(c) {
            part.push(c);
        } else {
            let mut utf8 = [0; 4];
            c.encode_utf8(&mut utf8).bytes().for_each(|byte| part.push_str(&format!("%{byte:02X}")));
        }
    }
    part
}
