//! `[tenant.crm]`: where contacts come from. Nothing of it, or `kind = "own"`, is the exchange's own; `kind = "contacts"` a
//! table in a file beside the configuration; the others are servers outside, by a plan that is shipped or, with
//! `kind = "rest"`, stands here.
//!
//! ```toml
//! [tenant.crm]
//! kind = "hubspot"
//! token_env = "HUBSPOT_TOKEN"
//! timeout = "800 ms"                  # a call waits so long at most
//! cache = "60 s"                      # what was found is good for so long
//! owners = { ana = "41629779" }       # users, and what the CRM calls them
//! recordings = "https://pbx.acme.example/calls/{call}"
//! [tenant.crm.oauth]                  # in place of a token that lasts (RFC 6749); without refresh by the client's own right
//! url = "https://acme.my.salesforce.com/services/oauth2/token"
//! client = "3MVG9..."
//! secret_env = "SALESFORCE_SECRET"
//! refresh_env = "SALESFORCE_REFRESH"
//! ```
//!
//! With requests of one's own there are `[tenant.crm.find]` and the other steps, and
//!
//! ```toml
//! error = "/error"                    # of a plan of one's own: what an answer has there went wrong, whatever its status
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::section::{Mistake, Section, hint};
use super::speech::headers;
use super::tenant::Known;
use super::world::Secret;
use crate::crm::Crm;
use crate::crm::plan::{self, Plan, Pointer, Text};
use crate::crm::remote::{Grant, Remote, Settings};
use crate::crm::table::{Contacts, MOST_BYTES, Misread};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// A call waits for a CRM so long unless it is said.
const TIMEOUT: Duration = Duration::from_millis(800);
/// Scripts wait for 3 s at most; a look-up must be over before.
const LONGEST: Duration = Duration::from_millis(2_500);

/// Kinds of CRM, by the name in the configuration.
const KINDS: [&str; 9] =
    ["own", "contacts", "rest", "hubspot", "pipedrive", "bitrix24", "kommo", "amocrm", "salesforce"];
/// The steps of a plan.
const STEPS: [&str; 7] = ["find", "contact", "deal", "create_task", "done_task", "finish_task", "log_call"];

/// Reads the section, and the table that it names.
pub(super) fn crm(section: Section<'_, '_>, known: &Known<'_>) -> Option<Crm> {
    let kind = section.required("kind", "own");
    let crm = match kind.map(|kind| kind.value) {
        Some("own") => Some(Crm::Own),
        Some("contacts") => table(&section, known),
        Some("rest") => remote(&section, known, Plan::default()),
        Some(name) => match plan::preset(name) {
            Some(plan) => remote(&section, known, plan),
            None => {
                let line = kind.map_or(section.line, |kind| kind.line);
                section.mistake(line, format!("there is no CRM of kind \"{name}\"; {}", hint(name, KINDS)));
                return None;
            }
        },
        None => None,
    };
    section.finish();
    crm
}

fn table(section: &Section<'_, '_>, known: &Known<'_>) -> Option<Crm> {
    let file = section.required("file", "contacts.csv")?;
    let path = section.source.path(file.value);
    let read = match std::fs::metadata(&path) {
        Ok(there) if there.len() > MOST_BYTES => Err(format!("is larger than {MOST_BYTES} bytes")),
        _ => std::fs::read_to_string(&path).map_err(|why| format!("cannot be read: {why}")),
    };
    let text = read
        .map_err(|why| {
            let what = format!("\"{}\" {why}; write the path of a table like contacts.csv", file.value);
            section.mistake(file.line, what);
        })
        .ok()?;
    let told = Contacts::read(&text, |owner| known.user_of(owner)).map_err(|misread| {
        let mistake =
            |misread: Misread| Mistake { file: path.clone(), line: misread.line, what: misread.what };
        section.source.mistakes.borrow_mut().extend(misread.into_iter().map(mistake));
    });
    told.ok().map(|contacts| Crm::Table(Arc::new(contacts)))
}

