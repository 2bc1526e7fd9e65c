/* The simulated exchange: timelines of what a caller hears and does. */

#include <string.h>

#include "strowger_sim.h"

/* The script of the test that runs. */
static Why (*script)(Leg caller);
Why on_call(Leg caller, const char *settings) {
  (void)settings;
  return script(caller);
}
Why on_ended(const CallRecord *how) {
  (void)how;
  return DONE;
}

static Why staged(Leg caller) {
  TRY(leg_answer(caller));
  Leg agent;
  Dial how = {.stages = {{0, targets(user("ana"))}, {15, targets(number("+1"))}}, .for_secs = 40};
  TRY(dial(how, &agent));
  return bridge(caller, agent);
}

TEST(a_stage_begins_early_when_all_before_it_have_failed) {
  script = staged;
  World there = {
      .users = {{.name = "ana", .after = 3, .rejects = 480}},
      .telephones = {{.name = "+1", .after = 2, .talks = 10}},
  };
  CHECK_NUMBER(run(there, talks_with("+1"), is_hung_up()).length, 15);
}

static Why rings_two(Leg caller) {
  (void)caller;
  Leg agent;
  return dial((Dial){.stages = {{0, targets(user("ana"), user("boris"), user("vera"))}}, .for_secs = 5}, &agent);
}

TEST(a_dial_tells_the_best_failure) {
  script = rings_two;
  World there = {.users = {{.name = "ana", .never_answers = true}, {.name = "boris", .after = 1, .rejects = 486}}};
  Call call = run(there, falls_back());
  CHECK(call.why == BUSY);
  CHECK_TEXT(call.timeline.all[call.timeline.count - 2], "    5.0 s  the script fails: busy");
}

static Why waits_in_line(Leg caller) {
  Place place;
  Waited end;
  TRY(queue_enter(caller, (Entry){.queue = "sales"}, &place));
  TRY(place_wait(place, "1", NULL, &end));
  CHECK(end.why == KEY && end.key == '1');
  double rest;
  CHECK(place_expected(place, &rest));
  CHECK_NUMBER(rest, 19);
  TRY(place_wait(place, "", NULL, &end));
  CHECK(end.why == CONNECTED);
  return bridge(caller, end.agent);
}

TEST(a_queue_connects_and_a_key_is_heard) {
  script = waits_in_line;
  World there = {.queues = {{.name = "sales", .agent = "ana"}}};
  CHECK_NUMBER(run(there, hears_music(), presses("1"), talks_with("ana"), hangs_up_after(5)).length, 25);
}

static Why asks_ana(Leg caller) {
  Leg ana;
  char key;
  TRY(dial((Dial){.stages = {{0, targets(user("ana"))}}}, &ana));
  TRY(bridge(caller, ana));
  CHECK(leg_play(caller, recording("good-bye")) == HUNG_UP);
  TRY(leg_menu(ana, (Menu){.prompt = prompts(recording("what-was-it")), .keys = "12", .tries = 2, .within = 5}, &key));
  return tag("category", key ? format("%c", key) : "none");
}

static Why asks_sales(Leg caller) {
  Place place;
  Waited end;
  const char *pressed;
  TRY(queue_enter(caller, (Entry){.queue = "sales"}, &place));
  TRY(place_wait(place, "", NULL, &end));
  TRY(bridge(caller, end.agent));
  TRY(leg_play(end.agent, recording("that-was-it")));
  TRY(leg_gather(end.agent, (Gather){.most = 3}, &pressed));
  return tag("category", pressed);
}

TEST(whoever_answered_presses_a_key_when_the_caller_has_left) {
  script = asks_ana;
  World there = {.users = {{.name = "ana", .presses = "92"}}};
  Call call = run(there, talks_with("ana"), hangs_up_after(30));
  CHECK_TEXT(call_tag(&call, "category"), "2");
  CHECK_NUMBER(call.length, 34);
  there.users[0].presses = NULL;
  call = run(there, talks_with("ana"), hangs_up_after(30));
  CHECK_TEXT(call_tag(&call, "category"), "none");
  CHECK_NUMBER(call.length, 2 + 30 + 2 * (2 + 5));
  there.users[0] = (Somebody){.name = "ana", .talks = 31, .presses = "12"};
  call = run(there, talks_with("ana"), hangs_up_after(30));
  CHECK(call.why == HUNG_UP);
  CHECK_TEXT(call.timeline.all[call.timeline.count - 1], "   33.0 s  ana hangs up");
  script = asks_sales;
  there = (World){.users = {{.name = "ana", .presses = "12#"}}, .queues = {{.name = "sales", .agent = "ana", .after = 4}}};
  call = run(there, talks_with("ana"), hangs_up_after(5));
  CHECK_TEXT(call_tag(&call, "category"), "12");
}

