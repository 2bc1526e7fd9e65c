/* strowger_words.h as far as it asks nothing of the exchange: the same in the sandbox and in the simulator. It is a part of the
 * file that includes it, behind the bindings, whose numbers it uses; `write_line` is what differs. */

static void write_line(uint8_t level, const char *line);

Prompt recording(const char *name) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_RECORDING, .text = name}; }
Prompt text(const char *words) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_TEXT, .text = words}; }
Prompt digits(const char *all) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_DIGITS, .text = all}; }
Prompt silence(double length) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_SILENCE, .length = length}; }
Prompt tone(uint16_t hertz, double length) {
  return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_TONE, .number = hertz, .length = length};
}
Prompt music(const char *name) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_MUSIC, .text = name}; }
Prompt quantity(int32_t number, const char *noun) {
  return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_QUANTITY, .text = noun, .number = number};
}
Prompt duration(double length) { return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_DURATION, .length = length}; }
Prompt position(uint32_t place) {
  return (Prompt){STROWGER_SCRIPT_TYPES_PROMPT_POSITION, .number = (int32_t)place};
}

static const char *printed(const char *line, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, line, again);
  va_end(again);
  char *made = length < 0 ? NULL : malloc((size_t)length + 1);
  if (!made) abort();
  vsnprintf(made, (size_t)length + 1, line, arguments);
  return made;
}

const char *format(const char *line, ...) {
  va_list arguments;
  va_start(arguments, line);
  const char *made = printed(line, arguments);
  va_end(arguments);
  return made;
}

#define LOG(name, level)                                                     \
  void name(const char *line, ...) {                                         \
    va_list arguments;                                                       \
    va_start(arguments, line);                                               \
    write_line(STROWGER_SCRIPT_LOG_LEVEL_##level, printed(line, arguments)); \
    va_end(arguments);                                                       \
  }
LOG(log_debug, DEBUG)
LOG(log_info, INFO)
LOG(log_warn, WARN)
LOG(log_error, ERROR)

/* JSON (RFC 8259), as far as settings need it. */

const char *json_string(const char *plain) {
  char *made = malloc(strlen(plain) * 6 + 3), *to = made;
  if (!made) abort();
  *to++ = '"';
  for (const unsigned char *from = (const unsigned char *)plain; *from; from++) {
    if (*from == '"' || *from == '\\') {
      *to++ = '\\';
      *to++ = (char)*from;
    } else if (*from < 0x20) {
      to += sprintf(to, "\\u%04x", *from);
    } else {
      *to++ = (char)*from;
    }
  }
  *to++ = '"';
  *to = 0;
  return made;
}

static const char *space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Behind the string that begins here; its text goes to `to`, which has room for it. NULL when it does not end. */
static const char *read_string(const char *at, char *to) {
  for (at++; *at && *at != '"'; at++) {
    if (*at != '\\') {
      *to++ = *at;
      continue;
    }
    switch (*++at) {
      case 0: return NULL;
      case 'b': *to++ = '\b'; break;
      case 'f': *to++ = '\f'; break;
      case 'n': *to++ = '\n'; break;
      case 'r': *to++ = '\r'; break;
      case 't': *to++ = '\t'; break;
      case 'u': {
        unsigned point = 0;
        for (int digit = 0; digit < 4; digit++) {
          int is = at[1] >= '0' && at[1] <= '9' ? at[1] - '0' : ((at[1] | 32) >= 'a' && (at[1] | 32) <= 'f') ? (at[1] | 32) - 'a' + 10 : -1;
          if (is < 0) return NULL;
          point = point * 16 + (unsigned)is;
          at++;
        }
        if (point < 0x80) {
          *to++ = (char)point;
        } else if (point < 0x800) {
          *to++ = (char)(0xc0 | point >> 6);
          *to++ = (char)(0x80 | (point & 0x3f));
        } else {
          *to++ = (char)(0xe0 | point >> 12);
          *to++ = (char)(0x80 | (point >> 6 & 0x3f));
          *to++ = (char)(0x80 | (point & 0x3f));
        }
        break;
      }
      default: *to++ = *at;
    }
  }
  *to = 0;
  return *at ? at + 1 : NULL;
}

/* Behind the value that begins here. */
static const char *skip_value(const char *at, char *scratch) {
  int depth = 0;
  do {
    at = space(at);
    if (*at == '"') {
      at = read_string(at, scratch);
      if (!at) return NULL;
    } else if (*at == '{' || *at == '[') {
      depth++;
      at++;
    } else if (*at == '}' || *at == ']') {
      depth--;
      at++;
    } else if (!*at) {
      return NULL;
    } else {
      at += *at == ',' || *at == ':' ? 1 : strcspn(at, ",:]} \t\r\n\"");
    }
  } while (depth > 0);
  return at;
}

static const char *settings;

/* The value under a name at the top of the settings; a string's text goes to `text`. NULL when it is not there. */
static const char *value_of(const char *name, char *text) {
  char *key = malloc(strlen(settings) + 1);
  if (!key) abort();
  const char *at = space(settings);
  if (*at != '{') return NULL;
  for (at = space(at + 1); at && *at == '"';) {
    at = read_string(at, key);
    if (!at) return NULL;
    at = space(at);
    if (*at != ':') return NULL;
    at = space(at + 1);
    if (!strcmp(key, name)) return *at != '"' || read_string(at, text) ? at : NULL;
    at = skip_value(at, text);
    if (!at) return NULL;
    at = space(at);
    if (*at == ',') at = space(at + 1);
  }
  return NULL;
}

const char *setting(const char *name, const char *other) {
  char *text = malloc(strlen(settings) + 1);
  if (!text) abort();
  const char *at = value_of(name, text);
  return at && *at == '"' ? text : other;
}

double setting_number(const char *name, double other) {
  char *text = malloc(strlen(settings) + 1), *end;
  if (!text) abort();
  const char *at = value_of(name, text);
  double number = at ? strtod(at, &end) : other;
  return at && end != at ? number : other;
}
