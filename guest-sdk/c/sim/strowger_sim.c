/* The functions of strowger.h, in the simulated exchange of world.c. */

#include "world.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_script.h"

#include "plain_words.h"
#include "plain_calls.h"

static const double RECORDING = 2, CHARACTER = 0.5, ANSWERS_AFTER = 2, AGENT_AFTER = 20, STAYS = 600;

void begin_settings(const char *json) {
  settings = json;
  last.status = 0;
  last.detail = "";
}

const char *words_of(Why why) { return why_words(why); }

static void write_line(uint8_t level, const char *line) {
  static const char *const levels[] = {"debug", "info", "warn", "error"};
  add_line(&playing()->made.log, line);
  note("%s: %s", levels[level & 3], line);
}

/* A verb fails. */
Why fails(Why why, const char *detail) {
  last.status = 0;
  last.detail = detail;
  return why;
}
Why refused(uint16_t status) {
  fails(REFUSED, "");
  last.status = status;
  return REFUSED;
}

static bool same(const char *a, const char *b) { return a && b && !strcmp(a, b); }

/* Whether a text is of this pattern, in which "*" stands for anything. */
static bool fits(const char *pattern, const char *text) {
  for (; *pattern != '*'; pattern++, text++) {
    if (*pattern != *text) return false;
    if (!*pattern) return true;
  }
  for (;; text++) {
    if (fits(pattern + 1, text)) return true;
    if (!*text) return false;
  }
}

static Side *side_of(Leg leg) {
  Playing *is = playing();
  if (leg.handle < 0 || (size_t)leg.handle >= is->leg_count) breaks("a leg is asked that nobody dialled");
  return &is->legs[leg.handle];
}

static bool is_caller(Leg leg) { return side_of(leg) == playing()->legs; }

/* Somebody has answered. */
static Leg add_leg(const char *number, const char *name, const char *user, const Somebody *one) {
  Playing *is = playing();
  if (is->leg_count == MOST_LEGS) breaks(format("more than %d legs", MOST_LEGS));
  Side side = {{number, NULL, format("sip:%s", name)}, user, FOR_EVER, FOR_EVER, NULL, ""};
  if (one && one->presses) side.presses = one->presses;
  if (one && one->talks > 0) side.hangs_up_at = is->now + one->talks;
  if (one && one->transfers_to) {
    side.transfers_at = is->now + one->transfers;
    side.transfers_to = one->transfers_to;
  }
  is->legs[is->leg_count] = side;
  return (Leg){(int32_t)is->leg_count++};
}

Party leg_party(Leg leg) { return side_of(leg)->party; }
const char *leg_dialled(Leg leg) { return is_caller(leg) ? playing()->there.dialled : leg_number(leg); }
Direction leg_direction(Leg leg) { return is_caller(leg) ? INBOUND : OUTBOUND; }
const char *leg_user(Leg leg) { return side_of(leg)->user; }
const char *leg_language(Leg leg) {
  (void)leg;
  return playing()->there.language;
}
const char *leg_header(Leg leg, const char *name) {
  (void)leg, (void)name;
  return NULL;
}
Why leg_set_language(Leg leg, const char *tag) {
  (void)leg;
  playing()->there.language = tag;
  return DONE;
}

/* What is heard, and signalled. */

static double nominal(Prompt prompt) {
  switch (prompt.kind) {
    case STROWGER_SCRIPT_TYPES_PROMPT_SILENCE:
    case STROWGER_SCRIPT_TYPES_PROMPT_TONE: return prompt.length;
    case STROWGER_SCRIPT_TYPES_PROMPT_DIGITS: return (double)strlen(prompt.text) * CHARACTER;
    case STROWGER_SCRIPT_TYPES_PROMPT_MUSIC: return FOR_EVER;
    default: return RECORDING;
  }
}

static Why plays(Prompts what, bool cut_by_key) {
  for (size_t n = 0; n < what.count; n++) {
    if (cut_by_key && *playing()->keys) return DONE;
    note("plays %s", heard(what.all[n]));
    hears_prompt(what.all[n]);
    TRY(passes(nominal(what.all[n]), cut_by_key ? ANY_KEY : "", NULL));
  }
  return DONE;
}

/* To whoever is not the caller; how long it takes. */
static double plays_beside(const Side *side, Prompts what) {
  double length = 0;
  for (size_t n = 0; n < what.count; n++) {
    note("plays %s to %s", heard(what.all[n]), who(side));
    length += nominal(what.all[n]);
  }
  return length;
}

