import { serviceNames } from '@vortex/config';
import { describe, expect, it } from 'vitest';
import { makePasswords } from './redis/passwords.ts';
import { type PlanOptions, planInstance, portNames } from './service-plan.ts';
import { stopOrder } from './supervisor/stop-orphans.ts';

function planOf(change: Partial<PlanOptions> = {}) {
  const llm = change.llm ?? 'mock';
  const replicas = change.replicas ?? 3;
  const gateways = change.gateways ?? 1;
  const names = portNames({
    replicas,
    gateways,
    llm,
    redis: (change.externalRedisUrl ?? null) === null,
    cache: (change.externalCacheUrl ?? null) === null,
  });
  const plan = planInstance({
    data: '/data',
    logs: '/data/logs',
    runFile: '/data/run/vortex.json',
    lockFile: '/data/run/lock.sqlite',
    portsFile: '/data/run/ports.json',
    redisDir: '/data/redis',
    redisPasswords: makePasswords((user) => `${user}-password`),
    redisUsersFile: '/data/run/redis-users.acl',
    cacheUsersFile: '/data/run/cache-users.acl',
    host: '127.0.0.1',
    port: 8000,
    replicas,
    gateways,
    llm,
    environment: {},
    ports: Object.fromEntries(names.map((name, index) => [name, 20_000 + index])),
    externalRedisUrl: null,
    externalCacheUrl: null,
    redisBinary: '/usr/bin/redis-server',
    drainBudgetMs: 10_000,
    compileCache: '/cache',
    certFile: null,
    admin: null,
    ...change,
  });
  const processes = plan.groups.flat();
  const all = (service: string) => processes.filter((entry) => entry.service === service);
  return { plan, processes, all };
}

