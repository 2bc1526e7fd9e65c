/* strowger.h over what wit-bindgen writes of wit/. */

#include "strowger.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A task script has no call, and no place in a queue; the rest is the same over the bindings of its world. Both ask for an
 * object that would bring the world's type; the builder writes it into the module instead. */
#ifdef STROWGER_OF_TASKS
#include "task_script.h"
#define OF_WORLD(type) task_script_##type
void __component_type_object_force_link_task_script(void) {}
#else
#include "call_script.h"
#define OF_WORLD(type) call_script_##type
void __component_type_object_force_link_call_script(void) {}
#endif

typedef OF_WORLD(string_t) Bytes;
typedef strowger_script_types_failure_t Failure;
typedef strowger_script_types_prompt_t WitPrompt;

#include "words_of_wit.h"
#include "plain_calls.h"

static Why told(const Failure *failure) {
  last.status = 0;
  last.detail = "";
  switch (failure->tag) {
    case STROWGER_SCRIPT_TYPES_FAILURE_REFUSED:
      last.status = failure->val.refused;
      break;
    case STROWGER_SCRIPT_TYPES_FAILURE_NOT_FOUND:
    case STROWGER_SCRIPT_TYPES_FAILURE_INVALID:
    case STROWGER_SCRIPT_TYPES_FAILURE_LIMIT:
    case STROWGER_SCRIPT_TYPES_FAILURE_OTHER:
      last.detail = string(failure->val.not_found); /* All four are a string in the same place. */
      break;
  }
  return (Why)(failure->tag + 1);
}

static bool failure_of(Why why, Failure *failure) {
  if (why == DONE) return true;
  failure->tag = (uint8_t)(why - 1);
  if (why == REFUSED) failure->val.refused = last.status;
  if (why == NOT_FOUND || why == INVALID || why == LIMIT || why == OTHER) {
    failure->val.not_found = bytes(string(bytes(last.detail ? last.detail : "")));
  }
  return false;
}

/* What wit-bindgen's functions answer is true when it is done. */
#define DO(...)                                            \
  do {                                                     \
    Failure failure_;                                      \
    return (__VA_ARGS__) ? DONE : told(&failure_);         \
  } while (0)

static const char *maybe(bool is, Bytes value) { return is ? string(value) : NULL; }

#ifndef STROWGER_OF_TASKS
static strowger_script_call_list_prompt_t prompts_of(Prompts first, Prompts then) {
  size_t count = first.count + then.count;
  WitPrompt *all = calloc(count ? count : 1, sizeof *all);
  if (!all) abort();
  for (size_t n = 0; n < count; n++) {
    all[n] = prompt_of(n < first.count ? first.all[n] : then.all[n - first.count]);
  }
  return (strowger_script_call_list_prompt_t){all, count};
}

static strowger_script_types_target_t target_of(Target target) {
  return (strowger_script_types_target_t){.tag = target.kind, .val.user = bytes(target.name)};
}

static strowger_script_call_borrow_leg_t leg_of(Leg leg) {
  return strowger_script_call_borrow_leg((strowger_script_call_own_leg_t){leg.handle});
}

static Party party_of(strowger_script_types_party_t party) {
  return (Party){string(party.number), maybe(party.name.is_some, party.name.val), string(party.uri)};
}

Party leg_party(Leg leg) {
  strowger_script_types_party_t party;
  strowger_script_call_method_leg_party(leg_of(leg), &party);
  return party_of(party);
}

const char *leg_dialled(Leg leg) {
  Bytes dialled;
  strowger_script_call_method_leg_dialled(leg_of(leg), &dialled);
  return string(dialled);
}

Direction leg_direction(Leg leg) { return (Direction)strowger_script_call_method_leg_direction(leg_of(leg)); }

const char *leg_user(Leg leg) {
  Bytes name;
  return strowger_script_call_method_leg_user(leg_of(leg), &name) ? string(name) : NULL;
}

