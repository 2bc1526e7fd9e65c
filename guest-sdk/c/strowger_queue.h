/* Queue strategies for the strowger telephone exchange, in C: who rings next.
 *
 * A strategy is a function of what it sees: the same snapshot gives the same answer. It is asked anew each time, remembers
 * nothing, and nothing need be freed. Lengths are seconds; what a question does not say is answered as the usual says.
 *
 *     #include "strowger_queue.h"
 *
 *     Ranking rank(Snapshot now) {
 *       Agents free = free_agents(now);
 *       sort_agents(free, longest_idle);
 *       return pair_up(now, free, setting_number("ring", 20));
 *     }
 *
 *     const Strategy strategy = {.rank = rank};
 */
#ifndef STROWGER_QUEUE_H
#define STROWGER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strowger_words.h"

/* A queue at one moment. */
typedef struct Snapshot {
  int32_t handle;
} Snapshot;

/* A skill, and the level of it that is asked for or there: 1 to 100. */
typedef struct Skill {
  const char *name;
  uint8_t level;
} Skill;
typedef struct Skills {
  const Skill *all;
  size_t count;
} Skills;

/* A caller in the queue. */
typedef struct Caller {
  uint32_t id; /* Names the caller in this snapshot. */
  const char *number;
  int32_t priority; /* Higher goes first. */
  double waited;
  uint32_t position; /* By priority, then arrival: first is 1. */
  double expected;   /* The exchange's own estimate of the rest of the wait; -1 when nothing is known. */
  const char *last_agent; /* Whoever spoke with this number last; NULL when nobody did. */
  const char **tried;     /* Agents that were rung for the caller before, in order. */
  size_t tries;
  bool offered; /* Agents are being rung for the caller now. */
  bool anyone;  /* Any free agent will do: no skills are asked for, and nobody was rung before. */
  Skills skills;
} Caller;
typedef struct Callers {
  Caller *all;
  size_t count;
} Callers;

typedef enum AgentState { OFFLINE, AVAILABLE, OFFERED, TALKING, WRAP_UP, PAUSED } AgentState;

/* An agent who serves the queue. */
typedef struct Agent {
  const char *name;
  AgentState state;
  bool free; /* A call can be offered now. */
  double free_for, since_offered;
  uint32_t offered, answered; /* Today. */
  double talked, signed_in_for; /* Today. */
  uint32_t missed_in_a_row;
  uint8_t level;   /* The tier: 1 is asked first. */
  uint16_t weight; /* 1 to 1000. */
  Skills skills;
} Agent;
typedef struct Agents {
  Agent *all;
  size_t count;
} Agents;

const char *queue_name(Snapshot now);
uint32_t seed(Snapshot now);              /* For choices by chance: the same seed, the same choice. */
const char *last_answered(Snapshot now);  /* NULL when nobody has. */
double service(Snapshot now);             /* Mean length of a conversation lately, wrap-up included. */
Callers all_waiting(Snapshot now);        /* In order of arrival. */
Callers in_line(Snapshot now, uint32_t most); /* The first for whom nobody is rung now, by their place in line. */
Agents all_agents(Snapshot now);          /* In the configuration's order. */
Agents free_agents(Snapshot now);         /* Those to whom a call can be offered now. */
uint8_t level_of(Skills skills, const char *name); /* 0 without it. */

/* Less than 0 when `a` is to ring before `b`. */
typedef int (*Order)(const Agent *a, const Agent *b);
int longest_idle(const Agent *a, const Agent *b);    /* The longest since a call was offered. */
int fewest_answered(const Agent *a, const Agent *b); /* The fewest calls today. */
/* By tier, then by this order; equals stay in theirs. */
void sort_agents(Agents agents, Order order);

/* Ring these together for this caller, for so long. */
typedef struct Offer {
  uint32_t caller;
  const char **agents;
  size_t count;
  double ring;
} Offer;
/* Who rings for whom; `again`: asked again after so long if nothing happens before, 0 never. */
typedef struct Ranking {
  Offer *offers;
  size_t count;
  double again;
} Ranking;
/* One agent for each caller in line, in order; a caller gets the first who has the skills that are asked for. */
Ranking pair_up(Snapshot now, Agents agents, double ring);

/* Whether a caller may wait. */
typedef enum Admitted { COME_IN, FULL, CLOSED, NO_AGENTS, TOO_LONG, REFUSED_OTHERWISE } Admitted;
typedef struct Admission {
  Admitted is;
  double wait;      /* With TOO_LONG. */
  const char *word; /* With REFUSED_OTHERWISE: for the script to act on. */
} Admission;

/* What to say to a caller; `again`: asked again after so long, 0 never. */
typedef struct Announcement {
  Prompts say;
  double again;
} Announcement;

/* What a key does that a waiting caller pressed. */
typedef enum KeyDoes { PASS, SAY, ASK } KeyDoes;
typedef struct KeyAction {
  KeyDoes does;
  Prompts say;      /* With SAY. */
  const char *word; /* With ASK: "voicemail", "call-back" ... */
} KeyAction;

/* The five questions; only `rank` must be answered. Usual is: everybody comes in, the exchange's own estimate, silence, and
 * keys that do nothing unless the script listens for them. What is said must outlive the function: prompts of static text, or
 * of what format() made, in an array that is static. */
typedef struct Strategy {
  Ranking (*rank)(Snapshot now);
  Admission (*admit)(Snapshot now, const Caller *who);
  bool (*expected_wait)(Snapshot now, const Caller *who, double *wait);
  Announcement (*announce)(Snapshot now, const Caller *who, double said);
  KeyAction (*on_key)(Snapshot now, const Caller *who, char key);
} Strategy;

/* The script's own. */
extern const Strategy strategy;

#endif
