/* The simulated exchange: virtual time, a caller who follows a plan, and what is seen of both. */

#include "world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_script.h"

static Playing *current;
/* Where a plan that can't be followed is told, and what it is. */
static jmp_buf out;
static const char *broken;

Playing *playing(void) {
  if (!current) {
    fprintf(stderr, "a verb was called outside of a simulated call; use run() or run_ended()\n");
    abort();
  }
  return current;
}

static void *more(void *there, size_t size) {
  void *made = realloc(there, size);
  if (!made) abort();
  return made;
}

void add_line(Lines *to, const char *line) {
  to->all = more(to->all, (to->count + 1) * sizeof *to->all);
  to->all[to->count++] = line;
}

void note(const char *line, ...) {
  va_list arguments, again;
  va_start(arguments, line);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, line, again);
  va_end(again);
  char *words = more(NULL, length < 0 ? 1 : (size_t)length + 1);
  *words = 0;
  if (length > 0) vsnprintf(words, (size_t)length + 1, line, arguments);
  va_end(arguments);
  add_line(&playing()->made.timeline, format("%7.1f s  %s", floor(current->now * 10 + 0.5) / 10, words));
}

/* The steps of a plan. */

Step is_answered(void) { return (Step){.kind = IS_ANSWERED}; }
Step hears(Prompt what) { return (Step){.kind = HEARS, .prompt = what}; }
Step hears_music(void) { return (Step){.kind = HEARS_MUSIC}; }
Step hears_ringing(void) { return (Step){.kind = HEARS_RINGING}; }
Step talks_with(const char *whom) { return (Step){.kind = TALKS_WITH, .what = whom}; }
Step is_rejected(uint16_t status) { return (Step){.kind = IS_REJECTED, .number = status}; }
Step is_hung_up(void) { return (Step){.kind = IS_HUNG_UP}; }
Step is_handed_over_to(const char *script) { return (Step){.kind = IS_HANDED_OVER, .what = script}; }
Step falls_back(void) { return (Step){.kind = FALLS_BACK}; }
Step presses(const char *keys) { return (Step){.kind = PRESSES, .what = keys}; }
Step speaks_for(double length) { return (Step){.kind = SPEAKS, .number = length}; }
Step waits(double length) { return (Step){.kind = WAITS, .number = length}; }
Step hangs_up_after(double length) { return (Step){.kind = HANGS_UP, .number = length}; }

const char *heard(Prompt prompt) {
  switch (prompt.kind) {
    case STROWGER_SCRIPT_TYPES_PROMPT_RECORDING: return prompt.text;
    case STROWGER_SCRIPT_TYPES_PROMPT_TEXT: return format("text %s", prompt.text);
    case STROWGER_SCRIPT_TYPES_PROMPT_DIGITS: return format("digits %s", prompt.text);
    case STROWGER_SCRIPT_TYPES_PROMPT_SILENCE: return format("silence %.0f", prompt.length * 1000);
    case STROWGER_SCRIPT_TYPES_PROMPT_TONE: return format("tone %d,%.0f", prompt.number, prompt.length * 1000);
    case STROWGER_SCRIPT_TYPES_PROMPT_MUSIC: return format("music %s", prompt.text);
    case STROWGER_SCRIPT_TYPES_PROMPT_QUANTITY: return format("quantity %d,%s", prompt.number, prompt.text);
    case STROWGER_SCRIPT_TYPES_PROMPT_DURATION: return format("duration %.0f", prompt.length * 1000);
    default: return format("position %d", prompt.number);
  }
}

static const char *step_in_words(const Step *step) {
  static const char *const kinds[] = {
      [IS_ANSWERED] = "is answered", [HEARS] = "hears",
      [HEARS_MUSIC] = "hears music", [HEARS_RINGING] = "hears ringing",
      [TALKS_WITH] = "talks with",   [IS_REJECTED] = "is rejected",
      [IS_HUNG_UP] = "is hung up",   [IS_HANDED_OVER] = "is handed over to",
      [FALLS_BACK] = "falls back",   [PRESSES] = "presses",
      [PRESSES_NEXT] = "presses",    [SPEAKS] = "speaks",
      [WAITS] = "waits",             [HANGS_UP] = "hangs up",
  };
  const char *kind = kinds[step->kind];
  if (step->kind == HEARS) return format("%s %s", kind, heard(step->prompt));
  if (step->what) return format("%s %s", kind, step->what);
  if (step->number == 0) return kind;
  return format(step->kind == IS_REJECTED ? "%s %g" : "%s %g s", kind, step->number);
}