const char *leg_language(Leg leg) {
  Bytes tag;
  strowger_script_call_method_leg_language(leg_of(leg), &tag);
  return string(tag);
}

const char *leg_header(Leg leg, const char *name) {
  Bytes key = bytes(name);
  OF_WORLD(list_string_t) values;
  strowger_script_call_method_leg_header(leg_of(leg), &key, &values);
  return values.len ? string(values.ptr[0]) : NULL;
}

Why leg_set_language(Leg leg, const char *tag) {
  Bytes to = bytes(tag);
  DO(strowger_script_call_method_leg_set_language(leg_of(leg), &to, &failure_));
}
Why leg_ring(Leg leg) { DO(strowger_script_call_method_leg_ring(leg_of(leg), NULL, &failure_)); }
Why leg_ring_with(Leg leg, Prompt early) {
  WitPrompt hears = prompt_of(early);
  DO(strowger_script_call_method_leg_ring(leg_of(leg), &hears, &failure_));
}
Why leg_answer(Leg leg) { DO(strowger_script_call_method_leg_answer(leg_of(leg), &failure_)); }
Why leg_reject(Leg leg, uint16_t status, const char *reason) {
  Bytes why = bytes(reason);
  DO(strowger_script_call_method_leg_reject(leg_of(leg), status, &why, &failure_));
}
Why leg_play_all(Leg leg, Prompts what, bool cut_by_key) {
  strowger_script_call_list_prompt_t list = prompts_of(what, (Prompts){0});
  DO(strowger_script_call_method_leg_play(leg_of(leg), &list, cut_by_key, &failure_));
}

static Why gather(Leg leg, Prompts first, Gather how, const char **pressed) {
  strowger_script_call_gather_options_t options = {
      .prompts = prompts_of(first, how.prompt),
      .most = how.most ? how.most : 1,
      .terminator = {!how.no_terminator, (uint32_t)(how.terminator ? how.terminator : '#')},
      .first = millis(otherwise(how.first, 6)),
      .between = millis(otherwise(how.between, 3)),
  };
  strowger_script_call_gathered_t gathered;
  Failure failure;
  if (!strowger_script_call_method_leg_gather(leg_of(leg), &options, &gathered, &failure)) return told(&failure);
  *pressed = string(gathered.digits);
  return DONE;
}

Why leg_record_message(Leg leg, double most, double silence, Recorded *made) {
  strowger_script_call_recorded_t recorded;
  Failure failure;
  bool done = strowger_script_call_method_leg_record_message(leg_of(leg), millis(most), millis(silence), &recorded,
                                                             &failure);
  if (!done) return told(&failure);
  *made = (Recorded){string(recorded.id), recorded.length / 1000.0};
  return DONE;
}

Why leg_start_recording(Leg leg, const char **name) {
  Bytes made;
  Failure failure;
  if (!strowger_script_call_method_leg_start_recording(leg_of(leg), &made, &failure)) return told(&failure);
  *name = string(made);
  return DONE;
}
Why leg_stop_recording(Leg leg) { DO(strowger_script_call_method_leg_stop_recording(leg_of(leg), &failure_)); }
Why leg_pause_recording(Leg leg) { DO(strowger_script_call_method_leg_pause_recording(leg_of(leg), &failure_)); }
Why leg_resume_recording(Leg leg) { DO(strowger_script_call_method_leg_resume_recording(leg_of(leg), &failure_)); }
Why leg_send_digits(Leg leg, const char *keys) {
  Bytes sent = bytes(keys);
  DO(strowger_script_call_method_leg_send_digits(leg_of(leg), &sent, &failure_));
}
Why leg_hold(Leg leg, Prompt hears) {
  WitPrompt prompt = prompt_of(hears);
  DO(strowger_script_call_method_leg_hold(leg_of(leg), &prompt, &failure_));
}
Why leg_resume(Leg leg) { DO(strowger_script_call_method_leg_resume(leg_of(leg), &failure_)); }
void leg_hang_up_with(Leg leg, uint16_t cause) { strowger_script_call_method_leg_hang_up(leg_of(leg), cause); }

