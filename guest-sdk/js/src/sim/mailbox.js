// Simulated boxes: those that a test names, and an empty one without a PIN under any other name.

const USUAL = { longest: 120, silence: 4, shortest: 1, greeting: null, full: false };
const WRONG_PIN = { tag: "refused", val: 403 };

const box = ({ pin = null, owners = [], messages = [], ...rules }) => ({
  rules: { ...USUAL, ...rules },
  pin,
  owners: [...owners],
  messages: messages.map((kept) => ({ number: "", name: null, at: 0, length: 10, heard: false, ...kept })),
});

const answers = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, () => value]));

export function mailboxes(world) {
  const known = new Map(Object.entries(world.plan.mailboxes).map(([name, given]) => [name, box(given)]));
  const named = (name) => {
    if (!known.has(name)) known.set(name, box({}));
    return known.get(name);
  };
  const there = (inbox, id) => {
    const at = named(inbox).messages.findIndex((kept) => kept.id === id);
    if (at < 0) throw { tag: "not-found", val: id };
    return at;
  };
  return {
    // A user's box has the user's name, whether the user is named by it or by the extension.
    find(nameOrNumber) {
      const user = world.plan.users.find(({ name, number }) => name === nameOrNumber || (number && number === nameOrNumber));
      const name = user?.name ?? nameOrNumber;
      const { rules, owners, messages } = named(name);
      const heard = messages.filter((kept) => kept.heard).length;
      return answers({
        name,
        greeting: rules.greeting,
        longest: rules.longest * 1000,
        silence: rules.silence * 1000,
        shortest: rules.shortest * 1000,
        unheard: messages.length - heard,
        heard,
        full: rules.full,
        owners: user && !owners.includes(name) ? [...owners, name] : owners,
      });
    },
    unlock(inbox, pin) {
      const { pin: right } = named(inbox);
      if (right === null || right !== pin) throw WRONG_PIN;
    },
    messages: (inbox) =>
      [...named(inbox).messages]
        .sort((a, b) => a.heard - b.heard || a.at - b.at)
        .map((kept) => answers({ ...kept, length: kept.length * 1000 })),
    keep(inbox, id) {
      named(inbox).messages[there(inbox, id)].heard = true;
      world.note(`${id} is kept`);
    },
    delete(inbox, id) {
      named(inbox).messages.splice(there(inbox, id), 1);
      world.note(`${id} is deleted`);
    },
    greet(inbox, recording) {
      named(inbox).rules.greeting = recording;
      world.note(`${inbox} greets with ${recording ?? "nothing of its own"}`);
    },
  };
}
