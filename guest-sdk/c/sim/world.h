/* The world of the one call that is simulated: between world.c, which keeps time and follows the plan, and strowger_sim.c,
 * whose verbs happen in it. */
#ifndef STROWGER_SIM_WORLD_H
#define STROWGER_SIM_WORLD_H

#include "strowger_sim.h"

#define MOST_LEGS 64
#define MOST_KEYS 256

/* As long as the caller likes. */
#define FOR_EVER ((double)INFINITY)
/* How long one takes to press a key, and from one to the next. */
#define REACTION 1.0
#define BETWEEN_KEYS 0.5
#define ANY_KEY "0123456789*#ABCD"

typedef enum Kind {
  IS_ANSWERED,
  HEARS,
  HEARS_MUSIC,
  HEARS_RINGING,
  TALKS_WITH,
  IS_REJECTED,
  IS_HUNG_UP,
  IS_HANDED_OVER,
  FALLS_BACK,
  PRESSES,      /* One key, the first of a row. */
  PRESSES_NEXT, /* One key. */
  SPEAKS,
  WAITS,
  HANGS_UP,
  HEARS_ITSELF, /* Happens, and no plan waits for it. */
} Kind;

/* A leg; the caller's is the first. */
typedef struct Side {
  Party party;
  const char *user; /* NULL when it is none of the tenant's. */
  double hangs_up_at, transfers_at;
  const char *transfers_to;
  const char *presses; /* What is left of its keys. */
} Side;

typedef struct Playing {
  World there;
  Step *steps; /* The plan, key by key, and how far the caller is. */
  size_t count, at;
  double now, caller_at;
  char keys[MOST_KEYS + 1]; /* Pressed, and not asked for yet. */
  bool left;                /* The caller has, or was sent away. */
  Side legs[MOST_LEGS];
  size_t leg_count;
  uint32_t drawn; /* Of chance. */
  struct {
    const Queue *queue; /* The queue that was entered last. */
    double entered, ends;
  } place;
  int32_t asks;  /* The leg that asks for a transfer and waits for the answer; -1: none. */
  bool asks_as_b; /* And it is the second one of talk(). */
  Call made;
} Playing;

/* The call that is played; ends the program when there is none. */
Playing *playing(void);
/* A line of the timeline, as printf has it. */
void note(const char *line, ...) __attribute__((format(printf, 1, 2)));
void add_line(Lines *to, const char *line);
/* Something happens that the plan may wait for: of a prompt `prompt`, else with `what` or `number`. */
void happens(Kind kind, const char *what);
void hears_prompt(Prompt prompt);
void happens_with(Kind kind, double number);
/* Time goes by, for so long, or until one of these keys, which goes to `key`; else that is 0. HUNG_UP when the caller leaves
 * meanwhile, or has left. */
Why passes(double length, const char *keys, char *key);
/* The same beside a leg that is not the caller's: HUNG_UP too when that one hangs up. A caller who has left is not waited
 * for. */
Why passes_beside(Side *side, double length);
/* How a leg is called. */
static inline const char *who(const Side *side) { return side->user ? side->user : side->party.number; }
/* Whether the caller speaks next, for how long; that is done then. */
double speaks_now(void);
/* Ends the call's test: the plan can't be followed. */
_Noreturn void breaks(const char *why);
/* A prompt in words. */
const char *heard(Prompt prompt);
/* A moment, "2026-01-05 10:00", in seconds since 1970 UTC; and back. */
double moment(const char *text);
LocalTime local_time(double at);

/* A verb fails. */
Why fails(Why why, const char *detail);
Why refused(uint16_t status);

/* Plays a part of a script in which nobody calls. */
Call play_part(const World *there, Why (*part)(void));

/* What strowger_sim.c has for world.c and mailbox.c. */
void begin_settings(const char *json);
const char *words_of(Why why);

#endif