Why dial(Dial how, Leg *agent) {
  strowger_script_call_stage_t stages[DIAL_STAGES];
  size_t count = 0;
  for (size_t n = 0; n < DIAL_STAGES; n++) {
    Targets given = how.stages[n].targets;
    if (!given.count) continue;
    strowger_script_types_target_t *all = calloc(given.count, sizeof *all);
    if (!all) abort();
    for (size_t one = 0; one < given.count; one++) all[one] = target_of(given.all[one]);
    stages[count++] = (strowger_script_call_stage_t){millis(how.stages[n].after), {all, given.count}};
  }
  if (!count) return UNREACHABLE;
  strowger_script_call_dial_options_t options = {
      .timeout = millis(otherwise(how.for_secs, 30)),
      .skip_busy = how.skip_busy,
  };
  if (how.ringback) {
    options.ringback.is_some = true;
    options.ringback.val = prompt_of(*how.ringback);
  }
  if (how.present) {
    options.present.is_some = true;
    options.present.val.number = bytes(how.present->number);
    options.present.val.name.is_some = how.present->name != NULL;
    options.present.val.name.val = bytes(how.present->name);
    options.present.val.uri = bytes(how.present->uri);
  }
  strowger_script_call_list_stage_t list = {stages, count};
  strowger_script_call_own_leg_t leg;
  Failure failure;
  if (!strowger_script_call_dial(&list, &options, &leg, &failure)) return told(&failure);
  *agent = (Leg){leg.__handle};
  return DONE;
}

Why bridge_until(Leg a, Leg b, const char *keys, TalkEnd *end) {
  Bytes listens = bytes(keys);
  strowger_script_call_bridge_end_t wit;
  Failure failure;
  if (!strowger_script_call_bridge(leg_of(a), leg_of(b), &listens, &wit, &failure)) return told(&failure);
  static const End ends[] = {A_HUNG_UP, B_HUNG_UP, DIGIT, ENDED_OTHERWISE};
  *end = (TalkEnd){ends[wit.tag & 3], .key = 0};
  if (end->why == DIGIT) end->key = (char)wit.val.digit;
  return DONE;
}

Why talk(Leg a, Leg b, const char *keys, TalkEnd *end) {
  Bytes listens = bytes(keys);
  strowger_script_call_talk_end_t wit;
  Failure failure;
  if (!strowger_script_call_talk(leg_of(a), leg_of(b), &listens, &wit, &failure)) return told(&failure);
  *end = (TalkEnd){wit.tag < ENDED_OTHERWISE ? (End)wit.tag : ENDED_OTHERWISE, .key = 0};
  if (end->why == DIGIT) end->key = (char)wit.val.digit;
  if (end->why == TRANSFER) end->transfer = (Transfer){wit.val.transfer.__handle};
  return DONE;
}

static strowger_script_call_borrow_transfer_t transfer_of(Transfer transfer) {
  return strowger_script_call_borrow_transfer((strowger_script_call_own_transfer_t){transfer.handle});
}
bool transfer_by_b(Transfer transfer) { return strowger_script_call_method_transfer_by_b(transfer_of(transfer)); }
bool transfer_attended(Transfer transfer) {
  return strowger_script_call_method_transfer_attended(transfer_of(transfer));
}
Target transfer_to(Transfer transfer) {
  strowger_script_types_target_t to;
  strowger_script_call_method_transfer_to(transfer_of(transfer), &to);
  return (Target){to.tag, string(to.val.user)};
}
Why transfer_carry_out(Transfer transfer, const Target *to, double ring) {
  strowger_script_types_target_t whom = to ? target_of(*to) : (strowger_script_types_target_t){0};
  DO(strowger_script_call_method_transfer_carry_out(transfer_of(transfer), to ? &whom : NULL, millis(ring),
                                                    &failure_));
}
Why transfer_refuse(Transfer transfer, uint16_t status) {
  DO(strowger_script_call_method_transfer_refuse(transfer_of(transfer), status, &failure_));
}
const char *transferred_by(void) {
  Bytes name;
  return strowger_script_call_transferred_by(&name) ? string(name) : NULL;
}

