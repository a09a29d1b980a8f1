import { describe, expect, it } from 'vitest';
import type { InstancePlan } from '../supervisor/instance.ts';
import type { WatchPrograms } from './find-programs.ts';
import { observerPortNames, planObservers } from './plan-observers.ts';

const all = { prometheus: '/p', promtool: '/t', alertmanager: '/a', redisExporter: '/r' };
const alone = { ...all, alertmanager: null, redisExporter: null };
const instance = {
  exporterUrl: 'redis://worker:s%40cret@10.0.0.5:6380',
  groups: [],
} as unknown as InstancePlan;

function plan(programs: WatchPrograms & { prometheus: string }) {
  const ports = { prometheus: 20_001, alertmanager: 20_002, 'redis-exporter': 20_003 };
  return planObservers(instance, {
    ...{ programs, ports, folder: '/data/observe', logs: '/data/logs', configFile: '/data/prometheus.yml' },
    environment: { PATH: '/bin', OPENAI_API_KEY: 'sk-1' },
  });
}

describe('the observers of an instance', () => {
  it('listen on this machine only, on the ports that were chosen for them', () => {
    for (const { service, args, url } of plan(all)) {
      expect([service, new URL(url ?? '').hostname]).toEqual([service, '127.0.0.1']);
      expect(args.some((word) => word.endsWith(`=${new URL(url ?? '').host}`))).toBe(true);
    }
  });

  it('get the password of Redis where no process list shows it, and no other secret', () => {
    for (const { args, env } of plan(all)) {
      expect(args.join(' ')).not.toContain('cret');
      expect(Object.values(env)).not.toContain('sk-1');
    }
    const exporter = plan(all).find(({ service }) => service === 'redis-exporter');
    expect(exporter?.env).toMatchObject({ REDIS_USER: 'worker', REDIS_PASSWORD: 's@cret' });
  });

  it('are Prometheus alone where nothing else is installed', () => {
    expect(plan(alone).map(({ service }) => service)).toEqual(['prometheus']);
    expect(observerPortNames(alone)).toEqual(['prometheus']);
    expect(observerPortNames(all).sort()).toEqual(
      plan(all)
        .map(({ service }) => service)
        .sort(),
    );
  });
});
