// Plays what is new in a box, and tells its owner.
import { crm, mailbox, notify, script, text } from "@strowger/script";

export default script({
  onCall(caller, { box: name }) {
    const box = mailbox.find(name);
    if (box === null) return caller.reject(404);
    caller.answer();
    box.unlock(caller.gather({ prompt: "pin", most: 4 }).digits);
    for (const message of box.messages()) {
      if (message.heard) {
        box.delete(message);
        continue;
      }
      const who = message.name ?? message.number;
      caller.play([message.id, text(`${message.length} s from ${who} at ${message.at}`)]);
      box.keep(message);
      crm.closeTask(crm.createTask(message.number, "call back", { responsible: box.owners[0], due: message.at + 60 }));
    }
    box.greetWith(box.greeting === null ? "recording-9" : null);
    notify.send(box.owners[0], `Heard\n${box.unheard} of ${box.longest} s`, { caller: caller.number });
    notify.tell("Heard");
  },
});
