/* The runner of strowger_test.h, with main(). Needs POSIX, for the processes. */

#define _POSIX_C_SOURCE 200809L

#include "strowger_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_TESTS 1000
/* How a test says that it came to its end, or failed: a script that calls exit() has done neither. */
#define PASSED 113
#define FAILED 114

static struct {
  const char *name;
  void (*run)(void);
} tests[MOST_TESTS];
static size_t count;
static bool verbose;

/* What a script allocates goes with its call, so nothing that is not freed is a mistake. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

void strowger_test(const char *name, void (*run)(void)) {
  if (count == MOST_TESTS) {
    fprintf(stderr, "at most %d tests fit; make two files of them\n", MOST_TESTS);
    abort();
  }
  tests[count].name = name;
  tests[count++].run = run;
}

static void remark(const char *lines) {
  while (*lines) {
    size_t length = strcspn(lines, "\n");
    printf("#   %.*s\n", (int)length, lines);
    lines += length + (lines[length] == '\n');
  }
}

void test_remark(const char *lines) {
  if (verbose) remark(lines);
}

_Noreturn void test_fails(const char *file, int line, const char *why, ...) {
  va_list arguments;
  va_start(arguments, why);
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, why, again);
  va_end(again);
  char *words = malloc(length < 0 ? 1 : (size_t)length + 1);
  if (!words) abort();
  *words = 0;
  if (length > 0) vsnprintf(words, (size_t)length + 1, why, arguments);
  va_end(arguments);
  printf("# %s:%d:\n", file, line);
  remark(words);
  fflush(stdout);
  _exit(FAILED);
}

void check_text(const char *file, int line, const char *what, const char *is, const char *must) {
  if (is && must ? !strcmp(is, must) : is == must) return;
  test_fails(file, line, "%s is\n  %s\nand must be\n  %s", what, is ? is : "NULL", must ? must : "NULL");
}

void check_number(const char *file, int line, const char *what, double is, double must) {
  /* A thousandth is the exchange's least length. */
  if (is - must < 0.0005 && must - is < 0.0005) return;
  test_fails(file, line, "%s is %g, and must be %g", what, is, must);
}

/* Whether a test passes. */
static bool passes(void (*run)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    run();
    fflush(stdout);
    _exit(PASSED);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) {
    perror("# no process for the test");
    return false;
  }
  if (WIFSIGNALED(status)) printf("#   ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
  if (code != PASSED && code != FAILED) printf("#   the script exited with code %d\n", code);
  return code == PASSED;
}

int main(int arguments, char **argument) {
  const char *wanted = "";
  for (int n = 1; n < arguments; n++) {
    if (!strcmp(argument[n], "-v")) {
      verbose = true;
    } else {
      wanted = argument[n];
    }
  }
  size_t ran = 0, failed = 0;
  for (size_t n = 0; n < count; n++) {
    if (!strstr(tests[n].name, wanted)) continue;
    bool passed = passes(tests[n].run);
    printf("%s %zu - %s\n", passed ? "ok" : "not ok", ++ran, tests[n].name);
    failed += !passed;
  }
  printf("1..%zu\n", ran);
  if (!ran) fprintf(stderr, "there is no test with \"%s\" in its name\n", wanted);
  return !ran ? 2 : failed ? 1 : 0;
}
