// Holds docker-compose.yml and the Dockerfile to their rules, and the rules to mistakes that they must find.
import { count, faults, known } from "./rules.mjs";
import * as image from "./image.mjs";
import { wrongInScript } from "./others.mjs";
import { load, root } from "./stack.mjs";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Each mistake, made in a fresh copy, with a part of what must be said about it. */
const mistakes = [
  ["an unknown key of a service", (services) => (services.get("api").memory = "1g"), "must NOT have additional properties"],
  ["latest", (services) => (services.get("temporal").image = "temporalio/server:latest"), "not pinned"],
  ["no tag", (services) => (services.get("temporal").image = "temporalio/server"), "not pinned"],
  ["a misspelt setting", (services) => (services.get("api").environment.ZAMA__API__LISTENS = "0.0.0.0:1"), "nobody reads ZAMA__API__LISTENS"],
  ["a misspelt variable", (services) => (services.get("temporal").environment.POSTGRES_PASSWORD = "zama-development"), "nobody reads"],
  ["an unknown command", (services) => (services.get("migrate").command = ["migrates"]), "has no command migrates"],
  ["an unknown subcommand", (services) => (services.get("billing-setup").command = ["billing", "set-up"]), "wants a command"],
  ["an unknown flag", (services) => (services.get("billing-setup").command = ["billing", "setup", "--force"]), "has no --force"],
  ["an unknown command of another's image", (services) => (services.get("lago-worker").command = ["./scripts/start.workers.sh"]), "start.workers.sh is not among its image's commands"],
  ["an unknown flag of another's program", (services) => (services.get("lago-redis").command = ["redis-server", "--append-only", "yes"]), "redis-server takes no --append-only"],
  ["an unknown subcommand of another's program", (services) => (services.get("lago-redis").healthcheck.test = ["CMD", "redis-cli", "pings"]), "redis-cli takes no pings"],
  ["a health check that another's image lacks", (services) => (services.get("temporal-ui").healthcheck.test[1] = "curl"), "curl is not among its image's commands"],
  ["a health check in one text", (services) => (services.get("lago-front").healthcheck.test = "wget -q -O /dev/null http://127.0.0.1:80/"), "is no list of words"],
  ["a program in a shell's text that another's image lacks", (services) => (services.get("lago-clock").healthcheck.test[3] = "pgrep -f clockwork"), "pgrep is not among its image's commands"],
  ["a script that another's image cannot run", (services) => (services.get("roles").entrypoint = ["/bin/sh", "/opt/zama/keys.sh"]), "calls nothing that its image has"],
  ["a shell that another's image lacks", (services) => (services.get("roles").entrypoint[0] = "/bin/zsh"), "/bin/zsh is not among its image's commands"],
  ["a flag that anvil does not know", (services) => services.get("anvil").command.push("--silence"), "anvil refuses it"],
  ["a port that anvil cannot read", (services) => (services.get("anvil").command = ["--port", "http"]), "anvil refuses it"],
  ["a command that cast does not know", (services) => (services.get("anvil").healthcheck.test[2] = "chain-ids"), "cast refuses it"],
  ["a setting that postgres does not know", (services) => (services.get("postgres").command = ["postgres", "-c", "max_connection=200"]), "postgres has no setting max_connection"],
  ["a setting beyond what postgres takes", (services) => (services.get("postgres").command = ["postgres", "-c", "max_connections=0"]), "as max_connections, not 0"],
  ["a flag that is none of postgres's settings", (services) => services.get("postgres").command.push("-x"), "postgres is given -x"],
  ["no health check", (services) => delete services.get("kms").healthcheck, "has no health check"],
  ["a clock without a health check", (services) => delete services.get("lago-clock").healthcheck, "lago-clock goes on and has no health check"],
  ["a health check that is switched off", (services) => (services.get("lago-pdf").healthcheck = { disable: true }), "lago-pdf goes on and has no health check"],
  ["a health check of nothing", (services) => (services.get("lago-front").healthcheck.test = ["NONE"]), "lago-front goes on and has no health check"],
  ["a server that always starts again, without a health check", (services) => {
    services.get("temporal-ui").restart = "always";
    delete services.get("temporal-ui").healthcheck;
  }, "temporal-ui goes on and has no health check"],
  ["an unknown health check", (services) => (services.get("kms").healthcheck.test = ["CMD", "zama-jobs", "health", "keys"]), "knows no keys"],
  ["a wait for nobody", (services) => (services.get("api").depends_on.redis = { condition: "service_healthy" }), "which there is not"],
  ["a wait for a server's end", (services) => (services.get("api").depends_on.kms = { condition: "service_completed_successfully" }), "waits for the end of kms"],
  ["a circle", (services) => (services.get("postgres").depends_on = { migrate: { condition: "service_completed_successfully" } }), "wait for each other"],
  ["a port for everybody", (services) => (services.get("api").ports = ["0.0.0.0:8080:8080", "127.0.0.1:8081:8081"]), "to others than this machine"],
  ["a port where nobody listens", (services) => services.get("api").ports.push("127.0.0.1:9090:9090"), "where it does not listen"],
  ["a server that moved", (services) => (services.get("kms").environment.ZAMA__KMS__LISTEN = "0.0.0.0:8084"), "does not listen there"],
  ["an address of nobody", (services) => (services.get("api").environment.ZAMA__KMS__URL = "http://keys:8083"), "is no service"],
  ["a network left", (services) => (services.get("kms").networks = ["keys"]), "which it cannot reach"],
  ["another public address", (services) => (services.get("api").environment.ZAMA__API__PUBLIC_URL = "http://127.0.0.1:1"), "published elsewhere"],
  ["two passwords", (services) => (services.get("temporal").environment.POSTGRES_PWD = "development"), "here and development there"],
  ["a process as the schema's owner", (services) => (services.get("api").environment.ZAMA__DATABASE__URL = "postgres://zama:development@postgres:5432/zama"), "not as zama_app"],
  ["a process that knows the schema's owner", (services) => (services.get("worker").environment.ZAMA__DATABASE__MIGRATION_URL = "postgres://zama:development@postgres:5432/zama"), "wrong ZAMA__DATABASE__MIGRATION_URL"],
  ["a secret without its word", (services) => (services.get("lago-api").environment.SECRET_KEY_BASE = "changeme"), "without the word development"],
  ["a codec key without its word", (services) => (services.get("api").environment.ZAMA__TEMPORAL__CODEC_KEYS = "one:00"), "ZAMA__TEMPORAL__CODEC_KEYS is a secret without the word development"],
  ["a public codec key that is inherited", (services) => delete services.get("worker").environment.ZAMA__TEMPORAL__CODEC_KEYS, "worker inherits ZAMA__TEMPORAL__CODEC_KEYS"],
  ["a public key that no comment names", (services, stack) => (stack.text = stack.text.replace(/^# +ZAMA__CHAIN__CONFIRMER_KEY .*\n/m, "")), "inherits ZAMA__CHAIN__CONFIRMER_KEY"],
  ["a comment on a key that nobody inherits", (services, stack) => (stack.text += "#   ZAMA__BILLING__LAGO_KEY  DEVELOPMENT ONLY\n"), "a comment has ZAMA__BILLING__LAGO_KEY"],
  ["new rights", (services) => delete services.get("worker").security_opt, "may gain rights"],
  ["no limit of memory", (services) => delete services.get("worker-fhe").mem_limit, "no limit of memory"],
  ["a writable image", (services) => (services.get("api").read_only = false), "may write to its image"],
  ["root", (services) => (services.get("api").user = "0"), "another user"],
  ["a folder that the image lacks", (services) => services.get("api").volumes.push("blobs:/srv/blobs"), "the image has no /srv/blobs"],
  ["a writable checkout", (services) => services.get("registry").volumes.push("./deploy:/deploy"), "may write to ./deploy"],
];

const wrong = [...faults(load()), ...[...image.faults()].map((fault) => `Dockerfile: ${fault}`)];
for (const [name, make, says] of mistakes) {
  const stack = load();
  make(stack.services, stack);
  stack.document.services = Object.fromEntries(stack.services);
  if (!faults(stack).some((fault) => fault.includes(says))) wrong.push(`the rules do not find ${name}`);
}
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
const spoilt = [
  ["root in the image", dockerfile.replaceAll("USER 10001:10001\n", ""), "runs as root"],
  ["another compiler", dockerfile.replace("ARG RUST_VERSION=", "ARG RUST_VERSION=0."), "rust-toolchain.toml says"],
  ["a base without a version", dockerfile.replace(/FROM debian:\S+/, "FROM debian:stable"), "not pinned"],
  ["an unknown command of the image", dockerfile.replace('CMD ["api"]', 'CMD ["server"]'), "has no command server"],
  ["an unknown health check of the chain", dockerfile.replace('"cast", "chain-id"', '"cast", "chain-ids"'), "cast refuses it"],
  ["an image without a health check", dockerfile.replace(/HEALTHCHECK .*"api"\]/, ""), "api has no health check"],
];
for (const [name, text, says] of spoilt) {
  if (![...image.faults(text)].some((fault) => fault.includes(says))) wrong.push(`the rules do not find ${name}`);
}
const script = (name) => readFileSync(join(root, "deploy/compose", name), "utf8");
const spoiltScripts = [
  ["an unknown flag in a script", script("roles.sh").replace("--quiet", "--silent"), "postgres", "psql takes no --silent"],
  ["an unknown subcommand in a script", script("temporal-schema.sh").replace("setup-schema", "setup-schemas"), "temporalio/admin-tools", "takes no setup-schemas"],
];
for (const [name, text, of, says] of spoiltScripts) {
  if (![...wrongInScript(text, known[of].commands)].some((fault) => fault.includes(says))) wrong.push(`the rules do not find ${name}`);
}
for (const fault of wrong) console.error(fault);
const checks = count + 1 + mistakes.length + spoilt.length + spoiltScripts.length;
console.log(`${Math.max(checks - wrong.length, 0)} passed, ${wrong.length} failed`);
process.exit(wrong.length ? 1 : 0);
