import { join } from 'node:path';
import type { ServiceName } from '@vortex/config';
import { repositoryRoot } from './folders.ts';
import { plainEnvironment, serviceEnvironment } from './process-environment.ts';
import { withLogin } from './redis/passwords.ts';
import { healthUser, type RedisPasswords, type RedisUser } from './redis/users-file.ts';
import type { InstancePlan, PlannedProcess } from './supervisor/instance.ts';

export type LlmChoice = 'mock' | 'ollama' | 'openai';

export interface PlanOptions {
  data: string;
  logs: string;
  runFile: string;
  lockFile: string;
  portsFile: string;
  redisDir: string;
  /** Of the users of a private Redis, whose rights stand in these files. */
  redisPasswords: RedisPasswords;
  redisUsersFile: string;
  cacheUsersFile: string;
  host: string;
  port: number;
  replicas: number;
  /** More than one share `port`. Each has its probes on a port of its own. */
  gateways: number;
  llm: LlmChoice;
  /** Of the launcher itself and of `--set`: each process gets its part. */
  environment: Readonly<Record<string, string>>;
  ports: Readonly<Record<string, number>>;
  /** Null: a private one is started. */
  externalRedisUrl: string | null;
  externalCacheUrl: string | null;
  /** Path of redis-server or valkey-server; null when none is needed. */
  redisBinary: string | null;
  drainBudgetMs: number;
  compileCache: string;
  /** Of the gateway's HTTPS; null: HTTP. */
  certFile: string | null;
  /** Of the gateway; null: it has none. */
  admin: { host: string; port: number } | null;
}

const loopback = '127.0.0.1';
/** A worker whose Redis is away needs 5 s beside its drain (run-stages.ts); one whose Redis answers, none. */
const drainMarginMs = 6000;
const workerNiceness = 5;
const readyWithinMs = 180_000;
const cacheMegabytes = 64;
const mockSlots = 20;

/** Names under which `ports` must hold a port, for so many replicas and gateways. */
export function portNames(options: {
  replicas: number;
  gateways: number;
  llm: LlmChoice;
  redis: boolean;
  cache: boolean;
}): string[] {
  const numbers = upTo(options.replicas);
  return [
    ...(options.redis ? ['redis'] : []),
    ...(options.cache ? ['cache'] : []),
    'encoder',
    'retriever',
    'ingest',
    ...upTo(options.gateways).map((number) => `gateway-${number}`),
    ...numbers.map((number) => `llm-generator-${number}`),
    ...(options.llm === 'mock' ? ['mock-llm', ...numbers.map((number) => `mock-llm-${number}`)] : []),
  ];
}

/**
 * Every process of an instance, with all that distinguishes it. Pure: ports, folders and binary are given. One piece: what
 * two services must be told alike is in sight of both.
 */
