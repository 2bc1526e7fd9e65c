/* strowger_queue.h over what wit-bindgen writes of wit/. */

#include "strowger_queue.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_strategy.h"

/* The bindings ask for an object that would bring the world's type; the builder writes it into the module instead. */
void __component_type_object_force_link_queue_strategy(void) {}

typedef queue_strategy_string_t Bytes;
typedef strowger_script_types_prompt_t WitPrompt;

#include "words_of_wit.h"
#include "plain_queues.h"

typedef strowger_script_strategy_borrow_snapshot_t Now;
typedef strowger_script_strategy_borrow_waiting_t Who;
typedef strowger_script_strategy_borrow_agent_t Desk;

static double secs(uint32_t millis) { return millis / 1000.0; }

static Skills skills_of(queue_strategy_list_tuple2_string_u8_t from) {
  Skill *all = room(from.len, sizeof *all);
  for (size_t n = 0; n < from.len; n++) all[n] = (Skill){string(from.ptr[n].f0), from.ptr[n].f1};
  return (Skills){all, from.len};
}

static Caller caller_of(Who who) {
  Bytes number, last;
  uint32_t expected;
  queue_strategy_list_string_t tried;
  queue_strategy_list_tuple2_string_u8_t skills;
  strowger_script_strategy_method_waiting_number(who, &number);
  strowger_script_strategy_method_waiting_tried(who, &tried);
  strowger_script_strategy_method_waiting_skills(who, &skills);
  Caller caller = {
      .id = strowger_script_strategy_method_waiting_id(who),
      .number = string(number),
      .priority = strowger_script_strategy_method_waiting_priority(who),
      .waited = secs(strowger_script_strategy_method_waiting_waited(who)),
      .position = strowger_script_strategy_method_waiting_position(who),
      .expected = strowger_script_strategy_method_waiting_expected(who, &expected) ? secs(expected) : -1,
      .last_agent = strowger_script_strategy_method_waiting_last_agent(who, &last) ? string(last) : NULL,
      .tried = room(tried.len, sizeof(const char *)),
      .tries = tried.len,
      .offered = strowger_script_strategy_method_waiting_offered(who),
      .anyone = strowger_script_strategy_method_waiting_anyone(who),
      .skills = skills_of(skills),
  };
  for (size_t n = 0; n < tried.len; n++) caller.tried[n] = string(tried.ptr[n]);
  return caller;
}

static Agent agent_of(Desk desk) {
  Bytes name;
  queue_strategy_list_tuple2_string_u8_t skills;
  strowger_script_strategy_method_agent_name(desk, &name);
  strowger_script_strategy_method_agent_skills(desk, &skills);
  return (Agent){
      .name = string(name),
      .state = (AgentState)strowger_script_strategy_method_agent_state(desk),
      .free = strowger_script_strategy_method_agent_free(desk),
      .free_for = secs(strowger_script_strategy_method_agent_free_for(desk)),
      .since_offered = secs(strowger_script_strategy_method_agent_since_offered(desk)),
      .offered = strowger_script_strategy_method_agent_offered(desk),
      .answered = strowger_script_strategy_method_agent_answered(desk),
      .talked = secs(strowger_script_strategy_method_agent_talked(desk)),
      .signed_in_for = secs(strowger_script_strategy_method_agent_signed_in_for(desk)),
      .missed_in_a_row = strowger_script_strategy_method_agent_missed_in_a_row(desk),
      .level = strowger_script_strategy_method_agent_level(desk),
      .weight = strowger_script_strategy_method_agent_weight(desk),
      .skills = skills_of(skills),
  };
}

static Callers callers_of(strowger_script_strategy_list_own_waiting_t from) {
  Callers made = {room(from.len, sizeof(Caller)), from.len};
  for (size_t n = 0; n < from.len; n++) {
    made.all[n] = caller_of(strowger_script_strategy_borrow_waiting(from.ptr[n]));
    strowger_script_strategy_waiting_drop_own(from.ptr[n]);
  }
  return made;
}

static Agents agents_of(strowger_script_strategy_list_own_agent_t from) {
  Agents made = {room(from.len, sizeof(Agent)), from.len};
  for (size_t n = 0; n < from.len; n++) {
    made.all[n] = agent_of(strowger_script_strategy_borrow_agent(from.ptr[n]));
    strowger_script_strategy_agent_drop_own(from.ptr[n]);
  }
  return made;
}

static Now of(Snapshot now) { return (Now){now.handle}; }

