/* strowger_words.h over wit/: a part of strowger.c and of strowger_queue.c, each of which has its own bindings and says what
 * a string (Bytes) and a prompt (WitPrompt) is there. */

static Bytes bytes(const char *string) {
  return (Bytes){(uint8_t *)string, string ? strlen(string) : 0};
}

static const char *string(Bytes from) {
  char *copy = malloc(from.len + 1);
  if (!copy) abort();
  if (from.len) memcpy(copy, from.ptr, from.len);
  copy[from.len] = 0;
  return copy;
}

#include "plain_words.h"

static void write_line(uint8_t level, const char *line) {
  Bytes message = bytes(line);
  strowger_script_log_write(level, &message);
}

static uint32_t millis(double seconds) {
  if (!(seconds > 0)) return 0;
  return seconds > UINT32_MAX / 1000.0 ? UINT32_MAX : (uint32_t)lround(seconds * 1000);
}

static WitPrompt prompt_of(Prompt prompt) {
  WitPrompt wit = {.tag = prompt.kind};
  switch (prompt.kind) {
    case STROWGER_SCRIPT_TYPES_PROMPT_SILENCE: wit.val.silence = millis(prompt.length); break;
    case STROWGER_SCRIPT_TYPES_PROMPT_TONE:
      wit.val.tone.f0 = (uint16_t)prompt.number;
      wit.val.tone.f1 = millis(prompt.length);
      break;
    case STROWGER_SCRIPT_TYPES_PROMPT_QUANTITY:
      wit.val.quantity.f0 = prompt.number;
      wit.val.quantity.f1 = bytes(prompt.text);
      break;
    case STROWGER_SCRIPT_TYPES_PROMPT_DURATION: wit.val.duration = millis(prompt.length); break;
    case STROWGER_SCRIPT_TYPES_PROMPT_POSITION: wit.val.position = (uint32_t)prompt.number; break;
    default: wit.val.text = bytes(prompt.text);
  }
  return wit;
}