Why leg_ring(Leg leg) {
  (void)leg;
  happens(HEARS_RINGING, NULL);
  return DONE;
}
Why leg_ring_with(Leg leg, Prompt early) {
  leg_ring(leg);
  return plays((Prompts){&early, 1}, false);
}
Why leg_answer(Leg leg) {
  (void)leg;
  TRY(passes(0, "", NULL));
  note("answer");
  happens(IS_ANSWERED, NULL);
  return DONE;
}
Why leg_reject(Leg leg, uint16_t status, const char *reason) {
  (void)leg, (void)reason;
  TRY(passes(0, "", NULL));
  note("reject %u", status);
  happens_with(IS_REJECTED, status);
  playing()->left = true;
  return DONE;
}
Why leg_play_all(Leg leg, Prompts what, bool cut_by_key) {
  if (!is_caller(leg)) return passes_beside(side_of(leg), plays_beside(side_of(leg), what));
  TRY(passes(0, "", NULL));
  return plays(what, cut_by_key);
}

static char terminator_of(Gather how) { return how.no_terminator ? 0 : how.terminator ? how.terminator : '#'; }

static Why gathered(const char *digits, const char *ended, const char **pressed) {
  note("gathered \"%s\", %s", digits, ended);
  *pressed = digits;
  return DONE;
}

/* Keys of whoever is not the caller. */
static Why gather_beside(Side *side, double prompts, Gather how, char *digits, size_t most, const char **pressed) {
  Playing *is = playing();
  double until = is->now + prompts + otherwise(how.first, 6), next = is->now + REACTION;
  for (size_t count = 0; count < most; next = is->now + BETWEEN_KEYS) {
    bool presses = *side->presses && next <= until;
    TRY(passes_beside(side, (presses ? next : until) - is->now));
    if (!presses) return gathered(digits, "time-out", pressed);
    char key = *side->presses++;
    note("%s presses %c", who(side), key);
    if (key == terminator_of(how)) return gathered(digits, "terminator", pressed);
    digits[count++] = key;
    until = is->now + otherwise(how.between, 3);
  }
  return gathered(digits, "enough", pressed);
}

static Why gather(Leg leg, Prompts first, Gather how, const char **pressed) {
  Playing *is = playing();
  size_t most = how.most ? how.most : 1, count = 0;
  char *digits = calloc(most + 1, 1), terminator = terminator_of(how);
  if (!digits) abort();
  if (!is_caller(leg)) {
    double prompts = plays_beside(side_of(leg), first);
    prompts += plays_beside(side_of(leg), how.prompt);
    return gather_beside(side_of(leg), prompts, how, digits, most, pressed);
  }
  TRY(passes(0, "", NULL));
  TRY(plays(first, true));
  TRY(plays(how.prompt, true));
  while (count < most) {
    if (!*is->keys) {
      char key;
      TRY(passes(count ? otherwise(how.between, 3) : otherwise(how.first, 6), ANY_KEY, &key));
      if (!key) return gathered(digits, "time-out", pressed);
    }
    char key = *is->keys;
    memmove(is->keys, is->keys + 1, MOST_KEYS);
    if (terminator && key == terminator) return gathered(digits, "terminator", pressed);
    digits[count++] = key;
  }
  return gathered(digits, "enough", pressed);
}

Why leg_record_message(Leg leg, double most, double silence, Recorded *made) {
  (void)leg;
  note("record a message");
  double speaks = speaks_now(), length = fmin(most, speaks);
  playing()->caller_at = playing()->now + length;
  TRY(passes(fmin(most, speaks + silence), ANY_KEY, NULL));
  *made = (Recorded){"recording-1", length};
  return DONE;
}
Why leg_start_recording(Leg leg, const char **name) {
  (void)leg;
  *name = "recording-1";
  return DONE;
}
Why leg_stop_recording(Leg leg) {
  (void)leg;
  return DONE;
}
Why leg_pause_recording(Leg leg) {
  (void)leg;
  note("the recording pauses");
  return DONE;
}
Why leg_resume_recording(Leg leg) {
  (void)leg;
  note("the recording goes on");
  return DONE;
}
Why leg_send_digits(Leg leg, const char *keys) {
  (void)leg;
  return passes((double)strlen(keys) * CHARACTER, "", NULL);
}
Why leg_hold(Leg leg, Prompt hears) {
  (void)leg;
  if (hears.kind == STROWGER_SCRIPT_TYPES_PROMPT_MUSIC) happens(HEARS_MUSIC, NULL);
  return DONE;
}
Why leg_resume(Leg leg) {
  (void)leg;
  return DONE;
}
void leg_hang_up_with(Leg leg, uint16_t cause) {
  (void)cause;
  note("hang up %s", is_caller(leg) ? "the caller" : leg_number(leg));
  if (!is_caller(leg)) return;
  happens(IS_HUNG_UP, NULL);
  playing()->left = true;
}