export function planInstance(options: PlanOptions): InstancePlan {
  const portOf = (name: string): number => {
    const port = options.ports[name];
    if (port === undefined) throw new Error(`no port was chosen for ${name}`);
    return port;
  };
  const urlOf = (name: string) => `http://${loopback}:${portOf(name)}`;
  /** A private Redis knows who asks; one that is given has one address for all. */
  const privateUrl = (server: 'redis' | 'cache', user: RedisUser) =>
    withLogin(`redis://${loopback}:${portOf(server)}`, user, options.redisPasswords[user]);
  const redisUrlOf = (user: RedisUser) => options.externalRedisUrl ?? privateUrl('redis', user);
  const cacheUrlOf = (user: RedisUser) => options.externalCacheUrl ?? privateUrl('cache', user);
  const numbers = upTo(options.replicas);

  const ofNode = {
    NODE_COMPILE_CACHE: options.compileCache,
    // Each arena of glibc's allocator keeps what was freed; the native parts run in several threads.
    MALLOC_ARENA_MAX: '2',
  };

  const redisOf = (name: string): Record<string, string> => {
    const user = redisUserOf[name];
    if (user === undefined) return {};
    return {
      VORTEX__REDIS__URL: redisUrlOf(user),
      ...(user !== 'ingest' && { VORTEX__CACHE__URL: cacheUrlOf(user) }),
    };
  };

  const service = (
    name: ServiceName,
    more: {
      port: number;
      host?: string;
      workerName: string;
      env?: Record<string, string>;
      log?: string;
      upstreamUrls?: string[];
    },
  ): PlannedProcess => {
    const host = more.host ?? loopback;
    const url = httpUrl(host, more.port);
    return {
      service: name,
      workerName: more.workerName,
      command: process.execPath,
      args: [...nodeFlags(name), entryOf(name)],
      cwd: repositoryRoot,
      env: {
        ...serviceEnvironment(name, {
          ...options.environment,
          VORTEX__DATA__DIR: options.data,
          ...redisOf(name),
          VORTEX__HTTP__HOST: host,
          VORTEX__HTTP__PORT: String(more.port),
          VORTEX__WORKER__NAME: more.workerName,
          WORKER_NAME: more.workerName,
          ...more.env,
        }),
        ...ofNode,
      },
      url,
      probe: { kind: 'http', url: `${url}/readyz` },
      logFile: join(options.logs, `${more.log ?? name}.log`),
      stopBudgetMs: options.drainBudgetMs + drainMarginMs,
      // Who answers the door is heard first: refusals are to be quick above all when the machine has no time left.
      niceness: name === 'gateway' ? 0 : workerNiceness,
      upstreamUrls: more.upstreamUrls ?? [],
    };
  };

  const redis = (name: 'redis' | 'cache', args: string[]): PlannedProcess => {
    const url = `redis://${loopback}:${portOf(name)}`;
    const users = name === 'redis' ? options.redisUsersFile : options.cacheUsersFile;
    return {
      service: name,
      workerName: null,
      command: options.redisBinary ?? 'redis-server',
      args: [
        '--bind',
        loopback,
        '--port',
        String(portOf(name)),
        '--daemonize',
        'no',
        '--save',
        '',
        '--aclfile',
        users,
        ...args,
      ],
      cwd: repositoryRoot,
      env: plainEnvironment(options.environment),
      url,
      probe: { kind: 'redis', url: withLogin(url, healthUser.name, healthUser.password) },
      logFile: join(options.logs, `${name}.log`),
      stopBudgetMs: 10_000,
      niceness: 0,
      upstreamUrls: [],
    };
  };

  const stores: PlannedProcess[] = [];
  if (options.externalRedisUrl === null) {
    stores.push(
      redis('redis', [
        ...['--dir', options.redisDir, '--appendonly', 'yes', '--appendfsync', 'everysec'],
        ...['--maxmemory-policy', 'noeviction'],
      ]),
    );
  }
  if (options.externalCacheUrl === null) {
    stores.push(
      redis('cache', [
        ...['--dir', options.redisDir, '--appendonly', 'no'],
        ...['--maxmemory', `${cacheMegabytes}mb`, '--maxmemory-policy', 'allkeys-lru'],
      ]),
    );
  }

  const mockUrls = options.llm === 'mock' ? numbers.map((number) => urlOf(`mock-llm-${number}`)) : [];
  const mock =
    options.llm === 'mock'
      ? [
          {
            ...service('mock-llm', {
              port: portOf('mock-llm'),
              workerName: 'mock_llm_1',
              env: {
                VORTEX__MOCK_LLM__PORTS: numbers.map((number) => portOf(`mock-llm-${number}`)).join(','),
              },
              upstreamUrls: mockUrls,
            }),
            // What a client of the model wants to know; the probes' own address is of no use to it.
            url: mockUrls[0] ?? null,
          },
        ]
      : [];

  const generators = numbers.map((number) =>
    service('llm-generator', {
      port: portOf(`llm-generator-${number}`),
      workerName: `llm_generator_${number}`,
      log: `llm-generator-${number}`,
      env: llmEnvironment(options, mockUrls[number - 1]),
      upstreamUrls: mockUrls.slice(number - 1, number),
    }),
  );

  const gateways = upTo(options.gateways).map((number): PlannedProcess => {
    const one = service('gateway', {
      port: options.port,
      host: options.host,
      workerName: `gateway_${number}`,
      log: number === 1 ? 'gateway' : `gateway-${number}`,
    });
    const name = `gateway-${number}`;
    // Its metrics need no key there, and of several each can be asked.
    const env = {
      VORTEX__GATEWAY__PROBE_PORT: String(portOf(name)),
      ...(options.gateways > 1 && { VORTEX__GATEWAY__REUSE_PORT: 'true' }),
    };
    return {
      ...one,
      url: gatewayUrlOf(options),
      env: { ...one.env, ...env },
      probe: { kind: 'http', url: `${urlOf(name)}/readyz` },
    };
  });

  return {
    runFile: options.runFile,
    lockFile: options.lockFile,
    portsFile: options.portsFile,
    ports: options.ports,
    host: options.host,
    port: options.port,
    gatewayUrl: gatewayUrlOf(options),
    gatewayAdminUrl:
      options.admin === null ? null : gatewayUrlOf({ ...options.admin, certFile: options.certFile }),
    gatewayCertFile: options.certFile,
    redisUrl: redisUrlOf('operator'),
    cacheUrl: cacheUrlOf('operator'),
    exporterUrl: redisUrlOf('exporter'),
    llm: options.llm,
    readyWithinMs,
    groups: [
      stores,
      [
        service('encoder', { port: portOf('encoder'), workerName: 'encoder_1' }),
        service('retriever', { port: portOf('retriever'), workerName: 'retriever_1' }),
        ...mock,
        ...generators,
        service('ingest', { port: portOf('ingest'), workerName: 'ingest_1' }),
        ...gateways,
      ],
    ].filter((group) => group.length > 0),
  };
}

