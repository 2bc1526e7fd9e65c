/* Queue strategies in C without an exchange: what a strategy answers to a snapshot that a test writes as a table.
 *
 *     #include "strowger_queue_sim.h"
 *
 *     TEST(the_longest_idle_rings_first) {
 *       Line now = {
 *           .waiting = {{.number = "+359888123456"}, {.number = "+359888654321", .priority = 5}},
 *           .agents = {{.name = "ana", .since_offered = 30}, {.name = "boris", .since_offered = 90}},
 *       };
 *       CHECK_TEXT(rings(now), "2 boris, 1 ana");
 *     }
 *
 * What is left out or 0 is as it says. */
#ifndef STROWGER_QUEUE_SIM_H
#define STROWGER_QUEUE_SIM_H

#include "strowger_queue.h"
#include "strowger_test.h"

/* How many there may be of either. */
#define IN_LINE 64

/* An agent who is OFFLINE, which is 0 and would be left out. */
#define SIGNED_OFF ((AgentState)100)

typedef struct Line {
  const char *queue;         /* "queue". */
  const char *settings;      /* "{}": a JSON object. */
  uint32_t seed;             /* 1. */
  const char *last_answered; /* Nobody. */
  double service;
  /* In order of arrival, to the first that has neither number nor id. `id`, `position`: 1, 2, 3 as they stand; `expected`:
     nothing is known; `anyone` is so without skills and tries, whatever is written. */
  Caller waiting[IN_LINE];
  /* To the first without a name. `state`: AVAILABLE; `free` is so in that state, whatever is written; `level`, `weight`: 1. */
  Agent agents[IN_LINE];
} Line;

/* For a strategy's own functions; its settings are those in force until the next. */
Snapshot snapshot(Line now);

/* What the strategy beside the test answers. `who` counts the waiting from 0. */
Ranking ranked(Line now);
Admission admitted(Line now, size_t who);
bool expects_wait(Line now, size_t who, double *wait);
Announcement announced(Line now, size_t who, double said);
KeyAction key_pressed(Line now, size_t who, char key);

/* `ranked` in words, offer by offer: "2 boris, 1 ana+vera"; "" when nobody rings. */
const char *rings(Line now);

#endif