_Noreturn void breaks(const char *why) {
  const Playing *is = playing();
  const char *told = why, *between = "\nwhat is left of the plan: ";
  for (size_t n = 0; n < is->made.timeline.count; n++) told = format("%s\n%s", told, is->made.timeline.all[n]);
  for (size_t n = is->at; n < is->count; n++, between = ", ") {
    told = format("%s%s%s", told, between, step_in_words(&is->steps[n]));
  }
  broken = told;
  longjmp(out, 1);
}

/* What the caller does, and waits for. */

static const Step *next_step(void) {
  Playing *is = playing();
  return is->at < is->count ? &is->steps[is->at] : NULL;
}

/* The next step is done. */
static void done(void) {
  Playing *is = playing();
  is->caller_at = is->now;
  note("  the caller: %s", step_in_words(&is->steps[is->at++]));
}

void happens(Kind kind, const char *what) {
  const Step *next = next_step();
  if (next && next->kind == kind && (!next->what || (what && !strcmp(next->what, what)))) done();
}

void happens_with(Kind kind, double number) {
  const Step *next = next_step();
  if (next && next->kind == kind && next->number == number) done();
}

void hears_prompt(Prompt prompt) {
  const Step *next = next_step();
  if (next && next->kind == HEARS && next->prompt.kind == prompt.kind && !strcmp(heard(next->prompt), heard(prompt))) {
    done();
  }
  if (prompt.kind == STROWGER_SCRIPT_TYPES_PROMPT_MUSIC) happens(HEARS_MUSIC, NULL);
}

double speaks_now(void) {
  const Step *next = next_step();
  if (!next || next->kind != SPEAKS) return 0;
  playing()->at++;
  return next->number;
}

/* When the caller does something next; never while it waits for something. */
static double acts_at(void) {
  Playing *is = playing();
  const Step *next = next_step();
  for (; next && next->kind == WAITS; next = next_step()) {
    is->caller_at += next->number;
    is->at++;
  }
  if (!next) return FOR_EVER;
  switch (next->kind) {
    case PRESSES: return is->caller_at + REACTION;
    case PRESSES_NEXT: return is->caller_at + BETWEEN_KEYS;
    case HANGS_UP: return is->caller_at + next->number;
    default: return FOR_EVER;
  }
}

Why passes(double length, const char *keys, char *key) {
  Playing *is = playing();
  if (key) *key = 0;
  if (is->left) return HUNG_UP;
  double until = is->now + length;
  for (;;) {
    double at = acts_at();
    if (at > until || at == FOR_EVER) {
      if (until == FOR_EVER) breaks("the call would go on for ever: say what the caller does");
      is->now = until;
      return DONE;
    }
    const Step *act = next_step();
    is->now = at > is->now ? at : is->now;
    done();
    if (act->kind == HANGS_UP) {
      is->left = true;
      return HUNG_UP;
    }
    size_t pressed = strlen(is->keys);
    if (pressed == MOST_KEYS) breaks(format("more than %d keys were pressed before one was asked for", MOST_KEYS));
    is->keys[pressed] = *act->what;
    if (strchr(keys, *act->what)) {
      if (key) *key = *act->what;
      return DONE;
    }
  }
}

