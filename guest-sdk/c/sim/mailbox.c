/* Simulated boxes: those of the test's world, and an empty one without a PIN under any other name. */

#include <stdlib.h>
#include <string.h>

#include "world.h"

/* As the exchange has it where nobody says otherwise. */
static const double LONGEST = 120, SILENCE = 4, SHORTEST = 1, MESSAGE = 10;
static const uint16_t WRONG_PIN = 403;

/* The box of this name; NULL when the test's world has no room for another. */
static Box *box_of(const char *name) {
  Box *all = playing()->there.boxes;
  for (size_t n = 0; n < THERE; n++) {
    if (!all[n].name) all[n].name = name;
    if (!strcmp(all[n].name, name)) return &all[n];
  }
  breaks("there are no more boxes than a test's world has room for");
}

static size_t count(const Box *box) {
  size_t messages = 0;
  while (messages < THERE && box->messages[messages].id) messages++;
  return messages;
}

bool mailbox_find(const char *name_or_number, Mailbox *found) {
  User user;
  bool is_user = directory_find(name_or_number, &user);
  const Box *box = box_of(is_user ? user.name : name_or_number);
  uint32_t heard = 0;
  for (size_t n = 0; n < count(box); n++) heard += box->messages[n].heard;
  const char **owners = calloc(THERE + 2, sizeof *owners);
  if (!owners) abort();
  bool owned = false;
  size_t all = 0;
  for (; all < THERE && box->owners[all]; all++) {
    owners[all] = box->owners[all];
    owned = owned || !strcmp(owners[all], box->name);
  }
  if (is_user && !owned) owners[all] = box->name;
  *found = (Mailbox){
      .name = box->name,
      .greeting = box->greeting,
      .longest = LONGEST,
      .silence = SILENCE,
      .shortest = SHORTEST,
      .unheard = (uint32_t)count(box) - heard,
      .heard = heard,
      .full = box->full,
      .owners = owners,
  };
  return true;
}

Why mailbox_unlock(const Mailbox *box, const char *pin) {
  const char *right = box_of(box->name)->pin;
  return right && !strcmp(right, pin) ? DONE : refused(WRONG_PIN);
}

static int in_turn(const void *one, const void *other) {
  const Message *a = one, *b = other;
  if (a->heard != b->heard) return a->heard ? 1 : -1;
  return (a->at > b->at) - (a->at < b->at);
}

Why mailbox_messages(const Mailbox *box, Messages *messages) {
  const Box *kept = box_of(box->name);
  *messages = (Messages){calloc(THERE, sizeof(Message)), count(kept)};
  if (!messages->all) abort();
  for (size_t n = 0; n < messages->count; n++) {
    Message *message = &messages->all[n];
    *message = kept->messages[n];
    if (!message->number) message->number = "";
    if (message->length <= 0) message->length = MESSAGE;
  }
  qsort(messages->all, messages->count, sizeof(Message), in_turn);
  return DONE;
}

/* The message of this name; NULL when there is none. */
static Message *message_of(Box *box, const char *id) {
  for (size_t n = 0; n < count(box); n++) {
    if (!strcmp(box->messages[n].id, id)) return &box->messages[n];
  }
  return NULL;
}

Why mailbox_keep(const Mailbox *box, const char *id) {
  Message *message = message_of(box_of(box->name), id);
  if (!message) return fails(NOT_FOUND, id);
  message->heard = true;
  note("%s is kept", id);
  return DONE;
}

Why mailbox_delete(const Mailbox *box, const char *id) {
  Box *kept = box_of(box->name);
  Message *message = message_of(kept, id);
  if (!message) return fails(NOT_FOUND, id);
  note("%s is deleted", id);
  Message *behind = message + 1, *end = kept->messages + THERE;
  memmove(message, behind, (size_t)(end - behind) * sizeof *message);
  end[-1] = (Message){0};
  return DONE;
}

Why mailbox_greet_with(const Mailbox *box, const char *recording) {
  box_of(box->name)->greeting = recording;
  note("%s greets with %s", box->name, recording ? recording : "nothing of its own");
  return DONE;
}
