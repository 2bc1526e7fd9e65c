//! The Rust face of `wit/`: what `bindgen!` makes of its worlds, and nothing else.
//!
//! Verbs that may wait are asynchronous to the host; accessors are not. The worlds share interfaces: what a task script
//! imports is a call script's, but for `tasks`.
#![allow(missing_docs)] // generated; wit/ has the words
#![allow(unsafe_code)]
// SAFETY: what is unsafe here is written by `bindgen!`, which checks the component's types first.

/// The world of a call script.
pub mod call_script {
    wasmtime::component::bindgen!({
        world: "call-script",
        path: "../../wit",
        imports: {
            "strowger:script/ended": trappable,
            "strowger:script/call.[method]leg.party": trappable,
            "strowger:script/call.[method]leg.dialled": trappable,
            "strowger:script/call.[method]leg.direction": trappable,
            "strowger:script/call.[method]leg.user": trappable,
            "strowger:script/call.[method]leg.header": trappable,
            "strowger:script/call.[method]leg.language": trappable,
            "strowger:script/call.[drop]leg": trappable,
            "strowger:script/call.[method]transfer.by-b": trappable,
            "strowger:script/call.[method]transfer.to": trappable,
            "strowger:script/call.[method]transfer.attended": trappable,
            "strowger:script/call.[drop]transfer": trappable,
            "strowger:script/directory.[method]user.name": trappable,
            "strowger:script/directory.[method]user.number": trappable,
            "strowger:script/directory.[method]user.mobile": trappable,
            "strowger:script/directory.[method]user.presence": trappable,
            "strowger:script/directory.[method]user.skills": trappable,
            "strowger:script/directory.[drop]user": trappable,
            "strowger:script/queue.[method]place.resumed": trappable,
            "strowger:script/queue.[drop]place": trappable,
            "strowger:script/queue.[method]outlook.waiting": trappable,
            "strowger:script/queue.[method]outlook.available": trappable,
            "strowger:script/queue.[method]outlook.serving": trappable,
            "strowger:script/queue.[method]outlook.longest": trappable,
            "strowger:script/queue.[method]outlook.expected": trappable,
            "strowger:script/queue.[drop]outlook": trappable,
            "strowger:script/crm.[method]contact.id": trappable,
            "strowger:script/crm.[method]contact.name": trappable,
            "strowger:script/crm.[method]contact.company": trappable,
            "strowger:script/crm.[method]contact.owner": trappable,
            "strowger:script/crm.[method]contact.field": trappable,
            "strowger:script/crm.[drop]contact": trappable,
            "strowger:script/http.[method]response.status": trappable,
            "strowger:script/http.[method]response.header": trappable,
            "strowger:script/http.[method]response.body": trappable,
            "strowger:script/http.[drop]response": trappable,
            "strowger:script/mailbox.[method]inbox.name": trappable,
            "strowger:script/mailbox.[method]inbox.greeting": trappable,
            "strowger:script/mailbox.[method]inbox.longest": trappable,
            "strowger:script/mailbox.[method]inbox.silence": trappable,
            "strowger:script/mailbox.[method]inbox.shortest": trappable,
            "strowger:script/mailbox.[method]inbox.unheard": trappable,
            "strowger:script/mailbox.[method]inbox.heard": trappable,
            "strowger:script/mailbox.[method]inbox.full": trappable,
            "strowger:script/mailbox.[method]inbox.owners": trappable,
            "strowger:script/mailbox.[drop]inbox": trappable,
            "strowger:script/mailbox.[method]message.id": trappable,
            "strowger:script/mailbox.[method]message.number": trappable,
            "strowger:script/mailbox.[method]message.name": trappable,
            "strowger:script/mailbox.[method]message.at": trappable,
            "strowger:script/mailbox.[method]message.length": trappable,
            "strowger:script/mailbox.[method]message.heard": trappable,
            "strowger:script/mailbox.[drop]message": trappable,
            default: async | trappable,
        },
        exports: { default: async },
        with: {
            "strowger:script/call.leg": exchange::LegInfo,
            "strowger:script/call.transfer": crate::host::call::TransferHandle,
            "strowger:script/directory.user": exchange::UserInfo,
            "strowger:script/ended.call-record": exchange::CallRecord,
            "strowger:script/queue.place": crate::host::queue::PlaceHandle,
            "strowger:script/queue.outlook": exchange::Outlook,
            "strowger:script/crm.contact": exchange::Contact,
            "strowger:script/http.response": exchange::Fetched,
            "strowger:script/mailbox.inbox": exchange::Inbox,
            "strowger:script/mailbox.message": exchange::Message,
        },
    });
}