const char *queue_name(Snapshot now) {
  Bytes name;
  strowger_script_strategy_method_snapshot_queue(of(now), &name);
  return string(name);
}
uint32_t seed(Snapshot now) { return strowger_script_strategy_method_snapshot_seed(of(now)); }
const char *last_answered(Snapshot now) {
  Bytes name;
  return strowger_script_strategy_method_snapshot_last_answered(of(now), &name) ? string(name) : NULL;
}
double service(Snapshot now) { return secs(strowger_script_strategy_method_snapshot_service(of(now))); }
Callers all_waiting(Snapshot now) {
  strowger_script_strategy_list_own_waiting_t all;
  strowger_script_strategy_method_snapshot_waiting(of(now), &all);
  return callers_of(all);
}
Callers in_line(Snapshot now, uint32_t most) {
  strowger_script_strategy_list_own_waiting_t all;
  strowger_script_strategy_method_snapshot_in_line(of(now), most, &all);
  return callers_of(all);
}
Agents all_agents(Snapshot now) {
  strowger_script_strategy_list_own_agent_t all;
  strowger_script_strategy_method_snapshot_agents(of(now), &all);
  return agents_of(all);
}
Agents free_agents(Snapshot now) {
  strowger_script_strategy_list_own_agent_t all;
  strowger_script_strategy_method_snapshot_free(of(now), &all);
  return agents_of(all);
}

/* What the exchange asks. What it lends for a question is given back with the answer. */

static Snapshot asked(Now now) {
  Bytes json;
  strowger_script_strategy_method_snapshot_settings(now, &json);
  settings = string(json);
  return (Snapshot){now.__handle};
}

static void give_back(Now now, Who who) {
  strowger_script_strategy_snapshot_drop_borrow(now);
  strowger_script_strategy_waiting_drop_borrow(who);
}

static strowger_script_strategy_option_millis_t again_of(double length) {
  return (strowger_script_strategy_option_millis_t){length > 0, millis(length)};
}

/* Copies, because the bindings free what they have sent. */
static strowger_script_strategy_list_prompt_t said(Prompts from) {
  WitPrompt *all = room(from.count, sizeof *all);
  for (size_t n = 0; n < from.count; n++) {
    Prompt own = from.all[n];
    if (own.text) own.text = string(bytes(own.text));
    all[n] = prompt_of(own);
  }
  return (strowger_script_strategy_list_prompt_t){all, from.count};
}

/* The same of a text. */
static Bytes given(const char *text) { return bytes(string(bytes(text))); }

void exports_queue_strategy_rank(queue_strategy_borrow_snapshot_t now, queue_strategy_ranking_t *ret) {
  Ranking ranking = strategy.rank(asked(now));
  ret->offers.ptr = room(ranking.count, sizeof *ret->offers.ptr);
  ret->offers.len = ranking.count;
  for (size_t n = 0; n < ranking.count; n++) {
    const Offer *from = &ranking.offers[n];
    strowger_script_strategy_offer_t *to = &ret->offers.ptr[n];
    to->caller = from->caller;
    to->ring = millis(from->ring);
    to->agents.ptr = room(from->count, sizeof(Bytes));
    to->agents.len = from->count;
    for (size_t m = 0; m < from->count; m++) to->agents.ptr[m] = given(from->agents[m]);
  }
  ret->again = again_of(ranking.again);
  strowger_script_strategy_snapshot_drop_borrow(now);
}

void exports_queue_strategy_admit(queue_strategy_borrow_snapshot_t now, queue_strategy_borrow_waiting_t who,
                                  queue_strategy_admission_t *ret) {
  Caller caller = caller_of(who);
  Admission answer = {COME_IN};
  if (strategy.admit) answer = strategy.admit(asked(now), &caller);
  ret->tag = (uint8_t)answer.is;
  if (answer.is == TOO_LONG) ret->val.too_long = millis(answer.wait);
  if (answer.is == REFUSED_OTHERWISE) ret->val.other = given(answer.word ? answer.word : "");
  give_back(now, who);
}

bool exports_queue_strategy_expected_wait(queue_strategy_borrow_snapshot_t now, queue_strategy_borrow_waiting_t who,
                                          queue_strategy_millis_t *ret) {
  Caller caller = caller_of(who);
  double wait = caller.expected;
  bool known = strategy.expected_wait ? strategy.expected_wait(asked(now), &caller, &wait) : wait >= 0;
  *ret = known ? millis(wait) : 0;
  give_back(now, who);
  return known;
}

void exports_queue_strategy_announce(queue_strategy_borrow_snapshot_t now, queue_strategy_borrow_waiting_t who,
                                     queue_strategy_millis_t since, queue_strategy_announcement_t *ret) {
  Caller caller = caller_of(who);
  Announcement answer = {{NULL, 0}, 0};
  if (strategy.announce) answer = strategy.announce(asked(now), &caller, secs(since));
  ret->say = said(answer.say);
  ret->again = again_of(answer.again);
  give_back(now, who);
}

void exports_queue_strategy_on_digit(queue_strategy_borrow_snapshot_t now, queue_strategy_borrow_waiting_t who,
                                     uint32_t key, queue_strategy_key_action_t *ret) {
  Caller caller = caller_of(who);
  KeyAction answer = {PASS};
  if (strategy.on_key) answer = strategy.on_key(asked(now), &caller, (char)key);
  ret->tag = (uint8_t)answer.does;
  if (answer.does == SAY) ret->val.say = said(answer.say);
  if (answer.does == ASK) ret->val.ask = given(answer.word ? answer.word : "");
  give_back(now, who);
}
