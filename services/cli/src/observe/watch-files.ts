import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../folders.ts';
import { prometheusCopy, type ScrapeAddress } from '../prometheus-copy.ts';
import { withoutLogin } from '../redis/passwords.ts';
import type { InstancePlan, PlannedFile } from '../supervisor/instance.ts';
import { atSpeed } from './rule-speed.ts';

const rulesFolder = join(repositoryRoot, 'deploy', 'prometheus');

export interface WatchFileOptions {
  prometheusFile: string;
  /** For rules that are not the committed ones: `<data>/observe/rules`. */
  ruleFolder: string;
  /** 1: the committed rules and intervals. */
  speed: number;
}

/**
 * The instance's own prometheus.yml, whether or not `--observe` runs it; with a speed other than 1, its rules too.
 * A Prometheus of one's own can be pointed at it.
 */
export function watchFiles(plan: InstancePlan, options: WatchFileOptions): PlannedFile[] {
  const { speed } = options;
  const isCommitted = speed === 1;
  const copy = prometheusCopy({
    addresses: addressesOf(plan),
    ruleFiles: join(isCommitted ? rulesFolder : options.ruleFolder, '*.yml'),
    intervals: isCommitted ? null : { scrape: '1s', evaluation: '1s' },
  });
  const files = [{ path: options.prometheusFile, content: copy }];
  if (isCommitted) return files;
  const rules = readdirSync(rulesFolder).filter((name) => name.endsWith('.yml'));
  for (const name of rules) {
    const content = atSpeed(readFileSync(join(rulesFolder, name), 'utf8'), speed);
    files.push({ path: join(options.ruleFolder, name), content });
  }
  return files;
}

/** Probes' addresses; of the Redis servers, those without what signs one in. */
function addressesOf(plan: InstancePlan): ScrapeAddress[] {
  const processes = plan.groups
    .flat()
    .flatMap(({ service, probe }) => (probe.kind === 'http' ? [{ service, url: probe.url }] : []));
  return [
    ...processes,
    { service: 'redis', url: withoutLogin(plan.redisUrl) },
    ...(plan.cacheUrl === null ? [] : [{ service: 'cache', url: withoutLogin(plan.cacheUrl) }]),
  ];
}
