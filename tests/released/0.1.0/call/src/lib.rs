//! A call script that asks something of every interface.

wit_bindgen::generate!({ world: "call-script", path: "../strowger.wit" });

use strowger::script::call::{
    BridgeEnd, DialOptions, GatherOptions, Stage, TalkEnd, bridge, dial, hand_over, park, pick_up, retrieve, tag, talk,
    transferred_by,
};
use strowger::script::log::Level;
use strowger::script::queue::{Entry, Refusal, Waited};
use strowger::script::types::{AgentState, Prompt, Target};
use strowger::script::{clock, crm, directory, kv, log, queue, settings};

struct Released;

export!(Released);

impl Guest for Released {
    fn on_call(caller: Leg) -> Result<(), Failure> {
        caller.answer()?;
        caller.set_language("bg")?;
        let known = format!(
            "{} {:?} {:?} {:?} {}",
            caller.dialled(),
            caller.direction(),
            caller.user(),
            caller.header("x-account"),
            caller.language()
        );
        log::write(Level::Info, &known);
        caller.play(&[Prompt::Recording("welcome".into()), Prompt::Quantity((3, "minute".into()))], true)?;
        let asked = caller.gather(&GatherOptions {
            prompts: vec![Prompt::Text("which".into()), Prompt::Position(1), Prompt::Duration(1_000)],
            most: 1,
            terminator: Some('#'),
            first: 6_000,
            between: 3_000,
        })?;
        tag("pressed", &asked.digits)?;
        everything_else(&caller)?;
        let options = DialOptions { timeout: 20_000, ringback: None, present: Some(caller.party()), skip_busy: true };
        let stage = Stage { after: 0, targets: vec![Target::User("ana".into()), Target::Number("+359888000101".into())] };
        let agent = dial(&[stage], &options)?;
        match talk(&caller, &agent, "*")? {
            TalkEnd::Transfer(asked) if asked.attended() => asked.carry_out(None, 20_000)?,
            TalkEnd::Transfer(asked) => asked.refuse(603)?,
            TalkEnd::AHungUp | TalkEnd::BHungUp | TalkEnd::Digit(_) | TalkEnd::Other(_) => {}
        }
        match bridge(&caller, &agent, "")? {
            BridgeEnd::AHungUp | BridgeEnd::BHungUp | BridgeEnd::Digit(_) | BridgeEnd::Other(_) => Ok(()),
        }
    }

    fn on_ended(how: CallRecord) -> Result<(), Failure> {
        let told = format!(
            "{} {} {:?} {} {}",
            how.caller().number,
            how.dialled(),
            how.outcome(),
            how.waited() + how.talked(),
            how.tags().len() + how.recordings().len()
        );
        log::write(Level::Info, &told);
        Ok(())
    }
}

fn everything_else(caller: &Leg) -> Result<(), Failure> {
    let local = clock::local_time();
    let scheme = clock::scheme("office").unwrap_or_default();
    log::write(Level::Debug, &format!("{} {} {scheme} {}", clock::now(), local.hour, clock::random(6)));
    if clock::time_in("Nowhere/Nowhere").is_some() {
        clock::sleep(1_000)?;
    }
    log::write(Level::Debug, &settings::get());
    kv::add("calls", 1)?;
    kv::set("seen", b"yes", Some(60))?;
    if kv::get("seen")?.is_none() && kv::swap("seen", None, b"no")? {
        kv::delete("seen")?;
    }
    if let Some(contact) = crm::find(&caller.party().number)? {
        log::write(Level::Info, &format!("{} {:?} {:?}", contact.name(), contact.owner(), contact.field("vip")));
    }
    let ana = directory::find("ana").map(|user| (user.number(), user.presence(), user.skills()));
    let spoke = directory::last_spoke_with("+359888123456", 30).map(|user| user.name());
    log::write(Level::Info, &format!("{ana:?} {spoke:?} {}", directory::conversations("+359888123456", 30)));
    log::write(Level::Info, &format!("{} in sales, {:?}", directory::group("sales").len(), transferred_by()));
    match settings::get().as_str() {
        "\"wait\"" => wait(caller),
        "\"park\"" => park(caller, "1", 60_000, &Prompt::Music("hold".into())).map(drop),
        "\"retrieve\"" => retrieve("1"),
        "\"pick-up\"" => pick_up("ana"),
        "\"hand-over\"" => hand_over("strowger/menu", "{}"),
        "\"record\"" => {
            caller.start_recording()?;
            caller.stop_recording()?;
            caller.record_message(60_000, 4_000).map(drop)
        }
        "\"hold\"" => {
            caller.hold(&Prompt::Silence(500))?;
            caller.resume()?;
            caller.send_digits("1,2")
        }
        "\"refuse\"" => caller.ring(Some(&Prompt::Tone((440, 500)))).and_then(|()| caller.reject(486, "")),
        "\"hang-up\"" => {
            caller.hang_up(16);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn wait(caller: &Leg) -> Result<(), Failure> {
    let waiting = queue::look("sales").map(|sales| (sales.waiting(), sales.serving(), sales.expected()));
    log::write(Level::Info, &format!("{waiting:?} {:?}", queue::agent("ana") == Some(AgentState::Paused)));
    queue::make_available("ana")?;
    queue::pause("ana", "lunch")?;
    queue::sign_in("ana", "sales")?;
    queue::sign_out("ana", "sales")?;
    let place = match queue::enter("sales", &Entry { priority: 5, skills: vec![("bg".into(), 3)], longest: 0 }) {
        Ok(place) => place,
        Err(Refusal::Failed(failure)) => return Err(failure),
        Err(_) => return Ok(()),
    };
    place.set_priority(7)?;
    log::write(Level::Info, &format!("{} {:?} {}", place.position(), place.expected(), place.resumed()));
    match place.wait("12", Some(&Prompt::Music("hold".into())))? {
        Waited::Connected(agent) => bridge(caller, &agent, "").map(drop),
        Waited::Digit('1') => place.call_back(&caller.party().number),
        Waited::Digit(_) | Waited::Asked(_) => {
            place.leave();
            Ok(())
        }
        Waited::LongestWait | Waited::Nobody | Waited::Other(_) => Err(Failure::NoAnswer),
    }
}
