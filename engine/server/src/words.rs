//! What a script asks and is answered, in words for a timeline.

use std::time::Duration;

use exchange::length_in_words as length;
use exchange::{Answer, BridgeEnd, Command, EndOfDigits, MailboxAsk, Prompt, Target, TaskAsk, Waited};

/// The import that a command is of, by its interface and function in `wit/`.
pub(crate) fn import(command: &Command) -> &'static str {
    match command {
        Command::SetLanguage { .. } => "call.set-language",
        Command::Ring { .. } => "call.ring",
        Command::Answer { .. } => "call.answer",
        Command::Reject { .. } => "call.reject",
        Command::Play { .. } => "call.play",
        Command::Gather { .. } => "call.gather",
        Command::RecordMessage { .. } => "call.record-message",
        Command::StartRecording { .. } => "call.start-recording",
        Command::StopRecording { .. } => "call.stop-recording",
        Command::SendDigits { .. } => "call.send-digits",
        Command::Hold { .. } => "call.hold",
        Command::Resume { .. } => "call.resume",
        Command::HangUp { .. } => "call.hang-up",
        Command::Dial(_) => "call.dial",
        Command::Bridge { .. } => "call.bridge",
        Command::Tag { .. } => "call.tag",
        Command::HandOver { .. } => "call.hand-over",
        Command::FindUser { .. } => "directory.find",
        Command::Group { .. } => "directory.group",
        Command::Now => "clock.now",
        Command::LocalTime => "clock.local-time",
        Command::TimeIn { .. } => "clock.time-in",
        Command::Random { .. } => "clock.random",
        Command::Sleep { .. } => "clock.sleep",
        Command::Settings => "settings.get",
        Command::KvGet { .. } => "kv.get",
        Command::KvSet { .. } => "kv.set",
        Command::KvSwap { .. } => "kv.swap",
        Command::KvAdd { .. } => "kv.add",
        Command::KvDelete { .. } => "kv.delete",
        Command::Log { .. } => "log.write",
        Command::Scheme { .. } => "clock.scheme",
        Command::LastSpokeWith { .. } => "directory.last-spoke-with",
        Command::Conversations { .. } => "directory.conversations",
        Command::FindContact { .. } => "crm.find",
        Command::EnterQueue { .. } => "queue.enter",
        Command::LookAtQueue { .. } => "queue.look",
        Command::Position { .. } => "queue.position",
        Command::ExpectedWait { .. } => "queue.expected",
        Command::Wait { .. } => "queue.wait",
        Command::SetPriority { .. } => "queue.set-priority",
        Command::CallBack { .. } => "queue.call-back",
        Command::LeaveQueue { .. } => "queue.leave",
        Command::AgentState { .. } => "queue.agent",
        Command::MakeAvailable { .. } => "queue.make-available",
        Command::Pause { .. } => "queue.pause",
        Command::SignIn { .. } => "queue.sign-in",
        Command::SignOut { .. } => "queue.sign-out",
        Command::Talk { .. } => "call.talk",
        Command::CarryOut { .. } => "call.carry-out",
        Command::RefuseTransfer { .. } => "call.refuse",
        Command::TransferredBy => "call.transferred-by",
        Command::Park { .. } => "call.park",
        Command::Retrieve { .. } => "call.retrieve",
        Command::PickUp { .. } => "call.pick-up",
        Command::Notify { .. } => "notify.send",
        Command::Fetch(_) => "http.fetch",
        Command::PauseRecording { paused: true, .. } => "call.pause-recording",
        Command::PauseRecording { paused: false, .. } => "call.resume-recording",
        Command::Mailbox(ask) => match **ask {
            MailboxAsk::Find { .. } => "mailbox.find",
            MailboxAsk::Unlock { .. } => "mailbox.unlock",
            MailboxAsk::Messages { .. } => "mailbox.messages",
            MailboxAsk::Keep { .. } => "mailbox.keep",
            MailboxAsk::Delete { .. } => "mailbox.delete",
            MailboxAsk::Greet { .. } => "mailbox.greet",
        },
        Command::CreateTask { .. } => "crm.create-task",
        Command::CloseTask { .. } => "crm.close-task",
        Command::Task { ask, .. } => match ask {
            TaskAsk::Assign { .. } => "tasks.assign",
            TaskAsk::PutOff { .. } => "tasks.put-off",
            TaskAsk::Note { .. } => "tasks.note",
            TaskAsk::Finish => "tasks.finish",
            TaskAsk::GiveUp => "tasks.give-up",
        },
    }
}