Why park(Leg leg, const char *slot, double most, Prompt hears, Leg *who) {
  Bytes where = bytes(slot);
  WitPrompt prompt = prompt_of(hears);
  strowger_script_call_own_leg_t came;
  Failure failure;
  if (!strowger_script_call_park(leg_of(leg), &where, millis(most), &prompt, &came, &failure)) return told(&failure);
  *who = (Leg){came.__handle};
  return DONE;
}
Why retrieve(const char *slot) {
  Bytes where = bytes(slot);
  DO(strowger_script_call_retrieve(&where, &failure_));
}
Why pick_up(const char *user) {
  Bytes whose = bytes(user);
  DO(strowger_script_call_pick_up(&whose, &failure_));
}
Why tag(const char *key, const char *value) {
  Bytes is = bytes(key), to = bytes(value);
  DO(strowger_script_call_tag(&is, &to, &failure_));
}
Why hand_over(const char *script, const char *settings) {
  Bytes to = bytes(script), with = bytes(settings ? settings : "{}");
  DO(strowger_script_call_hand_over(&to, &with, &failure_));
}
#endif

static User user_of(strowger_script_directory_own_user_t own) {
  strowger_script_directory_borrow_user_t handle = strowger_script_directory_borrow_user(own);
  Bytes name, number, mobile;
  strowger_script_directory_method_user_name(handle, &name);
  strowger_script_directory_method_user_number(handle, &number);
  bool reachable = strowger_script_directory_method_user_mobile(handle, &mobile);
  User user = {string(name), string(number), maybe(reachable, mobile),
               (Presence)strowger_script_directory_method_user_presence(handle)};
  strowger_script_directory_user_drop_own(own);
  return user;
}

bool directory_find(const char *name_or_number, User *found) {
  Bytes name = bytes(name_or_number);
  strowger_script_directory_own_user_t own;
  bool is = strowger_script_directory_find(&name, &own);
  if (is) *found = user_of(own);
  return is;
}

Users directory_group(const char *name) {
  Bytes group = bytes(name);
  strowger_script_directory_list_own_user_t list;
  strowger_script_directory_group(&group, &list);
  Users users = {calloc(list.len ? list.len : 1, sizeof(User)), list.len};
  if (!users.all) abort();
  for (size_t n = 0; n < list.len; n++) users.all[n] = user_of(list.ptr[n]);
  return users;
}

bool directory_last_spoke_with(const char *number, uint32_t days, User *found) {
  Bytes with = bytes(number);
  strowger_script_directory_own_user_t own;
  bool is = strowger_script_directory_last_spoke_with(&with, days, &own);
  if (is) *found = user_of(own);
  return is;
}

uint32_t directory_conversations(const char *number, uint32_t days) {
  Bytes with = bytes(number);
  return strowger_script_directory_conversations(&with, days);
}

Why crm_find(const char *number, bool *known, Contact *contact) {
  Bytes of = bytes(number);
  strowger_script_crm_option_own_contact_t found;
  Failure failure;
  if (!strowger_script_crm_find(&of, &found, &failure)) return told(&failure);
  *known = found.is_some;
  if (!found.is_some) return DONE;
  strowger_script_crm_borrow_contact_t handle = strowger_script_crm_borrow_contact(found.val);
  Bytes id, name, company, owner;
  strowger_script_crm_method_contact_id(handle, &id);
  strowger_script_crm_method_contact_name(handle, &name);
  bool works = strowger_script_crm_method_contact_company(handle, &company);
  bool owned = strowger_script_crm_method_contact_owner(handle, &owner);
  *contact = (Contact){string(id), string(name), maybe(works, company), maybe(owned, owner), found.val.__handle};
  return DONE;
}

