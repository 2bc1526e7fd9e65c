// Simulated conversations, and transfers that one of two parties asks for.

const RING = 20;

// Both talk, and transfers are carried out as asked; if one fails, they go on as they were.
export function bridge(world, a, b, keys) {
  for (;;) {
    const end = talk(world, a, b, keys);
    if (end.tag !== "transfer") return end;
    try {
      end.val.carryOut(null, RING * 1000);
    } catch (thrown) {
      if (!thrown.tag || thrown.tag === "hung-up") throw thrown;
    }
  }
}

export function talk(world, a, b, keys) {
  world.passes(0);
  const other = a === world.caller ? b : a;
  world.note(`bridged with ${other.who}`);
  const itself = other === world.caller;
  world.happens(itself ? "hears itself" : "talks with", itself ? undefined : other.who);
  const { hangsUpAt = Infinity, transfersAt = Infinity } = other;
  try {
    const key = world.passes(Math.max(0, Math.min(hangsUpAt, transfersAt) - world.now), (key) => keys.includes(key));
    if (key !== null) return { tag: "digit", val: world.keys.pop() };
  } catch (thrown) {
    if (thrown.tag !== "hung-up") throw thrown;
    return { tag: other === b ? "a-hung-up" : "b-hung-up" };
  }
  if (hangsUpAt <= transfersAt) return { tag: other === b ? "b-hung-up" : "a-hung-up" };
  return { tag: "transfer", val: transfer(world, other, other === b) };
}

function transfer(world, by, byB) {
  const named = by.transfersTo;
  const user = world.plan.users.find(({ name, number }) => name === named || number === named);
  const to = user ? { tag: "user", val: user.name } : { tag: "number", val: named };
  world.note(`${by.who} asks for a transfer to ${to.val}`);
  by.transfersAt = Infinity;
  let open = true;
  const decide = () => {
    if (!open) throw { tag: "invalid", val: "no transfer is asked for" };
    open = false;
  };
  return {
    byB: () => byB,
    to: () => to,
    attended: () => false,
    carryOut(instead, ring) {
      decide();
      world.happens("hears music");
      const came = world.dial([{ after: 0, targets: [instead ?? to] }], { timeout: ring, skipBusy: false });
      world.note(`${came.who} takes the place of ${by.who}`);
      // The script holds this leg and goes on with it.
      Object.assign(by, came);
    },
    refuse(status) {
      decide();
      world.note(`${by.who} may not transfer: ${status}`);
    },
  };
}
