// What must hold of docker-compose.yml, beyond what a schema can say: each rule tells its faults, one a line.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { wrongInService } from "./others.mjs";
import { settings, takes, wrongIn } from "./program.mjs";
import { addressesIn, callsOf, healthTest, inOrder, isOnce, isOurs, require, root, packages } from "./stack.mjs";

/** What others' images read, run and listen on. */
export const known = JSON.parse(readFileSync(join(import.meta.dirname, "images.json"), "utf8")).images;
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
const Ajv = require("ajv").default;
const schema = JSON.parse(readFileSync(join(packages, "node_modules/dclint/schemas/compose.schema.json"), "utf8"));
const valid = new Ajv({ strict: false, allErrors: true, logger: false, validateSchema: false }).compile(schema);
const variables = settings();

/** Variables of the command line, which are no settings. */
const OF_THE_CLIENT = ["ZAMA_API"];
const SECRET = /(PASSWORD|_PWD|SECRET|CREDENTIAL|_SALT|_KEYS?|KEY_BASE)$/;

const imageOf = ({ image }) => image.slice(0, image.lastIndexOf(":"));
const environment = (service) => Object.entries(service.environment ?? {});
const networks = (service) => (Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {}));
/** Whether a service goes on until somebody stops it. */
const goesOn = ({ restart }) => ["always", "unless-stopped"].includes(restart);
const portOf = (address) => Number(address.slice(address.lastIndexOf(":") + 1));

/** The ports on which a service answers others. */
function listensOn(service) {
  if (!isOurs(service)) return known[imageOf(service)]?.ports ?? [];
  return environment(service).filter(([name]) => name.endsWith("LISTEN")).map(([, address]) => portOf(address));
}

/** Whether an address is for others: Lago calls the webhook, and `cli` and `demo` read what `access` writes. */
const isToldOn = (name, variable) => name === "access" || variable === "ZAMA__BILLING__WEBHOOK_URL";

function* each(services) {
  for (const [name, service] of services) yield [name, service];
}

