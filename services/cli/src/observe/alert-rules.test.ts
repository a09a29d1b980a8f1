import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from '../folders.ts';
import { faults } from './faults.ts';
import { findPrograms } from './find-programs.ts';

interface RuleFile {
  groups: { rules: Rule[] }[];
}
interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

const folder = join(repositoryRoot, 'deploy', 'prometheus');
const yamlFiles = (place: string) => readdirSync(place).filter((name) => name.endsWith('.yml'));
const ruleFiles = yamlFiles(folder);
const testFiles = yamlFiles(join(folder, 'tests'));
const read = (place: string, file: string): unknown => parse(readFileSync(join(place, file), 'utf8'));

const alerts = ruleFiles
  .flatMap((file) => (read(folder, file) as RuleFile).groups)
  .flatMap(({ rules }) => rules)
  .filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const cases = testFiles
  .flatMap((file) => (read(join(folder, 'tests'), file) as { tests: TestCase[] }).tests)
  .flatMap(({ alert_rule_test }) => alert_rule_test);
interface TestCase {
  alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[];
}
const runbook = readFileSync(join(repositoryRoot, 'docs', '10-runbook.md'), 'utf8');
/** As GitHub makes an anchor of a heading of one word. */
const anchors = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, heading = '']) => heading.toLowerCase());

describe.each(alerts.map((rule) => ({ ...rule, name: rule.alert })))(
  'the alert $name',
  ({ alert, labels, annotations }) => {
    it('says whom it concerns, how urgently and what to do', () => {
      expect(labels?.severity).toMatch(/^(page|ticket)$/);
      expect(labels?.owner).toMatch(/^(platform|pipeline|answers|documents)$/);
      expect(annotations?.summary).toMatch(/\.$/);
      expect(annotations?.runbook_url).toBe(`docs/10-runbook.md#${alert.toLowerCase()}`);
      expect(anchors).toContain(alert.toLowerCase());
    });

    it('is tested firing and silent', () => {
      const own = cases.filter(({ alertname }) => alertname === alert);
      const firing = own.filter(({ exp_alerts }) => (exp_alerts ?? []).length > 0);
      expect({ firing: firing.length > 0, silent: own.length > firing.length }).toEqual({
        firing: true,
        silent: true,
      });
    });
  },
);

describe('the memory that processes may use', () => {
  const compose = join(repositoryRoot, 'docker-compose.yml');

  it.skipIf(!existsSync(compose))('is what docker-compose.yml gives them', () => {
    const { services } = parse(readFileSync(compose, 'utf8'), { merge: true }) as {
      services: Record<string, { mem_limit?: string }>;
    };
    const limits = ruleFiles
      .flatMap((file) => (read(folder, file) as RuleFile).groups)
      .flatMap(({ rules }) => rules)
      .filter(({ record }) => record === 'vortex:memory_limit_bytes');
    expect(limits.length).toBeGreaterThan(0);
    for (const { expr, labels } of limits) {
      const job = labels?.job ?? '';
      const service = job === 'llm-generator' ? 'llm_generator_1' : job;
      const megabytes = Number(/^vector\((\d+) \* 1024 \* 1024\)$/.exec(expr)?.[1]);
      expect([job, `${megabytes}m`]).toEqual([job, inMegabytes(services[service]?.mem_limit ?? '')]);
    }
  });
});

function inMegabytes(limit: string): string {
  return limit.endsWith('g') ? `${Number.parseFloat(limit) * 1024}m` : limit;
}

describe('the rules', () => {
  it('have names of their own, and no runbook section is about nothing', () => {
    const names = alerts.map(({ alert }) => alert.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
    expect([...anchors].sort()).toEqual([...names].sort());
  });
});

describe('the drill', () => {
  it('wants what the runbook says of each fault', () => {
    // | `fault` | what happens | **PassedOn**, HeldBack |
    const rows = [...runbook.matchAll(/^\| `([a-z-]+)` +\|[^|]+\|([^|]*)\|$/gm)];
    const said = rows.map(([, name, raised = '']) => ({
      name,
      alerts: [...raised.matchAll(/\w+/g)].map(String).sort(),
      passedOn: [...raised.matchAll(/\*\*(\w+)\*\*/g)].map(([, alert]) => alert).sort(),
    }));
    const wanted = faults.map(({ name, alerts: raised, passedOn }) => ({
      name,
      alerts: [...raised].sort(),
      passedOn: [...passedOn].sort(),
    }));
    expect(said).toEqual(wanted);
  });
});

const { promtool } = findPrograms();

describe('promtool', () => {
  const run = async (...words: string[]) => {
    const { stdout, stderr } = await promisify(execFile)(promtool ?? '', words, { cwd: folder });
    return stdout + stderr;
  };

  it('accepts prometheus.yml and the rules it names', async (context) => {
    if (promtool === null) return context.skip('promtool is not installed (Debian: prometheus)');
    const said = await run('check', 'config', join(repositoryRoot, 'prometheus.yml'));
    for (const file of ruleFiles) expect(said).toContain(file);
    expect(said).not.toContain('FAILED');
  });

  it.for(testFiles)('passes %s', { timeout: 120_000 }, async (file, context) => {
    if (promtool === null) return context.skip('promtool is not installed (Debian: prometheus)');
    expect(await run('test', 'rules', join('tests', file))).toContain('SUCCESS');
  });
});