/// A command in a line.
pub(crate) fn command(command: &Command) -> String {
    match command {
        Command::SetLanguage { tag, .. } => format!("set-language {tag}"),
        Command::Ring { early: None, .. } => "ring".to_owned(),
        Command::Ring { early: Some(prompt), .. } => {
            format!("ring with {}", prompts(std::slice::from_ref(prompt)))
        }
        Command::Answer { .. } => "answer".to_owned(),
        Command::Reject { status, reason, .. } => format!("reject {status} {reason}"),
        Command::Play { what, .. } => format!("play {}", prompts(what)),
        Command::Gather { options, .. } => {
            format!("gather {} after {}", plural(options.most.into(), "key"), prompts(&options.prompts))
        }
        Command::RecordMessage { most, .. } => format!("record-message of at most {}", length(*most)),
        Command::StartRecording { .. } => "start-recording".to_owned(),
        Command::StopRecording { .. } => "stop-recording".to_owned(),
        Command::SendDigits { digits, .. } => format!("send-digits {digits}"),
        Command::Hold { .. } => "hold".to_owned(),
        Command::Resume { .. } => "resume".to_owned(),
        Command::HangUp { leg, .. } => format!("hang-up leg {}", leg.0),
        Command::Dial(dial) => {
            let stage = |stage: &exchange::Stage| {
                let targets: Vec<_> = stage.targets.iter().map(target).collect();
                match stage.after {
                    Duration::ZERO => targets.join(" and "),
                    after => format!("after {} {}", length(after), targets.join(" and ")),
                }
            };
            let stages: Vec<_> = dial.stages.iter().map(stage).collect();
            format!("dial {} for {}", stages.join(", "), length(dial.timeout))
        }
        Command::Bridge { a, b, .. } => format!("bridge leg {} with leg {}", a.0, b.0),
        Command::Tag { key, value } => format!("tag {key} = {value}"),
        Command::HandOver { script, .. } => format!("hand-over to {script}"),
        Command::FindUser { name_or_number } => format!("find-user {name_or_number}"),
        Command::Group { name } => format!("group {name}"),
        Command::Now => "now".to_owned(),
        Command::LocalTime => "local-time".to_owned(),
        Command::TimeIn { zone } => format!("time-in {zone}"),
        Command::Random { below } => format!("random below {below}"),
        Command::Sleep { length: time } => format!("sleep {}", length(*time)),
        Command::Settings => "settings".to_owned(),
        Command::KvGet { key } => format!("kv get {key}"),
        Command::KvSet { key, .. } => format!("kv set {key}"),
        Command::KvSwap { key, .. } => format!("kv swap {key}"),
        Command::KvAdd { key, amount } => format!("kv add {amount} to {key}"),
        Command::KvDelete { key } => format!("kv delete {key}"),
        Command::Log { message, .. } => format!("log: {message}"),
        Command::Scheme { calendar } => format!("scheme of {calendar}"),
        Command::LastSpokeWith { number, days } => format!("last-spoke-with {number} in {days} days"),
        Command::Conversations { number, days } => format!("conversations with {number} in {days} days"),
        Command::FindContact { number } => format!("find-contact {number}"),
        Command::Notify { to, text, .. } => {
            let to = if to.is_empty() { "everyone" } else { to };
            format!("notify {to}: {}", text.lines().next().unwrap_or_default())
        }
        Command::EnterQueue { queue, priority, .. } => format!("enter queue {queue}, priority {priority}"),
        Command::LookAtQueue { queue } => format!("look at queue {queue}"),
        Command::Position { .. } => "position".to_owned(),
        Command::ExpectedWait { .. } => "expected-wait".to_owned(),
        Command::Wait { keys, .. } => format!("wait, keys \"{keys}\""),
        Command::SetPriority { priority, .. } => format!("set-priority {priority}"),
        Command::CallBack { number, .. } => format!("call-back to {number}"),
        Command::LeaveQueue { .. } => "leave queue".to_owned(),
        Command::AgentState { user } => format!("agent {user}"),
        Command::MakeAvailable { user } => format!("make {user} available"),
        Command::Pause { user, reason } => format!("pause {user}: {reason}"),
        Command::SignIn { user, queue } => format!("sign {user} in to {queue}"),
        Command::SignOut { user, queue } => format!("sign {user} out of {queue}"),
        Command::Talk { a, b, .. } => format!("talk leg {} with leg {}", a.0, b.0),
        Command::CarryOut { to: Some(to), ring } => {
            format!("transfer to {} for {}", target(to), length(*ring))
        }
        Command::CarryOut { to: None, ring } => format!("transfer as asked for {}", length(*ring)),
        Command::RefuseTransfer { status } => format!("refuse-transfer {status}"),
        Command::TransferredBy => "transferred-by".to_owned(),
        Command::Park { leg, slot, most, .. } => {
            format!("park leg {} in {slot} for {}", leg.0, length(*most))
        }
        Command::Retrieve { slot } => format!("retrieve {slot}"),
        Command::PickUp { user } => format!("pick-up {user}"),
        Command::Fetch(fetch) => format!("{} {}", fetch.method.name(), without_query(&fetch.url)),
        Command::PauseRecording { paused: true, .. } => "pause-recording".to_owned(),
        Command::PauseRecording { paused: false, .. } => "resume-recording".to_owned(),
        Command::Mailbox(ask) => match &**ask {
            MailboxAsk::Find { name_or_number } => format!("find mailbox {name_or_number}"),
            MailboxAsk::Unlock { inbox, .. } => format!("unlock mailbox {inbox}"),
            MailboxAsk::Messages { inbox } => format!("messages of {inbox}"),
            MailboxAsk::Keep { inbox, id } => format!("keep {id} of {inbox}"),
            MailboxAsk::Delete { inbox, id } => format!("delete {id} of {inbox}"),
            MailboxAsk::Greet { inbox, recording: Some(name) } => format!("greet with {name} at {inbox}"),
            MailboxAsk::Greet { inbox, recording: None } => format!("greet as usual at {inbox}"),
        },
        Command::CreateTask { number, title, .. } => format!("task about {number}: {title}"),
        Command::CloseTask { id } => format!("task {id} is done"),
        Command::Task { id, ask } => match ask {
            TaskAsk::Assign { user } => format!("task {id} is for {user}"),
            TaskAsk::PutOff { until_ms } => {
                format!("task {id} is due by {}", notices::webhook::rfc3339(*until_ms as f64 / 1000.0))
            }
            TaskAsk::Note { text } => format!("note to task {id}: {text}"),
            TaskAsk::Finish => format!("task {id} is done"),
            TaskAsk::GiveUp => format!("task {id} is given up"),
        },
    }
}

