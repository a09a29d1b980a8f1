import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from '../folders.ts';
import { type ComposeFile, type ComposeService, readComposeFile } from './compose-file.ts';

const text = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
const file = readComposeFile(text);
const services = Object.entries(file.services);
const ours = services.filter(([, { image }]) => image.startsWith('vortex:'));
const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');

/** Names of the services that break a rule; a rule that holds breaks at none. One piece: a rule each over one parsed file. */
function breaking(rule: (service: ComposeService, name: string) => boolean): string[] {
  return services.filter(([name, service]) => !rule(service, name)).map(([name]) => name);
}

describe('docker-compose.yml: what it holds', () => {
  it('has every service of the stack, three generators among them', () => {
    expect(Object.keys(file.services)).toEqual(
      expect.arrayContaining([
        ...['redis', 'cache', 'valkey', 'qdrant', 'postgres', 'ollama'],
        ...['gateway', 'encoder', 'retriever', 'ingest', 'mock_llm', 'load_tester'],
        ...['llm_generator_1', 'llm_generator_2', 'llm_generator_3'],
        ...['prometheus', 'alertmanager', 'grafana', 'redis_exporter'],
      ]),
    );
  });

  it('names each generator after its service, by WORKER_NAME', () => {
    for (const name of ['llm_generator_1', 'llm_generator_2', 'llm_generator_3']) {
      const { environment } = serviceOf(file, name);
      expect(environment.WORKER_NAME).toBe(name);
      expect(environment.VORTEX__HTTP__URL).toBe(`http://${name}:9100`);
    }
  });

  it('starts the pipeline without any profile, and what is optional with one', () => {
    const optional = services.filter(([, { profiles }]) => profiles.length > 0).map(([name]) => name);
    expect(optional.sort()).toEqual(['load_tester', 'ollama', 'ollama_pull', 'postgres', 'valkey']);
  });
});

describe('docker-compose.yml: containers have no more rights than they need', () => {
  it('drops every capability, and none can be won back', () => {
    const rule = ({ cap_drop, security_opt }: ComposeService) =>
      cap_drop.join() === 'ALL' && security_opt.includes('no-new-privileges:true');
    expect(breaking(rule)).toEqual([]);
  });

  it('runs as a numeric user that is not root; Ollama alone owns its folder as root', () => {
    expect(breaking(({ user }) => /^[1-9]\d*:\d+$/.test(user))).toEqual(['ollama']);
    for (const [, { user }] of ours) expect(user).toBe('10001:10001');
  });

  it('has a read-only root, and scratch space that runs no program', () => {
    expect(breaking(({ read_only }) => read_only)).toEqual([]);
    const rule = ({ tmpfs }: ComposeService) =>
      tmpfs.some((mount) => mount.startsWith('/tmp:')) &&
      tmpfs.every((mount) => /size=\d+m/.test(mount) && mount.includes('noexec'));
    expect(breaking(rule)).toEqual([]);
  });

  it('mounts files of the checkout and generated secrets read-only, and never the Docker socket', () => {
    const rule = ({ volumes }: ComposeService, name: string) =>
      volumes.every((mount) => {
        const [source = '', , mode] = mount.split(':');
        if (source.includes('docker.sock')) return false;
        if (source.startsWith('.') || (source.endsWith('_secrets') && name !== 'make_secrets'))
          return mode === 'ro';
        return source in file.volumes;
      });
    expect(breaking(rule)).toEqual([]);
  });

  it('bounds memory, processors, processes and logs', () => {
    const rule = ({ pids_limit, cpus, logging }: ComposeService) =>
      pids_limit > 0 && cpus > 0 && 'max-size' in logging.options && 'max-file' in logging.options;
    expect(breaking(rule)).toEqual([]);
  });

  it('caps V8 below three quarters of the memory it may have', () => {
    const running = ours.filter(([, { command }]) => command?.some((word) => word.endsWith('/main.js')));
    expect(running.length).toBeGreaterThanOrEqual(8);
    for (const [name, { command = [], mem_limit }] of running) {
      const heap = /--max-old-space-size=(\d+)/.exec(command.join(' '))?.[1];
      expect(Number(heap), name).toBeLessThanOrEqual(0.75 * megabytes(mem_limit));
    }
  });

  it('gives ingest room for its three parsing processes', () => {
    const { environment, command = [], mem_limit } = serviceOf(file, 'ingest');
    const heap = Number(/--max-old-space-size=(\d+)/.exec(command.join(' '))?.[1]);
    const parsers = 3 * Number(environment.VORTEX__INGEST__PARSER_MEMORY_MB);
    expect(heap + parsers).toBeLessThanOrEqual(0.85 * megabytes(mem_limit));
  });
});

