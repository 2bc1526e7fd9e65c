/* The simulated exchange of task scripts: the task that one is told of, and what its verbs do to it. */

#include "strowger_tasks_sim.h"

#include <math.h>
#include <string.h>

#include "world.h"

/* The longest note. */
#define NOTE 512

static CallBack now;
static Event told_of;

/* There is no call. */
Why on_call(Leg caller, const char *settings) {
  (void)caller;
  (void)settings;
  return failed("a task script takes no calls");
}
Why on_ended(const CallRecord *how) {
  (void)how;
  return DONE;
}

/* Whether a verb may change the task. */
static Why is_open(const Task *task) {
  (void)task;
  return now.state == TASK_OPEN ? DONE : fails(NOT_FOUND, "task: it is over");
}

Why task_assign(const Task *task, const char *user) {
  User found;
  if (!directory_find(user, &found)) return fails(NOT_FOUND, user);
  TRY(is_open(task));
  now.responsible = found.name;
  note("assign %s", found.name);
  return DONE;
}
Why task_put_off(const Task *task, double until) {
  if (!isfinite(until) || until <= 0) return fails(INVALID, "until: is no moment");
  TRY(is_open(task));
  now.due = until;
  note("put off until %.0f", until);
  return DONE;
}
Why task_note(const Task *task, const char *text) {
  size_t length = strlen(text), count = 0;
  if (length < 1 || length > NOTE) return fails(INVALID, "note: 1 to 512 bytes");
  TRY(is_open(task));
  while (count < THERE - 1 && now.notes[count]) count++;
  now.notes[count] = text;
  note("note: %s", text);
  return DONE;
}
static Why end(const Task *task, TaskState state, const char *line) {
  TRY(is_open(task));
  now.state = state;
  now.closed_by = "script";
  note("%s", line);
  return DONE;
}
Why task_finish(const Task *task) { return end(task, TASK_DONE, "finish"); }
Why task_give_up(const Task *task) { return end(task, TASK_GIVEN_UP, "give up"); }

static Words words(const char *const *all) {
  Words made = {all, 0};
  while (made.count < THERE && all[made.count]) made.count++;
  return made;
}

static Why tells(void) {
  static const char *const names[] = {"opened", "missed-again", "late", "assigned", "put-off", "noted", "reached-us-again",
                                      "called-back-in-time", "called-back-late", "given-up", "done", "otherwise"};
  if (told_of >= REACHED_US_AGAIN && told_of <= FINISHED) {
    now.state = (TaskState)(TASK_REACHED_US_AGAIN + (told_of - REACHED_US_AGAIN));
  }
  note("%s: %s", names[told_of], now.number);
  static const char *const calls[] = {"simulated-call"};
  double at = clock_now();
  static CallBack then;
  then = now;
  Change change = {
      .id = "simulated-task-change-1",
      .at = at,
      .what = told_of,
      .word = "",
      .task =
          {
              .id = "simulated-task",
              .state = then.state,
              .number = then.number,
              .name = then.name,
              .title = format("Call back %s", then.number),
              .responsible = then.responsible,
              .due = then.due,
              .late = told_of == LATE || (then.due > 0 && then.due < at),
              .opened = at,
              .closed = then.state == TASK_OPEN ? 0 : at,
              .closed_by = then.closed_by,
              .dialled = then.dialled,
              .queue = then.queue,
              .missed = then.missed,
              .last = at,
              .calls = {calls, 1},
              .recordings = words(then.recordings),
              .notes = words(then.notes),
          },
  };
  return on_change(&change, playing()->there.settings);
}

Told tell_change(const char *file, int line, World world, CallBack task, Event what) {
  now = task;
  if (!now.number) now.number = "+359888123456";
  if (!now.name) now.name = "";
  if (!now.dialled) now.dialled = "700";
  if (!now.missed) now.missed = 1;
  told_of = what;
  Call call = play_part(&world, tells);
  if (call.why != DONE) test_fails(file, line, "the script fails: %s", why_words(call.why));
  return (Told){call, now};
}