const char *contact_field(const Contact *contact, const char *name) {
  strowger_script_crm_own_contact_t own = {contact->handle};
  Bytes field = bytes(name), value;
  bool is = strowger_script_crm_method_contact_field(strowger_script_crm_borrow_contact(own), &field, &value);
  return is ? string(value) : NULL;
}

Why crm_create_task(const char *number, const char *title, const char *responsible, double due, const char **id) {
  Bytes about = bytes(number), what = bytes(title), who = bytes(responsible), made;
  Failure failure;
  if (!strowger_script_crm_create_task(&about, &what, responsible ? &who : NULL, due > 0 ? &due : NULL, &made, &failure)) {
    return told(&failure);
  }
  if (id) *id = string(made);
  return DONE;
}
Why crm_close_task(const char *id) {
  Bytes task = bytes(id);
  DO(strowger_script_crm_close_task(&task, &failure_));
}

/* Names and values in turn, then NULL: how many of both; what is made is to be freed. */
static OF_WORLD(tuple2_string_string_t) *pairs_of(const char *const *names_and_values, size_t *count) {
  *count = 0;
  while (names_and_values && names_and_values[2 * *count]) ++*count;
  OF_WORLD(tuple2_string_string_t) *pairs = calloc(*count + 1, sizeof *pairs);
  if (!pairs) abort();
  for (size_t n = 0; n < *count; n++) {
    pairs[n].f0 = bytes(names_and_values[2 * n]);
    pairs[n].f1 = bytes(names_and_values[2 * n + 1]);
  }
  return pairs;
}

Why notify(const char *to, const char *text, const char *const *facts) {
  Bytes recipient = bytes(to), words = bytes(text), receipt;
  OF_WORLD(list_tuple2_string_string_t) beside;
  beside.ptr = pairs_of(facts, &beside.len);
  Failure failure;
  bool sent = strowger_script_notify_send(&recipient, &words, &beside, &receipt, &failure);
  free(beside.ptr);
  return sent ? DONE : told(&failure);
}

