/* Plays what is new in a box, and tells its owner. */
#include "strowger.h"

static Why hears(Leg caller, const Mailbox *box, const Message *message) {
  if (message->heard) return mailbox_delete(box, message->id);
  const char *who = message->name ? message->name : message->number, *task;
  Prompt words = text(format("%g s from %s at %g", message->length, who, message->at));
  TRY(leg_play(caller, recording(message->id), words));
  TRY(mailbox_keep(box, message->id));
  TRY(crm_create_task(message->number, "call back", box->owners[0], message->at + 60, &task));
  return crm_close_task(task);
}

Why on_call(Leg caller, const char *settings) {
  (void)settings;
  Mailbox box;
  if (!mailbox_find(setting("box", ""), &box)) return leg_reject(caller, 404, "");
  TRY(leg_answer(caller));
  const char *pin;
  TRY(leg_gather(caller, (Gather){.prompt = prompts(recording("pin")), .most = 4}, &pin));
  TRY(mailbox_unlock(&box, pin));
  Messages messages;
  TRY(mailbox_messages(&box, &messages));
  for (size_t n = 0; n < messages.count; n++) TRY(hears(caller, &box, &messages.all[n]));
  TRY(mailbox_greet_with(&box, box.greeting ? NULL : "recording-9"));
  const char *told = format("Heard\n%u of %g s", (unsigned)box.unheard, box.longest);
  TRY(notify(box.owners[0], told, (const char *[]){"caller", leg_number(caller), NULL}));
  return notify("", "Heard", NULL);
}

Why on_ended(const CallRecord *how) {
  (void)how;
  return DONE;
}
