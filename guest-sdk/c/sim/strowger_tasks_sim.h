/* Task scripts in C without an exchange: a test tells one of a change, and looks at what it did.
 *
 *     #include "strowger_tasks_sim.h"
 *
 *     TEST(one_that_is_late_goes_to_the_next) {
 *       World office = {.settings = "{\"next\":\"boris\"}", .users = {{.name = "ana"}, {.name = "boris"}}};
 *       CallBack late = {.responsible = "ana"};
 *       Told told = tell(office, late, LATE);
 *       CHECK_TEXT(told.task.responsible, "boris");
 *     }
 *
 * The world is that of strowger_sim.h, in which nobody calls. What is left out or 0 is as it says. */
#ifndef STROWGER_TASKS_SIM_H
#define STROWGER_TASKS_SIM_H

#include "strowger_sim.h"
#include "strowger_tasks.h"

/* A call back, as it was before, and as the script left it. */
typedef struct CallBack {
  const char *number; /* "+359888123456". */
  const char *name;   /* "". */
  const char *responsible; /* Nobody. */
  double due;              /* None. */
  const char *dialled;     /* "700". */
  const char *queue;       /* None. */
  uint32_t missed;         /* Once. */
  const char *closed_by;   /* Who ends it, where what is told is an end. */
  const char *recordings[THERE], *notes[THERE];
  TaskState state; /* TASK_OPEN. */
} CallBack;

typedef struct Told {
  Call call;     /* Timeline, log, notices and memory. */
  CallBack task; /* As it is now. */
} Told;

/* Tells on_change of it. The test fails when the script does. */
#define tell(world, task, what) tell_change(__FILE__, __LINE__, (world), (task), (what))
Told tell_change(const char *file, int line, World world, CallBack task, Event what);

#endif
