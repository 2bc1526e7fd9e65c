/* strowger_tasks.h over wit/: the part of strowger.c that task scripts have and call scripts have not. */

#include "strowger_tasks.h"

static strowger_script_tasks_borrow_task_t task_of(const Task *task) {
  return strowger_script_tasks_borrow_task((strowger_script_tasks_own_task_t){task->handle});
}

Why task_assign(const Task *task, const char *user) {
  Bytes who = bytes(user);
  DO(strowger_script_tasks_method_task_assign(task_of(task), &who, &failure_));
}
Why task_put_off(const Task *task, double until) {
  DO(strowger_script_tasks_method_task_put_off(task_of(task), until, &failure_));
}
Why task_note(const Task *task, const char *text) {
  Bytes words = bytes(text);
  DO(strowger_script_tasks_method_task_note(task_of(task), &words, &failure_));
}
Why task_finish(const Task *task) { DO(strowger_script_tasks_method_task_finish(task_of(task), &failure_)); }
Why task_give_up(const Task *task) { DO(strowger_script_tasks_method_task_give_up(task_of(task), &failure_)); }

static Words words_from(OF_WORLD(list_string_t) from) {
  const char **all = calloc(from.len ? from.len : 1, sizeof *all);
  if (!all) abort();
  for (size_t n = 0; n < from.len; n++) all[n] = string(from.ptr[n]);
  return (Words){all, from.len};
}

static Task read_task(strowger_script_tasks_own_task_t own) {
  strowger_script_tasks_borrow_task_t handle = strowger_script_tasks_borrow_task(own);
  Bytes text;
  double moment;
  strowger_script_tasks_state_t state;
  OF_WORLD(list_string_t) list;
  Task task = {.handle = own.__handle};
#define TEXT(field) (strowger_script_tasks_method_task_##field(handle, &text), string(text))
#define MAYBE(field) (strowger_script_tasks_method_task_##field(handle, &text) ? string(text) : NULL)
#define MOMENT(field) (strowger_script_tasks_method_task_##field(handle, &moment) ? moment : 0)
#define LIST(field) (strowger_script_tasks_method_task_##field(handle, &list), words_from(list))
  strowger_script_tasks_method_task_state(handle, &state);
  task.state = state.tag < TASK_OTHERWISE ? (TaskState)state.tag : TASK_OTHERWISE;
  task.id = TEXT(id);
  task.number = TEXT(number);
  task.name = TEXT(name);
  task.contact = MAYBE(contact);
  task.title = TEXT(title);
  task.responsible = MAYBE(responsible);
  task.due = MOMENT(due);
  task.late = strowger_script_tasks_method_task_late(handle);
  task.opened = strowger_script_tasks_method_task_opened(handle);
  task.closed = MOMENT(closed);
  task.closed_by = MAYBE(closed_by);
  task.dialled = TEXT(dialled);
  task.queue = MAYBE(queue);
  task.missed = strowger_script_tasks_method_task_missed(handle);
  task.last = strowger_script_tasks_method_task_last(handle);
  task.calls = LIST(calls);
  task.recordings = LIST(recordings);
  task.notes = LIST(notes);
#undef TEXT
#undef MAYBE
#undef MOMENT
#undef LIST
  return task;
}

bool exports_task_script_on_change(task_script_own_change_t what, task_script_failure_t *err) {
  strowger_script_tasks_borrow_change_t handle = strowger_script_tasks_borrow_change(what);
  Bytes json, id;
  strowger_script_tasks_event_t event;
  strowger_script_settings_get(&json);
  settings = string(json);
  strowger_script_tasks_method_change_id(handle, &id);
  strowger_script_tasks_method_change_what(handle, &event);
  bool known = event.tag < CHANGED_OTHERWISE;
  Change change = {
      .id = string(id),
      .at = strowger_script_tasks_method_change_at(handle),
      .what = known ? (Event)event.tag : CHANGED_OTHERWISE,
      .word = known ? "" : string(event.val.other),
      .task = read_task(strowger_script_tasks_method_change_task(handle)),
  };
  return failure_of(on_change(&change, settings), err);
}
