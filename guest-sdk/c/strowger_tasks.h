/* Task scripts for the strowger telephone exchange, in C: what becomes of callers whom nobody answered.
 *
 * A script of this kind is named in [tenant.missed]. It runs off the way of calls, with a small budget; changes of one call back
 * come to it one by one, in their order, each once, or once more when the exchange stopped in the middle: what must not happen
 * twice is to be remembered by change->id. What the script itself changes it is not told. Of strowger.h it has everything but
 * legs, queues and what belongs to a call. Moments are seconds since 1970 UTC.
 *
 *     #include "strowger_tasks.h"
 *
 *     Why on_change(const Change *change, const char *settings) {
 *       if (change->what != LATE) return DONE;
 *       const Task *task = &change->task;
 *       TRY(notify(setting("manager", ""), format("Nobody has called %s back", task->number), NULL));
 *       return task_assign(task, setting("next", ""));
 *     }
 */
#ifndef STROWGER_TASKS_H
#define STROWGER_TASKS_H

#include "strowger.h"

/* How a task is. */
typedef enum TaskState {
  TASK_OPEN,
  TASK_REACHED_US_AGAIN,
  TASK_CALLED_BACK_IN_TIME,
  TASK_CALLED_BACK_LATE,
  TASK_GIVEN_UP,
  TASK_DONE,
  TASK_OTHERWISE, /* As `word` says. */
} TaskState;

/* What became of a task. Of several at once the first of this list is said. */
typedef enum Event {
  OPENED,              /* It is new. */
  MISSED_AGAIN,        /* The caller called in vain once more. */
  LATE,                /* The deadline is over; said once for each. */
  ASSIGNED,            /* Another one is responsible. */
  PUT_OFF,             /* It has another deadline. */
  NOTED,               /* Somebody wrote something down. */
  REACHED_US_AGAIN,    /* It is over, in the state of this name; so are the next four. */
  CALLED_BACK_IN_TIME,
  CALLED_BACK_LATE,
  GIVEN_UP,
  FINISHED,            /* Somebody said that it is done. */
  CHANGED_OTHERWISE,   /* As `word` says. */
} Event;

typedef struct Words {
  const char *const *all;
  size_t count;
} Words;

/* A task, as it was right after the change. */
typedef struct Task {
  const char *id; /* Also to crm_close_task. */
  TaskState state;
  const char *number; /* The caller's ... */
  const char *name;   /* ... and "" where no name is known. */
  const char *contact; /* The contact's id in the CRM; NULL where there is none. */
  const char *title;
  const char *responsible; /* The user who is to do it; NULL for nobody. */
  double due;              /* By when; 0 without a deadline. */
  bool late;               /* The deadline is over, or was when it was done. */
  double opened;
  double closed;         /* 0 while it is open. */
  const char *closed_by; /* NULL where nobody is known. */
  const char *dialled;   /* The number that the caller dialled last ... */
  const char *queue;     /* ... and the queue that they were in; NULL for none. */
  uint32_t missed;       /* How often they called in vain ... */
  double last;           /* ... and when they did last. */
  Words calls, recordings, notes; /* At most the last 20 of each. */
  int32_t handle;
} Task;

/* Its verbs change the task as it is now, and not what is written here; what is over by then answers NOT_FOUND. */
Why task_assign(const Task *task, const char *user);  /* NOT_FOUND, too, when there is no such user. */
Why task_put_off(const Task *task, double until);     /* It is late again when that is over. */
Why task_note(const Task *task, const char *text);    /* 1 to 512 bytes. */
Why task_finish(const Task *task);
Why task_give_up(const Task *task);

/* A change of a task. */
typedef struct Change {
  const char *id; /* A change that is told once more has the same. */
  double at;
  Event what;
  const char *word; /* With CHANGED_OTHERWISE. */
  Task task;
} Change;

/* The script's own: `settings` is a JSON object. */
Why on_change(const Change *change, const char *settings);

#endif
