//! Interface `clock`: the tenant's time, chance, and waiting.

use exchange::{Answer, Command, LocalTime};

use super::types::length;
use super::{done, look_up};
use crate::bindings::call_script::strowger::script::clock as wit;
use crate::guest::Guest;

fn local(time: LocalTime) -> wit::Local {
    let LocalTime { year, month, day, weekday, hour, minute, second, offset_minutes } = time;
    wit::Local { year, month, day, weekday, hour, minute, second, offset_minutes }
}

impl wit::Host for Guest {
    async fn now(&mut self) -> wasmtime::Result<f64> {
        look_up(self.ask(Command::Now).await?, |answer| match answer {
            Answer::Instant(seconds) => Some(seconds),
            _ => None,
        })
    }

    async fn local_time(&mut self) -> wasmtime::Result<wit::Local> {
        look_up(self.ask(Command::LocalTime).await?, |answer| match answer {
            Answer::LocalTime(time) => time.map(local),
            _ => None,
        })
    }

    async fn time_in(&mut self, zone: String) -> wasmtime::Result<Option<wit::Local>> {
        look_up(self.ask(Command::TimeIn { zone }).await?, |answer| match answer {
            Answer::LocalTime(time) => Some(time.map(local)),
            _ => None,
        })
    }

    async fn scheme(&mut self, calendar: String) -> wasmtime::Result<Option<String>> {
        look_up(self.ask(Command::Scheme { calendar }).await?, |answer| match answer {
            Answer::Word(scheme) => Some(scheme),
            _ => None,
        })
    }

    async fn random(&mut self, below: u32) -> wasmtime::Result<u32> {
        look_up(self.ask(Command::Random { below }).await?, |answer| match answer {
            Answer::Random(number) => Some(number),
            _ => None,
        })
    }

    async fn sleep(&mut self, millis: u32) -> wasmtime::Result<Result<(), wit::Failure>> {
        done(self.ask(Command::Sleep { length: length(millis) }).await?)
    }
}