describe('docker-compose.yml: secrets', () => {
  it('stand in files: no password in an environment, a command or this file', () => {
    const revealing = /pass(word|wd)?|secret|api_?key|token/i;
    const given = services.flatMap(([name, { environment }]) =>
      Object.entries(environment)
        .filter(([key, value]) => revealing.test(key) && !key.endsWith('_FILE') && value !== '')
        .map(([key]) => `${name}.${key}`),
    );
    expect(given.filter((key) => !key.startsWith('grafana.GF_SECURITY_ADMIN_PASSWORD__FILE'))).toEqual([]);
    expect(text).not.toMatch(/:\/\/[^/\s]*:[^/\s@]+@/);
    expect(text).not.toMatch(/requirepass|--pass(?!", "health")/);
  });

  it('are each service’s own: no service of ours reads another’s, or a server’s', () => {
    const secretsOf = ({ volumes }: ComposeService) =>
      volumes.map((mount) => mount.split(':')[0] ?? '').filter((source) => source.endsWith('_secrets'));
    for (const [name, service] of ours.filter(([other]) => other !== 'make_secrets')) {
      const own = name.replace(/^llm_(generator)_\d$/, '$1');
      expect([name, secretsOf(service).filter((source) => source !== `${own}_secrets`)]).toEqual([name, []]);
    }
    expect(
      services.filter(([, service]) => secretsOf(service).includes('operator_secrets')).map(([name]) => name),
    ).toEqual(['make_secrets']);
    // What watches Redis has its own user, and no password of a database.
    expect(secretsOf(serviceOf(file, 'redis_exporter'))).toEqual(['exporter_secrets']);
  });

  it('of Redis are its users’: every server starts with the file of them, and each service signs in as its own', () => {
    for (const name of ['redis', 'cache', 'valkey'])
      expect((serviceOf(file, name).command ?? []).join(' ')).toContain(`--aclfile /run/vortex/${name}.acl`);
    const asked = services.filter(([, { environment }]) => 'REDIS_URL_FILE' in environment);
    expect(asked.map(([name]) => name).sort()).toEqual(
      [
        'encoder',
        'gateway',
        'ingest',
        'llm_generator_1',
        'llm_generator_2',
        'llm_generator_3',
        'retriever',
      ].sort(),
    );
    for (const [, { environment, volumes }] of asked) {
      expect(environment.REDIS_URL_FILE).toBe('/run/vortex/redis_url');
      expect(volumes.some((mount) => /^\w+_secrets:\/run\/vortex:ro$/.test(mount))).toBe(true);
    }
    expect(serviceOf(file, 'ingest').environment).not.toHaveProperty('CACHE_REDIS_URL_FILE');
  });

  it('of the user come from a file of theirs, by default an empty one', () => {
    expect(file.secrets.openai_api_key?.file).toBe('./deploy/secrets/none');
    expect(read('deploy/secrets/none')).toBe('');
    expect(read('.dockerignore').split('\n')).toContain('deploy/*');
    expect(readComposeFile(text, { OPENAI_API_KEY_FILE: '/keys/openai' }).secrets.openai_api_key?.file).toBe(
      '/keys/openai',
    );
  });
});

describe('docker-compose.yml: the network', () => {
  it('publishes the gateway and Grafana only, on loopback', () => {
    const published = services.flatMap(([name, { ports }]) => ports.map((port) => `${name} ${port}`));
    expect(published).toEqual(['gateway 127.0.0.1:8000:8000', 'grafana 127.0.0.1:3000:3000']);
  });

  it('keeps stores and workers in a network without a way out', () => {
    expect(file.networks.back?.internal).toBe(true);
    const outside = services.filter(([, { networks }]) => 'front' in networks || 'egress' in networks);
    expect(outside.map(([name]) => name).sort()).toEqual(
      [
        ...['alertmanager', 'gateway', 'grafana', 'ingest', 'ollama'],
        ...['llm_generator_1', 'llm_generator_2', 'llm_generator_3'],
      ].sort(),
    );
  });

  it('lets Prometheus read the gateway’s metrics where no key is asked for, and nobody from outside', () => {
    const { environment, ports } = serviceOf(file, 'gateway');
    const { VORTEX__GATEWAY__PROBE_HOST: host, VORTEX__GATEWAY__PROBE_PORT: probes } = environment;
    expect(host).toBe('0.0.0.0');
    expect(read('prometheus.yml')).toContain(`"gateway:${probes}"`);
    expect(ports.filter((published) => published.endsWith(`:${probes}`))).toEqual([]);
    // Whether keys are asked for is one word of whoever starts it; nothing else has to be changed with it.
    const closed = serviceOf(readComposeFile(text, { AUTH_MODE: 'required' }), 'gateway');
    expect(closed.environment).toEqual({ ...environment, VORTEX__AUTH__MODE: 'required' });
  });

  it('gives Prometheus every host it scrapes, under the name it uses', () => {
    const names = services.flatMap(([name, { networks }]) => [name, ...(networks.back?.aliases ?? [])]);
    const hosts = [...read('prometheus.yml').matchAll(/"(?:redis:\/\/)?([a-z_0-9-]+):\d+"/g)].map(
      ([, host]) => host,
    );
    expect(hosts.length).toBeGreaterThan(5);
    expect(hosts.filter((host) => host === undefined || !names.includes(host))).toEqual([]);
  });
});

describe('docker-compose.yml: starting and stopping', () => {
  it('asks every service that stays how it is, often', () => {
    const rule = ({ healthcheck, restart }: ComposeService) =>
      'disable' in healthcheck
        ? restart !== 'unless-stopped'
        : restart === 'unless-stopped' && seconds(healthcheck.interval) <= 10;
    expect(breaking(rule)).toEqual([]);
  });

  it('waits for conditions, never for time', () => {
    expect(text).not.toMatch(/\bsleep\b|wait-for|wait_for/);
    for (const [name, { depends_on }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const target = file.services[other];
        expect(target, `${name} waits for ${other}`).toBeDefined();
        const ends = target !== undefined && 'disable' in target.healthcheck;
        expect(condition, `${name} waits for ${other}`).toBe(
          ends ? 'service_completed_successfully' : 'service_healthy',
        );
      }
    }
  });

  it('waits for nothing that may not be there: what has a profile is awaited by its own only', () => {
    const awaited = services.flatMap(([, { depends_on, profiles }]) =>
      Object.keys(depends_on).filter((name) => {
        const needed = file.services[name]?.profiles ?? [];
        const together = profiles.length > 0 && profiles.every((profile) => needed.includes(profile));
        return needed.length > 0 && !together;
      }),
    );
    expect(awaited).toEqual([]);
  });

  it('waits for no one who waits for it', () => {
    const visit = (name: string, above: readonly string[]): void => {
      if (above.includes(name)) throw new Error([...above, name].join(' > '));
      for (const next of Object.keys(file.services[name]?.depends_on ?? {})) visit(next, [...above, name]);
    };
    for (const [name] of services) visit(name, []);
  });

  it('gives ours longer to stop than their drain takes', () => {
    for (const [name, { stop_grace_period }] of ours)
      expect(seconds(stop_grace_period ?? '10s'), name).toBeGreaterThanOrEqual(16);
  });

  it('starts node itself, so that SIGTERM arrives', () => {
    const rule = ({ command = [], entrypoint = [] }: ComposeService) =>
      ![...entrypoint, ...command].some((word) => /^(npm|npx|sh|bash|\/bin\/sh)$/.test(word));
    expect(breaking(rule)).toEqual([]);
  });
});

describe('docker-compose.yml: data', () => {
  it('lets the queue forget nothing, and only the cache evict', () => {
    for (const name of ['redis', 'valkey']) {
      const command = (serviceOf(file, name).command ?? []).join(' ');
      expect(command).toContain('--appendonly yes');
      expect(command).toContain('--maxmemory-policy noeviction');
      expect(serviceOf(file, name).volumes).toContain(`${name}:/data`);
    }
    expect((serviceOf(file, 'cache').command ?? []).join(' ')).toContain('--maxmemory-policy allkeys-lru');
  });

  it('shares registry and originals among those who need them, and no one else', () => {
    const sharing = services.filter(([, { volumes }]) => volumes.includes('data:/data'));
    expect(sharing.map(([name]) => name).sort()).toEqual(['gateway', 'ingest', 'retriever']);
  });

  it('uses every volume, and only declared ones', () => {
    const used = new Set(services.flatMap(([, { volumes }]) => volumes.map((mount) => mount.split(':')[0])));
    expect(Object.keys(file.volumes).filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('docker-compose.yml: images', () => {
  it('have an exact version, never latest', () => {
    expect(breaking(({ image }) => /^[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?$/.test(image))).toEqual([]);
  });

  it('of ours have the version of package.json and are built here', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    for (const [name, { image, build }] of ours) {
      expect(image, name).toBe(`vortex:${version}`);
      expect(build, name).toEqual({ context: '.', dockerfile: 'deploy/Dockerfile' });
    }
    expect(ours.length).toBeGreaterThanOrEqual(11);
  });
});

describe('deploy/env', () => {
  it.each(globSync('deploy/env/*.env', { cwd: repositoryRoot }).sort())(
    '%s sets what the file reads',
    (path) => {
      const lines = read(path)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
      const set = Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
      expect(set.COMPOSE_PROFILES).toBe(basename(path, '.env'));
      for (const name of Object.keys(set).filter((key) => key !== 'COMPOSE_PROFILES'))
        expect(text).toContain(`\${${name}:-`);
      const chosen = readComposeFile(text, set);
      for (const [name, value] of Object.entries(set)) {
        if (!name.endsWith('_URL') && !name.endsWith('_FILE')) continue;
        const reached = Object.values(chosen.services).some(({ environment }) => environment[name] === value);
        expect(reached, name).toBe(true);
      }
    },
  );
});

describe('readComposeFile', () => {
  it('refuses a spelling that the rules would not see', () => {
    const broken = text.replace(
      'ports: ["127.0.0.1:8000:8000"]',
      'ports: [{ target: 8000, published: 8000 }]',
    );
    expect(broken).not.toBe(text);
    expect(() => readComposeFile(broken)).toThrow(/ports/);
    expect(() => parse(broken, { merge: true })).not.toThrow();
  });
});

function serviceOf({ services }: ComposeFile, name: string): ComposeService {
  const service = services[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

function megabytes(size: string): number {
  return Number.parseInt(size, 10) * (size.endsWith('g') ? 1024 : 1);
}

function seconds(duration: string): number {
  const count = Number.parseInt(duration, 10);
  return duration.endsWith('ms') ? count / 1000 : duration.endsWith('m') ? count * 60 : count;
}
