/* strowger_queue.h as far as it asks nothing of the exchange: the same in the sandbox and in the simulator, and a part of the
 * file that includes it, behind plain_words.h. */

/* Room for so many, which may be none. */
static void *room(size_t count, size_t each) {
  void *made = calloc(count ? count : 1, each);
  if (!made) abort();
  return made;
}

uint8_t level_of(Skills skills, const char *name) {
  for (size_t n = 0; n < skills.count; n++) {
    if (!strcmp(skills.all[n].name, name)) return skills.all[n].level;
  }
  return 0;
}

int longest_idle(const Agent *a, const Agent *b) {
  return (a->since_offered < b->since_offered) - (a->since_offered > b->since_offered);
}
int fewest_answered(const Agent *a, const Agent *b) { return (a->answered > b->answered) - (a->answered < b->answered); }

/* By insertion, because equals are to stay in their order and qsort promises nothing about them. */
void sort_agents(Agents agents, Order order) {
  for (size_t n = 1; n < agents.count; n++) {
    Agent one = agents.all[n];
    size_t at = n;
    for (; at > 0; at--) {
      const Agent *before = &agents.all[at - 1];
      int tiers = (before->level > one.level) - (before->level < one.level);
      if ((tiers ? tiers : order(before, &one)) <= 0) break;
      agents.all[at] = *before;
    }
    agents.all[at] = one;
  }
}

static bool can(const Agent *agent, Skills wanted) {
  for (size_t n = 0; n < wanted.count; n++) {
    if (level_of(agent->skills, wanted.all[n].name) < wanted.all[n].level) return false;
  }
  return true;
}

Ranking pair_up(Snapshot now, Agents agents, double ring) {
  Callers line = in_line(now, UINT32_MAX);
  Ranking ranking = {room(agents.count, sizeof(Offer)), 0, 0};
  bool *taken = room(agents.count, sizeof *taken);
  for (size_t n = 0; n < line.count && ranking.count < agents.count; n++) {
    for (size_t m = 0; m < agents.count; m++) {
      if (taken[m] || !can(&agents.all[m], line.all[n].skills)) continue;
      taken[m] = true;
      const char **names = room(1, sizeof *names);
      names[0] = agents.all[m].name;
      ranking.offers[ranking.count++] = (Offer){line.all[n].id, names, 1, ring};
      break;
    }
  }
  return ranking;
}
