#include "strowger_sim.h"

static World office(void) {
  return (World){
      .settings = "{\"greeting\":\"welcome\",\"group\":\"sales\",\"then\":\"+359888000101\"}",
      .calendars = {{"office", "open"}},
      .users = {{.name = "ana", .groups = {"sales"}, .after = 4}, {.name = "boris", .groups = {"sales"}, .busy = true}},
  };
}

TEST(whoever_presses_1_speaks_with_sales) {
  Call call = run(office(), hears(recording("welcome")), presses("1"), hears_ringing(), talks_with("ana"), hangs_up_after(40));
  CHECK_TEXT(call_tag(&call, "agent"), "ana");
  // A second to react, four until ana answers, forty of talk.
  CHECK_NUMBER(call.length, 45);
}

TEST(when_nobody_answers_the_caller_leaves_a_message) {
  World silent = office();
  silent.users[0].never_answers = true;
  silent.telephones[0] = (Somebody){.name = "+359888000101", .after = 3, .rejects = 603};
  Call call = run(silent, hears(recording("welcome")), presses("1"), hears(text("Nobody answers.")), speaks_for(5));
  CHECK_TEXT(call_tag(&call, "message"), "recording-1");
  CHECK_TEXT(call_last_logged(&call), "sales: refused with 603");
  CHECK_TEXT(call_remembers(&call, "messages"), "1");
}

TEST(a_closed_office_hands_over) {
  World closed = office();
  closed.calendars[0].scheme = "closed";
  Call call = run(closed, is_handed_over_to("strowger/voicemail"));
  CHECK_TEXT(call.handed_over_settings, "{\"box\":\"sales\"}");
}

TEST(an_unknown_parcel_falls_back) {
  run(office(), hears(recording("welcome")), presses("2"), hears(recording("parcel-number")), presses("12#"), falls_back());
}

TEST(who_called_last_is_remembered) {
  CallRecord record = {.caller = {.number = "+359888123456"}, .waited = 61.9, .outcome = ABANDONED};
  Call call = run_ended(office(), record);
  CHECK_TEXT(call_remembers(&call, "last"), "+359888123456 after 61 s");
}
