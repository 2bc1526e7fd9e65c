//! A leg: one party's connection to the exchange, the caller's or one that the script rang, and what can be asked of
//! it.
//!
//! A verb blocks until it has happened. When the leg hangs up meanwhile, or the caller leaves, it ends with
//! [`Failure::HungUp`], and `?` ends the script.

use crate::host::{self, GatherOptions};
use crate::words::*;
use std::time::Duration;

/// How long a menu or a `gather` waits for the first key unless told otherwise.
pub const FIRST_KEY: Duration = Duration::from_secs(6);
/// How long a `gather` waits between keys unless told otherwise.
pub const BETWEEN_KEYS: Duration = Duration::from_secs(3);
/// Normal call clearing (Q.850 §2.2.5).
pub const NORMAL_CLEARING: u16 = 16;

/// One party's connection to the exchange.
///
/// A leg that was dialled lives until it hangs up, is hung up, or the script returns; dropping it does nothing.
pub struct Leg(pub(crate) host::LegHandle);

impl Leg {
    /// The party at the far end.
    pub fn party(&self) -> Party {
        self.0.party()
    }

    /// The far end's number: E.164 with "+", or an extension; empty when withheld.
    pub fn number(&self) -> String {
        self.0.party().number
    }

    /// The number that was dialled, as it arrived.
    pub fn dialled(&self) -> String {
        self.0.dialled()
    }

    /// Where the leg came from.
    pub fn direction(&self) -> Direction {
        self.0.direction()
    }

    /// The tenant's user at the far end, by name, if it is one.
    pub fn user(&self) -> Option<String> {
        self.0.user()
    }

    /// A SIP header's values; none from sides that are not trusted.
    pub fn header(&self, name: &str) -> Vec<String> {
        self.0.header(name)
    }

    /// The language of prompts, as BCP 47: "en".
    pub fn language(&self) -> String {
        self.0.language()
    }

    /// Changes the language of prompts from here on.
    pub fn set_language(&self, tag: &str) -> Result {
        self.0.set_language(tag)
    }

    /// Lets the caller hear that it rings (180), before answering.
    pub fn ring(&self) -> Result {
        self.0.ring(None)
    }

    /// Lets the caller hear something before answering (183).
    pub fn ring_with(&self, early: impl Into<Prompt>) -> Result {
        self.0.ring(Some(&early.into()))
    }

    /// Answers; done already is no error.
    pub fn answer(&self) -> Result {
        self.0.answer()
    }

    /// Refuses an unanswered caller with a SIP status, 300 to 699.
    pub fn reject(&self, status: u16, reason: &str) -> Result {
        self.0.reject(status, reason)
    }

    /// Refuses the caller with the SIP status that says why ([`Failure::sip_status`]); a caller who is answered already
    /// is hung up on. For the end of a script.
    pub fn decline(&self, why: &Failure) -> Result {
        match self.reject(why.sip_status(), "") {
            Err(Failure::HungUp) => Err(Failure::HungUp),
            Err(_) => {
                self.hang_up();
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Plays, and waits until all is heard. Keys pressed meanwhile stay for the next `gather` or menu.
    pub fn play(&self, what: impl IntoPrompts) -> Result {
        self.0.play(&what.into_prompts(), false)
    }

    /// Plays, and waits until all is heard or a key is pressed; the key stays for the next `gather` or menu.
    pub fn play_until_key(&self, what: impl IntoPrompts) -> Result {
        self.0.play(&what.into_prompts(), true)
    }

    /// Asks for up to `most` digits, 1 to 32; [`Gather::ask`] does it.
    pub fn gather(&self, most: u8) -> Gather<'_> {
        Gather {
            leg: self,
            options: GatherOptions {
                prompts: Vec::new(),
                most,
                terminator: Some('#'),
                first: FIRST_KEY,
                between: BETWEEN_KEYS,
            },
        }
    }

    /// Plays a menu and asks for one key; [`Menu::ask`] does it.
    pub fn menu(&self, prompt: impl IntoPrompts) -> Menu<'_> {
        Menu {
            leg: self,
            prompts: prompt.into_prompts(),
            keys: "0123456789*#".to_owned(),
            retries: 2,
            within: FIRST_KEY,
            wrong: Vec::new(),
            nothing: Vec::new(),
        }
    }

    /// Records until `silence` of quiet, a key, or `most`.
    pub fn record_message(&self, most: Duration, silence: Duration) -> Result<Recorded> {
        self.0.record_message(most, silence)
    }

    /// Records this leg and whoever it talks with from here on; answers the recording's name.
    pub fn start_recording(&self) -> Result<String> {
        self.0.start_recording()
    }

    /// Ends what `start_recording` began.
    pub fn stop_recording(&self) -> Result {
        self.0.stop_recording()
    }

    /// Leaves out of the recording what is said from here on: a card number.
    pub fn pause_recording(&self) -> Result {
        self.0.pause_recording()
    }

    /// What is said is recorded again.
    pub fn resume_recording(&self) -> Result {
        self.0.resume_recording()
    }

    /// Sends keys and waits until they are sent: 0-9, *, #, A-D, and "," for a pause of half a second.
    pub fn send_digits(&self, digits: &str) -> Result {
        self.0.send_digits(digits)
    }

    /// Holds the leg and plays something to it.
    pub fn hold(&self, hears: impl Into<Prompt>) -> Result {
        self.0.hold(&hears.into())
    }

    /// Ends the hold.
    pub fn resume(&self) -> Result {
        self.0.resume()
    }

    /// Ends the leg.
    pub fn hang_up(&self) {
        self.0.hang_up(NORMAL_CLEARING)
    }

    /// Ends the leg with another Q.850 cause (RFC 3326).
    pub fn hang_up_with(&self, cause: u16) {
        self.0.hang_up(cause)
    }
}

impl From<&Leg> for Party {
    fn from(leg: &Leg) -> Self {
        leg.party()
    }
}

/// Asking for digits: made by [`Leg::gather`].
#[must_use = "nothing is asked before .ask()"]
pub struct Gather<'a> {
    leg: &'a Leg,
    options: GatherOptions,
}

