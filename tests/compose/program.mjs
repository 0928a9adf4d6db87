// What the program itself says: its commands and flags by --help, its settings by `zama-jobs config`.
import { execFileSync, spawnSync } from "node:child_process";

import { fail } from "./stack.mjs";

export const program = process.env.ZAMA_BIN ?? fail("set ZAMA_BIN to the zama-jobs program");
const helps = new Map();

/** The help of a command, or nothing when there is no such command. */
function help(path) {
  const name = path.join(" ");
  if (!helps.has(name)) {
    const said = spawnSync(program, [...path, "--help"], { encoding: "utf8", env: { PATH: process.env.PATH } });
    helps.set(name, said.status === 0 ? said.stdout : undefined);
  }
  return helps.get(name);
}

/** Whether a help text lists a command. */
const lists = (text, command) => new RegExp(`^  ${command}(\\s|$)`, "m").test(text);

/** What is wrong with a call: a command or a flag that there is not. */
export function wrongIn(words) {
  const path = [];
  for (const word of words.filter((word) => /^[a-z][a-z0-9-]*$/.test(word))) {
    const above = help(path);
    if (!above?.includes("\nCommands:\n") || !lists(above, word)) break;
    path.push(word);
  }
  const text = help(path);
  if (path.length === 0 || text === undefined) return `zama-jobs has no command ${words[0]}`;
  if (/^Usage: .*<COMMAND>/m.test(text)) return `zama-jobs ${path.join(" ")} wants a command, not ${words[path.length] ?? "nothing"}`;
  const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=")[0]);
  const unknown = flags.find((flag) => flag !== "--help" && !new RegExp(`(^|[\\s,])${flag}([\\s,<]|$)`, "m").test(text));
  return unknown && `zama-jobs ${path.join(" ")} has no ${unknown}`;
}

/** What a command takes as one of its values, as its help lists them. */
export const takes = (path, value) =>
  new RegExp(`^\\s+- ${value}:|\\[possible values:[^\\]]*\\b${value}\\b`, "m").test(help(path) ?? "");

/** The variables that the program reads, ZAMA__SECTION__KEY for each setting: its default, and whether that is public. */
export function settings() {
  const variables = new Map();
  let section = "";
  for (const line of execFileSync(program, ["config"], { encoding: "utf8", env: { PATH: process.env.PATH } }).split("\n")) {
    const head = line.match(/^\[([a-z0-9_.]+)\]$/);
    const setting = line.match(/^([a-z0-9_]+) = (.*?)(\s*# DEVELOPMENT ONLY.*)?$/);
    if (head) section = head[1].replaceAll(".", "__");
    if (!setting) continue;
    const [, key, value, mark] = setting;
    variables.set(`ZAMA__${section ? `${section}__` : ""}${key}`.toUpperCase(), { value, isPublic: mark !== undefined });
  }
  return variables;
}