/// A server outside: the plan that is shipped, and what stands here in its place.
fn remote(section: &Section<'_, '_>, known: &Known<'_>, mut plan: Plan) -> Option<Crm> {
    step(section, "find", &mut plan.find);
    step(section, "contact", &mut plan.contact);
    step(section, "deal", &mut plan.deal);
    step(section, "create_task", &mut plan.create_task);
    step(section, "done_task", &mut plan.done_task);
    step(section, "finish_task", &mut plan.finish_task);
    step(section, "log_call", &mut plan.log_call);
    if let Some(text) = section.text("error", "/error") {
        match Pointer::try_from(text.value.to_owned()) {
            Ok(error) => plan.error = Some(error),
            Err(why) => section.mistake(text.line, why),
        }
    }
    let mut words = Some(plan.words);
    step(section, "words", &mut words);
    plan.words = words.unwrap_or_default();
    if STEPS.iter().all(|name| !section.has(name)) && plan.find.is_none() {
        section.mistake(section.line, "this CRM is asked nothing; write [tenant.crm.find]");
    }
    let before = section.source.mistakes.borrow().len();
    let url = section.secret("url").or_else(|| plan.url.clone().map(Secret::new));
    let good = |url: &Secret| {
        reqwest::Url::parse(url.expose())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    match &url {
        Some(url) if !good(url) => {
            section.mistake(
                section.line,
                "the url of this CRM is no address; write one like \"https://acme.example\"",
            );
        }
        None if section.source.mistakes.borrow().len() == before => {
            section.mistake(section.line, "this CRM has no address; write url = \"https://acme.example\"");
        }
        _ => {}
    }
    let mut own = headers(section, "CRM_TOKEN");
    let before = section.source.mistakes.borrow().len();
    let token = section.secret("token");
    let oauth = section.section("oauth").and_then(grant);
    if let Some((name, value)) = plan.auth.as_deref().and_then(|auth| auth.split_once(": ")) {
        match &token {
            _ if oauth.is_some() => {}
            Some(token) => own.push((name.to_owned(), Secret::new(value.replace("{token}", token.expose())))),
            None if section.source.mistakes.borrow().len() == before => {
                section.mistake(section.line, "this CRM has no token; write token_env = \"CRM_TOKEN\"");
            }
            None => {}
        }
    }
    let owners = section.texts_by_name("owners", "{ ana = \"17\" }");
    for (user, _) in &owners {
        known.check_user(section, user, section.line_within("owners", &format!("/{user}")));
    }
    let recordings = section.text("recordings", "https://pbx.acme.example/calls/{call}").and_then(|text| {
        let read = Text::try_from(text.value.to_owned());
        read.map_err(|why| section.mistake(text.line, why)).ok()
    });
    let timeout = section.duration("timeout", 50 * MILLISECOND..=LONGEST, TIMEOUT);
    let cache = section.duration("cache", Duration::ZERO..=3600 * SECOND, 60 * SECOND);
    let url = Secret::new(url?.expose().trim_end_matches('/'));
    let settings = Settings { plan, url, headers: own, oauth, timeout, cache, owners, recordings };
    let remote = Remote::new(settings).map_err(|why| section.mistake(section.line, why));
    remote.ok().map(|remote| Crm::Remote(Arc::new(remote)))
}

/// `[tenant.crm.oauth]`: tokens that end.
fn grant(section: Section<'_, '_>) -> Option<Grant> {
    let url = section.required("url", "https://acme.my.salesforce.com/services/oauth2/token");
    let good = |url: &str| reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if let Some(url) = url.filter(|url| !good(url.value)) {
        section.mistake(
            url.line,
            "the url of these tokens is no address; write one like \"https://acme.example/token\"",
        );
    }
    let client = section.required("client", "3MVG9...");
    let before = section.source.mistakes.borrow().len();
    let secret = section.secret("secret");
    if secret.is_none() && section.source.mistakes.borrow().len() == before {
        section.mistake(section.line, "this client has no secret; write secret_env = \"CRM_SECRET\"");
    }
    let refresh = section.secret("refresh");
    section.finish();
    Some(Grant { url: url?.value.to_owned(), client: client?.value.to_owned(), secret: secret?, refresh })
}

/// One step of the plan as it stands here, in the place of the shipped one.
fn step<T: DeserializeOwned>(section: &Section<'_, '_>, name: &str, shipped: &mut Option<T>) {
    if !section.has(name) {
        return;
    }
    match serde_json::from_value(section.json(name)) {
        Ok(own) => *shipped = Some(own),
        Err(why) => section.mistake(section.line_within(name, ""), format!("[tenant.crm.{name}]: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{said_in_tenant, world};
    use super::*;

    #[test]
    fn a_well_known_crm_needs_its_token_alone_and_any_other_a_plan() {
        let world = world(
            "[[tenant]]\nname = \"a\"\n[tenant.crm]\nkind = \"hubspot\"\ntoken = \"secret\"\n\
             [[tenant]]\nname = \"b\"\n[tenant.crm]\nkind = \"rest\"\nurl = \"https://crm.example/api/\"\n\
             [tenant.crm.find]\npath = \"/contacts?phone={number}\"\nitems = \"/results\"\nid = \"/id\"\n",
        );
        let destination = |tenant: &str| match &world.tenant(tenant).expect("there").crm {
            Crm::Remote(remote) => remote.destination(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (destination("a"), destination("b")),
            ("https://api.hubapi.com".into(), "https://crm.example".into())
        );
        assert!(
            !format!("{:?}", world.tenant("a").expect("a").crm).contains("secret"),
            "secrets are not printed"
        );
    }

    #[test]
    fn mistakes_in_a_crm_are_told_when_it_is_read() {
        let cases = [
            ("kind = \"hubspott\"", 5, "there is no CRM of kind \"hubspott\"; write \"hubspot\""),
            ("kind = \"hubspot\"", 4, "this CRM has no token; write token_env = \"CRM_TOKEN\""),
            (
                "kind = \"kommo\"\ntoken = \"x\"",
                4,
                "this CRM has no address; write url = \"https://acme.example\"",
            ),
            (
                "kind = \"rest\"\nurl = \"https://c.example\"",
                4,
                "this CRM is asked nothing; write [tenant.crm.find]",
            ),
            (
                "kind = \"rest\"\nurl = \"https://c.example\"\n[tenant.crm.find]\npath = \"/c?q={nubmer}\"",
                7,
                "[tenant.crm.find]: there is no field {nubmer}; write \"number\"",
            ),
        ];
        for (text, line, what) in cases {
            assert_eq!(said_in_tenant(&format!("[tenant.crm]\n{text}")), [format!("x.toml:{line}: {what}")]);
        }
    }
}