static Why answers(Leg caller) { return leg_answer(caller); }
static Why gives_up(Leg caller) {
  (void)caller;
  return failed("no idea");
}

static void begins(const char *text, const char *must) {
  if (strncmp(text, must, strlen(must))) CHECK_TEXT(text, must);
}

TEST(a_plan_that_is_not_followed_says_what_is_left_of_it) {
  World there = {0};
  script = answers;
  const char *why = run_that_breaks(there, hears(recording("welcome")), presses("1"));
  CHECK_TEXT(why, "it never happened that the caller hears welcome\n    0.0 s  answer\n"
                  "what is left of the plan: hears welcome, presses 1");
  CHECK_TEXT(run_that_breaks(there, is_answered()), "");
  script = gives_up;
  begins(run_that_breaks(there, is_hung_up()), "the script fails: no idea\n");
}

static Why talks_on(Leg caller) {
  Leg agent;
  TRY(dial((Dial){.stages = {{0, targets(user("ana"))}}}, &agent));
  return bridge(caller, agent);
}

TEST(a_call_without_an_end_is_told) {
  script = talks_on;
  World there = {.users = {{.name = "ana"}}};
  begins(run_that_breaks(there, talks_with("ana")), "the call would go on for ever: say what the caller does\n");
}

static Why asks(Leg caller) {
  (void)caller;
  Response answer;
  TRY(http_send((Request){.method = "POST", .url = "https://crm.example/who?n=101"}, &answer));
  CHECK(answer.status == 201);
  CHECK_TEXT(answer.body, "{\"vip\":true}");
  CHECK_TEXT(response_header(&answer, "x-tier"), "gold");
  CHECK_TEXT(response_header(&answer, "x-none"), NULL);
  CHECK(http_send((Request){.url = "https://crm.example/slow", .within = 2}, &answer) == TIMED_OUT);
  CHECK(http_send((Request){.url = "https://evil.example/"}, &answer) == LIMIT);
  CHECK_TEXT(why_detail(), "http_allow");
  return DONE;
}

TEST(a_server_that_is_there_answers_and_others_are_not_allowed) {
  script = asks;
  World there = {
      .servers = {{.url = "https://crm.example/slow", .after = 9},
                  {.url = "https://crm.example/*", .status = 201, .headers = {"X-Tier", "gold"}, .body = "{\"vip\":true}"}},
  };
  CHECK_NUMBER(run(there, is_hung_up()).length, 2);
}

static Why remembers(Leg caller) {
  (void)caller;
  const char *value;
  bool swapped;
  TRY(kv_get("visits", &value));
  CHECK_TEXT(value, "7");
  TRY(kv_add("visits", 1, NULL));
  TRY(kv_swap("owner", "ana", "boris", &swapped));
  CHECK(!swapped);
  TRY(kv_swap("owner", NULL, "boris", &swapped));
  CHECK(swapped);
  CHECK(kv_add("owner", 1, NULL) == INVALID);
  TRY(kv_set("gone", "soon"));
  return kv_delete("gone");
}

TEST(what_is_kept_is_there_after_the_call) {
  script = remembers;
  World there = {.remembered = {{"visits", "7"}}};
  Call call = run(there, is_hung_up());
  CHECK_TEXT(call_remembers(&call, "visits"), "8");
  CHECK_TEXT(call_remembers(&call, "owner"), "boris");
  CHECK_TEXT(call_remembers(&call, "gone"), NULL);
}

static Why says_when(Leg caller) {
  (void)caller;
  TRY(clock_sleep(120));
  LocalTime now = clock_local();
  log_info("%d-%d-%d, weekday %d, %d:%d", now.year, now.month, now.day, now.weekday, now.hour, now.minute);
  return DONE;
}

TEST(the_clock_is_the_calls) {
  script = says_when;
  // 29 February 2028 is a Tuesday, and a Wednesday follows (ISO 8601).
  Call leap = run((World){.at = "2028-02-29 23:59"}, is_hung_up());
  CHECK_TEXT(call_last_logged(&leap), "2028-3-1, weekday 3, 0:1");
  Call usual = run((World){0}, is_hung_up());
  CHECK_TEXT(call_last_logged(&usual), "2026-1-5, weekday 1, 10:2");
}

static Why counts(Leg caller) {
  static int calls;
  (void)caller;
  log_info("%d", ++calls);
  return DONE;
}

TEST(static_variables_begin_anew) {
  script = counts;
  Call call = run((World){0}, is_hung_up());
  CHECK_TEXT(call_last_logged(&call), "1");
}

TEST(static_variables_begin_anew_in_the_next_test) { static_variables_begin_anew(); }