impl Gather<'_> {
    /// Played first; a key cuts it short and counts.
    pub fn prompt(mut self, prompts: impl IntoPrompts) -> Self {
        self.options.prompts = prompts.into_prompts();
        self
    }

    /// The key that ends it early, in place of "#".
    pub fn terminator(mut self, key: char) -> Self {
        self.options.terminator = Some(key);
        self
    }

    /// No key ends it early: "#" is a digit like the others.
    pub fn no_terminator(mut self) -> Self {
        self.options.terminator = None;
        self
    }

    /// How long to wait for the first key, from the end of the prompt; 6 s unless told.
    pub fn first_within(mut self, time: Duration) -> Self {
        self.options.first = time;
        self
    }

    /// How long to wait between keys; 3 s unless told.
    pub fn between(mut self, time: Duration) -> Self {
        self.options.between = time;
        self
    }

    /// Asks, and waits.
    pub fn ask(self) -> Result<Gathered> {
        self.leg.0.gather(self.options)
    }
}

/// A menu, one key deep: made by [`Leg::menu`].
#[must_use = "nothing is asked before .ask()"]
pub struct Menu<'a> {
    leg: &'a Leg,
    prompts: Vec<Prompt>,
    keys: String,
    retries: u32,
    within: Duration,
    wrong: Vec<Prompt>,
    nothing: Vec<Prompt>,
}

impl Menu<'_> {
    /// The keys that choose something; any of 0-9, * and # unless told.
    pub fn keys(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.keys);
        self
    }

    /// How many times to ask again after a wrong key or none; twice unless told.
    pub fn retries(mut self, times: u32) -> Self {
        self.retries = times;
        self
    }

    /// How long to wait for the key, from the end of the prompt; 6 s unless told.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Said after a key that chooses nothing, before asking again.
    pub fn on_wrong_key(mut self, prompts: impl IntoPrompts) -> Self {
        self.wrong = prompts.into_prompts();
        self
    }

    /// Said when no key came, before asking again.
    pub fn on_silence(mut self, prompts: impl IntoPrompts) -> Self {
        self.nothing = prompts.into_prompts();
        self
    }

    /// Asks for the key; [`Failure::NoAnswer`] when the tries are up.
    pub fn ask(self) -> Result<char> {
        self.try_ask()?.ok_or(Failure::NoAnswer)
    }

    /// Asks for the key; none when the tries are up.
    pub fn try_ask(self) -> Result<Option<char>> {
        let mut said_first = Vec::new();
        for _ in 0..=self.retries {
            let prompts = said_first.into_iter().chain(self.prompts.iter().cloned()).collect();
            let options = GatherOptions {
                prompts,
                most: 1,
                terminator: None,
                first: self.within,
                between: self.within,
            };
            match self.leg.0.gather(options)?.digits.chars().next() {
                Some(key) if self.keys.contains(key) => return Ok(Some(key)),
                Some(_) => said_first = self.wrong.clone(),
                None => said_first = self.nothing.clone(),
            }
        }
        Ok(None)
    }
}
