/* What call scripts and queue strategies have in common: prompts, settings, lines of the log, strings. */
#ifndef STROWGER_WORDS_H
#define STROWGER_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Something to hear: made by one of these. */
typedef struct Prompt {
  uint8_t kind;
  const char *text;
  int32_t number;
  double length;
} Prompt;
Prompt recording(const char *name);             /* A recording of the tenant by its name. */
Prompt text(const char *words);                 /* Words to speak. */
Prompt digits(const char *characters);          /* Characters spoken one by one. */
Prompt silence(double length);                  /* Nothing, for so long. */
Prompt tone(uint16_t hertz, double length);     /* 100 to 3400 Hz. */
Prompt music(const char *name);                 /* Music on hold; the last of a list. */
Prompt quantity(int32_t number, const char *noun); /* A number with what is counted, in words. */
Prompt duration(double length);                 /* A length of time in words, rounded for the ear. */
Prompt position(uint32_t place);                /* A place in line as a sentence. */

/* Several, one after the other: prompts(recording("welcome"), digits("12")). */
typedef struct Prompts {
  const Prompt *all;
  size_t count;
} Prompts;
#define prompts(...) \
  ((Prompts){(const Prompt[]){__VA_ARGS__}, sizeof((const Prompt[]){__VA_ARGS__}) / sizeof(Prompt)})

/* A string at the top of the settings; `otherwise` when it is not there. */
const char *setting(const char *name, const char *otherwise);
/* A number there. */
double setting_number(const char *name, double otherwise);

/* Lines of the script's log, as printf has them. What is printed goes there too. */
void log_debug(const char *line, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *line, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *line, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *line, ...) __attribute__((format(printf, 1, 2)));

/* A new string, as printf has it; and one in quotes, for JSON. */
const char *format(const char *line, ...) __attribute__((format(printf, 1, 2)));
const char *json_string(const char *text);

#endif
