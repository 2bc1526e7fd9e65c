/* Call scripts for the strowger telephone exchange, in C.
 *
 * A script is straight-line code that runs once for every call. A verb blocks until it has happened and answers DONE, or
 * why not; when the caller leaves, the verb that is waiting answers HUNG_UP. TRY leaves the script with whatever is not
 * DONE. Lengths are seconds. Strings are UTF-8 and end with NUL; what the exchange gives is the script's for the rest of the
 * call, and nothing need be freed: the sandbox goes with the call.
 *
 *     #include "strowger.h"
 *
 *     Why on_call(Leg caller, const char *settings) {
 *       TRY(leg_answer(caller));
 *       char key;
 *       TRY(leg_menu(caller, (Menu){.prompt = prompts(recording("welcome")), .keys = "12"}, &key));
 *       if (key != '1') return leg_play(caller, recording("opening-hours"));
 *       Leg agent;
 *       TRY(dial((Dial){.stages = {{0, targets(user(setting("sales", "101")))}}, .for_secs = 20}, &agent));
 *       return bridge(caller, agent);
 *     }
 *
 *     NOTHING_AFTER
 */
#ifndef STROWGER_H
#define STROWGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strowger_words.h"

/* Why a verb did not do what was asked. */
typedef enum Why {
  DONE,        /* It did. */
  HUNG_UP,     /* The leg is gone, or the caller left. */
  BUSY,        /* Whoever was rung is on a call, or all of them are. */
  NO_ANSWER,   /* It rang until the time was up. */
  REFUSED,     /* The far side refused: why_status() is its SIP status. */
  UNREACHABLE, /* No registered device, no trunk in service. */
  NOT_FOUND,   /* What was named does not exist. */
  INVALID,     /* The arguments make no sense. */
  LIMIT,       /* One of the tenant's limits was reached. */
  TIMED_OUT,   /* The engine gave up waiting for something inside itself. */
  OTHER,       /* Anything else, in words. */
} Why;

/* Leaves the function with what is not DONE. */
#define TRY(verb)                    \
  do {                               \
    Why why_ = (verb);               \
    if (why_ != DONE) return why_;   \
  } while (0)

/* The last failure in words: "no answer", "refused with 603", "there is no box". */
const char *why_words(Why why);
/* What came with the last failure: a name, an argument, a limit, words; "" when nothing did. */
const char *why_detail(void);
/* The SIP status that tells a caller so (RFC 3261 §21). */
uint16_t why_status(Why why);
/* For the end of a script: a failure of its own, which hands the call to the number's fallback. */
Why not_found(const char *what);
Why failed(const char *words);

/* Somebody to ring: made by one of these. */
typedef struct Target {
  uint8_t kind;
  const char *name;
} Target;
Target user(const char *name);     /* A user of the tenant, by name or extension. */
Target number(const char *number); /* A telephone number, through the tenant's trunks. */
Target uri(const char *uri);       /* A SIP URI, reached directly. */

/* Several, who ring together. What targets() and prompts() make is there to the end of the block around them. */
typedef struct Targets {
  const Target *all;
  size_t count;
} Targets;
#define targets(...) \
  ((Targets){(const Target[]){__VA_ARGS__}, sizeof((const Target[]){__VA_ARGS__}) / sizeof(Target)})

/* One party's connection to the exchange. A leg that was dialled lives until it hangs up, is hung up, or the script
 * returns. */
typedef struct Leg {
  int32_t handle;
} Leg;

typedef struct Party {
  const char *number; /* E.164 with "+", or an extension; empty when withheld. */
  const char *name;   /* NULL when none was sent. */
  const char *uri;
} Party;

typedef enum Direction { INBOUND, OUTBOUND, INTERNAL } Direction;

Party leg_party(Leg leg);
const char *leg_number(Leg leg);
const char *leg_dialled(Leg leg);
Direction leg_direction(Leg leg);
const char *leg_user(Leg leg);                     /* NULL when it is none of the tenant's. */
const char *leg_language(Leg leg);                 /* BCP 47: "en". */
const char *leg_header(Leg leg, const char *name); /* The first value; NULL when there is none, or no trust. */

