import { parse } from 'yaml';
import { z } from 'zod';

/**
 * docker-compose.yml as this repository writes it: enough of the format to hold it to our rules and to run its services
 * as processes. What is not listed here is not judged; what is listed must have exactly this shape, so that a
 * second spelling of a rule (a port as a mapping, a limit below `deploy`) fails instead of passing unseen.
 */
const duration = z.string().regex(/^\d+(ms|s|m)$/);
const size = z.string().regex(/^\d+[mg]$/);

const healthcheck = z.union([
  z.strictObject({ disable: z.literal(true) }),
  z.strictObject({
    test: z.tuple([z.literal('CMD')], z.string()),
    interval: duration,
    timeout: duration,
    retries: z.int(),
    start_period: duration,
  }),
]);

const attachment = z.strictObject({ aliases: z.array(z.string()).optional() });

const composeService = z.strictObject({
  profiles: z.array(z.string()).default([]),
  image: z.string(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  user: z.string(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  working_dir: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  networks: z.union([
    z.record(z.string(), attachment),
    z
      .array(z.string())
      .transform(
        (names): Record<string, z.infer<typeof attachment>> =>
          Object.fromEntries(names.map((name) => [name, {}])),
      ),
  ]),
  volumes: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).default([]),
  secrets: z.array(z.string()).default([]),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }),
    )
    .default({}),
  healthcheck,
  restart: z.string(),
  init: z.boolean(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }),
  stop_grace_period: duration.optional(),
  shm_size: size.optional(),
  mem_limit: size,
  cpus: z.coerce.number(),
  cpu_shares: z.int().optional(),
  pids_limit: z.int(),
});

const composeFile = z.looseObject({
  services: z.record(z.string(), composeService),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.strictObject({})),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
});

export type ComposeFile = z.infer<typeof composeFile>;
export type ComposeService = z.infer<typeof composeService>;

/**
 * Anchors and merges resolved, `${NAME:-default}` filled from `env`.
 * @throws ZodError naming each place that is not written as above
 */
export function readComposeFile(text: string, env: Readonly<Record<string, string>> = {}): ComposeFile {
  return composeFile.parse(interpolate(parse(text, { merge: true }), env));
}

function interpolate(value: unknown, env: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return fill(value, env);
  if (Array.isArray(value)) return value.map((inner) => interpolate(inner, env));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, interpolate(inner, env)]));
}

/** `:-` also replaces what is set but empty; `-` only what is not set. */
function fill(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(:?-)([^}]*)\}/g, (_, name: string, mark: string, fallback: string) => {
    const value = env[name];
    return value === undefined || (mark === ':-' && value === '') ? fallback : value;
  });
}
