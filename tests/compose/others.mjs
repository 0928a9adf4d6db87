// How docker-compose.yml calls other people's programs: those that can be asked are asked (engines.mjs), and the others are
// held to what images.json says that their image has and takes.
import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { asked } from "./engines.mjs";
import { commandLine, healthTest, scriptOf, wordsAfter } from "./stack.mjs";

const isShell = (program) => basename(program) === "sh";

/** What is wrong with one call, as far as its program or the list can tell. */
function wrongInCall([program, ...words], commands) {
  const takes = commands[program];
  if (takes === undefined) return `${program} is not among its image's commands`;
  if (takes === "asked") return asked[program]([program, ...words]);
  const unknown = words.find((word, at) => {
    if (/^--?[a-z]/i.test(word)) return !takes.includes(word.split("=")[0]);
    // What follows a flag is taken for its value.
    return /^[a-z][a-z-]*$/.test(word) && !words[at - 1]?.startsWith("-") && !takes.includes(word);
  });
  return unknown && `${program} takes no ${unknown}`;
}

/** The calls of one line of sh, as `sh -c` has it. */
const inLine = (line) => line.split(/[|;&]+/).map((call) => call.trim().split(/\s+/));

/** The calls of a program in a script of sh, also through a function that hands its own words on to it. */
function callsOf(program, text) {
  const handsOn = (body) => wordsAfter(body, program).some((words) => words.at(-1) === '"$@"');
  const functions = [...text.matchAll(/^(\w+)\(\) \{\n([\s\S]*?)^\}/gm)].filter(([, , body]) => handsOn(body));
  return [program, ...functions.map(([, name]) => name)].flatMap((name) => wordsAfter(text, name).map((words) => [program, ...words]));
}

/** What is wrong with the calls of a script. */
export function* wrongInScript(text, commands) {
  const calls = Object.keys(commands).filter((program) => !isShell(program)).flatMap((program) => callsOf(program, text));
  if (calls.length === 0) yield "its script calls nothing that its image has";
  for (const words of calls) {
    const wrong = wrongInCall(words, commands);
    if (wrong) yield wrong;
  }
}

/** What is wrong with a service's command, with the script that it runs, and with its health check. */
export function* wrongInService(service, commands) {
  const script = scriptOf(service);
  const calls = script ? [service.entrypoint.slice(0, 1)] : [commandLine(service)];
  if (script) yield* wrongInScript(readFileSync(script, "utf8"), commands);
  const [how, ...test] = healthTest(service) ?? ["CMD"];
  if (how !== "CMD") yield "its health check is no list of words";
  else calls.push(test);
  for (const words of calls.filter(({ length }) => length > 0)) {
    const inside = isShell(words[0]) && words[1] === "-c" ? inLine(words[2]) : [];
    for (const call of [words, ...inside]) {
      const wrong = wrongInCall(call, commands);
      if (wrong) yield wrong;
    }
  }
}
