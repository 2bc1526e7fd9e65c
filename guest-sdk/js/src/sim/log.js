// Where log lines go in Node: to the call that is simulated, if one is.

export const lines = { write: (level, line) => console.log(`${level}: ${line}`) };
export const write = (level, line) => lines.write(level, line);
