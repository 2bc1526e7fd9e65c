/* The functions of strowger_queue.h over a table. */

#include "strowger_queue_sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_strategy.h"

#include "plain_words.h"
#include "plain_queues.h"

/* The tables of one test. */
#define MOST_SNAPSHOTS 1000
static Line *lines[MOST_SNAPSHOTS];
static int32_t made;

static void write_line(uint8_t level, const char *line) {
  static const char *const levels[] = {"debug", "info", "warn", "error"};
  test_remark(format("%s: %s", levels[level & 3], line));
}

Snapshot snapshot(Line now) {
  if (made == MOST_SNAPSHOTS) test_fails(__FILE__, __LINE__, "a test makes at most %d snapshots", MOST_SNAPSHOTS);
  Line *line = room(1, sizeof *line);
  *line = now;
  if (!line->queue) line->queue = "queue";
  if (!line->settings) line->settings = "{}";
  if (!line->seed) line->seed = 1;
  for (uint32_t n = 0; n < IN_LINE; n++) {
    Caller *caller = &line->waiting[n];
    if (!caller->number && !caller->id) break;
    if (!caller->number) caller->number = "";
    if (!caller->id) caller->id = n + 1;
    if (!caller->position) caller->position = n + 1;
    if (caller->expected == 0) caller->expected = -1;
    caller->anyone = !caller->skills.count && !caller->tries;
  }
  for (size_t n = 0; n < IN_LINE && line->agents[n].name; n++) {
    Agent *agent = &line->agents[n];
    agent->state = agent->state == SIGNED_OFF ? OFFLINE : agent->state == OFFLINE ? AVAILABLE : agent->state;
    agent->free = agent->state == AVAILABLE;
    if (!agent->level) agent->level = 1;
    if (!agent->weight) agent->weight = 1;
  }
  settings = line->settings;
  lines[made] = line;
  return (Snapshot){made++};
}

static const Line *line_of(Snapshot now) { return lines[now.handle]; }

const char *queue_name(Snapshot now) { return line_of(now)->queue; }
uint32_t seed(Snapshot now) { return line_of(now)->seed; }
const char *last_answered(Snapshot now) { return line_of(now)->last_answered; }
double service(Snapshot now) { return line_of(now)->service; }

Callers all_waiting(Snapshot now) {
  const Caller *all = line_of(now)->waiting;
  Callers callers = {room(IN_LINE, sizeof(Caller)), 0};
  while (callers.count < IN_LINE && all[callers.count].id) {
    callers.all[callers.count] = all[callers.count];
    callers.count++;
  }
  return callers;
}

Callers in_line(Snapshot now, uint32_t most) {
  Callers all = all_waiting(now), line = {all.all, 0};
  for (size_t n = 0; n < all.count; n++) {
    Caller one = all.all[n];
    if (one.offered) continue;
    size_t at = line.count++;
    for (; at > 0 && line.all[at - 1].priority < one.priority; at--) line.all[at] = line.all[at - 1];
    line.all[at] = one;
  }
  if (line.count > most) line.count = most;
  return line;
}

Agents all_agents(Snapshot now) {
  const Agent *all = line_of(now)->agents;
  Agents agents = {room(IN_LINE, sizeof(Agent)), 0};
  while (agents.count < IN_LINE && all[agents.count].name) {
    agents.all[agents.count] = all[agents.count];
    agents.count++;
  }
  return agents;
}

Agents free_agents(Snapshot now) {
  Agents all = all_agents(now), agents = {all.all, 0};
  for (size_t n = 0; n < all.count; n++) {
    if (all.all[n].free) agents.all[agents.count++] = all.all[n];
  }
  return agents;
}

/* What the strategy answers, and the usual where it says nothing. */

static const Caller *caller_of(Snapshot now, size_t who) {
  Callers all = all_waiting(now);
  if (who >= all.count) test_fails(__FILE__, __LINE__, "caller %zu is asked for, and %zu wait", who, all.count);
  return &all.all[who];
}

Ranking ranked(Line now) { return strategy.rank(snapshot(now)); }

Admission admitted(Line now, size_t who) {
  Snapshot is = snapshot(now);
  const Caller *caller = caller_of(is, who);
  return strategy.admit ? strategy.admit(is, caller) : (Admission){.is = COME_IN};
}

bool expects_wait(Line now, size_t who, double *wait) {
  Snapshot is = snapshot(now);
  const Caller *caller = caller_of(is, who);
  *wait = caller->expected;
  return strategy.expected_wait ? strategy.expected_wait(is, caller, wait) : *wait >= 0;
}

Announcement announced(Line now, size_t who, double said) {
  Snapshot is = snapshot(now);
  const Caller *caller = caller_of(is, who);
  return strategy.announce ? strategy.announce(is, caller, said) : (Announcement){.again = 0};
}

KeyAction key_pressed(Line now, size_t who, char key) {
  Snapshot is = snapshot(now);
  const Caller *caller = caller_of(is, who);
  return strategy.on_key ? strategy.on_key(is, caller, key) : (KeyAction){.does = PASS};
}

const char *rings(Line now) {
  Ranking ranking = ranked(now);
  const char *told = "";
  for (size_t n = 0; n < ranking.count; n++) {
    const Offer *offer = &ranking.offers[n];
    told = format("%s%s%u ", told, n ? ", " : "", offer->caller);
    for (size_t m = 0; m < offer->count; m++) told = format("%s%s%s", told, m ? "+" : "", offer->agents[m]);
  }
  return told;
}
