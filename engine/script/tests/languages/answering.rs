//! Boxes, notices and tasks, in the languages that are not Rust: a script that hears a box asks the same of the world in
//! each.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::{Answer, CallId, Command, EndOfDigits, Failure, Inbox, MailboxAsk, Message};
use script::{Asked, Finish, Tape, Verdict, World};

use crate::{limits, load, sandboxes, start};

/// A tenant with one box, "ana", whose PIN is 4711.
#[derive(Default)]
struct Boxes {
    pressed: &'static str,
    asked: Mutex<Vec<Command>>,
}

impl World for Boxes {
    fn ask(&self, _: CallId, command: Command) -> Asked<'_> {
        self.asked.lock().unwrap().push(command.clone());
        Box::pin(std::future::ready(self.answer(command)))
    }
}

impl Boxes {
    fn answer(&self, command: Command) -> Answer {
        match command {
            Command::Gather { .. } => {
                Answer::Gathered { digits: self.pressed.into(), ended: EndOfDigits::Enough }
            }
            Command::Notify { .. } => Answer::Text("letter-1".into()),
            Command::CreateTask { .. } => Answer::Text("task-7".into()),
            Command::Mailbox(ask) => match *ask {
                MailboxAsk::Find { name_or_number } if name_or_number == "ana" => {
                    Answer::Inbox(Some(Box::new(Inbox {
                        name: "ana".into(),
                        longest: Duration::from_millis(90_500),
                        unheard: 2,
                        heard: 1,
                        owners: vec!["boris".into(), "vera".into()],
                        ..Inbox::default()
                    })))
                }
                MailboxAsk::Find { .. } => Answer::Inbox(None),
                MailboxAsk::Unlock { pin, .. } if pin != "4711" => Answer::Failed(Failure::Refused(403)),
                MailboxAsk::Messages { .. } => {
                    let message = |id: &str, number: &str, name: Option<&str>, at, heard| Message {
                        id: id.into(),
                        number: number.into(),
                        name: name.map(str::to_owned),
                        at,
                        length: Duration::from_millis(9500),
                        heard,
                    };
                    Answer::Messages(vec![
                        message("m-2", "+359888123456", Some("Роза"), 2000.0, false),
                        message("m-3", "102", None, 3000.5, false),
                        message("m-1", "", None, 1000.0, true),
                    ])
                }
                _ => Answer::Done,
            },
            _ => Answer::Done,
        }
    }
}

/// What the world was asked, without what concerns the leg alone.
fn told(asked: &[Command]) -> Vec<String> {
    let of = |command: &Command| match command {
        Command::Mailbox(ask) => Some(format!("{ask:?}")),
        Command::Play { what, .. } => Some(crate::heard(what)),
        Command::Notify { .. } | Command::CreateTask { .. } | Command::CloseTask { .. } => {
            Some(format!("{command:?}"))
        }
        Command::Reject { status, .. } => Some(format!("reject {status}")),
        _ => None,
    };
    asked.iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_box_is_heard_alike_in_javascript_python_and_c() {
    let find = r#"Find { name_or_number: "ana" }"#;
    let heard = [
        find,
        r#"Unlock { inbox: "ana", pin: "4711" }"#,
        r#"Messages { inbox: "ana" }"#,
        r#"m-2 and "9.5 s from Роза at 2000""#,
        r#"Keep { inbox: "ana", id: "m-2" }"#,
        r#"CreateTask { number: "+359888123456", title: "call back", responsible: Some("boris"), due_ms: Some(2060000) }"#,
        r#"CloseTask { id: "task-7" }"#,
        r#"m-3 and "9.5 s from 102 at 3000.5""#,
        r#"Keep { inbox: "ana", id: "m-3" }"#,
        r#"CreateTask { number: "102", title: "call back", responsible: Some("boris"), due_ms: Some(3060500) }"#,
        r#"CloseTask { id: "task-7" }"#,
        r#"Delete { inbox: "ana", id: "m-1" }"#,
        r#"Greet { inbox: "ana", recording: Some("recording-9") }"#,
        r#"Notify { to: "boris", text: "Heard\n2 of 90.5 s", facts: [("caller", "+359888123456")] }"#,
        r#"Notify { to: "", text: "Heard", facts: [] }"#,
    ];
    let wrong = [find, r#"Unlock { inbox: "ana", pin: "1111" }"#];
    let none = [r#"Find { name_or_number: "nobody" }"#, "reject 404"];
    for language in ["js", "python", "c"] {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages/answering").join(language);
        let version = load(sandboxes(), language, &project);
        for (name, pressed, expected, finish) in [
            ("ana", "4711", &heard[..], Finish::Returned),
            ("ana", "1111", &wrong, Finish::Failed(Failure::Refused(403))),
            ("nobody", "", &none, Finish::Returned),
        ] {
            let world = Arc::new(Boxes { pressed, asked: Mutex::default() });
            let settings = format!(r#"{{"box":"{name}"}}"#);
            let run = sandboxes().run_call(&version, start(&settings, None), world.clone(), &limits()).await;
            assert_eq!(told(&world.asked.lock().unwrap()), expected, "{language}: {:?}", run.finish);
            assert_eq!(run.finish, finish, "{language}");
            let segment = Tape::read(&run.tape).unwrap().segments.remove(0);
            let verdict = sandboxes().replay(&version, &segment, &limits()).await;
            assert_eq!(verdict, Verdict::Same { steps: segment.steps.len() }, "{language}");
        }
    }
}
