//! Interface `http`: servers outside, asked by whoever carries out what scripts ask. What is written on the tape is
//! the request as the guest made it and the whole answer, so a replay asks nobody.

use exchange::{Answer, Command, Fetch, FetchMethod, Fetched};
use wasmtime::component::Resource;

use super::types::length;
use super::{hand_out, verb};
use crate::bindings::call_script::strowger::script::{http as wit, types};
use crate::guest::Guest;

impl wit::HostResponse for Guest {
    fn status(&mut self, response: Resource<Fetched>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&response)?.status)
    }

    fn header(&mut self, response: Resource<Fetched>, name: String) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.get(&response)?.header(&name))
    }

    fn body(&mut self, response: Resource<Fetched>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&response)?.body.clone())
    }

    fn drop(&mut self, response: Resource<Fetched>) -> wasmtime::Result<()> {
        self.table.delete(response)?;
        Ok(())
    }
}

impl wit::Host for Guest {
    async fn fetch(
        &mut self,
        request: wit::Request,
    ) -> wasmtime::Result<Result<Resource<Fetched>, types::Failure>> {
        let fetch = Box::new(Fetch {
            method: request.method.into(),
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: length(request.timeout),
            redirects: request.redirects,
        });
        let fetched = verb(self.ask(Command::Fetch(fetch)).await?, |answer| match answer {
            Answer::Fetched(fetched) => Some(fetched),
            _ => None,
        })?;
        match fetched {
            Ok(fetched) => hand_out(&mut self.table, *fetched).map(Ok),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

impl From<wit::Method> for FetchMethod {
    fn from(method: wit::Method) -> Self {
        match method {
            wit::Method::Get => Self::Get,
            wit::Method::Head => Self::Head,
            wit::Method::Post => Self::Post,
            wit::Method::Put => Self::Put,
            wit::Method::Patch => Self::Patch,
            wit::Method::Delete => Self::Delete,
        }
    }
}
