/* A strategy's snapshot as a table. */

#include "strowger_queue_sim.h"

static Ranking rank(Snapshot now) {
  Agents agents = free_agents(now);
  sort_agents(agents, longest_idle);
  return pair_up(now, agents, setting_number("ring", 20));
}

static Announcement announce(Snapshot now, const Caller *who, double said) {
  static Prompt say[1];
  (void)now;
  say[0] = position(who->position);
  return (Announcement){.say = {say, said > 0 ? 0 : 1}, .again = 30};
}

const Strategy strategy = {.rank = rank, .announce = announce};

static Line two(void) {
  return (Line){
      .settings = "{\"ring\":15}",
      .waiting = {{.number = "+1"}, {.number = "+2", .priority = 5}, {.number = "+3", .offered = true}},
      .agents = {{.name = "ana", .since_offered = 30}, {.name = "boris", .since_offered = 90}, {.name = "vera", .state = TALKING}},
  };
}

TEST(a_snapshot_is_a_table) {
  CHECK_TEXT(rings(two()), "2 boris, 1 ana");
  CHECK_NUMBER(ranked(two()).offers[0].ring, 15);
  Line gone = two();
  gone.agents[1].state = SIGNED_OFF;
  CHECK_TEXT(rings(gone), "2 ana");
}

TEST(whoever_has_the_skills_rings) {
  static const Skill bulgarian[] = {{"bg", 3}}, some[] = {{"bg", 5}};
  Line now = two();
  now.waiting[0].skills = (Skills){bulgarian, 1};
  now.waiting[1].skills = (Skills){bulgarian, 1};
  now.agents[0].skills = (Skills){some, 1};
  CHECK_TEXT(rings(now), "2 ana");
  CHECK(!all_waiting(snapshot(now)).all[0].anyone);
  CHECK(all_waiting(snapshot(now)).all[2].anyone);
}

TEST(what_a_strategy_does_not_answer_is_usual) {
  double wait;
  CHECK(admitted(two(), 0).is == COME_IN);
  CHECK(!expects_wait(two(), 0, &wait));
  CHECK(key_pressed(two(), 0, '1').does == PASS);
  CHECK_NUMBER(announced(two(), 1, 0).say.all[0].number, 2);
  CHECK_NUMBER(announced(two(), 1, 30).say.count, 0);
}