/** Who a service is in a private Redis. The model server's stand-in has no business there. */
const redisUserOf: Readonly<Record<string, RedisUser>> = {
  gateway: 'gateway',
  encoder: 'encoder',
  retriever: 'retriever',
  'llm-generator': 'generator',
  ingest: 'ingest',
};

/** Settings a service gets from the launcher; whoever sets them by hand is told which option does it. */
export const settingsOfTheLauncher: Readonly<Record<string, string>> = {
  'http.host': '--host',
  'http.port': '--port',
  'http.url': '--host and --port',
  'worker.name': 'nothing; the names are encoder_1, llm_generator_2 and so on',
  'data.dir': '--data',
  'mock_llm.ports': '--replicas',
  'gateway.reuse_port': '--gateways',
  'gateway.probe_port': '--gateways',
};

/**
 * V8 lets the young generation grow to 134 MB per process on a machine with much memory, and keeps it:
 * after a few questions the stack stood at 2.2 GB resident. With 2 MB semi-spaces (4 MB in all) it idles at
 * 1.4 GB, and 50 questions at a time ran no slower (149–162 a second against 108–123 with 8 MB, on a noisy
 * machine).
 */
export function nodeFlags(service = ''): string[] {
  return [
    '--conditions=vortex-source',
    '--disable-warning=ExperimentalWarning',
    `--max-semi-space-size=${semiSpaceMb[service] ?? 2}`,
  ];
}
/**
 * The gateway accepts documents by the thousand: with 2 MB a quarter of its CPU went into collecting them (175 µs
 * of CPU per `POST /ingest` of 1 kB, 111 with 8 MB). Since then the rest of it has become cheaper: 87 with 8 MB, 79
 * with 16. The two that work on them need less.
 */
const semiSpaceMb: Readonly<Record<string, number>> = { gateway: 16, ingest: 8, retriever: 8 };

/** Beside this file's kind: TypeScript in a checkout, compiled JavaScript in the image. */
export function entryOf(service: string): string {
  const compiled = import.meta.filename.endsWith('.js');
  return join(repositoryRoot, 'services', service, compiled ? 'dist/main.js' : 'src/main.ts');
}

function llmEnvironment(options: PlanOptions, mockUrl: string | undefined): Record<string, string> {
  const set = options.environment;
  if (mockUrl === undefined) return { VORTEX__LLM__BACKEND: options.llm };
  return {
    VORTEX__LLM__BACKEND: set.VORTEX__LLM__BACKEND ?? 'ollama',
    VORTEX__LLM__OLLAMA_URL: mockUrl,
    VORTEX__LLM__OPENAI_BASE_URL: `${mockUrl}/v1`,
    // The key of a real account stays out of it.
    VORTEX__LLM__OPENAI_API_KEY: '',
    OPENAI_API_KEY: '',
    VORTEX__LLM__MODEL: set.VORTEX__LLM__MODEL ?? set.VORTEX__MOCK_LLM__MODEL ?? 'mock-extractive',
    VORTEX__LLM__SLOTS: set.VORTEX__LLM__SLOTS ?? String(mockSlots),
  };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function gatewayUrlOf({ host, port, certFile }: Pick<PlanOptions, 'host' | 'port' | 'certFile'>): string {
  const url = httpUrl(host, port);
  return certFile === null ? url : url.replace('http:', 'https:');
}

function httpUrl(host: string, port: number): string {
  const reachable =
    host === '0.0.0.0' ? loopback : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  return `http://${reachable}:${port}`;
}
