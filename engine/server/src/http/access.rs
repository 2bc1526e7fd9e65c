//! Who asks, and what they may do: bearer tokens (RFC 6750 §2.1), one for the operator and any number
//! per tenant with a role. Every token is compared in constant time with every configured one, and a
//! tenant's token learns nothing of other tenants, not even whether they exist.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::Api;
use super::problem::Problem;
use crate::config::{Role, Tenant, World};

/// The operator: may do everything with every tenant.
pub(super) struct Operator;

/// Access to the tenant in the path.
pub(super) struct Access {
    pub tenant: Arc<Tenant>,
    role: Role,
    user: Option<String>,
    operator: bool,
}

impl Access {
    /// Refuses with 403 whoever has a lesser role.
    pub fn may(&self, least: Role) -> Result<(), Problem> {
        if self.role >= least {
            return Ok(());
        }
        let (has, needs) = (self.role.name(), least.name());
        Err(forbidden(format!("this token's role is {has}; this needs {needs}")))
    }

    /// Who asks, for the list of what was done by whom: a user's name, "the operator", or the token's role.
    pub fn who(&self) -> String {
        match &self.user {
            Some(user) => user.clone(),
            None if self.operator => "the operator".to_owned(),
            None => format!("a token of role {}", self.role.name()),
        }
    }

    /// The user whose token it is, by name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether the token is that of this user, by name or extension.
    pub fn is_user(&self, name_or_number: &str) -> bool {
        let meant = self.tenant.user(name_or_number).map(|user| user.name.as_str());
        meant.is_some() && meant == self.user.as_deref()
    }
}

/// Who bears a token.
pub(super) enum Bearer {
    Operator,
    /// With the role, and the user whose token it is.
    Tenant(Arc<Tenant>, Role, Option<String>),
}

impl Bearer {
    /// Whose token it is; none when nobody's. Looks at every token whichever fits, so that the time
    /// tells nothing of them.
    fn find(world: &World, token: &str) -> Option<Self> {
        let mut found = None;
        if world.http.operator_token.as_ref().is_some_and(|operator| operator.matches(token)) {
            found = Some(Bearer::Operator);
        }
        for tenant in &world.tenants {
            for known in &tenant.tokens {
                if known.token.matches(token) {
                    found = Some(Bearer::Tenant(tenant.clone(), known.role, known.user.clone()));
                }
            }
        }
        found
    }
}

impl FromRequestParts<Api> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| {
            let (scheme, token) = given.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let unauthorized = |why| Problem::new(StatusCode::UNAUTHORIZED, why);
        let token = token.ok_or_else(|| unauthorized("send Authorization: Bearer TOKEN"))?;
        Self::find(&api.node.world(), token).ok_or_else(|| unauthorized("this token is not known here"))
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Bearer::from_request_parts(parts, api).await? {
            Bearer::Operator => Ok(Operator),
            Bearer::Tenant(..) => Err(forbidden("this is for the operator's token".to_owned())),
        }
    }
}

impl FromRequestParts<Api> for Access {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let bearer = Bearer::from_request_parts(parts, api).await?;
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, api).await;
        let path = path.map_err(|why| Problem::bad(why.body_text()))?;
        let name = path.get("tenant").map(String::as_str).unwrap_or_default();
        match bearer {
            Bearer::Operator => {
                let tenant = api.node.world().tenant(name).cloned();
                let tenant =
                    tenant.ok_or_else(|| Problem::not_found(format!("there is no tenant \"{name}\"")))?;
                Ok(Access { tenant, role: Role::Admin, user: None, operator: true })
            }
            Bearer::Tenant(tenant, role, user) if *tenant.name == *name => {
                Ok(Access { tenant, role, user, operator: false })
            }
            Bearer::Tenant(..) => Err(forbidden("this token is for another tenant".to_owned())),
        }
    }
}

fn forbidden(why: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, why)
}