const rules = {
  *"the Compose specification's schema"({ document }) {
    if (!valid(document)) yield* valid.errors.map((error) => `${error.instancePath || "/"} ${error.message}`);
  },

  *"images are pinned and known"({ services }) {
    for (const [name, service] of each(services)) {
      const tag = service.image.split(":")[1];
      if (service.build) continue;
      if (!/\d/.test(tag ?? "") || tag === "latest") yield `${name}: ${service.image} is not pinned to a version`;
      if (!known[imageOf(service)]) yield `${name}: ${imageOf(service)} is not in tests/compose/images.json`;
    }
  },

  *"variables exist in the programs"({ services }) {
    for (const [name, service] of each(services)) {
      for (const [variable] of environment(service)) {
        const exists = isOurs(service)
          ? variables.has(variable) || OF_THE_CLIENT.includes(variable)
          : known[imageOf(service)]?.variables.includes(variable);
        if (!exists) yield `${name}: nobody reads ${variable}`;
      }
    }
  },

  *"commands exist in the programs"({ services }) {
    for (const [name, service] of each(services)) {
      if (!isOurs(service)) {
        for (const wrong of wrongInService(service, known[imageOf(service)]?.commands ?? {})) yield `${name}: ${wrong}`;
        continue;
      }
      const calls = callsOf(service);
      if (calls.length === 0) yield `${name} calls nothing`;
      for (const words of calls.filter(([first]) => first !== "--help")) {
        const wrong = wrongIn(words);
        if (wrong) yield `${name}: ${wrong}`;
      }
    }
  },

  *"health checks exist, where others wait and for all that serves"({ services }) {
    for (const [name, service] of each(services)) {
      const test = healthTest(service);
      if (goesOn(service) && !test) yield `${name} goes on and has no health check`;
      if (isOurs(service) && test) {
        const [how, program, ...words] = test;
        const wrong = how !== "CMD" || program !== "zama-jobs" ? "is not of our program" : wrongIn(words);
        if (wrong) yield `${name}: its health check: ${wrong}`;
        else if (!takes(["health"], words[1])) yield `${name}: zama-jobs health knows no ${words[1]}`;
      }
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        const other = services.get(needed);
        if (!other) yield `${name} waits for ${needed}, which there is not`;
        else if (condition === "service_healthy" && !healthTest(other)) yield `${name} waits for ${needed}, which has no health check`;
        else if (condition === "service_completed_successfully" && !isOnce(other)) yield `${name} waits for the end of ${needed}`;
        else if (condition === "service_healthy" && isOnce(other)) yield `${name} waits for ${needed}, which ends`;
      }
    }
    try {
      inOrder(services, services.keys());
    } catch (error) {
      yield error.message;
    }
  },

  *"published ports are this machine's, and somebody listens"({ document, services }) {
    for (const [name, service] of each(services)) {
      for (const published of service.ports ?? []) {
        const [address, , port] = published.split(":");
        if (address !== "127.0.0.1") yield `${name} publishes ${published} to others than this machine`;
        if (!listensOn(service).includes(Number(port))) yield `${name} publishes ${port}, where it does not listen`;
        if (!networks(service).some((network) => !document.networks[network]?.internal)) yield `${name} publishes ${port} from internal networks`;
      }
    }
  },

  *"addresses lead to services that listen there and share a network"({ services }) {
    for (const [name, service] of each(services)) {
      for (const [variable, value] of environment(service)) {
        for (const [host, port] of addressesIn(value)) {
          const other = services.get(host);
          if (!other) yield `${name}: ${variable} names ${host}, which is no service`;
          else if (!listensOn(other).includes(port)) yield `${name}: ${variable} names port ${port} of ${host}, which does not listen there`;
          else if (!isToldOn(name, variable) && !networks(other).some((network) => networks(service).includes(network)))
            yield `${name}: ${variable} names ${host}, which it cannot reach`;
        }
      }
    }
  },

  *"what publishes and what is told agree"({ services }) {
    const published = (name, port) => services.get(name).ports.map((text) => text.split(":")).find((parts) => Number(parts[2]) === port)?.[1];
    const told = [
      ["api", "ZAMA__API__PUBLIC_URL", "api", 8080],
      ["api", "ZAMA__TEMPORAL__UI_URL", "temporal-ui", 8080],
      ["temporal-ui", "TEMPORAL_CODEC_ENDPOINT", "api", 8081],
      ["temporal-ui", "TEMPORAL_CORS_ORIGINS", "temporal-ui", 8080],
      ["lago-front", "API_URL", "lago-api", 3000],
      ["lago-api", "LAGO_API_URL", "lago-api", 3000],
      ["lago-api", "LAGO_FRONT_URL", "lago-front", 80],
    ];
    for (const [name, variable, server, port] of told) {
      const value = services.get(name).environment[variable];
      if (value !== `http://127.0.0.1:${published(server, port)}`) yield `${name}: ${variable} is ${value}, and ${server} is published elsewhere`;
    }
  },

  *"both sides know the same secret"({ services }) {
    const of = (name, variable) => services.get(name).environment[variable];
    const password = (name, variable) => of(name, variable)?.match(/:\/\/[^:]+:([^@]+)@/)?.[1];
    const pairs = [
      [of("postgres", "POSTGRES_PASSWORD"), password("migrate", "ZAMA__DATABASE__MIGRATION_URL"), "the schema's owner's"],
      [of("postgres", "POSTGRES_PASSWORD"), of("roles", "PGPASSWORD"), "the schema's owner's"],
      [of("roles", "APP_PASSWORD"), password("api", "ZAMA__DATABASE__URL"), "the application's"],
      [of("temporal-postgres", "POSTGRES_PASSWORD"), of("temporal", "POSTGRES_PWD"), "Temporal's database's"],
      [of("temporal-postgres", "POSTGRES_PASSWORD"), of("temporal-schema", "SQL_PASSWORD"), "Temporal's database's"],
      [of("lago-postgres", "POSTGRES_PASSWORD"), password("lago-api", "DATABASE_URL"), "Lago's database's"],
      [of("lago-migrate", "LAGO_ORG_API_KEY"), of("worker", "ZAMA__BILLING__LAGO_KEY"), "Lago's"],
    ];
    for (const [one, other, whose] of pairs) if (!one || one !== other) yield `${whose} secret is ${one} here and ${other} there`;
  },

  *"the schema's owner is for migrations alone"({ services }) {
    const owner = services.get("postgres").environment.POSTGRES_USER;
    const application = services.get("roles").environment.APP_ROLE;
    const role = (url) => String(url).match(/:\/\/([^:@]+)/)?.[1];
    for (const [name, service] of each(services)) {
      const { ZAMA__DATABASE__URL: url, ZAMA__DATABASE__MIGRATION_URL: migrations } = service.environment ?? {};
      if (!isOurs(service) || url === undefined) continue;
      if (role(url) !== application) yield `${name} connects as ${role(url)}, not as ${application}`;
      if (name === "migrate" ? role(migrations) !== owner : migrations !== "") yield `${name} has the wrong ZAMA__DATABASE__MIGRATION_URL`;
    }
  },

  *"secrets are named as those of development"({ services, defaults }) {
    for (const [name, service] of each(services)) {
      for (const [variable, value] of environment(service)) {
        const password = String(value).match(/:\/\/[^:/]+:([^@]+)@/)?.[1];
        const secret = password ?? (SECRET.test(variable) ? String(value) : undefined);
        if (secret !== undefined && !secret.includes("development")) yield `${name}: ${variable} is a secret without the word development`;
      }
    }
    for (const [variable, value] of defaults) {
      if (SECRET.test(variable) && !value.includes("development")) yield `${variable} is a secret without the word development`;
    }
  },

  *"public defaults that cannot say so are said to be those of development"({ services, text }) {
    const said = new Set([...text.matchAll(/^#\s+(ZAMA__[A-Z0-9_]+)\s+DEVELOPMENT ONLY\b/gm)].map(([, variable]) => variable));
    const inherited = new Set();
    for (const [variable, { value, isPublic }] of variables) {
      if (!isPublic || value.includes("development")) continue;
      const section = variable.slice(0, variable.lastIndexOf("__") + 2);
      for (const [name, service] of each(services)) {
        // Whoever sets nothing of a section has no use for its secret.
        const set = environment(service).map(([other]) => other);
        if (!isOurs(service) || set.includes(variable) || !set.some((other) => other.startsWith(section))) continue;
        inherited.add(variable);
        if (!said.has(variable)) yield `${name} inherits ${variable}, which no comment calls DEVELOPMENT ONLY`;
      }
    }
    for (const variable of said) if (!inherited.has(variable)) yield `a comment has ${variable}, which nobody inherits`;
  },

  *"rights and memory are limited"({ document, services }) {
    for (const [name, service] of each(services)) {
      if (!service.security_opt?.includes("no-new-privileges:true")) yield `${name} may gain rights`;
      if (!service.cap_drop?.includes("ALL")) yield `${name} keeps capabilities`;
      if (!service.mem_limit) yield `${name} has no limit of memory`;
      if (service.privileged || service.network_mode === "host" || service.pid) yield `${name} is not confined`;
      if (isOurs(service) && !service.read_only) yield `${name} may write to its image`;
      if (isOurs(service) && (service.user || service.cap_add)) yield `${name} has another user or more rights than its image`;
      if (!service.networks && service.network_mode !== "none") yield `${name} is on the default network`;
      for (const network of networks(service)) if (!(network in document.networks)) yield `${name}: there is no network ${network}`;
    }
  },

  *"volumes are named, used, and the user's own"({ document, services }) {
    const used = new Set();
    const folders = [...dockerfile.matchAll(/\/var\/lib\/(?:zama-jobs|anvil)(?:\/[a-z-]+)?/g)].map(([folder]) => folder);
    for (const [name, service] of each(services)) {
      for (const mount of service.volumes ?? []) {
        const [source, target, mode] = mount.split(":");
        if (source.startsWith("./")) {
          if (!existsSync(join(root, source))) yield `${name}: ${source} is not in the checkout`;
          if (mode !== "ro") yield `${name} may write to ${source} of the checkout`;
        } else {
          used.add(source);
          if (!(source in document.volumes)) yield `${name}: there is no volume ${source}`;
          if (isOurs(service) && !folders.includes(target)) yield `${name}: the image has no ${target} of its user's`;
        }
      }
    }
    for (const volume of Object.keys(document.volumes)) if (!used.has(volume)) yield `volume ${volume} is nobody's`;
  },

  *".env.example has every variable with its default"({ defaults }) {
    const lines = readFileSync(join(root, ".env.example"), "utf8").matchAll(/^#([A-Z][A-Z0-9_]*)=(.*)$/gm);
    const shown = new Map([...lines].map(([, name, value]) => [name, value]));
    for (const [name, value] of defaults) if (shown.get(name) !== value) yield `${name} is ${value} and shown as ${shown.get(name)}`;
    for (const name of shown.keys()) if (!defaults.has(name)) yield `${name} is read by nobody`;
  },
};

/** All faults, as "rule: fault". */
export function faults(stack) {
  return Object.entries(rules).flatMap(([rule, check]) => [...check(stack)].map((fault) => `${rule}: ${fault}`));
}

export const count = Object.keys(rules).length;
