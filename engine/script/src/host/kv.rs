//! Interface `kv`: the tenant's memory across calls. Its bounds on keys and values are the store's.

use exchange::{Answer, Command};

use super::{done, verb};
use crate::bindings::call_script::strowger::script::kv as wit;
use crate::guest::Guest;

type Verb<T> = wasmtime::Result<Result<T, wit::Failure>>;

impl wit::Host for Guest {
    async fn get(&mut self, key: String) -> Verb<Option<Vec<u8>>> {
        verb(self.ask(Command::KvGet { key }).await?, |answer| match answer {
            Answer::Value(value) => Some(value),
            _ => None,
        })
    }

    async fn set(&mut self, key: String, value: Vec<u8>, keep_seconds: Option<u32>) -> Verb<()> {
        done(self.ask(Command::KvSet { key, value, keep_seconds }).await?)
    }

    async fn swap(&mut self, key: String, was: Option<Vec<u8>>, value: Vec<u8>) -> Verb<bool> {
        verb(self.ask(Command::KvSwap { key, was, value }).await?, |answer| match answer {
            Answer::Swapped(swapped) => Some(swapped),
            _ => None,
        })
    }

    async fn add(&mut self, key: String, amount: i32) -> Verb<i32> {
        verb(self.ask(Command::KvAdd { key, amount }).await?, |answer| match answer {
            Answer::Sum(sum) => Some(sum),
            _ => None,
        })
    }

    async fn delete(&mut self, key: String) -> Verb<()> {
        done(self.ask(Command::KvDelete { key }).await?)
    }
}