static Why decides_about_transfers(Leg caller) {
  Leg ana;
  TRY(dial((Dial){.stages = {{0, targets(user("ana"))}}}, &ana));
  for (TalkEnd end;;) {
    TRY(talk(caller, ana, "", &end));
    if (end.why != TRANSFER) return tag("ended", end.why == B_HUNG_UP ? "by b" : "otherwise");
    CHECK(transfer_by_b(end.transfer) && !transfer_attended(end.transfer));
    Target to = transfer_to(end.transfer), vera = user("vera");
    TRY(tag("to", to.name));
    if (!strcmp(to.name, "boris")) {
      TRY(transfer_carry_out(end.transfer, &vera, 10));
    } else {
      TRY(transfer_refuse(end.transfer, 603));
    }
    CHECK(transfer_refuse(end.transfer, 603) == INVALID);
  }
}

TEST(a_transfer_is_the_scripts_to_carry_out_to_turn_elsewhere_or_to_refuse) {
  script = decides_about_transfers;
  World there = {
      .users = {
          {.name = "ana", .transfers = 5, .transfers_to = "102"},
          {.name = "boris", .number = "102"},
          {.name = "vera", .after = 3, .talks = 20, .transfers = 7, .transfers_to = "+1"},
      },
  };
  Call call = run(there, talks_with("ana"), talks_with("vera"), is_hung_up());
  CHECK_TEXT(call_tag(&call, "to"), "+1");
  CHECK_TEXT(call_tag(&call, "ended"), "by b");
  /* Two until ana answers, five with ana, three until vera answers, twenty with vera. */
  CHECK_NUMBER(call.length, 30);
}

static Why connects(Leg caller) {
  Leg ana;
  TRY(dial((Dial){.stages = {{0, targets(user("ana"))}}}, &ana));
  return bridge(caller, ana);
}

TEST(without_a_scripts_say_a_transfer_is_carried_out_and_one_that_fails_changes_nothing) {
  script = connects;
  World there = {
      .users = {
          {.name = "ana", .talks = 60, .transfers = 5, .transfers_to = "boris"},
          {.name = "boris", .talks = 10},
      },
  };
  CHECK_NUMBER(run(there, talks_with("ana"), talks_with("boris"), is_hung_up()).length, 2 + 5 + 2 + 10);
  there.users[0].transfers_to = "+1";
  CHECK_NUMBER(run(there, talks_with("ana"), talks_with("ana"), is_hung_up()).length, 2 + 60);
}

static Why hears_messages(Leg caller) {
  Mailbox box;
  Messages messages;
  CHECK(mailbox_find("101", &box));
  CHECK(mailbox_unlock(&box, "0000") == REFUSED && why_status(REFUSED) == 403);
  TRY(mailbox_unlock(&box, "1234"));
  TRY(mailbox_messages(&box, &messages));
  CHECK_TEXT(box.name, "ana");
  CHECK(box.unheard == 1 && box.heard == 1 && messages.count == 2);
  CHECK(!strcmp(box.owners[0], "ana") && !box.owners[1]);
  CHECK_TEXT(messages.all[0].id, "m-2");
  CHECK_NUMBER(messages.all[0].length, 10);
  TRY(leg_play(caller, recording(messages.all[0].id)));
  TRY(mailbox_keep(&box, "m-2"));
  TRY(mailbox_delete(&box, "m-1"));
  CHECK(mailbox_delete(&box, "m-1") == NOT_FOUND);
  TRY(mailbox_greet_with(&box, "recording-1"));
  CHECK(mailbox_find("ana", &box));
  CHECK_TEXT(box.greeting, "recording-1");
  CHECK(box.unheard == 0 && box.heard == 1);
  TRY(notify("ana", "Heard\nby telephone", (const char *[]){"messages", "2", NULL}));
  TRY(crm_create_task("+1", "call back", "ana", 0, NULL));
  return notify("", "All heard", NULL);
}

TEST(a_box_is_unlocked_heard_and_emptied_and_people_are_told) {
  script = hears_messages;
  World there = {
      .users = {{.name = "ana", .number = "101"}},
      .boxes = {{.name = "ana", .pin = "1234", .messages = {{.id = "m-1", .at = 1, .heard = true}, {.id = "m-2", .at = 2}}}},
  };
  Call call = run(there, hears(recording("m-2")), is_hung_up());
  CHECK_NUMBER((double)call.notices.count, 4);
  CHECK_TEXT(call.notices.all[0], "ana");
  CHECK_TEXT(call.notices.all[1], "Heard\nby telephone");
  CHECK_TEXT(call.notices.all[2], "");
  CHECK_TEXT(call.timeline.all[call.timeline.count - 2], "    2.0 s  notify everyone: All heard");
}