Why passes_beside(Side *side, double length) {
  Playing *is = playing();
  if (side->hangs_up_at <= is->now) return HUNG_UP;
  double until = fmin(is->now + length, side->hangs_up_at);
  if (!is->left) {
    if (passes(until - is->now, "", NULL) != DONE) return HUNG_UP;
  } else if (until < FOR_EVER) {
    is->now = until;
  }
  if (until < side->hangs_up_at) return DONE;
  /* Nobody listens to what never ends. */
  note("%s hangs up", who(side));
  side->hangs_up_at = is->now;
  return HUNG_UP;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar, and back. */

static int64_t days_before_year(int64_t year) { return year * 365 + year / 4 - year / 100 + year / 400; }

static int64_t days_of(int year, int month, int day) {
  /* The year begins in March, so that a leap day is its last. */
  int64_t from_march = (month + 9) % 12, begun = month < 3 ? year - 1 : year;
  return days_before_year(begun) + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

double moment(const char *text) {
  int year, month, day, hour = 0, minute = 0, second = 0;
  if (sscanf(text, "%d-%d-%d%*1[ T]%d:%d:%d", &year, &month, &day, &hour, &minute, &second) < 3) {
    breaks(format("\"%s\" is no moment; write one like \"2026-11-27 23:58\"", text));
  }
  return (double)(days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second);
}

LocalTime local_time(double at) {
  int64_t seconds = (int64_t)floor(at), days = seconds / 86400, within = seconds % 86400;
  LocalTime time = {
      .year = 1970 + (int32_t)(days / 366),
      .weekday = (uint8_t)((days + 3) % 7 + 1),
      .hour = (uint8_t)(within / 3600),
      .minute = (uint8_t)(within / 60 % 60),
      .second = (uint8_t)(within % 60),
  };
  while (days_of(time.year + 1, 1, 1) <= days) time.year++;
  time.month = 1;
  while (time.month < 12 && days_of(time.year, time.month + 1, 1) <= days) time.month++;
  time.day = (uint8_t)(days - days_of(time.year, time.month, 1) + 1);
  return time;
}

/* One call. */

static void begin(Playing *is, const World *there) {
  *is = (Playing){.there = *there};
  World *world = &is->there;
  if (!world->from) world->from = "+359888123456";
  if (!world->dialled) world->dialled = "700";
  if (!world->language) world->language = "en";
  if (!world->settings) world->settings = "{}";
  if (!world->at) world->at = "2026-01-05 10:00";
  const char *user = NULL;
  for (size_t n = 0; n < THERE && world->users[n].name; n++) {
    const Somebody *one = &world->users[n];
    if (!strcmp(one->name, world->from) || (one->number && !strcmp(one->number, world->from))) user = one->name;
  }
  is->legs[0] = (Side){{world->from, NULL, format("tel:%s", world->from)}, user, FOR_EVER, FOR_EVER, NULL, ""};
  is->leg_count = 1;
  is->asks = -1;
  for (size_t n = 0; n < THERE && world->remembered[n].key; n++) {
    add_line(&is->made.kept, world->remembered[n].key);
    add_line(&is->made.kept, world->remembered[n].value);
  }
  begin_settings(world->settings);
}

static void add_step(Playing *is, Step step) {
  is->steps = more(is->steps, (is->count + 1) * sizeof *is->steps);
  is->steps[is->count++] = step;
}

/* The plan with a step for each key. */
static void spell_out(Playing *is, Plan plan) {
  for (size_t n = 0; n < plan.count; n++) {
    Step step = plan.steps[n];
    if (step.kind != PRESSES) add_step(is, step);
    for (const char *key = step.kind == PRESSES ? step.what : ""; *key; key++, step.kind = PRESSES_NEXT) {
      step.what = format("%c", *key);
      add_step(is, step);
    }
  }
}

/* The script returned this: checks the rest of the plan. */
static void finish(Playing *is, Why why) {
  is->made.why = why;
  if (is->made.handed_over_to) happens(IS_HANDED_OVER, is->made.handed_over_to);
  if (why != DONE && why != HUNG_UP) {
    const char *words = format("the script fails: %s", words_of(why));
    note("%s", words);
    const Step *next = next_step();
    if (!next || next->kind != FALLS_BACK) breaks(words);
    happens(FALLS_BACK, NULL);
  }
  if (!is->left && !is->made.handed_over_to) happens(IS_HUNG_UP, NULL);
  const Step *next = next_step();
  for (; next && (next->kind == WAITS || next->kind == HANGS_UP); next = next_step()) is->at++;
  if (next) breaks(format("it never happened that the caller %s", step_in_words(next)));
}

/* Plays a call; `broken` says why the plan can't be followed, if it can't. */
static Call play(const World *there, const Plan *plan, Why (*part)(void)) {
  static Playing one;
  current = &one;
  broken = NULL;
  if (setjmp(out) == 0) {
    begin(&one, there);
    if (plan) {
      spell_out(&one, *plan);
      finish(&one, on_call((Leg){0}, one.there.settings));
    } else {
      one.made.why = part();
    }
  }
  one.made.length = one.now;
  current = NULL;
  for (size_t n = 0; n < one.made.timeline.count; n++) test_remark(one.made.timeline.all[n]);
  return one.made;
}

Call run_plan(const char *file, int line, World world, Plan plan) {
  Call call = play(&world, &plan, NULL);
  if (broken) test_fails(file, line, "%s", broken);
  return call;
}

const char *run_broken(World world, Plan plan) {
  play(&world, &plan, NULL);
  return broken ? broken : "";
}

Call play_part(const World *there, Why (*part)(void)) { return play(there, NULL, part); }

/* What run_ended was given. */
static const CallRecord *over;
static Why ends(void) { return on_ended(over); }

Call run_ended(World world, CallRecord record) {
  over = &record;
  Call call = play(&world, NULL, ends);
  if (broken) test_fails("on_ended", 0, "%s", broken);
  return call;
}

static const char *last_of(const Lines *pairs, const char *key) {
  for (size_t n = pairs->count; n > 0; n -= 2) {
    if (!strcmp(pairs->all[n - 2], key)) return pairs->all[n - 1];
  }
  return NULL;
}

const char *call_tag(const Call *call, const char *key) { return last_of(&call->tags, key); }
const char *call_remembers(const Call *call, const char *key) { return last_of(&call->kept, key); }
const char *call_last_logged(const Call *call) { return call->log.count ? call->log.all[call->log.count - 1] : ""; }