/* Ringing others. */

static const Somebody *find(Target target) {
  const World *there = &playing()->there;
  bool is_user = target.kind == STROWGER_SCRIPT_TYPES_TARGET_USER;
  const Somebody *all = is_user ? there->users : there->telephones;
  for (size_t n = 0; n < THERE && all[n].name; n++) {
    if (same(all[n].name, target.name) || (is_user && same(all[n].number, target.name))) return &all[n];
  }
  return NULL;
}

/* What comes of ringing somebody, and after how long: DONE is an answer. */
static Why manner(const Somebody *one, bool skip_busy, double *after) {
  *after = 0;
  if (!one || one->offline) return UNREACHABLE;
  if (one->busy && skip_busy) return BUSY;
  *after = one->never_answers ? FOR_EVER : otherwise(one->after, ANSWERS_AFTER);
  return !one->rejects ? DONE : one->rejects == 486 ? BUSY : REFUSED;
}

Why dial(Dial how, Leg *agent) {
  /* How much a failure says of what happened, and the best one heard; a refusal goes with its status. */
  static const Why order[] = {REFUSED, BUSY, NO_ANSWER, UNREACHABLE};
  uint16_t heard_of[OTHER + 1] = {0};
  double limit = otherwise(how.for_secs, 30), answers_at = FOR_EVER, all_failed_at = 0;
  const Target *answers = NULL;
  const char *rung = "";
  size_t places = 0, failures = 0;
  for (size_t n = 0; n < DIAL_STAGES; n++) {
    const Stage *stage = &how.stages[n];
    double begins = failures && all_failed_at < FOR_EVER ? fmin(stage->after, all_failed_at) : stage->after;
    for (size_t m = 0; m < stage->targets.count; m++) {
      const Target *target = &stage->targets.all[m];
      const Somebody *one = find(*target);
      double after;
      Why why = manner(one, how.skip_busy, &after);
      rung = format("%s%s%s", rung, places++ ? ", " : "", target->name);
      if (why == DONE) {
        all_failed_at = FOR_EVER;
        if (begins + after >= limit || begins + after >= answers_at) continue;
        answers_at = begins + after;
        answers = target;
      } else {
        if (!heard_of[why]) heard_of[why] = why == REFUSED ? one->rejects : 1;
        failures++;
        all_failed_at = fmax(all_failed_at, begins + after);
      }
    }
  }
  if (!places) return fails(UNREACHABLE, "");
  TRY(passes(0, "", NULL));
  note("dial %s", rung);
  happens(HEARS_RINGING, NULL);
  if (answers) {
    TRY(passes(answers_at, "", NULL));
    note("%s answers", answers->name);
    const Somebody *one = find(*answers);
    bool is_user = answers->kind == STROWGER_SCRIPT_TYPES_TARGET_USER;
    const char *known = is_user ? one->number : one->name;
    *agent = add_leg(known && *known ? known : answers->name, answers->name, is_user ? answers->name : NULL, one);
    return DONE;
  }
  TRY(passes(fmin(limit, all_failed_at), "", NULL));
  if (all_failed_at > limit) heard_of[NO_ANSWER] = 1;
  static const char *const names[] = {"refused", "busy", "no-answer", "unreachable"};
  size_t best = 0;
  while (best < 3 && !heard_of[order[best]]) best++;
  note("nobody answers: %s", names[best]);
  fails(order[best], "");
  return order[best] == REFUSED ? refused(heard_of[REFUSED]) : order[best];
}