Why leg_set_language(Leg leg, const char *tag);
Why leg_ring(Leg leg);                          /* 180. */
Why leg_ring_with(Leg leg, Prompt early);       /* 183 with something to hear. */
Why leg_answer(Leg leg);                        /* Done already is no error. */
Why leg_reject(Leg leg, uint16_t status, const char *reason); /* 300 to 699. */
Why leg_play_all(Leg leg, Prompts what, bool cut_by_key);
/* Plays, and waits until all is heard: leg_play(caller, recording("welcome"), silence(0.5)). */
#define leg_play(leg, ...) leg_play_all(leg, prompts(__VA_ARGS__), false)
/* The same, or until a key is pressed; the key stays for the next gather or menu. */
#define leg_play_until_key(leg, ...) leg_play_all(leg, prompts(__VA_ARGS__), true)

/* How to ask for digits; what is left out is as it says. */
typedef struct Gather {
  Prompts prompt;     /* Nothing. */
  uint8_t most;       /* One digit; at most 32. */
  char terminator;    /* '#'. */
  bool no_terminator; /* False: with it "#" is a digit like the others. */
  double first;       /* 6 s for the first key, from the end of the prompt. */
  double between;     /* 3 s between keys. */
} Gather;
Why leg_gather(Leg leg, Gather how, const char **pressed);

/* A menu, one key deep. */
typedef struct Menu {
  Prompts prompt;       /* Nothing. */
  const char *keys;     /* "0123456789*#". */
  unsigned tries;       /* 3. */
  double within;        /* 6 s. */
  Prompts on_wrong_key; /* Nothing. */
  Prompts on_silence;   /* Nothing. */
} Menu;
/* The key, or 0 when the tries are up. */
Why leg_menu(Leg leg, Menu how, char *key);

typedef struct Recorded {
  const char *id; /* A prompt of that name plays it. */
  double length;
} Recorded;
Why leg_record_message(Leg leg, double most, double silence, Recorded *made);
Why leg_start_recording(Leg leg, const char **name);
Why leg_stop_recording(Leg leg);
Why leg_pause_recording(Leg leg);  /* What is said from here on is left out: a card number. */
Why leg_resume_recording(Leg leg); /* And is recorded again. */
Why leg_send_digits(Leg leg, const char *keys);
Why leg_hold(Leg leg, Prompt hears);
Why leg_resume(Leg leg);
void leg_hang_up(Leg leg); /* Normal clearing, Q.850 cause 16. */
void leg_hang_up_with(Leg leg, uint16_t cause);

/* Rung together, so long after the beginning, or earlier when all before them have failed. */
typedef struct Stage {
  double after;
  Targets targets;
} Stage;
#define DIAL_STAGES 8
typedef struct Dial {
  Stage stages[DIAL_STAGES]; /* Those without targets are left out. */
  double for_secs;           /* 30 s in all. */
  bool skip_busy;            /* Users on a call are passed over. */
  const Party *present;      /* Shown as the caller; the caller itself. */
  const Prompt *ringback;    /* What the far side sends. */
} Dial;
/* The first to answer; else the best failure heard. */
Why dial(Dial how, Leg *agent);

/* Why a conversation ended. */
typedef enum End { A_HUNG_UP, B_HUNG_UP, DIGIT, TRANSFER, ENDED_OTHERWISE } End;
typedef struct Transfer {
  int32_t handle;
} Transfer;
typedef struct TalkEnd {
  End why;
  char key;          /* With DIGIT. */
  Transfer transfer; /* With TRANSFER, which only talk answers. */
} TalkEnd;
Why bridge(Leg a, Leg b);
Why bridge_until(Leg a, Leg b, const char *keys, TalkEnd *end);
Why talk(Leg a, Leg b, const char *keys, TalkEnd *end);
bool transfer_by_b(Transfer transfer);
bool transfer_attended(Transfer transfer);
Target transfer_to(Transfer transfer);
Why transfer_carry_out(Transfer transfer, const Target *to, double ring); /* NULL: as was asked. */
Why transfer_refuse(Transfer transfer, uint16_t status);
const char *transferred_by(void); /* NULL if nobody did. */

