/* Tests in C: what TEST names is run, each test in a process of its own, so that a script's static variables begin anew and a
 * crash is one test's.
 *
 *     TEST(two_and_two_are_four) {
 *       CHECK(2 + 2 == 4);
 *       CHECK_TEXT(format("%d", 2 + 2), "4");
 *     }
 *
 * main() is there already. It prints lines of TAP, of the tests in whose names the argument stands ("./test four"), with -v the
 * calls' timelines too, and exits with 1 if one fails, with 2 if there is none.
 */
#ifndef STROWGER_TEST_H
#define STROWGER_TEST_H

#include <stdbool.h>

#define TEST(name)                                                                                    \
  static void name(void);                                                                             \
  __attribute__((constructor)) static void name##_is_a_test(void) { strowger_test(#name, name); }     \
  static void name(void)

/* What must be true. */
#define CHECK(condition) \
  ((condition) ? (void)0 : test_fails(__FILE__, __LINE__, "%s is not so", #condition))
/* Two texts, either of which may be NULL; and two numbers. */
#define CHECK_TEXT(is, must) check_text(__FILE__, __LINE__, #is, (is), (must))
#define CHECK_NUMBER(is, must) check_number(__FILE__, __LINE__, #is, (is), (must))

/* Ends the test that runs, and says why, in words as printf has them. */
_Noreturn void test_fails(const char *file, int line, const char *why, ...) __attribute__((format(printf, 3, 4)));
/* A remark, line by line; it is seen with -v. */
void test_remark(const char *lines);

void strowger_test(const char *name, void (*test)(void));
void check_text(const char *file, int line, const char *what, const char *is, const char *must);
void check_number(const char *file, int line, const char *what, double is, double must);

#endif
