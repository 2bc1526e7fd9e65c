// Prints, answers, and trips over its own mistake.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "strowger.h"

static void first(int agents) {
  if (agents == 0) {
    fprintf(stderr, "%s:%d: %s: nobody is there\n", __FILE__, __LINE__, __func__);
    exit(1);
  }
}

Why on_call(Leg caller, const char *settings) {
  printf("%lld %d\n", (long long)time(NULL), settings != NULL);
  fflush(stdout);
  TRY(leg_answer(caller));
  first(0);
  return DONE;
}

Why on_ended(const CallRecord *how) {
  (void)how;
  return DONE;
}