describe('planInstance', () => {
  it('has every service there is, each with a port of its own, and knows when to stop it', () => {
    const { processes } = planOf();
    const services = new Set(processes.map(({ service }) => service));
    expect([...services].sort()).toEqual([...serviceNames, 'cache', 'redis'].sort());
    expect(stopOrder.flat().sort()).toEqual([...services].sort());
    const probes = processes.map(({ probe }) => probe.url);
    expect(new Set(probes).size).toBe(probes.length);
  });

  it('starts the stores first', () => {
    expect(planOf().plan.groups[0]?.map(({ service }) => service)).toEqual(['redis', 'cache']);
  });

  it('gives each generator a name, an address and a model server of its own', () => {
    const { all } = planOf();
    const generators = all('llm-generator');
    expect(generators.map(({ workerName }) => workerName)).toEqual([
      'llm_generator_1',
      'llm_generator_2',
      'llm_generator_3',
    ]);
    const upstreams = generators.map(({ env }) => env.VORTEX__LLM__OLLAMA_URL);
    expect(new Set(upstreams).size).toBe(3);
    expect(all('mock-llm')[0]?.upstreamUrls).toEqual(upstreams);
    expect(all('mock-llm')[0]?.env.VORTEX__MOCK_LLM__PORTS).toBe(
      upstreams.map((url) => new URL(url ?? '').port).join(','),
    );
  });

  it('lets several gateways share the port, each with a name and probes of its own', () => {
    const one = planOf().all('gateway');
    expect(one.map(({ env }) => env.VORTEX__GATEWAY__REUSE_PORT)).toEqual([undefined]);
    expect(one[0]?.url).toBe('http://127.0.0.1:8000');
    expect(one[0]?.probe.url).not.toContain(':8000');

    const { plan, all, processes } = planOf({ gateways: 3 });
    const gateways = all('gateway');
    expect(gateways.map(({ workerName }) => workerName)).toEqual(['gateway_1', 'gateway_2', 'gateway_3']);
    expect(new Set(gateways.map(({ url }) => url))).toEqual(new Set([plan.gatewayUrl]));
    expect(gateways.map(({ env }) => env.VORTEX__GATEWAY__REUSE_PORT)).toEqual(['true', 'true', 'true']);
    expect(gateways.map(({ probe }) => probe.url)).toEqual(
      gateways.map(({ env }) => `http://127.0.0.1:${env.VORTEX__GATEWAY__PROBE_PORT}/readyz`),
    );
    for (const distinct of [({ probe }) => probe.url, ({ logFile }) => logFile] satisfies ((
      entry: (typeof processes)[number],
    ) => string)[]) {
      expect(new Set(gateways.map(distinct)).size).toBe(3);
    }
    expect(new Set(processes.map(({ probe }) => probe.url)).size).toBe(processes.length);
  });

  it('has a gateway that speaks HTTPS, and probes it by its own port', () => {
    const { plan, all } = planOf({ certFile: '/etc/vortex.pem', admin: { host: '0.0.0.0', port: 9000 } });
    expect(plan).toMatchObject({
      gatewayUrl: 'https://127.0.0.1:8000',
      gatewayAdminUrl: 'https://127.0.0.1:9000',
      gatewayCertFile: '/etc/vortex.pem',
    });
    expect(all('gateway')).toMatchObject([
      { url: plan.gatewayUrl, probe: { url: expect.stringMatching(/^http:/) } },
    ]);
  });

  it('keeps the key of a real account away from the mock', () => {
    const environment = { OPENAI_API_KEY: 'sk-real' };
    expect(planOf({ environment }).all('llm-generator')[0]?.env.VORTEX__LLM__OPENAI_API_KEY).toBe('');
    const real = planOf({ environment, llm: 'openai' });
    expect(real.all('llm-generator')[0]?.env).toMatchObject(environment);
    expect(real.all('mock-llm')).toEqual([]);
  });

  it('gives each process what it reads of the environment, and nothing else', () => {
    const readers: Record<string, string[]> = {
      PATH: [...serviceNames, 'redis', 'cache'],
      HTTPS_PROXY: [...serviceNames],
      NODE_OPTIONS: [...serviceNames],
      VORTEX__LOG__LEVEL: [...serviceNames],
      VORTEX__AUTH__PEPPER: ['gateway'],
      VORTEX__AUTH__PEPPER_FILE: ['gateway'],
      OPENAI_API_KEY: ['llm-generator'],
      OPENAI_API_KEY_FILE: ['llm-generator'],
      QDRANT_API_KEY: ['retriever'],
      vortex__retrieval__top_k: ['retriever'],
      // Of a section that a service reads in part, its part.
      VORTEX__RETRIEVAL__PROMPT_TOKENS: ['gateway', 'retriever'],
      VORTEX__LLM__MAX_TOKENS: ['gateway', 'llm-generator'],
      VORTEX__LLM__TEMPERATURE: ['llm-generator'],
      AWS_SECRET_ACCESS_KEY: [],
      VORTEX__NONE: [],
    };
    const environment = Object.fromEntries(Object.keys(readers).map((name) => [name, 'x']));
    const { processes } = planOf({ environment, llm: 'openai' });
    for (const [name, expected] of Object.entries(readers)) {
      const given = processes.filter(({ env }) => env[name] === 'x').map(({ service }) => service);
      const all = expected.filter((service) => service !== 'mock-llm');
      expect([...new Set(given)].sort(), name).toEqual(all.sort());
    }
  });

  it('tells every service that reads the registry where it is, and Redis nothing', () => {
    const environment = { DATABASE_URL: 'postgres://u:secret@h/db' };
    const { all } = planOf({ environment });
    for (const service of ['gateway', 'ingest', 'retriever'])
      expect(all(service)[0]?.env.DATABASE_URL).toBe(environment.DATABASE_URL);
    for (const store of ['redis', 'cache']) expect(all(store)[0]?.env).not.toHaveProperty('DATABASE_URL');
  });

  it('starts no Redis when it is given one', () => {
    const { plan, all } = planOf({ externalRedisUrl: 'redis://r:6379', externalCacheUrl: 'redis://c:6379' });
    expect([...all('redis'), ...all('cache')]).toEqual([]);
    expect(plan.redisUrl).toBe('redis://r:6379');
    expect(all('gateway')[0]?.env).toMatchObject({
      VORTEX__REDIS__URL: 'redis://r:6379',
      VORTEX__CACHE__URL: 'redis://c:6379',
    });
  });

  it('gives each service its own user of a private Redis, and the operator’s to who runs it', () => {
    const { plan, all } = planOf();
    const users = { gateway: 'gateway', encoder: 'encoder', retriever: 'retriever', ingest: 'ingest' };
    for (const [service, user] of Object.entries({ ...users, 'llm-generator': 'generator' })) {
      for (const { env } of all(service))
        expect(env.VORTEX__REDIS__URL).toBe(`redis://${user}:${user}-password@127.0.0.1:20000`);
    }
    expect(all('gateway')[0]?.env.VORTEX__CACHE__URL).toBe(
      'redis://gateway:gateway-password@127.0.0.1:20001',
    );
    expect(all('mock-llm')[0]?.env).not.toHaveProperty('VORTEX__REDIS__URL');
    expect(plan.redisUrl).toBe('redis://operator:operator-password@127.0.0.1:20000');
    expect(all('redis')[0]?.args.join(' ')).toContain('--aclfile /data/run/redis-users.acl');
    expect(all('cache')[0]?.args.join(' ')).toContain('--aclfile /data/run/cache-users.acl');
    for (const { args, url } of [...all('redis'), ...all('cache')])
      expect(`${args.join(' ')} ${url}`).not.toContain('password');
  });

  it('keeps jobs and cache under different rules', () => {
    const { all } = planOf();
    expect(all('redis')[0]?.args.join(' ')).toMatch(/--appendonly yes --appendfsync everysec .*noeviction/);
    expect(all('cache')[0]?.args.join(' ')).toMatch(/--appendonly no --maxmemory 64mb .*allkeys-lru/);
  });

  it('names an address that can be reached when it listens on all', () => {
    expect(planOf({ host: '0.0.0.0' }).plan.gatewayUrl).toBe('http://127.0.0.1:8000');
    expect(planOf({ host: '::' }).plan.gatewayUrl).toBe('http://[::1]:8000');
  });
});