Why talk(Leg a, Leg b, const char *keys, TalkEnd *end) {
  Playing *is = playing();
  TRY(passes(0, "", NULL));
  Leg other = is_caller(a) ? b : a;
  const Side *with = side_of(other);
  bool is_b = other.handle == b.handle;
  note("bridged with %s", who(with));
  happens(is_caller(other) ? HEARS_ITSELF : TALKS_WITH, who(with));
  char key;
  if (passes(fmax(0, fmin(with->hangs_up_at, with->transfers_at) - is->now), keys, &key) != DONE) {
    *end = (TalkEnd){.why = is_b ? A_HUNG_UP : B_HUNG_UP};
  } else if (key) {
    *end = (TalkEnd){.why = DIGIT, .key = key};
    is->keys[strlen(is->keys) - 1] = 0;
  } else if (with->hangs_up_at <= with->transfers_at) {
    *end = (TalkEnd){.why = is_b ? B_HUNG_UP : A_HUNG_UP};
  } else {
    *end = (TalkEnd){.why = TRANSFER, .transfer = {other.handle}};
    is->legs[other.handle].transfers_at = FOR_EVER;
    is->asks = other.handle;
    is->asks_as_b = is_b;
    note("%s asks for a transfer to %s", who(with), transfer_to(end->transfer).name);
  }
  return DONE;
}

/* Transfers are carried out as asked; if one fails, the two go on as they were. */
Why bridge_until(Leg a, Leg b, const char *keys, TalkEnd *end) {
  for (;;) {
    TRY(talk(a, b, keys, end));
    if (end->why != TRANSFER) return DONE;
    if (transfer_carry_out(end->transfer, NULL, 20) == HUNG_UP) return HUNG_UP;
  }
}

bool transfer_by_b(Transfer transfer) {
  (void)transfer;
  return playing()->asks_as_b;
}
bool transfer_attended(Transfer transfer) {
  (void)transfer;
  return false;
}
Target transfer_to(Transfer transfer) {
  const char *name = side_of((Leg){transfer.handle})->transfers_to;
  const Somebody *one = find(user(name));
  return one ? user(one->name) : number(name);
}

/* Whether it is open still; it is not from here on. */
static bool decides(Transfer transfer) {
  bool open = playing()->asks == transfer.handle;
  playing()->asks = -1;
  return open;
}
Why transfer_carry_out(Transfer transfer, const Target *to, double ring) {
  Playing *is = playing();
  if (!decides(transfer)) return fails(INVALID, "no transfer is asked for");
  Target whom = to ? *to : transfer_to(transfer);
  Leg came;
  happens(HEARS_MUSIC, NULL);
  TRY(dial((Dial){.stages = {{0, targets(whom)}}, .for_secs = ring}, &came));
  note("%s takes the place of %s", who(side_of(came)), who(&is->legs[transfer.handle]));
  /* The script holds this leg and goes on with it. */
  is->legs[transfer.handle] = is->legs[came.handle];
  return DONE;
}
Why transfer_refuse(Transfer transfer, uint16_t status) {
  if (!decides(transfer)) return fails(INVALID, "no transfer is asked for");
  note("%s may not transfer: %u", who(side_of((Leg){transfer.handle})), status);
  return DONE;
}
const char *transferred_by(void) { return playing()->there.transferred_by; }

Why park(Leg leg, const char *slot, double most, Prompt hears, Leg *who) {
  (void)leg, (void)hears, (void)who;
  note("park in %s", slot);
  TRY(passes(most, "", NULL));
  return fails(NO_ANSWER, "");
}
Why retrieve(const char *slot) { return fails(NOT_FOUND, slot); }
Why pick_up(const char *user) { return fails(NOT_FOUND, user); }
Why tag(const char *key, const char *value) {
  note("tag %s = %s", key, value);
  add_line(&playing()->made.tags, key);
  add_line(&playing()->made.tags, value);
  return DONE;
}
Why hand_over(const char *script, const char *with) {
  note("hand over to %s", script);
  playing()->made.handed_over_to = script;
  playing()->made.handed_over_settings = with ? with : "{}";
  return DONE;
}

/* What is known: people, contacts, servers. */

static User user_of(const Somebody *one) {
  Presence presence = one->offline ? OFFLINE : one->busy ? ON_A_CALL : FREE;
  return (User){one->name, one->number ? one->number : "", one->mobile, presence};
}

bool directory_find(const char *name_or_number, User *found) {
  const Somebody *one = find(user(name_or_number));
  if (one) *found = user_of(one);
  return one != NULL;
}
Users directory_group(const char *name) {
  const Somebody *all = playing()->there.users;
  Users users = {calloc(THERE, sizeof(User)), 0};
  if (!users.all) abort();
  for (size_t n = 0; n < THERE && all[n].name; n++) {
    size_t m = 0;
    while (m < THERE && all[n].groups[m] && strcmp(all[n].groups[m], name)) m++;
    if (m < THERE && all[n].groups[m]) users.all[users.count++] = user_of(&all[n]);
  }
  return users;
}
bool directory_last_spoke_with(const char *number, uint32_t days, User *found) {
  (void)number, (void)days;
  const char *name = playing()->there.spoke_with;
  return name && directory_find(name, found);
}
uint32_t directory_conversations(const char *number, uint32_t days) {
  (void)number, (void)days;
  return playing()->there.spoke_with ? 1 : 0;
}

