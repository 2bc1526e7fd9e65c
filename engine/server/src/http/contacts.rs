//! The tenant's own contacts over HTTP: found by number, listed by pages, put one by one or as a table.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::access::Access;
use super::problem::{Particular, Problem};
use super::scripts::blocking;
use crate::config::{Role, Tenant};
use crate::crm::Crm;
use crate::crm::contacts::{self, Card, NotTaken};
use crate::crm::table::Contacts;

/// Contacts of a page unless said.
const PAGE: usize = 50;
/// Contacts of a page at most.
const MOST: usize = 500;
/// Bytes of a table; a larger one gets 413.
pub(super) const MOST_TABLE: usize = 16 << 20;

#[derive(Deserialize, IntoParams)]
pub(super) struct ListContacts {
    /// Only the contact with this number, however it is written.
    number: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many, 1 to 500; 50 unless said.
    limit: Option<usize>,
}

/// A page of contacts.
#[derive(Serialize, ToSchema)]
pub(super) struct ContactList {
    /// In the order of their ids.
    contacts: Vec<Card>,
    /// The `cursor` of the next page; none at the end.
    next: Option<String>,
}

/// How many contacts were taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    imported: usize,
}

/// The tenant's own contacts, or the one with a number.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/contacts", tag = "contacts",
    params(("tenant" = String, Path), ListContacts),
    responses((status = 200, body = ContactList), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    access: Access,
    Query(query): Query<ListContacts>,
) -> Result<Json<ContactList>, Problem> {
    own(&access.tenant)?;
    let most = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad(format!("limit is {most}; write 1 to {MOST}")));
    }
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    let found = blocking(move || match query.number {
        Some(number) => contacts::find(&node.store, &tenant, &number).map(|card| card.into_iter().collect()),
        None => contacts::page(&node.store, &tenant, query.cursor.as_deref(), most),
    });
    let contacts: Vec<Card> = found.await??;
    let next = contacts.last().filter(|_| contacts.len() == most).map(|card| card.id.clone());
    Ok(Json(ContactList { contacts, next }))
}

/// One contact.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/contacts/{id}", tag = "contacts",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Card), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Card>, Problem> {
    own(&access.tenant)?;
    let (node, tenant, wanted) = (api.node.clone(), access.tenant.name.clone(), id.clone());
    let found = blocking(move || contacts::get(&node.store, &tenant, &wanted)).await??;
    found.map(Json).ok_or_else(|| none(&id))
}

/// Puts a contact in the place of the one with this id, if there is one.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/contacts/{id}", tag = "contacts",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = Card,
    responses((status = 200, body = Card), (status = 403, body = Problem), (status = 422, body = Problem),
        (status = 409, body = Problem, description = "another contact has one of the numbers")))]
pub(super) async fn put(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Json(card): Json<Card>,
) -> Result<Json<Card>, Problem> {
    access.may(Role::Agent)?;
    own(&access.tenant)?;
    if !card.id.is_empty() && card.id != id {
        return Err(Problem::bad(
            "the id in the body is another one than that in the path; write one of them",
        ));
    }
    let known = |owner: &String| match access.tenant.user(owner) {
        Some(user) => Ok(user.name.clone()),
        None => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("there is no user \"{owner}\""))),
    };
    let mut card = Card { id, owner: card.owner.as_ref().map(known).transpose()?, ..card };
    for deal in &mut card.deals {
        deal.owner = deal.owner.as_ref().map(known).transpose()?;
    }
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    let taken = blocking(move || node.contacts.put(&node.store, &tenant, &card).map(|()| card)).await?;
    taken.map(Json).map_err(refusal)
}

/// Forgets a contact.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/contacts/{id}", tag = "contacts",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Agent)?;
    own(&access.tenant)?;
    let (node, tenant, wanted) = (api.node.clone(), access.tenant.name.clone(), id.clone());
    let there = blocking(move || node.contacts.delete(&node.store, &tenant, &wanted)).await??;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(none(&id)) }
}

/// Takes a table of contacts, `number,name,company,owner` and what else there is. A row takes the place of the contact
/// with its `id`, or else with one of its numbers. A table with a mistake is not taken at all.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/contacts", tag = "contacts",
    params(("tenant" = String, Path)), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem, description = "every mistake with its line")))]
pub(super) async fn import(
    State(api): State<Api>,
    access: Access,
    body: Bytes,
) -> Result<Json<Imported>, Problem> {
    access.may(Role::Admin)?;
    own(&access.tenant)?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| Problem::bad("the table is no UTF-8"))?;
    let (node, tenant) = (api.node.clone(), access.tenant.clone());
    let imported = blocking(move || {
        let owner = |name: &str| {
            let user = tenant.user(name).map(|user| user.name.clone());
            user.ok_or_else(|| format!("there is no user \"{name}\""))
        };
        let table = Contacts::read(&text, owner).map_err(|misread| {
            let problems = misread.into_iter();
            let problems =
                problems.map(|wrong| Particular { place: format!("line {}", wrong.line), what: wrong.what });
            let refusal =
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the table has mistakes; see problems");
            Problem { problems: problems.collect(), ..refusal }
        })?;
        node.contacts.import(&node.store, &tenant.name, table).map_err(refusal)
    });
    Ok(Json(Imported { imported: imported.await?? }))
}

/// Contacts that are elsewhere are changed there.
fn own(tenant: &Tenant) -> Result<(), Problem> {
    match tenant.crm {
        Crm::Own => Ok(()),
        _ => Err(Problem::new(
            StatusCode::CONFLICT,
            "the configuration says that this tenant's contacts are elsewhere",
        )),
    }
}

fn none(id: &str) -> Problem {
    Problem::not_found(format!("there is no contact \"{id}\""))
}

fn refusal(why: NotTaken) -> Problem {
    match why {
        NotTaken::Wrong(what) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what),
        NotTaken::Taken(..) => Problem::new(StatusCode::CONFLICT, why.to_string()),
        NotTaken::Store(why) => why.into(),
    }
}