Why park(Leg leg, const char *slot, double most, Prompt hears, Leg *who);
Why retrieve(const char *slot);
Why pick_up(const char *user);
Why tag(const char *key, const char *value);
/* `settings`: a JSON object. */
Why hand_over(const char *script, const char *settings);

/* People of the tenant. */
typedef enum Presence { OFFLINE, FREE, RINGING, ON_A_CALL } Presence;
typedef struct User {
  const char *name;
  const char *number;
  const char *mobile; /* NULL when there is none. */
  Presence presence;
} User;
typedef struct Users {
  User *all;
  size_t count;
} Users;
bool directory_find(const char *name_or_number, User *found);
Users directory_group(const char *name);
bool directory_last_spoke_with(const char *number, uint32_t days, User *found);
uint32_t directory_conversations(const char *number, uint32_t days);

/* Whoever calls, in the CRM. */
typedef struct Contact {
  const char *id, *name;
  const char *company, *owner; /* NULL when there is none. */
  int32_t handle;
} Contact;
Why crm_find(const char *number, bool *known, Contact *contact);
const char *contact_field(const Contact *contact, const char *name); /* NULL when there is none. */
/* Writes a task down, for whoever looks after the contact when `responsible` is NULL. `due`: seconds since 1970 UTC, or 0.
 * `id` may be NULL. */
Why crm_create_task(const char *number, const char *title, const char *responsible, double due, const char **id);
Why crm_close_task(const char *id); /* An open task is done. */

/* Tells a recipient of the tenant's configuration by name, or everyone who ticked "script" when `to` is "". The text's first
 * line is the subject, at most 4 KiB in all; `facts` are names and values in turn, then NULL, or just NULL: at most 32 of
 * 1 KiB. It is written down when this returns, and delivered for certain. */
Why notify(const char *to, const char *text, const char *const *facts);

/* A box that keeps messages, as it was when looked up. What callers leave after tag("box", name) goes to that box by itself,
 * also when they hang up while speaking. */
typedef struct Mailbox {
  const char *name;
  const char *greeting; /* The prompt that greets its callers; NULL when nobody recorded one. */
  double longest;       /* The longest message that it takes ... */
  double silence;       /* ... so much quiet ends one ... */
  double shortest;      /* ... and what is shorter is none. */
  uint32_t unheard, heard;
  bool full;                 /* It takes no further message. */
  const char *const *owners; /* Users who need no PIN on their own telephones; NULL behind the last. */
} Mailbox;
typedef struct Message {
  const char *id;     /* A prompt too: recording(message.id). */
  const char *number; /* "" when withheld. */
  const char *name;   /* NULL when none was sent. */
  double at;          /* Seconds since 1970 UTC. */
  double length;
  bool heard;
} Message;
typedef struct Messages {
  Message *all;
  size_t count;
} Messages;
bool mailbox_find(const char *name_or_number, Mailbox *found);
Why mailbox_unlock(const Mailbox *box, const char *pin); /* REFUSED for a wrong one, LIMIT for any after too many. */
Why mailbox_messages(const Mailbox *box, Messages *messages); /* Those that nobody has heard first; the oldest first. */
Why mailbox_keep(const Mailbox *box, const char *id);         /* It was heard, and stays. */
Why mailbox_delete(const Mailbox *box, const char *id);
Why mailbox_greet_with(const Mailbox *box, const char *recording); /* NULL: as if nobody had recorded one. */

/* A server outside, asked over HTTP: one that the tenant allows in [tenant.http]. */
typedef struct Request {
  const char *method; /* "GET", or "HEAD", "POST", "PUT", "PATCH", "DELETE". */
  const char *url;
  const char *const *headers; /* Names and values in turn, then NULL; none. */
  const char *body;           /* None. */
  size_t body_length;         /* That of the string. */
  double within;              /* The tenant's http_time, which is also the most. */
  uint8_t redirects;          /* None is followed, and a redirect is the answer; at most 5. */
} Request;
typedef struct Response {
  uint16_t status;  /* 200 to 599: whatever the server answered. */
  const char *body; /* With a 0 behind it. */
  size_t length;    /* Of the body. */
  int32_t handle;
} Response;
/* Waits for the answer. LIMIT when the server is not allowed ("http_allow"), its address is private ("http_reach"), or a
   limit is reached; the key is in why_detail(). NOT_FOUND when nobody knows the name. */