/* The value of a name among names and values in turn; NULL when there is none. */
static const char *value_among(const char *const *pairs, const char *name, bool any_case) {
  for (size_t n = 0; n < THERE && pairs[2 * n]; n++) {
    const char *a = pairs[2 * n], *b = name;
    while (*a && (*a == *b || (any_case && tolower((unsigned char)*a) == tolower((unsigned char)*b)))) a++, b++;
    if (*a == *b) return pairs[2 * n + 1];
  }
  return NULL;
}

Why crm_find(const char *number, bool *known, Contact *contact) {
  const Known *all = playing()->there.contacts;
  *known = false;
  for (size_t n = 0; n < THERE && all[n].number; n++) {
    if (strcmp(all[n].number, number)) continue;
    *known = true;
    *contact = all[n].contact;
    if (!contact->id) contact->id = "contact-1";
    if (!contact->name) contact->name = "";
    contact->handle = (int32_t)n;
    return DONE;
  }
  return DONE;
}
const char *contact_field(const Contact *contact, const char *name) {
  return value_among(playing()->there.contacts[contact->handle % THERE].fields, name, false);
}

Why crm_create_task(const char *number, const char *title, const char *responsible, double due, const char **id) {
  (void)due;
  note("task%s%s about %s: %s", responsible ? " for " : "", responsible ? responsible : "", number, title);
  if (id) *id = "simulated-task";
  return DONE;
}
Why crm_close_task(const char *id) {
  note("task %s is done", id);
  return DONE;
}

Why notify(const char *to, const char *text, const char *const *facts) {
  (void)facts;
  note("notify %s: %.*s", *to ? to : "everyone", (int)strcspn(text, "\n"), text);
  add_line(&playing()->made.notices, to);
  add_line(&playing()->made.notices, text);
  return DONE;
}

Why http_send(Request request, Response *response) {
  note("asks %s %s", request.method ? request.method : "GET", request.url);
  const Server *all = playing()->there.servers;
  size_t n = 0;
  while (n < THERE && all[n].url && !fits(all[n].url, request.url)) n++;
  if (n == THERE || !all[n].url) return fails(LIMIT, "http_allow");
  bool late = request.within > 0 && all[n].after > request.within;
  TRY(passes(late ? request.within : all[n].after, "", NULL));
  if (late || all[n].fails) return fails(late ? TIMED_OUT : all[n].fails, "");
  const char *body = all[n].body ? all[n].body : "";
  *response = (Response){all[n].status ? all[n].status : 200, body, strlen(body), (int32_t)n};
  return DONE;
}
const char *response_header(const Response *response, const char *name) {
  return value_among(playing()->there.servers[response->handle % THERE].headers, name, true);
}

/* Waiting for an agent. */

Why queue_enter(Leg caller, Entry entry, Place *place) {
  TRY(leg_answer(caller));
  Playing *is = playing();
  const Queue *all = is->there.queues;
  size_t n = 0;
  while (n < THERE && all[n].name && strcmp(all[n].name, entry.queue)) n++;
  if (n == THERE || !all[n].name) return fails(NOT_FOUND, entry.queue);
  if (all[n].refuses) return fails(all[n].refuses, "");
  is->place.queue = &all[n];
  is->place.entered = is->now;
  is->place.ends = is->now + otherwise(entry.longest, STAYS);
  note("enters the queue %s", entry.queue);
  *place = (Place){(int32_t)n};
  return DONE;
}

/* When an agent is there; never without one. */
static double connects_at(void) {
  const Playing *is = playing();
  if (!is->place.queue) breaks("a place is asked for, and no queue was entered");
  return is->place.queue->agent ? is->place.entered + otherwise(is->place.queue->after, AGENT_AFTER) : FOR_EVER;
}