/// The world of a queue strategy.
pub mod queue_strategy {
    wasmtime::component::bindgen!({
        world: "queue-strategy",
        path: "../../wit",
        imports: { default: trappable },
        with: {
            "strowger:script/types": super::call_script::strowger::script::types,
            "strowger:script/strategy.snapshot": crate::host::strategy::SnapshotHandle,
            "strowger:script/strategy.waiting": crate::host::strategy::WaitingHandle,
            "strowger:script/strategy.agent": crate::host::strategy::AgentHandle,
        },
    });
}

/// The world of a task script.
pub mod task_script {
    wasmtime::component::bindgen!({
        world: "task-script",
        path: "../../wit",
        imports: {
            "strowger:script/tasks.[method]task.id": trappable,
            "strowger:script/tasks.[method]task.state": trappable,
            "strowger:script/tasks.[method]task.number": trappable,
            "strowger:script/tasks.[method]task.name": trappable,
            "strowger:script/tasks.[method]task.contact": trappable,
            "strowger:script/tasks.[method]task.title": trappable,
            "strowger:script/tasks.[method]task.responsible": trappable,
            "strowger:script/tasks.[method]task.due": trappable,
            "strowger:script/tasks.[method]task.late": trappable,
            "strowger:script/tasks.[method]task.opened": trappable,
            "strowger:script/tasks.[method]task.closed": trappable,
            "strowger:script/tasks.[method]task.closed-by": trappable,
            "strowger:script/tasks.[method]task.dialled": trappable,
            "strowger:script/tasks.[method]task.queue": trappable,
            "strowger:script/tasks.[method]task.missed": trappable,
            "strowger:script/tasks.[method]task.last": trappable,
            "strowger:script/tasks.[method]task.calls": trappable,
            "strowger:script/tasks.[method]task.recordings": trappable,
            "strowger:script/tasks.[method]task.notes": trappable,
            "strowger:script/tasks.[drop]task": trappable,
            "strowger:script/tasks.[method]change.id": trappable,
            "strowger:script/tasks.[method]change.at": trappable,
            "strowger:script/tasks.[method]change.what": trappable,
            "strowger:script/tasks.[method]change.task": trappable,
            "strowger:script/tasks.[drop]change": trappable,
            default: async | trappable,
        },
        exports: { default: async },
        with: {
            "strowger:script/types": super::call_script::strowger::script::types,
            "strowger:script/directory": super::call_script::strowger::script::directory,
            "strowger:script/crm": super::call_script::strowger::script::crm,
            "strowger:script/notify": super::call_script::strowger::script::notify,
            "strowger:script/http": super::call_script::strowger::script::http,
            "strowger:script/mailbox": super::call_script::strowger::script::mailbox,
            "strowger:script/clock": super::call_script::strowger::script::clock,
            "strowger:script/settings": super::call_script::strowger::script::settings,
            "strowger:script/kv": super::call_script::strowger::script::kv,
            "strowger:script/log": super::call_script::strowger::script::log,
            "strowger:script/tasks.task": exchange::TaskInfo,
            "strowger:script/tasks.change": exchange::TaskChange,
        },
    });
}
