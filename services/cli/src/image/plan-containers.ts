import { join } from 'node:path';
import type { ComposeFile, ComposeService } from '../container/compose-file.ts';

/** A service of docker-compose.yml as a process of this machine. */
export interface ContainerPlan {
  name: string;
  /** Runs from the image; otherwise it is a server of this machine that stands in for another image. */
  fromImage: boolean;
  command: string[];
  environment: Record<string, string>;
  user: string;
  folder: string;
  mounts: string[][];
  /** Null: it runs once, and ending with 0 is what others wait for. */
  healthCommand: string[] | null;
  waitsFor: Record<string, 'service_healthy' | 'service_completed_successfully'>;
  graceMs: number;
  /** Of a profile: run when it is wanted, not with the rest. */
  onDemand: boolean;
}

export interface ImageDefaults {
  entrypoint: readonly string[];
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  folder: string;
}

export interface PlanOptions {
  file: ComposeFile;
  image: ImageDefaults;
  /** Folder in which each volume has a folder of its name. */
  volumesDir: string;
  /** Names of all services and their aliases, for /etc/hosts. */
  hostsFile: string;
  /** Where a service is reached; each has an address of its own, so that they may have the same ports. */
  addresses: Readonly<Record<string, string>>;
  repositoryRoot: string;
}

/** The other images that a server of this machine can stand in for, by the word their command begins with. */
const standIns = ['redis-server'];

/** What needs an engine or a server that cannot be assumed here. */
export function leftOut(file: ComposeFile): string[] {
  return Object.entries(file.services)
    .filter(([, service]) => !isRun(service))
    .map(([name]) => name);
}

/** Pure. In the order in which they can be started. */
export function planContainers(options: PlanOptions): ContainerPlan[] {
  const { services } = options.file;
  const run = Object.entries(services).filter(([, service]) => isRun(service));
  const names = run.map(([name]) => name);
  const plans = run.map(([name, service]) => planOne(name, service, names, options));
  return inOrder(plans);
}

/** `127.0.77.2`, `127.0.77.3` …: all of 127.0.0.0/8 is this machine's loopback. */
export function addressesOf(file: ComposeFile): Record<string, string> {
  return Object.fromEntries(Object.keys(file.services).map((name, index) => [name, `127.0.77.${index + 2}`]));
}

export function hostsText(file: ComposeFile, addresses: Readonly<Record<string, string>>): string {
  const lines = Object.entries(file.services).map(([name, { networks }]) => {
    const aliases = Object.values(networks).flatMap((network) => network.aliases ?? []);
    return [addresses[name], name, ...aliases].join(' ');
  });
  return `127.0.0.1 localhost\n${lines.join('\n')}\n`;
}

function isRun(service: ComposeService): boolean {
  if (service.profiles.length > 0) return isOurs(service);
  return isOurs(service) || standIns.includes(service.command?.[0] ?? '');
}

function isOurs(service: ComposeService): boolean {
  return service.build !== undefined;
}

function planOne(
  name: string,
  service: ComposeService,
  names: readonly string[],
  options: PlanOptions,
): ContainerPlan {
  const { image, volumesDir, hostsFile } = options;
  const address = options.addresses[name] ?? '127.0.0.1';
  const { healthcheck } = service;
  const fromImage = isOurs(service);
  const words = (command: readonly string[]) => command.map((word) => onThisMachine(word, volumesDir));
  const command = fromImage
    ? [...(service.entrypoint ?? image.entrypoint), ...(service.command ?? image.command)]
    : [
        ...words(service.command ?? []),
        ...[
          '--bind',
          address,
          '--dir',
          join(volumesDir, service.volumes.includes('redis:/data') ? 'redis' : name),
        ],
      ];
  const check = 'disable' in healthcheck ? null : healthcheck.test.slice(1);
  return {
    name,
    fromImage,
    command,
    environment: fromImage
      ? {
          ...image.environment,
          ...service.environment,
          VORTEX__HTTP__HOST: address,
          // All share one network here: a port of every address would be the others' as well.
          ...('VORTEX__GATEWAY__PROBE_HOST' in service.environment && {
            VORTEX__GATEWAY__PROBE_HOST: address,
          }),
        }
      : {},
    user: service.user,
    folder: service.working_dir ?? image.folder,
    mounts: [
      ...service.tmpfs.map((mount) => ['tmpfs', ...splitOnce(mount, ':')]),
      ...service.volumes.map((mount) => {
        const [source = '', target = '', mode = 'rw'] = mount.split(':');
        const from = source.startsWith('.') ? join(options.repositoryRoot, source) : join(volumesDir, source);
        return ['bind', from, target, mode];
      }),
      ...service.secrets.map((secret) => {
        const file = options.file.secrets[secret]?.file ?? '';
        return ['bind', join(options.repositoryRoot, file), `/run/secrets/${secret}`, 'ro'];
      }),
      ['bind', hostsFile, '/etc/hosts', 'ro'],
    ],
    healthCommand: check === null || fromImage ? check : [check[0] ?? '', '-h', address, ...check.slice(1)],
    waitsFor: Object.fromEntries(
      Object.entries(service.depends_on)
        .filter(([other]) => names.includes(other))
        .map(([other, { condition }]) => [other, condition]),
    ),
    onDemand: service.profiles.length > 0,
    graceMs: 1000 * Number.parseInt(service.stop_grace_period ?? '10s', 10),
  };
}

function onThisMachine(word: string, volumesDir: string): string {
  return word.replace('/run/vortex/', `${join(volumesDir, 'generated_secrets')}/`);
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
}

function inOrder(plans: readonly ContainerPlan[]): ContainerPlan[] {
  const placed: ContainerPlan[] = [];
  const place = (plan: ContainerPlan): void => {
    if (placed.includes(plan)) return;
    for (const name of Object.keys(plan.waitsFor)) {
      const other = plans.find((candidate) => candidate.name === name);
      if (other !== undefined) place(other);
    }
    placed.push(plan);
  };
  for (const plan of plans) place(plan);
  return placed;
}