/// An answer in a few words; none where there is nothing to say.
pub(crate) fn answer(answer: &Answer) -> Option<String> {
    Some(match answer {
        Answer::Done => return None,
        Answer::Failed(why) => why.to_string(),
        Answer::Gathered { digits, ended } => {
            let why = match ended {
                EndOfDigits::Enough => "",
                EndOfDigits::Terminator => ", ended by the terminator",
                EndOfDigits::TimeOut => ", the time was up",
            };
            format!("\"{digits}\"{why}")
        }
        Answer::Recorded { id, length: time } => format!("{id}, {}", length(*time)),
        Answer::Text(text) => text.clone(),
        Answer::Leg(leg) => {
            format!("leg {}: {}", leg.leg.0, leg.user.as_deref().unwrap_or(&leg.party.number))
        }
        Answer::BridgeEnded(BridgeEnd::AHungUp) => "the first hung up".to_owned(),
        Answer::BridgeEnded(BridgeEnd::BHungUp) => "the second hung up".to_owned(),
        Answer::BridgeEnded(BridgeEnd::Digit(key)) => format!("key {key}"),
        Answer::BridgeEnded(BridgeEnd::Other(why)) => why.clone(),
        Answer::BridgeEnded(BridgeEnd::Transfer(wish)) => {
            let how = if wish.attended { "an attended transfer" } else { "a transfer" };
            format!("leg {} asks for {how} to {}", wish.by.0, target(&wish.to))
        }
        Answer::Users(users) => match &users[..] {
            [] => "nobody".to_owned(),
            users => users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", "),
        },
        Answer::Instant(at) => format!("{at:.3}"),
        Answer::LocalTime(None) => "no such zone".to_owned(),
        Answer::LocalTime(Some(at)) => {
            format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
                at.year, at.month, at.day, at.hour, at.minute, at.second
            )
        }
        Answer::Random(number) => number.to_string(),
        Answer::Value(None) => "nothing".to_owned(),
        Answer::Value(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Answer::Swapped(yes) => if *yes { "swapped" } else { "it was another value" }.to_owned(),
        Answer::Sum(sum) => sum.to_string(),
        Answer::Word(word) => word.clone().unwrap_or_else(|| "no such calendar".to_owned()),
        Answer::Count(count) => count.to_string(),
        Answer::Contact(None) => "nobody known".to_owned(),
        Answer::Contact(Some(contact)) => contact.name.clone(),
        Answer::Place { place, resumed } => {
            format!("place {}{}", place.0, if *resumed { ", the old one" } else { "" })
        }
        Answer::RefusedEntry(refusal) => format!("refused: {refusal:?}"),
        Answer::Outlook(None) => "no such queue".to_owned(),
        Answer::Outlook(Some(outlook)) => {
            format!("{} waiting, {} available", outlook.waiting, outlook.available)
        }
        Answer::Length(None) => "not known".to_owned(),
        Answer::Length(Some(time)) => length(*time),
        Answer::Waited(waited) => match waited {
            Waited::Connected(leg) => format!("leg {} answered", leg.leg.0),
            Waited::Digit(key) => format!("key {key}"),
            Waited::Asked(word) => word.clone(),
            Waited::LongestWait => "the longest wait".to_owned(),
            Waited::Nobody => "nobody serves".to_owned(),
            Waited::Other(why) => why.clone(),
        },
        Answer::AgentState(None) => "no such agent".to_owned(),
        Answer::AgentState(Some(state)) => state.name().to_owned(),
        Answer::Name(name) => name.clone().unwrap_or_else(|| "nobody".to_owned()),
        Answer::Fetched(fetched) => format!("{}, {} bytes", fetched.status, fetched.body.len()),
        Answer::Inbox(None) => "no such mailbox".to_owned(),
        Answer::Inbox(Some(inbox)) => format!("{}: {} new, {} old", inbox.name, inbox.unheard, inbox.heard),
        Answer::Messages(messages) => plural(u32::try_from(messages.len()).unwrap_or(u32::MAX), "message"),
    })
}

