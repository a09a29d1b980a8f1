import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readComposeFile } from '../container/compose-file.ts';
import { repositoryRoot } from '../folders.ts';
import { defaultsOf, judgeImage, readInspection } from './image-facts.ts';
import { addressesOf, hostsText, leftOut, planContainers } from './plan-containers.ts';

const file = readComposeFile(readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8'), {
  QDRANT_URL: '',
});
const addresses = addressesOf(file);
const image = { entrypoint: ['node'], command: ['a.js'], environment: { A: '1' }, folder: '/opt/vortex' };
const plans = planContainers({
  ...{ file, image, addresses, repositoryRoot: '/repo' },
  ...{ volumesDir: '/volumes', hostsFile: '/hosts' },
});
const planOf = (name: string) => plans.find((plan) => plan.name === name);

describe('planContainers', () => {
  it('runs what is ours and Redis, and says what it leaves out', () => {
    expect(plans.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'make_secrets',
        'redis',
        'cache',
        'gateway',
        'llm_generator_3',
        'documentation',
      ]),
    );
    const left = leftOut(file);
    expect(left).toEqual(expect.arrayContaining(['qdrant', 'postgres', 'grafana', 'prometheus', 'valkey']));
    expect([...plans.map(({ name }) => name), ...left].sort()).toEqual(Object.keys(file.services).sort());
  });

  it('keeps the load tester for when it is wanted', () => {
    expect(plans.filter(({ onDemand }) => onDemand).map(({ name }) => name)).toEqual(['load_tester']);
    expect(planOf('load_tester')?.command).toEqual(['node', '/opt/vortex/loadtest/dist/main.js']);
    expect(planOf('load_tester')?.folder).toBe('/results');
  });

  it('starts nobody before those it waits for', () => {
    const order = plans.map(({ name }) => name);
    for (const { name, waitsFor } of plans)
      for (const other of Object.keys(waitsFor))
        expect(order.indexOf(other)).toBeLessThan(order.indexOf(name));
    expect(planOf('retriever')?.waitsFor).toEqual({
      make_secrets: 'service_completed_successfully',
      redis: 'service_healthy',
      cache: 'service_healthy',
    });
  });

  it('keeps the command, user and mounts of the compose file, and gives each an address of its own', () => {
    const gateway = planOf('gateway');
    expect(gateway).toMatchObject({
      fromImage: true,
      command: ['node', ...(file.services.gateway?.command ?? [])],
      user: '10001:10001',
      folder: '/opt/vortex',
      graceMs: 20_000,
    });
    expect(gateway?.environment).toMatchObject({
      A: '1',
      VORTEX__HTTP__PORT: '8000',
      VORTEX__HTTP__HOST: addresses.gateway,
      VORTEX__GATEWAY__PROBE_HOST: addresses.gateway,
    });
    expect(gateway?.mounts).toContainEqual(['bind', '/volumes/data', '/data', 'rw']);
    expect(gateway?.mounts).toContainEqual(['bind', '/volumes/gateway_secrets', '/run/vortex', 'ro']);
    expect(new Set(Object.values(addresses)).size).toBe(Object.keys(addresses).length);
    expect(hostsText(file, addresses)).toContain(`${addresses.mock_llm} mock_llm mock-llm\n`);
  });

  it('lets a server of this machine stand in for Redis, with the files of the volume', () => {
    const redis = planOf('redis');
    expect(redis?.fromImage).toBe(false);
    expect(redis?.command.slice(0, 3)).toEqual([
      'redis-server',
      '--aclfile',
      '/volumes/generated_secrets/redis.acl',
    ]);
    expect(redis?.command.slice(-4)).toEqual(['--bind', addresses.redis, '--dir', '/volumes/redis']);
    expect(redis?.healthCommand?.slice(0, 3)).toEqual(['redis-cli', '-h', addresses.redis]);
  });
});

describe('judgeImage', () => {
  const config = {
    User: '10001:10001',
    Env: ['PATH=/bin', 'NODE_ENV=production'],
    Cmd: ['services/gateway/dist/main.js'],
    Entrypoint: ['node'],
    WorkingDir: '/opt/vortex',
    StopSignal: 'SIGTERM',
    Healthcheck: { Test: ['CMD', 'node', 'x.js'] },
    Labels: Object.fromEntries(
      ['title', 'description', 'licenses', 'revision', 'version'].map((name) => [
        `org.opencontainers.image.${name}`,
        name === 'version' ? '0.1.0' : 'x',
      ]),
    ),
  };
  const facts = { megabytes: 600, maxMegabytes: 900, version: '0.1.0' };

  it('finds nothing wrong with what we build', () => {
    expect(judgeImage(config, facts)).toEqual([]);
    const read = readInspection(JSON.stringify({ Docker: { config } }));
    expect(defaultsOf(read).environment).toEqual({ PATH: '/bin', NODE_ENV: 'production' });
  });

  it.each([
    [{ User: '' }, /the user is root/],
    [{ User: '0:0' }, /the user is 0:0/],
    [{ Entrypoint: ['sh', '-c'] }, /entry point/],
    [{ Healthcheck: { Test: ['CMD-SHELL', 'x'] } }, /health check/],
    [{ Labels: null }, /version/],
    [{ Env: ['OPENAI_API_KEY=sk'] }, /secret/],
  ])('refuses %j', (change, problem) => {
    expect(judgeImage({ ...config, ...change }, facts).join('\n')).toMatch(problem);
  });

  it('refuses an image that is too large', () => {
    expect(judgeImage(config, { ...facts, megabytes: 900 })).toEqual(['900 MB is not below 900 MB']);
  });
});
