// What must hold of the Dockerfile beside its lint: pinned bases as elsewhere in the checkout, no root, commands and
// settings that there are.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { asked } from "./engines.mjs";
import { settings, takes, wrongIn } from "./program.mjs";
import { root } from "./stack.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");

/** The stages: name, base, and instructions as [name, text]. */
export function stages(text) {
  const lines = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n/g, " ").split("\n").filter(Boolean);
  const parsed = [];
  for (const line of lines) {
    const [, instruction, rest] = line.trim().match(/^([A-Z]+)\s+(.*)$/s);
    if (instruction === "FROM") {
      const [, base, name] = rest.match(/^(\S+)\s+AS\s+(\S+)$/);
      parsed.push({ name, base, instructions: [] });
    } else parsed.at(-1)?.instructions.push([instruction, rest.replace(/\s+/g, " ")]);
  }
  return parsed;
}

export function* faults(text = read("Dockerfile")) {
  const argument = (name) => text.match(new RegExp(`^ARG ${name}=(.*)$`, "m"))?.[1];
  const rust = read("rust-toolchain.toml").match(/^channel = "(.*)"$/m)[1];
  if (argument("RUST_VERSION") !== rust) yield `RUST_VERSION is ${argument("RUST_VERSION")}, and rust-toolchain.toml says ${rust}`;
  const foundry = JSON.parse(read("tools/package.json")).dependencies["@foundry-rs/anvil-linux-amd64"];
  if (argument("FOUNDRY_VERSION") !== foundry) yield `FOUNDRY_VERSION is ${argument("FOUNDRY_VERSION")}, and tools/package.json says ${foundry}`;
  const variables = settings();
  const all = stages(text);
  for (const { name, base, instructions } of all) {
    const isStage = all.some((stage) => stage.name === base);
    if (!isStage && !/:.*(\d|\$\{[A-Z]+_VERSION\})/.test(base)) yield `${name}: ${base} is not pinned to a version`;
    for (const [instruction, rest] of instructions) {
      const words = rest.match(/\[.*\]$/) && JSON.parse(rest.match(/\[.*\]$/)[0]);
      if (instruction === "HEALTHCHECK" && words?.[0] === "zama-jobs") {
        const wrong = wrongIn(words.slice(1));
        if (wrong) yield `${name}: its health check: ${wrong}`;
        else if (!takes(["health"], words[2])) yield `${name}: zama-jobs health knows no ${words[2]}`;
      } else if (instruction === "HEALTHCHECK") {
        const wrong = words && asked[words[0]] ? asked[words[0]](words) : "nobody can be asked about it";
        if (wrong) yield `${name}: its health check: ${wrong}`;
      }
      if (instruction === "CMD") {
        const wrong = wrongIn(words);
        if (wrong) yield `${name}: ${wrong}`;
      }
      if (instruction === "ENV") {
        for (const [variable] of rest.matchAll(/ZAMA__[A-Z0-9_]+/g)) if (!variables.has(variable)) yield `${name}: nobody reads ${variable}`;
      }
    }
  }
  const last = (name, wanted) => {
    const stage = all.find((stage) => stage.name === name);
    const own = stage?.instructions.filter(([instruction]) => instruction === wanted).at(-1)?.[1];
    return own ?? (stage && last(stage.base, wanted));
  };
  for (const name of ["api", "worker", "worker-fhe", "kms", "runtime", "anvil"]) {
    if (!/^[1-9]\d*:[1-9]\d*$/.test(last(name, "USER") ?? "")) yield `${name} runs as root`;
    if (name !== "runtime" && !last(name, "HEALTHCHECK")) yield `${name} has no health check`;
  }
}