/// Why a run failed, in words and as metrics name it; none when it did not.
pub(crate) fn failed(finish: &::script::Finish) -> Option<(String, &'static str)> {
    use ::script::Finish;
    match finish {
        Finish::Returned | Finish::HandedOver { .. } | Finish::HungUp => None,
        Finish::Failed(failure) => Some((format!("the script failed: {failure:?}"), "failed")),
        Finish::Trapped { kind, backtrace } => Some((format!("{kind}\n{backtrace}"), kind.name())),
        Finish::NoRoom => Some(("no sandbox was free".to_owned(), "no-room")),
        Finish::Suspended => Some((
            "its last runs did nothing but run out of time; one a second is tried".to_owned(),
            "suspended",
        )),
    }
}

/// How a run ended that decided about no call.
pub(crate) fn finish_beside(finish: &::script::Finish) -> String {
    match finish {
        ::script::Finish::Returned => "the script returns".to_owned(),
        ::script::Finish::HungUp => "the script leaves with hung-up".to_owned(),
        ::script::Finish::HandedOver { script, .. } => format!("{script} would go on, and there is no call"),
        finish => failed(finish).map_or_else(String::new, |(why, _)| why),
    }
}

/// How a run ended.
pub(crate) fn finish(finish: &::script::Finish) -> String {
    use ::script::Finish;
    match finish {
        Finish::Returned => "the script returns: the call ends".to_owned(),
        Finish::HungUp => "the script leaves: the caller is gone".to_owned(),
        Finish::Failed(why) => format!("the script fails ({}): the fallback takes over", why),
        Finish::Trapped { kind, backtrace } => format!("{kind}: the fallback takes over\n{backtrace}"),
        Finish::HandedOver { script, settings } => format!("{script} goes on, with {settings}"),
        Finish::NoRoom => "no sandbox was free".to_owned(),
        Finish::Suspended => "suspended: its last runs did nothing but run out of time".to_owned(),
    }
}

/// A URL as it may be shown: what is behind "?" is often a secret or somebody's number.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A target as it stands in settings and fallbacks.
pub(crate) fn target(target: &Target) -> String {
    match target {
        Target::User(name) => format!("user:{name}"),
        Target::Number(number) => format!("tel:{number}"),
        Target::Uri(uri) => uri.clone(),
    }
}

fn prompts(what: &[Prompt]) -> String {
    if what.is_empty() {
        return "nothing".to_owned();
    }
    what.iter().map(Prompt::to_string).collect::<Vec<_>>().join(", ")
}

fn plural(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