bool mailbox_find(const char *name_or_number, Mailbox *found) {
  Bytes whose = bytes(name_or_number), name, greeting;
  strowger_script_mailbox_own_inbox_t own;
  if (!strowger_script_mailbox_find(&whose, &own)) return false;
  strowger_script_mailbox_borrow_inbox_t handle = strowger_script_mailbox_borrow_inbox(own);
  strowger_script_mailbox_method_inbox_name(handle, &name);
  bool greets = strowger_script_mailbox_method_inbox_greeting(handle, &greeting);
  OF_WORLD(list_string_t) owners;
  strowger_script_mailbox_method_inbox_owners(handle, &owners);
  const char **all = calloc(owners.len + 1, sizeof *all);
  if (!all) abort();
  for (size_t n = 0; n < owners.len; n++) all[n] = string(owners.ptr[n]);
  *found = (Mailbox){
      .name = string(name),
      .greeting = maybe(greets, greeting),
      .longest = strowger_script_mailbox_method_inbox_longest(handle) / 1000.0,
      .silence = strowger_script_mailbox_method_inbox_silence(handle) / 1000.0,
      .shortest = strowger_script_mailbox_method_inbox_shortest(handle) / 1000.0,
      .unheard = strowger_script_mailbox_method_inbox_unheard(handle),
      .heard = strowger_script_mailbox_method_inbox_heard(handle),
      .full = strowger_script_mailbox_method_inbox_full(handle),
      .owners = all,
  };
  strowger_script_mailbox_inbox_drop_own(own);
  return true;
}
Why mailbox_unlock(const Mailbox *box, const char *pin) {
  Bytes inbox = bytes(box->name), tried = bytes(pin);
  DO(strowger_script_mailbox_unlock(&inbox, &tried, &failure_));
}
static Message message_of(strowger_script_mailbox_own_message_t own) {
  strowger_script_mailbox_borrow_message_t handle = strowger_script_mailbox_borrow_message(own);
  Bytes id, number, name;
  strowger_script_mailbox_method_message_id(handle, &id);
  strowger_script_mailbox_method_message_number(handle, &number);
  bool named = strowger_script_mailbox_method_message_name(handle, &name);
  Message message = {
      .id = string(id),
      .number = string(number),
      .name = maybe(named, name),
      .at = strowger_script_mailbox_method_message_at(handle),
      .length = strowger_script_mailbox_method_message_length(handle) / 1000.0,
      .heard = strowger_script_mailbox_method_message_heard(handle),
  };
  strowger_script_mailbox_message_drop_own(own);
  return message;
}
Why mailbox_messages(const Mailbox *box, Messages *messages) {
  Bytes inbox = bytes(box->name);
  strowger_script_mailbox_list_own_message_t found;
  Failure failure;
  if (!strowger_script_mailbox_messages(&inbox, &found, &failure)) return told(&failure);
  *messages = (Messages){calloc(found.len + 1, sizeof *messages->all), found.len};
  if (!messages->all) abort();
  for (size_t n = 0; n < found.len; n++) messages->all[n] = message_of(found.ptr[n]);
  return DONE;
}
Why mailbox_keep(const Mailbox *box, const char *id) {
  Bytes inbox = bytes(box->name), message = bytes(id);
  DO(strowger_script_mailbox_keep(&inbox, &message, &failure_));
}
Why mailbox_delete(const Mailbox *box, const char *id) {
  Bytes inbox = bytes(box->name), message = bytes(id);
  DO(strowger_script_mailbox_delete(&inbox, &message, &failure_));
}
Why mailbox_greet_with(const Mailbox *box, const char *recording) {
  Bytes inbox = bytes(box->name), prompt = bytes(recording);
  DO(strowger_script_mailbox_greet(&inbox, recording ? &prompt : NULL, &failure_));
}

Why http_send(Request request, Response *response) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}; /* As in wit/. */
  uint8_t method = 0;
  const char *wanted = request.method ? request.method : methods[0];
  while (method < sizeof methods / sizeof *methods && strcmp(methods[method], wanted)) method++;
  if (method == sizeof methods / sizeof *methods) {
    last.status = 0;
    last.detail = "method: GET, HEAD, POST, PUT, PATCH or DELETE";
    return INVALID;
  }
  size_t count;
  OF_WORLD(tuple2_string_string_t) *headers = pairs_of(request.headers, &count);
  Bytes body = bytes(request.body);
  strowger_script_http_request_t wit = {
      .method = method,
      .url = bytes(request.url),
      .headers = {headers, count},
      .body = {body.ptr, request.body_length ? request.body_length : body.len},
      .timeout = millis(request.within),
      .redirects = request.redirects,
  };
  strowger_script_http_own_response_t own;
  Failure failure;
  bool answered = strowger_script_http_fetch(&wit, &own, &failure);
  free(headers);
  if (!answered) return told(&failure);
  strowger_script_http_borrow_response_t handle = strowger_script_http_borrow_response(own);
  OF_WORLD(list_u8_t) content;
  strowger_script_http_method_response_body(handle, &content);
  uint16_t status = strowger_script_http_method_response_status(handle);
  *response = (Response){status, string((Bytes){content.ptr, content.len}), content.len, own.__handle};
  return DONE;
}

const char *response_header(const Response *response, const char *name) {
  strowger_script_http_own_response_t own = {response->handle};
  Bytes header = bytes(name);
  OF_WORLD(list_string_t) values;
  strowger_script_http_method_response_header(strowger_script_http_borrow_response(own), &header, &values);
  return values.len ? string(values.ptr[0]) : NULL;
}

