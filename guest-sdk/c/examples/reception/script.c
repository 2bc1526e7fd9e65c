// A reception: the reference script of the SDKs, the same in Rust, JavaScript, Python and C. It greets, gathers a key, rings a
// group in stages, and takes a message when nobody can speak.

#include <stdlib.h>
#include <string.h>

#include "strowger.h"

static Why parcel(Leg caller);
static Why sales(Leg caller);

Why on_call(Leg caller, const char *settings) {
  (void)settings;
  log_info("%s calls %s", leg_number(caller), leg_dialled(caller));
  const char *scheme = clock_scheme("office");
  if (!scheme) return not_found("calendar office");
  if (strcmp(scheme, "closed") == 0) {
    return hand_over("strowger/voicemail", format("{\"box\":%s}", json_string(setting("group", ""))));
  }
  TRY(leg_answer(caller));
  Menu menu = {
      .prompt = prompts(recording(setting("greeting", "welcome"))),
      .keys = "12",
      .tries = 2,
      .on_wrong_key = prompts(text("No such key.")),
  };
  char key;
  TRY(leg_menu(caller, menu, &key));
  if (!key) return leg_play(caller, text("Good-bye."), tone(330, 0.5));
  TRY(tag("key", format("%c", key)));
  return key == '2' ? parcel(caller) : sales(caller);
}

// Whoever knows the number of a parcel hears where it is.
static Why parcel(Leg caller) {
  const char *pressed, *place;
  Gather gather = {.prompt = prompts(recording("parcel-number")), .most = 6, .first = 8};
  TRY(leg_gather(caller, gather, &pressed));
  TRY(kv_get(format("parcel:%s", pressed), &place));
  if (!place) return not_found(format("parcel %s", pressed));
  return leg_play(caller, digits(pressed), text(place));
}

static Why take_message(Leg caller, const char *why) {
  Recorded message;
  TRY(leg_play(caller, text(why), silence(0.25)));
  TRY(leg_record_message(caller, 60, 3, &message));
  TRY(tag("message", message.id));
  return kv_add("messages", 1, NULL);
}

// Rings everyone of the group who is free, then whoever else is set.
static Why sales(Leg caller) {
  const char *group = setting("group", ""), *then = setting("then", NULL);
  Users all = directory_group(group);
  Target *free_ones = calloc(all.count + 1, sizeof *free_ones);
  if (!free_ones) return failed("out of memory");
  size_t count = 0;
  for (size_t n = 0; n < all.count; n++) {
    if (all.all[n].presence == FREE) free_ones[count++] = user(all.all[n].name);
  }
  if (!count) return take_message(caller, "Everyone is busy.");
  Party shown = leg_party(caller);
  Prompt waiting = music("waiting");
  Dial how = {
      .stages = {{0, {free_ones, count}}},
      .for_secs = 25,
      .skip_busy = true,
      .present = &shown,
      .ringback = &waiting,
  };
  // Not targets(number(then)), which would be gone behind the if.
  Target other = number(then);
  if (then) how.stages[1] = (Stage){10, {&other, 1}};
  Leg agent;
  Why why = dial(how, &agent);
  if (why == HUNG_UP) return why;
  if (why != DONE) {
    log_warn("%s: %s", group, why_words(why));
    return take_message(caller, "Nobody answers.");
  }
  const char *name = leg_user(agent);
  TRY(tag("agent", name ? name : leg_number(agent)));
  TalkEnd end;
  TRY(bridge_until(caller, agent, "*", &end));
  if (end.why != DIGIT) return DONE;
  leg_hang_up(agent);
  return leg_play(caller, text("Thank you."));
}

Why on_ended(const CallRecord *how) {
  return kv_set("last", format("%s after %d s", how->caller.number, (int)how->waited));
}