Why http_send(Request request, Response *response);
const char *response_header(const Response *response, const char *name); /* The first value; NULL when there is none. */

/* Waiting for an agent. */
typedef struct Place {
  int32_t handle;
} Place;
typedef struct Entry {
  const char *queue;
  int32_t priority; /* -100 to 100. */
  double longest;   /* The queue's own. */
} Entry;
typedef enum WaitEnd { CONNECTED, KEY, ASKED, LONGEST_WAIT, NOBODY, WAITED_OTHERWISE } WaitEnd;
typedef struct Waited {
  WaitEnd why;
  Leg agent;        /* With CONNECTED. */
  char key;         /* With KEY. */
  const char *word; /* With ASKED and WAITED_OTHERWISE. */
} Waited;
/* Answers the caller first. A queue that is full is BUSY; one that is closed, or that nobody serves, UNREACHABLE. */
Why queue_enter(Leg caller, Entry entry, Place *place);
Why place_wait(Place place, const char *keys, const Prompt *hears, Waited *end); /* NULL: the queue's music. */
uint32_t place_position(Place place);
bool place_expected(Place place, double *wait);
Why place_set_priority(Place place, int32_t priority);
Why place_call_back(Place place, const char *number);
void place_leave(Place place);
Why agent_make_available(const char *user);
Why agent_pause(const char *user, const char *reason);
Why agent_sign_in(const char *user, const char *queue);
Why agent_sign_out(const char *user, const char *queue);

/* The tenant's clock, and chance. The C library's clocks and rand() are the call's too. */
typedef struct LocalTime {
  int32_t year;
  uint8_t month, day, weekday, hour, minute, second; /* weekday: 1 is Monday. */
  int32_t offset_minutes;
} LocalTime;
double clock_now(void);
LocalTime clock_local(void);
bool clock_time_in(const char *zone, LocalTime *time);
const char *clock_scheme(const char *calendar); /* NULL when there is no such calendar. */
uint32_t clock_random(uint32_t below);
Why clock_sleep(double length);

/* The tenant's own memory across calls. */
Why kv_get(const char *key, const char **value); /* NULL when there is none. */
Why kv_set(const char *key, const char *value);
Why kv_set_for(const char *key, const char *value, uint32_t seconds);
Why kv_swap(const char *key, const char *was, const char *value, bool *swapped); /* `was` NULL: only if there is none. */
Why kv_add(const char *key, int32_t amount, int32_t *sum);                       /* `sum` may be NULL. */
Why kv_delete(const char *key);

/* What there is to know when the call is over. */
typedef enum Outcome { ANSWERED, MISSED, ABANDONED, VOICEMAIL, REJECTED, FAILED } Outcome;
typedef struct CallRecord {
  const char *id;
  Party caller;
  const char *dialled;
  double started; /* Seconds since 1970 UTC. */
  double waited, talked;
  const char *answered_by; /* NULL when nobody did. */
  Outcome outcome;
} CallRecord;

/* The script's two: `settings` is a JSON object. */
Why on_call(Leg caller, const char *settings);
Why on_ended(const CallRecord *how);

/* In place of on_ended, where nothing is done after a call: the component says so, and the exchange runs nothing then. */
#ifdef __wasm__
#define SAYS_NOTHING_AFTER \
  __asm__(".section \".custom_section.strowger:nothing-after\",\"\",@\n.byte 1\n.text\n");
#else
#define SAYS_NOTHING_AFTER
#endif
#define NOTHING_AFTER              \
  SAYS_NOTHING_AFTER               \
  Why on_ended(const CallRecord *how) { \
    (void)how;                     \
    return DONE;                   \
  }

#endif