Why place_wait(Place place, const char *keys, const Prompt *hears, Waited *end) {
  (void)place, (void)hears;
  Playing *is = playing();
  double connects = connects_at();
  happens(HEARS_MUSIC, NULL);
  char key;
  TRY(passes(fmax(0, fmin(connects, is->place.ends) - is->now), keys, &key));
  if (key) {
    is->keys[strlen(is->keys) - 1] = 0;
    *end = (Waited){.why = KEY, .key = key, .word = ""};
  } else if (is->place.ends <= connects) {
    *end = (Waited){.why = LONGEST_WAIT, .word = ""};
  } else {
    const char *agent = is->place.queue->agent;
    const Somebody *known = find(user(agent)), one = {.presses = known ? known->presses : NULL};
    *end = (Waited){.why = CONNECTED, .agent = add_leg(agent, agent, agent, &one), .word = ""};
  }
  return DONE;
}
uint32_t place_position(Place place) {
  (void)place;
  return 1;
}
bool place_expected(Place place, double *wait) {
  (void)place;
  double connects = connects_at();
  if (connects < FOR_EVER) *wait = fmax(0, connects - playing()->now);
  return connects < FOR_EVER;
}
Why place_set_priority(Place place, int32_t priority) {
  (void)place, (void)priority;
  return DONE;
}
Why place_call_back(Place place, const char *number) {
  (void)place;
  note("call back to %s", number);
  return DONE;
}
void place_leave(Place place) { (void)place; }

Why agent_make_available(const char *user) {
  note("make %s available", user);
  return DONE;
}
Why agent_pause(const char *user, const char *reason) {
  note("pause %s: %s", user, reason);
  return DONE;
}
Why agent_sign_in(const char *user, const char *queue) {
  note("sign %s in to %s", user, queue);
  return DONE;
}
Why agent_sign_out(const char *user, const char *queue) {
  note("sign %s out of %s", user, queue);
  return DONE;
}

/* The clock, and chance. */

double clock_now(void) { return moment(playing()->there.at) + playing()->now; }
LocalTime clock_local(void) { return local_time(clock_now()); }
bool clock_time_in(const char *zone, LocalTime *time) {
  (void)zone;
  *time = clock_local();
  return true;
}
const char *clock_scheme(const char *calendar) {
  const Calendar *all = playing()->there.calendars;
  for (size_t n = 0; n < THERE && all[n].name; n++) {
    if (!strcmp(all[n].name, calendar)) return all[n].scheme;
  }
  return NULL;
}
uint32_t clock_random(uint32_t below) { return below ? playing()->drawn++ % below : 0; }
Why clock_sleep(double length) { return passes(length, "", NULL); }

/* The tenant's memory: names and values in turn, each name once. */

static size_t place_of(const char *key) {
  const Lines *kept = &playing()->made.kept;
  size_t n = 0;
  while (n < kept->count && strcmp(kept->all[n], key)) n += 2;
  return n;
}

static void keep(const char *key, const char *value) {
  Lines *kept = &playing()->made.kept;
  size_t at = place_of(key);
  if (at == kept->count) {
    add_line(kept, format("%s", key));
    add_line(kept, "");
  }
  kept->all[at + 1] = format("%s", value);
}

static const char *kept(const char *key) {
  const Lines *kept = &playing()->made.kept;
  size_t at = place_of(key);
  return at < kept->count ? kept->all[at + 1] : NULL;
}

Why kv_get(const char *key, const char **value) {
  *value = kept(key);
  return DONE;
}
static Why set(const char *key, const char *value, uint32_t *seconds) {
  (void)seconds;
  note("set %s = %s", key, value);
  keep(key, value);
  return DONE;
}
Why kv_swap(const char *key, const char *was, const char *value, bool *swapped) {
  const char *is = kept(key);
  *swapped = was ? same(is, was) : !is;
  if (*swapped) keep(key, value);
  return DONE;
}
Why kv_add(const char *key, int32_t amount, int32_t *sum) {
  const char *is = kept(key);
  char *end = NULL;
  long long before = is ? strtoll(is, &end, 10) : 0, after = before + amount;
  if ((is && (end == is || *end)) || after > INT32_MAX || after < INT32_MIN) return fails(INVALID, "key: not a number");
  keep(key, format("%lld", after));
  if (sum) *sum = (int32_t)after;
  return DONE;
}
Why kv_delete(const char *key) {
  Lines *kept = &playing()->made.kept;
  size_t at = place_of(key);
  if (at == kept->count) return DONE;
  kept->count -= 2;
  memmove(kept->all + at, kept->all + at + 2, (kept->count - at) * sizeof *kept->all);
  return DONE;
}
