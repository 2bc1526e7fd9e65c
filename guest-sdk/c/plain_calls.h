/* strowger.h as far as it asks nothing of the exchange, or asks it in other words: failures, targets, menus. The same in the
 * sandbox and in the simulator, and a part of the file that includes it, behind plain_words.h. What differs: */

#ifndef STROWGER_OF_TASKS
static Why gather(Leg leg, Prompts first, Gather how, const char **pressed);
#endif
static Why set(const char *key, const char *value, uint32_t *keep);

static double otherwise(double given, double usual) { return given > 0 ? given : usual; }

/* Why the last verb failed. */
static struct {
  uint16_t status;
  const char *detail;
} last;

const char *why_detail(void) { return last.detail ? last.detail : ""; }

const char *why_words(Why why) {
  switch (why) {
    case DONE: return "done";
    case HUNG_UP: return "hung up";
    case BUSY: return "busy";
    case NO_ANSWER: return "no answer";
    case REFUSED: return format("refused with %u", last.status);
    case UNREACHABLE: return "unreachable";
    case NOT_FOUND: return format("there is no %s", why_detail());
    case INVALID: return format("invalid: %s", why_detail());
    case LIMIT: return format("the limit %s is reached", why_detail());
    case TIMED_OUT: return "timed out";
    case OTHER: return why_detail();
  }
  return "";
}

uint16_t why_status(Why why) {
  switch (why) {
    case HUNG_UP: return 487;
    case BUSY: return 486;
    case NO_ANSWER:
    case UNREACHABLE: return 480;
    case REFUSED: return last.status;
    case NOT_FOUND: return 404;
    case LIMIT: return 503;
    default: return 500;
  }
}

Why not_found(const char *what) {
  last.detail = what;
  return NOT_FOUND;
}

Why failed(const char *words) {
  last.detail = words;
  return OTHER;
}

Target user(const char *name) { return (Target){STROWGER_SCRIPT_TYPES_TARGET_USER, name}; }
Target number(const char *number) { return (Target){STROWGER_SCRIPT_TYPES_TARGET_NUMBER, number}; }
Target uri(const char *uri) { return (Target){STROWGER_SCRIPT_TYPES_TARGET_URI, uri}; }

#ifndef STROWGER_OF_TASKS
const char *leg_number(Leg leg) { return leg_party(leg).number; }

Why leg_gather(Leg leg, Gather how, const char **pressed) { return gather(leg, (Prompts){0}, how, pressed); }

Why leg_menu(Leg leg, Menu how, char *key) {
  const char *keys = how.keys ? how.keys : "0123456789*#";
  double within = otherwise(how.within, 6);
  Gather one = {.prompt = how.prompt, .most = 1, .no_terminator = true, .first = within, .between = within};
  Prompts first = {0};
  for (unsigned tries = how.tries ? how.tries : 3; tries > 0; tries--) {
    const char *pressed;
    TRY(gather(leg, first, one, &pressed));
    if (*pressed && strchr(keys, *pressed)) {
      *key = *pressed;
      return DONE;
    }
    first = *pressed ? how.on_wrong_key : how.on_silence;
  }
  *key = 0;
  return DONE;
}

void leg_hang_up(Leg leg) { leg_hang_up_with(leg, 16); }

Why bridge(Leg a, Leg b) {
  TalkEnd end;
  return bridge_until(a, b, "", &end);
}
#endif

Why kv_set(const char *key, const char *value) { return set(key, value, NULL); }
Why kv_set_for(const char *key, const char *value, uint32_t seconds) { return set(key, value, &seconds); }