#ifndef STROWGER_OF_TASKS
static strowger_script_queue_borrow_place_t place_of(Place place) {
  return strowger_script_queue_borrow_place((strowger_script_queue_own_place_t){place.handle});
}

Why queue_enter(Leg caller, Entry entry, Place *place) {
  TRY(leg_answer(caller));
  Bytes queue = bytes(entry.queue);
  strowger_script_queue_entry_t wit = {.priority = entry.priority, .longest = millis(entry.longest)};
  strowger_script_queue_own_place_t own;
  strowger_script_queue_refusal_t refusal;
  if (strowger_script_queue_enter(&queue, &wit, &own, &refusal)) {
    *place = (Place){own.__handle};
    return DONE;
  }
  switch (refusal.tag) {
    case STROWGER_SCRIPT_QUEUE_REFUSAL_FULL: return BUSY;
    case STROWGER_SCRIPT_QUEUE_REFUSAL_CLOSED:
    case STROWGER_SCRIPT_QUEUE_REFUSAL_NOBODY: return UNREACHABLE;
    case STROWGER_SCRIPT_QUEUE_REFUSAL_FAILED: return told(&refusal.val.failed);
    case STROWGER_SCRIPT_QUEUE_REFUSAL_TOO_LONG:
      return failed(format("the wait would be %u s", refusal.val.too_long / 1000));
    default: return failed(string(refusal.val.other));
  }
}

Why place_wait(Place place, const char *keys, const Prompt *hears, Waited *end) {
  Bytes listens = bytes(keys);
  WitPrompt sound = hears ? prompt_of(*hears) : (WitPrompt){0};
  strowger_script_queue_waited_t wit;
  Failure failure;
  if (!strowger_script_queue_method_place_wait(place_of(place), &listens, hears ? &sound : NULL, &wit, &failure)) {
    return told(&failure);
  }
  *end = (Waited){(WaitEnd)wit.tag, .word = ""};
  if (end->why == CONNECTED) end->agent = (Leg){wit.val.connected.__handle};
  if (end->why == KEY) end->key = (char)wit.val.digit;
  if (end->why == ASKED || end->why == WAITED_OTHERWISE) end->word = string(wit.val.asked);
  return DONE;
}

uint32_t place_position(Place place) { return strowger_script_queue_method_place_position(place_of(place)); }
bool place_expected(Place place, double *wait) {
  uint32_t length;
  bool known = strowger_script_queue_method_place_expected(place_of(place), &length);
  if (known) *wait = length / 1000.0;
  return known;
}
Why place_set_priority(Place place, int32_t priority) {
  DO(strowger_script_queue_method_place_set_priority(place_of(place), priority, &failure_));
}
Why place_call_back(Place place, const char *number) {
  Bytes to = bytes(number);
  DO(strowger_script_queue_method_place_call_back(place_of(place), &to, &failure_));
}
void place_leave(Place place) { strowger_script_queue_method_place_leave(place_of(place)); }

Why agent_make_available(const char *user) {
  Bytes who = bytes(user);
  DO(strowger_script_queue_make_available(&who, &failure_));
}
Why agent_pause(const char *user, const char *reason) {
  Bytes who = bytes(user), why = bytes(reason);
  DO(strowger_script_queue_pause(&who, &why, &failure_));
}
Why agent_sign_in(const char *user, const char *queue) {
  Bytes who = bytes(user), where = bytes(queue);
  DO(strowger_script_queue_sign_in(&who, &where, &failure_));
}
Why agent_sign_out(const char *user, const char *queue) {
  Bytes who = bytes(user), where = bytes(queue);
  DO(strowger_script_queue_sign_out(&who, &where, &failure_));
}
#endif

