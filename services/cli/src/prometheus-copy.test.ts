import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { prometheusCopy, type ScrapeAddress, withRealAddresses } from './prometheus-copy.ts';

const services: ScrapeAddress[] = [
  { service: 'gateway', url: 'http://127.0.0.1:8000/readyz' },
  { service: 'llm-generator', url: 'http://127.0.0.1:21001/readyz' },
  { service: 'llm-generator', url: 'http://127.0.0.1:21002/readyz' },
];
const observers: ScrapeAddress[] = [
  { service: 'redis', url: 'redis://127.0.0.1:6390' },
  { service: 'cache', url: 'redis://127.0.0.1:6391' },
  { service: 'redis-exporter', url: 'http://127.0.0.1:9191/health' },
  { service: 'alertmanager', url: 'http://127.0.0.1:9093/-/ready' },
];
const plain = { addresses: services, ruleFiles: '/rules/*.yml', intervals: null };

interface Copy {
  global: Record<string, string>;
  rule_files: string[];
  alerting: { alertmanagers: { static_configs: { targets: string[] }[] }[] };
  scrape_configs: {
    job_name: string;
    static_configs: { targets: string[] }[];
    relabel_configs?: { target_label: string; replacement?: string }[];
  }[];
}
const copyOf = (addresses: readonly ScrapeAddress[]) =>
  parse(prometheusCopy({ ...plain, addresses }), { merge: true }) as Copy;
const targetsOf = ({ scrape_configs }: Copy) =>
  Object.fromEntries(
    scrape_configs.map(({ job_name, static_configs }) => [
      job_name,
      static_configs.flatMap(({ targets }) => targets),
    ]),
  );

describe('the copy of prometheus.yml for an instance', () => {
  it('replaces our hosts and leaves the others', () => {
    const text = [
      'scrape_configs:',
      '  - { job_name: a, static_configs: [targets: ["llm_generator_1:9100", "llm-generator-3:9100"]] }',
      '  - { job_name: b, static_configs: [targets: ["node-exporter:9100"]] }',
    ].join('\n');
    const { scrape_configs } = parse(withRealAddresses(text, plain)) as Copy;
    expect(scrape_configs.map(({ static_configs }) => static_configs[0]?.targets)).toEqual([
      ['127.0.0.1:21001', '127.0.0.1:21002'],
      ['node-exporter:9100'],
    ]);
  });

  it('leaves out what this instance does not have: it would be down for ever', () => {
    const copy = copyOf(services);
    expect(targetsOf(copy)).toEqual({
      gateway: ['127.0.0.1:8000'],
      'llm-generator': ['127.0.0.1:21001', '127.0.0.1:21002'],
    });
    expect(copy.alerting.alertmanagers).toEqual([]);
    expect(copy.rule_files).toEqual(['/rules/*.yml']);
  });

  it('asks both Redis servers through the exporter that runs', () => {
    const copy = copyOf([...services, ...observers]);
    expect(targetsOf(copy)).toMatchObject({
      redis: ['redis://127.0.0.1:6390'],
      cache: ['redis://127.0.0.1:6391'],
    });
    for (const { job_name, relabel_configs } of copy.scrape_configs) {
      if (relabel_configs === undefined) continue;
      expect([job_name, relabel_configs.at(-1)?.replacement]).toEqual([job_name, '127.0.0.1:9191']);
    }
    expect(copy.alerting.alertmanagers[0]?.static_configs[0]?.targets).toEqual(['127.0.0.1:9093']);
  });

  it('asks nothing of Redis without an exporter', () => {
    const withoutExporter = observers.filter(({ service }) => service !== 'redis-exporter');
    expect(Object.keys(targetsOf(copyOf([...services, ...withoutExporter])))).toEqual([
      'gateway',
      'llm-generator',
    ]);
  });
});
