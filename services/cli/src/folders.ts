import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The checkout this file belongs to, whatever folder the command was started from. */
export const repositoryRoot = findRoot(import.meta.dirname);

/** Survives between data folders of one checkout: model files, what Node compiled. */
export const cacheDir = join(repositoryRoot, 'node_modules', '.cache', 'vortex');

/** What an instance keeps in its data folder, beside what its services keep there. */
export interface InstancePaths {
  data: string;
  run: string;
  logs: string;
  redis: string;
  runFile: string;
  lockFile: string;
  portsFile: string;
  /** Of the instance's own Redis and cache: passwords, and what their users may do. */
  redisPasswordsFile: string;
  redisUsersFile: string;
  cacheUsersFile: string;
  demoFile: string;
  prometheusFile: string;
  /** Written by the gateway, for the owner of the folder alone. */
  localKeyFile: string;
  /** What `up --observe` keeps: samples, silences. */
  observe: string;
}

export function instancePaths(data: string): InstancePaths {
  const run = join(data, 'run');
  return {
    data,
    run,
    logs: join(data, 'logs'),
    redis: join(data, 'redis'),
    runFile: join(run, 'vortex.json'),
    lockFile: join(run, 'lock.sqlite'),
    portsFile: join(run, 'ports.json'),
    redisPasswordsFile: join(run, 'redis-passwords.json'),
    redisUsersFile: join(run, 'redis-users.acl'),
    cacheUsersFile: join(run, 'cache-users.acl'),
    demoFile: join(run, 'vortex-docs.json'),
    prometheusFile: join(data, 'prometheus.yml'),
    localKeyFile: join(data, 'local-key'),
    observe: join(data, 'observe'),
  };
}

/** `--data`, seen from where the command was typed; without it, `data` in the checkout. */
export function dataFolder(option: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const given = option ?? env.VORTEX__DATA__DIR;
  return given === undefined || given === '' ? join(repositoryRoot, 'data') : resolve(given);
}

/** How the user started the launcher, for commands we ask them to type. */
export function launcherName(env: NodeJS.ProcessEnv = process.env): string {
  const name = env.VORTEX_LAUNCHER ?? './vortex';
  return /[^\w./-]/.test(name) ? `'${name}'` : name;
}

/** `--data DIR` as the user has to type it; nothing for the default folder. */
export function dataOption(data: string): string {
  if (data === join(repositoryRoot, 'data')) return '';
  return /[^\w./-]/.test(data) ? ` --data '${data}'` : ` --data ${data}`;
}

function findRoot(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, 'package-lock.json')) && dirname(folder) !== folder)
    folder = dirname(folder);
  return folder;
}