static LocalTime time_of(strowger_script_clock_local_t at) {
  return (LocalTime){at.year, at.month, at.day, at.weekday, at.hour, at.minute, at.second, at.offset_minutes};
}
double clock_now(void) { return strowger_script_clock_now(); }
LocalTime clock_local(void) {
  strowger_script_clock_local_t at;
  strowger_script_clock_local_time(&at);
  return time_of(at);
}
bool clock_time_in(const char *zone, LocalTime *time) {
  Bytes name = bytes(zone);
  strowger_script_clock_local_t at;
  bool is = strowger_script_clock_time_in(&name, &at);
  if (is) *time = time_of(at);
  return is;
}
const char *clock_scheme(const char *calendar) {
  Bytes name = bytes(calendar), scheme;
  return strowger_script_clock_scheme(&name, &scheme) ? string(scheme) : NULL;
}
uint32_t clock_random(uint32_t below) { return strowger_script_clock_random(below); }
Why clock_sleep(double length) { DO(strowger_script_clock_sleep(millis(length), &failure_)); }

static OF_WORLD(list_u8_t) list(const char *value) {
  Bytes all = bytes(value);
  return (OF_WORLD(list_u8_t)){all.ptr, all.len};
}

Why kv_get(const char *key, const char **value) {
  Bytes name = bytes(key);
  OF_WORLD(option_list_u8_t) found;
  Failure failure;
  if (!strowger_script_kv_get(&name, &found, &failure)) return told(&failure);
  *value = found.is_some ? string((Bytes){found.val.ptr, found.val.len}) : NULL;
  return DONE;
}
static Why set(const char *key, const char *value, uint32_t *keep) {
  Bytes name = bytes(key);
  OF_WORLD(list_u8_t) to = list(value);
  DO(strowger_script_kv_set(&name, &to, keep, &failure_));
}
Why kv_swap(const char *key, const char *was, const char *value, bool *swapped) {
  Bytes name = bytes(key);
  OF_WORLD(list_u8_t) from = list(was), to = list(value);
  DO(strowger_script_kv_swap(&name, was ? &from : NULL, &to, swapped, &failure_));
}
Why kv_add(const char *key, int32_t amount, int32_t *sum) {
  Bytes name = bytes(key);
  int32_t made;
  Failure failure;
  if (!strowger_script_kv_add(&name, amount, &made, &failure)) return told(&failure);
  if (sum) *sum = made;
  return DONE;
}
Why kv_delete(const char *key) {
  Bytes name = bytes(key);
  DO(strowger_script_kv_delete(&name, &failure_));
}

#ifdef STROWGER_OF_TASKS
#include "tasks_of_wit.h"
#else
bool exports_call_script_on_call(call_script_own_leg_t caller, call_script_failure_t *err) {
  Bytes json;
  strowger_script_settings_get(&json);
  settings = string(json);
  return failure_of(on_call((Leg){caller.__handle}, settings), err);
}

bool exports_call_script_on_ended(call_script_own_call_record_t how, call_script_failure_t *err) {
  strowger_script_ended_borrow_call_record_t handle = strowger_script_ended_borrow_call_record(how);
  Bytes id, dialled, by;
  strowger_script_types_party_t party;
  strowger_script_ended_method_call_record_id(handle, &id);
  strowger_script_ended_method_call_record_caller(handle, &party);
  strowger_script_ended_method_call_record_dialled(handle, &dialled);
  bool answered = strowger_script_ended_method_call_record_answered_by(handle, &by);
  settings = "{}";
  CallRecord record = {
      .id = string(id),
      .caller = party_of(party),
      .dialled = string(dialled),
      .started = strowger_script_ended_method_call_record_started(handle),
      .waited = strowger_script_ended_method_call_record_waited(handle) / 1000.0,
      .talked = strowger_script_ended_method_call_record_talked(handle) / 1000.0,
      .answered_by = maybe(answered, by),
      .outcome = (Outcome)strowger_script_ended_method_call_record_outcome(handle),
  };
  return failure_of(on_ended(&record), err);
}
#endif
