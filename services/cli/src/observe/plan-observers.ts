import { join } from 'node:path';
import { batchLists, generatorList, stages } from '@vortex/contracts';
import { repositoryRoot } from '../folders.ts';
import { plainEnvironment } from '../process-environment.ts';
import type { InstancePlan, PlannedProcess } from '../supervisor/instance.ts';
import type { WatchPrograms } from './find-programs.ts';

export interface ObserverOptions {
  programs: WatchPrograms & { prometheus: string };
  /** `<data>/observe`: what Prometheus and Alertmanager store. */
  folder: string;
  logs: string;
  configFile: string;
  ports: Readonly<Record<string, number>>;
  environment: Readonly<Record<string, string>>;
}

const loopback = '127.0.0.1';
const stopBudgetMs = 15_000;

/** Names under which `ports` must hold a port. */
export function observerPortNames(programs: WatchPrograms): string[] {
  return [
    ...(programs.redisExporter === null ? [] : ['redis-exporter']),
    ...(programs.alertmanager === null ? [] : ['alertmanager']),
    'prometheus',
  ];
}

/** What watches an instance: Prometheus, and Alertmanager and the Redis exporter where they are installed. Pure. */
export function planObservers(plan: InstancePlan, options: ObserverOptions): PlannedProcess[] {
  const observer = (
    name: string,
    command: string,
    more: { args: (address: string) => string[]; readyPath: string; env?: Record<string, string> },
  ): PlannedProcess => {
    const port = options.ports[name];
    if (port === undefined) throw new Error(`no port was chosen for ${name}`);
    const address = `${loopback}:${port}`;
    return {
      service: name,
      workerName: null,
      command,
      args: more.args(address),
      cwd: repositoryRoot,
      env: { ...plainEnvironment(options.environment), ...more.env },
      url: `http://${address}`,
      probe: { kind: 'http', url: `http://${address}${more.readyPath}` },
      logFile: join(options.logs, `${name}.log`),
      stopBudgetMs,
      // Nobody waits for what is only watched.
      niceness: 5,
      upstreamUrls: [],
    };
  };
  const { prometheus, alertmanager, redisExporter } = options.programs;
  const observers: PlannedProcess[] = [];
  if (redisExporter !== null) {
    const { username, password } = new URL(plan.exporterUrl);
    observers.push(
      observer('redis-exporter', redisExporter, {
        args: (address) => [
          `-web.listen-address=${address}`,
          // It is given its targets by Prometheus, one per scrape.
          '-redis.addr=',
          `-check-single-keys=${listsOf(plan).join(',')}`,
          // A Redis that hangs must be told as down within the scrape's own time.
          '-connection-timeout=2s',
          '-include-system-metrics',
          // CONFIG is not for it (libs/queue/src/access.ts).
          '-config-command=-',
        ],
        readyPath: '/health',
        env: { REDIS_USER: decodeURIComponent(username), REDIS_PASSWORD: decodeURIComponent(password) },
      }),
    );
  }
  if (alertmanager !== null) {
    observers.push(
      observer('alertmanager', alertmanager, {
        args: (address) => [
          `--web.listen-address=${address}`,
          `--config.file=${join(repositoryRoot, 'deploy/alertmanager/alertmanager.yml')}`,
          `--storage.path=${join(options.folder, 'alertmanager')}`,
          // It has no peers.
          '--cluster.listen-address=',
        ],
        readyPath: '/-/ready',
      }),
    );
  }
  observers.push(
    observer('prometheus', prometheus, {
      args: (address) => [
        `--web.listen-address=${address}`,
        `--config.file=${options.configFile}`,
        `--storage.tsdb.path=${join(options.folder, 'prometheus')}`,
        '--storage.tsdb.retention.time=15d',
        '--enable-feature=exemplar-storage',
      ],
      readyPath: '/-/ready',
    }),
  );
  return observers;
}

/** Every list of the pipeline by name: the exporter then needs no SCAN. */
function listsOf(plan: InstancePlan): string[] {
  const workers = plan.groups.flat().filter(({ service }) => service === 'llm-generator');
  return [
    ...Object.values(stages).map(({ list }) => list),
    ...Object.values(batchLists),
    ...workers.flatMap(({ workerName }) => (workerName === null ? [] : [generatorList(workerName)])),
  ];
}
