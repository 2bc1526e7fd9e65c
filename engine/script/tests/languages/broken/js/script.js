// Prints, answers, and trips over its own mistake.
import { script } from "@strowger/script";

export default script({
  onCall(caller) {
    console.log(Math.floor(Date.now() / 1000), Math.random() < 1);
    caller.answer();
    first();
  },
});

function first() {
  second([]);
}

function second(agents) {
  return agents[0].number;
}
