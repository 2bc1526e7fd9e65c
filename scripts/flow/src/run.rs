//! A call on its way through the steps.

use crate::known::Known;
use crate::step::*;
use strowger_script::prelude::*;
use strowger_script::queue::Refusal;
use strowger_script::week::{Date, Time};
use strowger_script::{Prompt, serde_json};

/// The most keys that one question can ask for.
const MOST_KEYS: usize = 32;
/// How long a dial rings: 1 s to 10 min.
const RINGS: (u32, u32) = (1, 600);

/// Where a step leads.
pub enum Then {
    /// To this one.
    Step(String),
    /// Nowhere: the call is over, or somebody else's.
    Over,
}

impl From<&Name> for Then {
    fn from(name: &Name) -> Then {
        Then::Step(name.0.clone())
    }
}

impl From<&Option<Name>> for Then {
    fn from(name: &Option<Name>) -> Then {
        name.as_ref().map_or(Then::Over, Then::from)
    }
}

/// A call and what is known of it.
pub struct Run<'a> {
    pub caller: &'a Leg,
    pub known: Known<'a>,
}

impl Run<'_> {
    /// Does what a step says.
    pub fn take(&mut self, step: &Step) -> Result<Then> {
        match step {
            Step::Say(step) => {
                self.say(&step.say)?;
                Ok((&step.then).into())
            }
            Step::Menu(step) => self.menu(step),
            Step::Gather(step) => self.gather(step),
            Step::Hours(step) => self.hours(step),
            Step::Choose(step) => self.choose(step),
            Step::Ring(step) => self.ring(step),
            Step::Transfer(step) => self.transfer(step),
            Step::Queue(step) => self.queue(step),
            Step::Voicemail(step) => self.hand_over("strowger/voicemail", &step.voicemail),
            Step::HandOver(HandOverStep { hand_over }) => {
                self.hand_over(&hand_over.script, &hand_over.settings)
            }
            Step::Tag(step) => {
                for (key, value) in &step.tag {
                    let value = self.known.fill(value);
                    tag(key, &value)?;
                    self.known.learn(format!("tag.{key}"), value);
                }
                Ok((&step.then).into())
            }
            Step::Language(step) => {
                self.caller.set_language(&self.known.fill(&step.language))?;
                Ok((&step.then).into())
            }
            Step::Record(step) => {
                if step.record {
                    self.caller.start_recording()?;
                } else {
                    self.caller.stop_recording()?;
                }
                Ok((&step.then).into())
            }
            Step::HangUp(HangUpStep { hang_up: How::Refused(status) }) => {
                self.caller.decline(&Failure::Refused(*status))?;
                Ok(Then::Over)
            }
            Step::HangUp(HangUpStep { hang_up: How::Simply(true) }) => Ok(Then::Over),
            Step::HangUp(_) => Err(Failure::Invalid("hang_up = false".to_owned())),
        }
    }

    /// Says something; whoever was not answered is.
    fn say(&self, what: &Says) -> Result {
        self.caller.answer()?;
        self.caller.play_until_key(self.words(what))
    }

    /// What is to be heard, with what is known in its words.
    fn words(&self, what: &Says) -> Vec<Prompt> {
        let all = match what {
            Says::Several(all) => all.as_slice(),
            Says::One(one) => std::slice::from_ref(one),
        };
        let filled = |prompt| match prompt {
            Prompt::Text(words) => Prompt::Text(self.known.fill(&words)),
            other => other,
        };
        say_all(all, self.caller).into_iter().map(filled).collect()
    }

    fn menu(&mut self, menu: &MenuStep) -> Result<Then> {
        self.caller.answer()?;
        let most = menu.keys.keys().map(String::len).max().unwrap_or(1).clamp(1, MOST_KEYS) as u8;
        let mut said_first: Option<&Says> = None;
        for _ in 0..=menu.retries {
            let mut prompts = said_first.map_or_else(Vec::new, |says| self.words(says));
            prompts.extend(self.words(&menu.menu));
            let question = self
                .caller
                .gather(most)
                .prompt(prompts)
                .first_within(menu.wait.secs())
                .between(menu.between.secs());
            // A terminator that is a choice itself can't end others.
            let question =
                if most == 1 || menu.keys.contains_key("#") { question.no_terminator() } else { question };
            let pressed = question.ask()?.digits;
            if let Some(step) = menu.keys.get(&pressed) {
                tag("menu", &pressed)?;
                return Ok(step.into());
            }
            said_first = if pressed.is_empty() { menu.no_key.as_ref() } else { menu.wrong_key.as_ref() };
        }
        Ok((&menu.otherwise).into())
    }

    fn gather(&mut self, step: &GatherStep) -> Result<Then> {
        self.caller.answer()?;
        let most = step.most.clamp(1, MOST_KEYS as u8);
        let mut said_first: Option<&Says> = None;
        for _ in 0..=step.retries {
            let mut prompts = said_first.map_or_else(Vec::new, |says| self.words(says));
            prompts.extend(self.words(&step.prompts));
            let question = self.caller.gather(most).prompt(prompts).first_within(step.wait.secs());
            let digits = question.between(step.between.secs()).ask()?.digits;
            if digits.len() >= usize::from(step.least.min(most)) {
                self.known.learn(&step.gather, digits);
                return Ok((&step.then).into());
            }
            said_first = step.too_few.as_ref();
        }
        Ok((&step.otherwise).into())
    }

    fn hours(&mut self, step: &HoursStep) -> Result<Then> {
        let scheme = clock::scheme(&step.hours)?;
        tag("hours", &scheme)?;
        let (name, user) = scheme.split_once(':').unwrap_or((&scheme, ""));
        self.known.learn("user", user);
        self.known.learn("scheme", name);
        Ok(step.schemes.get(&scheme).or(step.schemes.get(name)).unwrap_or(&step.otherwise).into())
    }

    fn choose(&self, step: &ChooseStep) -> Result<Then> {
        Ok(step.choose.iter().find(|case| self.holds(case)).map_or(&step.otherwise, |case| &case.then).into())
    }

    fn holds(&self, case: &Case) -> bool {
        if !case.is.iter().all(|(name, pattern)| self.is(name, pattern)) {
            return false;
        }
        if case.days.is_some() || case.time.is_some() {
            let now = clock::local_time();
            let belongs = |day: Date| case.days.as_ref().is_none_or(|days| days.contains(day));
            let holds = match &case.time {
                Some(hours) => hours.contain(Date::of(&now), Time::of(&now), belongs),
                None => belongs(Date::of(&now)),
            };
            if !holds {
                return false;
            }
        }
        case.queues.iter().all(|(name, most)| {
            queue::look(name).is_some_and(|queue| queue.serving > 0 && queue.waiting <= *most)
        })
    }

    fn is(&self, name: &str, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::One(pattern) => matches(&self.known.get(name).unwrap_or_default(), pattern),
            Pattern::Several(patterns) => {
                let known = self.known.get(name).unwrap_or_default();
                patterns.iter().any(|pattern| matches(&known, pattern))
            }
            Pattern::Below(below) => {
                below.iter().all(|(inner, pattern)| self.is(&format!("{name}.{inner}"), pattern))
            }
        }
    }

    fn ring(&self, step: &RingStep) -> Result<Then> {
        let places = step.ring.iter().map(|place| self.known.fill(&place.0)).collect();
        let mut call = dial(&places_of(places)?).for_secs(step.seconds.clamp(RINGS.0, RINGS.1));
        if step.one_by_one {
            call = call.one_by_one(step.seconds.clamp(RINGS.0, RINGS.1).secs());
        }
        if step.skip_busy {
            call = call.skip_busy();
        }
        if let Some(name) = &step.music {
            call = call.ringback(music(name));
        }
        let busy = step.busy.as_ref().or(step.otherwise.as_ref());
        self.put_through(call, busy, step.otherwise.as_ref())
    }

    fn transfer(&self, step: &TransferStep) -> Result<Then> {
        if let Some(says) = &step.say {
            self.say(says)?;
        }
        let places = places_of(vec![self.known.fill(&step.transfer.0)])?;
        let call = dial(&places).for_secs(step.seconds.clamp(RINGS.0, RINGS.1));
        self.put_through(call, step.otherwise.as_ref(), step.otherwise.as_ref())
    }

    fn put_through(&self, call: Dial, busy: Option<&Name>, otherwise: Option<&Name>) -> Result<Then> {
        let why = match call.ring() {
            Ok(agent) => return bridge(self.caller, &agent).map(|()| Then::Over),
            Err(Failure::HungUp) => return Err(Failure::HungUp),
            Err(why) => why,
        };
        log!("nobody answered: {why}");
        match if why == Failure::Busy { busy } else { otherwise } {
            Some(step) => Ok(step.into()),
            None => self.caller.decline(&why).map(|()| Then::Over),
        }
    }

    fn queue(&self, step: &QueueStep) -> Result<Then> {
        tag("queue", &step.queue)?;
        let mut entry = queue::enter(self.caller, &step.queue).priority(step.priority);
        for (skill, level) in &step.skills {
            entry = entry.skill(skill, *level);
        }
        if let Some(seconds) = step.longest {
            entry = entry.longest(seconds.secs());
        }
        match entry.go() {
            Ok(place) => self.wait(&place, step),
            Err(Refusal::Failed(failure)) => Err(failure),
            Err(why) => {
                log!("{why}");
                let reason = match &why {
                    Refusal::Full => "full",
                    Refusal::Closed => "closed",
                    Refusal::Nobody => "nobody",
                    Refusal::TooLong(_) => "too-long",
                    Refusal::Other(word) => word,
                    Refusal::Failed(_) => "failed",
                };
                overflow(step, reason, why.clone().into())
            }
        }
    }

    fn wait(&self, place: &queue::Place, step: &QueueStep) -> Result<Then> {
        let back = step.call_back.as_ref();
        let keys: String = step.keys.keys().copied().chain(back.and_then(|back| back.key)).collect();
        loop {
            let waited = match &step.music {
                Some(name) => place.hearing(music(name)).wait(&keys)?,
                None => place.wait(&keys)?,
            };
            let next = match waited {
                Waited::Connected(agent) => match bridge(self.caller, &agent) {
                    // The agent was gone before they could talk: the caller is in line still. If it was the caller who
                    // left, waiting says so.
                    Err(Failure::HungUp) => continue,
                    talked => return talked.map(|()| Then::Over),
                },
                Waited::LongestWait => return overflow(step, "longest-wait", Failure::NoAnswer),
                Waited::Nobody => return overflow(step, "nobody", Failure::Unreachable),
                Waited::Other(word) => return overflow(step, &word, Failure::NoAnswer),
                Waited::Digit(key) if back.is_some_and(|back| back.key == Some(key)) => None,
                Waited::Digit(key) => match step.keys.get(&key) {
                    Some(next) => Some(next),
                    None => continue,
                },
                Waited::Asked(word) => match (step.words.get(&word), back) {
                    (Some(next), _) => Some(next),
                    (None, Some(_)) if word == "call-back" => None,
                    (None, _) => continue,
                },
            };
            match (next, back) {
                (Some(next), _) => {
                    place.leave();
                    return Ok(next.into());
                }
                (None, Some(back)) => {
                    place.call_back(&self.caller.number())?;
                    return Ok((&back.then).into());
                }
                (None, None) => {}
            }
        }
    }

    fn hand_over(&self, script: &str, settings: &Value) -> Result<Then> {
        hand_over(script, self.filled(settings)).map(|()| Then::Over)
    }

    /// Settings for another script, with what is known in their texts.
    fn filled(&self, settings: &Value) -> Value {
        match settings {
            Value::String(text) => self.known.fill_known(text).into(),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect()
            }
            other => other.clone(),
        }
    }
}

/// Where to go with a caller who does not wait any more.
fn overflow(step: &QueueStep, reason: &str, failure: Failure) -> Result<Then> {
    tag("overflow", reason)?;
    match step.otherwise_by.get(reason).or(step.otherwise.as_ref()) {
        Some(next) => Ok(next.into()),
        None => Err(failure),
    }
}

fn places_of(written: Vec<String>) -> Result<Places> {
    Ok(serde_json::from_value(written.into())?)
}

/// Whether a text is as a pattern says, in which "*" is anything. Case counts for nothing.
fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    // Without an asterisk it is the whole.
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn a_pattern_is_the_whole_text_but_for_its_asterisks() {
    for (text, pattern, fits) in [
        ("", "", true),
        ("", "*", true),
        ("+359888123456", "+359*", true),
        ("+359888123456", "+359", false),
        ("+359888123456", "*456", true),
        ("+359888123456", "+359*12*6", true),
        ("+359888123456", "+359*99*6", false),
        ("Gold", "gold", true),
        ("ab", "ab*b", false),
    ] {
        assert_eq!(matches(text, pattern), fits, "{text:?} is {pattern:?}");
    }
}
