/* Call scripts in C without an exchange, for tests on any machine: the functions of strowger.h in virtual time, a caller with a
 * plan, and a world around.
 *
 *     #include "strowger_sim.h"
 *
 *     static World office(void) {
 *       return (World){
 *           .settings = "{\"sales\":\"ana\"}",
 *           .users = {{.name = "ana", .after = 4}},
 *       };
 *     }
 *
 *     TEST(whoever_presses_1_speaks_with_sales) {
 *       Call call = run(office(), hears(recording("welcome")), presses("1"), talks_with("ana"), hangs_up_after(40));
 *       CHECK_TEXT(call_tag(&call, "wants"), "sales");
 *       CHECK_NUMBER(call.length, 45);
 *     }
 *
 * `run` calls on_call of the script beside the test, and fails with the call as a timeline when the plan can't be followed to
 * its end, or when the script fails and the plan does not say so. Lengths are seconds, and what is left out or 0 is as it says.
 * A prompt takes its nominal time: a recording or words two seconds, a digit half of one.
 *
 * Left out: headers, and the C library's clocks and rand(), which are the machine's here and the call's there. */
#ifndef STROWGER_SIM_H
#define STROWGER_SIM_H

#include "strowger.h"
#include "strowger_test.h"

/* How many there may be of anything in a world. */
#define THERE 16

/* Somebody to ring. Others are unreachable. */
typedef struct Somebody {
  const char *name;          /* A user's name; or a telephone number or SIP URI. */
  const char *number;        /* A user's extension; "". */
  const char *mobile;        /* None. */
  const char *groups[THERE]; /* A user's; none. */
  double after;              /* 2 s, then it answers ... */
  double talks;              /* ... and hangs up so long after that; never. */
  uint16_t rejects;          /* In place of answering, with this SIP status, 400 to 699; 486 is busy. */
  bool never_answers;        /* It rings until the time is up. */
  bool busy;                 /* On a call already. */
  bool offline;              /* No device is registered. */
  double transfers;          /* So long after answering it asks for a transfer; never. */
  const char *transfers_to;  /* To this user or number. */
  const char *presses;       /* These keys when its telephone is asked for some, also when the caller has left: the first a
                                second after the question begins, each further one half a second later. A question takes what
                                it needs and leaves the rest to the next one; none. */
} Somebody;

typedef struct Calendar {
  const char *name, *scheme;
} Calendar;

/* Whoever has this number, in the CRM. */
typedef struct Known {
  const char *number;
  Contact contact;              /* Its handle is not looked at; without an id it is "contact-1". */
  const char *fields[2 * THERE]; /* Names and values in turn. */
} Known;

/* A server outside; others are not allowed. */
typedef struct Server {
  const char *url; /* "*" stands for anything. The first that fits is asked. */
  uint16_t status; /* 200. */
  const char *headers[2 * THERE]; /* Names and values in turn. */
  const char *body; /* Empty. */
  double after;     /* At once. */
  Why fails;        /* In place of an answer: TIMED_OUT, UNREACHABLE ... */
} Server;

typedef struct Queue {
  const char *name;
  const char *agent; /* Who takes the caller; nobody. */
  double after;      /* 20 s. */
  Why refuses;       /* In place of a place: BUSY when it is full, UNREACHABLE when it is closed or nobody serves it. */
} Queue;

/* A box and what is in it; its lengths are 120, 4 and 1 s. One that no test names is there too, empty. */
typedef struct Box {
  const char *name; /* A user's, or any other. */
  const char *pin;  /* None: it can't be unlocked. */
  const char *owners[THERE];
  const char *greeting;
  bool full;
  Message messages[THERE]; /* Ten seconds long. */
} Box;

typedef struct Remembered {
  const char *key, *value;
} Remembered;

typedef struct World {
  const char *from;     /* "+359888123456". A user's name or extension: a call of that user. */
  const char *dialled;  /* "700". */
  const char *at;       /* "2026-01-05 10:00" UTC, a Monday. */
  const char *language; /* "en". */
  const char *settings; /* "{}": a JSON object. */
  const char *spoke_with; /* The user who spoke with the caller before; nobody. */
  Somebody users[THERE];
  Somebody telephones[THERE]; /* Numbers and SIP URIs. */
  Calendar calendars[THERE];
  Known contacts[THERE];
  Server servers[THERE];
  Queue queues[THERE];
  Box boxes[THERE];
  const char *transferred_by; /* The user who transferred the caller here; nobody. */
  Remembered remembered[THERE]; /* What earlier calls left in the tenant's memory. */
} World;

/* What the caller waits for, or does. */
typedef struct Step {
  uint8_t kind;
  const char *what;
  Prompt prompt;
  double number;
} Step;
Step is_answered(void);
Step hears(Prompt what);       /* Whatever is heard before. What follows happens while it can be heard. */
Step hears_music(void);        /* Music on hold, of any name. */
Step hears_ringing(void);
Step talks_with(const char *whom); /* Is bridged with this user or number. */
Step is_rejected(uint16_t status);
Step is_hung_up(void);         /* The exchange ends the call. */
Step is_handed_over_to(const char *script);
Step falls_back(void);         /* The script fails. */
Step presses(const char *keys); /* A second after what stands before; each further key half a second later. */
Step speaks_for(double length); /* Into a recording. */
Step waits(double length);
Step hangs_up_after(double length);

typedef struct Lines {
  const char **all;
  size_t count;
} Lines;

/* What came of a call. */
typedef struct Call {
  double length;
  Why why;                    /* What the script returned. */
  Lines log;                  /* The script's lines, without their level. */
  Lines timeline;             /* All that happened. */
  const char *handed_over_to; /* NULL: it was not. */
  const char *handed_over_settings;
  Lines tags, kept;           /* Names and values in turn. */
  Lines notices;              /* Who was told what, in turn; "" is everyone. */
} Call;
const char *call_tag(const Call *call, const char *key);       /* The last of the name; NULL when there is none. */
const char *call_remembers(const Call *call, const char *key); /* What is in the tenant's memory; NULL for nothing. */
const char *call_last_logged(const Call *call);                /* "" when nothing was. */

/* Plays the plan to on_call; the steps stand behind the world, which is a variable or a function's: a macro takes the commas of
 * one that is written there for its own. */
#define run(world, ...) run_plan(__FILE__, __LINE__, (world), plan(__VA_ARGS__))
/* The same of a plan that can't be followed: why, with the timeline; "" when it was followed after all. */
#define run_that_breaks(world, ...) run_broken((world), plan(__VA_ARGS__))

/* Calls on_ended, with verbs that take no time. */
Call run_ended(World world, CallRecord record);

typedef struct Plan {
  const Step *steps;
  size_t count;
} Plan;
#define plan(...) ((Plan){(const Step[]){__VA_ARGS__}, sizeof((const Step[]){__VA_ARGS__}) / sizeof(Step)})
Call run_plan(const char *file, int line, World world, Plan plan);
const char *run_broken(World world, Plan plan);

#endif
