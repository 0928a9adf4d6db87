// docker-compose.yml as Compose reads it: anchors merged, variables filled in. For the checks and for the direct run.
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { createRequire } from "node:module";

/** The checkout. */
export const root = resolve(import.meta.dirname, "../..");
/** The pinned npm packages; tests/compose/check.sh says where. */
export const packages = process.env.COMPOSE_PACKAGES ?? fail("set COMPOSE_PACKAGES, or run tests/compose/check.sh");
export const require = createRequire(join(packages, "package.json"));
const { parse } = require("yaml");

/** Where the scripts of deploy/compose are mounted. */
const SCRIPTS = "/opt/zama";

export function fail(text) {
  console.error(text);
  process.exit(2);
}

/** The file and its text, comments and all, and for each variable that it takes the default. */
export function load(environment = {}, file = join(root, "docker-compose.yml")) {
  const defaults = new Map();
  const filled = (text) =>
    text.replace(/\$(?:\$|\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\})/g, (whole, name, otherwise) => {
      if (whole === "$$") return "$";
      if (otherwise === undefined) throw new Error(`${whole} has no default`);
      const known = defaults.get(name);
      if (known !== undefined && known !== otherwise) throw new Error(`${name} has two defaults: ${known}, ${otherwise}`);
      defaults.set(name, otherwise);
      return environment[name] ?? otherwise;
    });
  const walk = (value) => {
    if (typeof value === "string") return filled(value);
    if (Array.isArray(value)) return value.map(walk);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
    return value;
  };
  const text = readFileSync(file, "utf8");
  const document = walk(parse(text, { merge: true }));
  return { document, defaults, text, services: new Map(Object.entries(document.services)) };
}

/** Whether a service runs our own program. */
export const isOurs = (service) => service.image.startsWith("zama-jobs:");

/** Whether a service ends by itself, and others may wait for that. */
export const isOnce = (service) => (service.restart ?? "").startsWith("on-failure");

/** What a service's health is checked with, unless that is switched off. */
export const healthTest = ({ healthcheck }) => (healthcheck?.disable || healthcheck?.test?.[0] === "NONE" ? undefined : healthcheck?.test);

/** What a service executes, word by word. */
export function commandLine(service) {
  const program = service.entrypoint ?? (isOurs(service) ? ["zama-jobs"] : []);
  return [...program, ...(service.command ?? [])];
}

/** The file in the checkout of a script that a service runs, if it runs one. */
export function scriptOf(service) {
  const words = service.entrypoint ?? [];
  const script = words.find((word) => word.startsWith(`${SCRIPTS}/`));
  return script && join(root, "deploy/compose", basename(script));
}

/** The words that follow a program's name in a text of sh, wherever it stands, up to the end of the command. */
export function wordsAfter(text, program) {
  const lines = text.replace(/\\\n\s*/g, " ").split("\n").filter((line) => !line.trimStart().startsWith("#"));
  const named = new RegExp(`(?:^|[\\s("'\`])${program} ([^|;>&)]*)`, "g");
  return lines.flatMap((line) => [...line.matchAll(named)].map((match) => match[1].trim().split(/\s+/)));
}

/** The calls of `zama-jobs` in a text of sh, each as its words up to what is not a plain word or a flag. */
export const callsIn = (text) => wordsAfter(text, "zama-jobs").filter(([first]) => /^[a-z]/.test(first));

/** The calls of our program that a service makes; health checks aside. */
export function callsOf(service) {
  const script = scriptOf(service);
  if (script) return callsIn(readFileSync(script, "utf8"));
  const [program, ...words] = commandLine(service);
  return program === "zama-jobs" ? [words] : [];
}

/** The services in an order in which each comes after those that it waits for. */
export function inOrder(services, wanted) {
  const order = [];
  const visit = (name, above) => {
    if (above.includes(name)) throw new Error(`they wait for each other: ${[...above, name].join(", ")}`);
    if (order.includes(name)) return;
    for (const needed of Object.keys(services.get(name).depends_on ?? {})) visit(needed, [...above, name]);
    order.push(name);
  };
  for (const name of wanted) visit(name, []);
  return order;
}

/** The addresses of other services in a text: [host, port]. */
export function addressesIn(text) {
  return [...String(text).matchAll(/(?:^|\/\/|@)([a-z][a-z0-9-]*):(\d{2,5})(?=$|[/?])/g)].map(([, host, port]) => [host, Number(port)]);
}
