import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readDeadLetter } from '@vortex/queue';
import { askQueue } from './ask-queue.ts';
import { checkDatabase } from './check-database.ts';
import { dataFolder, dataOption, instancePaths, launcherName, repositoryRoot } from './folders.ts';
import { runningInstance } from './instance-address.ts';
import { findOllama } from './language-model.ts';
import { listenProblem, portOwner } from './ports.ts';
import { isThere, modelCacheDir } from './prepare-model.ts';
import { CommandProblem, messageOf } from './problem.ts';
import { askRedis } from './redis/ask-redis.ts';
import { findRedis } from './redis/find-redis.ts';
import { checkSettings, type Settings } from './settings.ts';
import { readRemoteStatus, readStatus, type Status } from './status.ts';

/** One thing that was looked at. `next` is what to type when it is not fine. */
export interface Finding {
  what: string;
  verdict: 'fine' | 'note' | 'wrong';
  detail: string;
  next?: string;
}

const neededBytes = 2 * 1024 ** 3;
const staleMs = 60_000;

/** Looks at everything an instance stands on, and at the instance. False when something is wrong. */
export async function doctor(options: { data?: string; url?: string }): Promise<boolean> {
  const data = dataFolder(options.data);
  const findings: Finding[] = [];
  const add = (what: string, verdict: Finding['verdict'], detail: string, next?: string) =>
    findings.push({ what, verdict, detail, ...(next !== undefined && { next }) });

  if (options.url === undefined) {
    checkNode(add);
    checkPackages(add);
    checkRedisBinary(add);
    const settings = checkConfiguration(add);
    await checkModel(add, data, settings);
    await checkDatabase(add, settings);
    checkFolder(add, data);
    await checkLanguageModels(add);
    await checkInstance(add, data);
  } else {
    const status = await readRemoteStatus(options.url);
    if (status.ready) add('gateway', 'fine', `${options.url} is ready`);
    else {
      const reasons = status.services[0]?.reasons.join(', ') ?? '';
      add(
        'gateway',
        'wrong',
        `${options.url} is not ready: ${reasons}`,
        `${launcherName()} doctor --data DIR, on its machine`,
      );
    }
  }
  for (const finding of findings) console.log(describeFinding(finding));
  const wrong = findings.filter(({ verdict }) => verdict === 'wrong').length;
  console.log(
    wrong === 0
      ? '\nNothing is wrong here.'
      : `\n${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong here.`,
  );
  return wrong === 0;
}

function describeFinding({ what, verdict, detail, next }: Finding): string {
  const mark = { fine: '✓', note: '·', wrong: '✗' }[verdict];
  return `${mark} ${what}: ${detail}${next === undefined ? '' : `\n    → ${next}`}`;
}

export type Add = (what: string, verdict: Finding['verdict'], detail: string, next?: string) => void;

function checkNode(add: Add): void {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 24) add('Node', 'fine', process.versions.node);
  else
    add(
      'Node',
      'wrong',
      `${process.versions.node}; 24 is needed`,
      `start through ${launcherName()}, which brings it`,
    );
}

function checkPackages(add: Add): void {
  const installed = existsSync(join(repositoryRoot, 'node_modules', '.package-lock.json'));
  if (installed) add('npm packages', 'fine', 'installed');
  else
    add(
      'npm packages',
      'wrong',
      'not installed completely',
      `cd '${repositoryRoot}' && npm ci --ignore-scripts`,
    );
}

function checkRedisBinary(add: Add): void {
  const { found, tooOld } = findRedis();
  if (found !== null) {
    add('Redis server', 'fine', `${found.path}, ${found.version}`);
    return;
  }
  const detail =
    tooOld.length === 0
      ? 'neither redis-server nor valkey-server is installed'
      : tooOld.map(({ path, version }) => `${path} is ${version}, 7.0 is needed`).join(', ');
  const external = process.env.REDIS_URL !== undefined && process.env.CACHE_REDIS_URL !== undefined;
  add(
    'Redis server',
    external ? 'note' : 'wrong',
    detail,
    `${launcherName()} up installs it as root; otherwise your package manager`,
  );
}

function checkConfiguration(add: Add): Settings | null {
  try {
    const { settings } = checkSettings([], process.env);
    add('configuration', 'fine', 'every service can read it');
    return settings;
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    for (const way of error.ways)
      add('configuration', 'wrong', way, 'the settings are in docs/03-configuration.md');
    return null;
  }
}

async function checkModel(add: Add, data: string, settings: Settings | null): Promise<void> {
  const model = settings?.encoder.embedding.model ?? 'all-minilm-l6-v2';
  const folder = settings?.encoder.embedding.models_dir ?? join(data, 'models');
  if (await isThere({ model, modelsDir: folder })) add('embedding model', 'fine', `${model} in ${folder}`);
  else if (await isThere({ model, modelsDir: modelCacheDir }))
    add('embedding model', 'fine', `${model} in the cache; the next start copies it`);
  else add('embedding model', 'note', `${model} is not here yet`, `${launcherName()} up downloads 23 MB`);
}

function checkFolder(add: Add, data: string): void {
  let folder = data;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    add('data folder', 'fine', existsSync(data) ? data : `${data} (will be made)`);
  } catch {
    add(
      'data folder',
      'wrong',
      `${folder} cannot be written to`,
      `choose a folder of yours: ${launcherName()} up --data DIR`,
    );
    return;
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const gigabytes = `${(free / 1024 ** 3).toFixed(1)} GB free`;
  if (free >= neededBytes) add('disk', 'fine', gigabytes);
  else add('disk', 'wrong', `${gigabytes}; 2 GB is the least to be safe`, `df -h '${folder}'`);
}

async function checkLanguageModels(add: Add): Promise<void> {
  const ollama = await findOllama(process.env.OLLAMA_URL);
  if (ollama === null) return;
  const models = ollama.models.join(', ') || 'no models';
  add('Ollama', 'note', `answers at ${ollama.url} (${models})`, `${launcherName()} up --llm ollama`);
}

async function checkInstance(add: Add, data: string): Promise<void> {
  const run = runningInstance(data);
  const status = await readStatus(data);
  if (run === null && status === null) {
    await checkDefaultPort(add, data);
    add('instance', 'note', `nothing runs on ${data}`, `${launcherName()} up --detach${dataOption(data)}`);
    return;
  }
  if (status === null) return;
  if (run === null) {
    add(
      'supervisor',
      'wrong',
      'was killed; what it started runs on unwatched',
      `${launcherName()} up${dataOption(data)} cleans up and starts`,
    );
  }
  checkServices(add, status, data);
  await checkQueue(add, status);
}

async function checkDefaultPort(add: Add, data: string): Promise<void> {
  const port = 8000;
  if ((await listenProblem(port, '127.0.0.1')) === null) {
    add('port', 'fine', `${port} is free`);
    return;
  }
  const owner = portOwner(port);
  add(
    'port',
    'note',
    `${port} is taken${owner === null ? '' : ` by ${owner}`}`,
    `${launcherName()} up --port ${port + 1}${dataOption(data)}`,
  );
}

function checkServices(add: Add, status: Status, data: string): void {
  const unready = status.services.filter(({ ready }) => ready !== true);
  if (unready.length === 0)
    add('services', 'fine', `all ${status.services.length} are ready at ${status.gateway_url}`);
  for (const { name, worker_name, reasons } of unready) {
    const number = name === 'llm-generator' ? `-${worker_name?.split('_').at(-1)}` : '';
    const log = join(instancePaths(data).logs, `${name}${number}.log`);
    add(
      worker_name ?? name,
      'wrong',
      `not ready: ${reasons.join(', ') || 'no reason given'}`,
      `tail -n 30 '${log}'`,
    );
  }
  for (const { name, worker_name, restarts } of status.services) {
    if (restarts !== null && restarts > 2)
      add(worker_name ?? name, 'note', `was restarted ${restarts} times`);
  }
}

async function checkQueue(add: Add, status: Status): Promise<void> {
  const { redis_url: url } = status;
  if (url === null) return;
  // Its user and password are for a shell, not for a screen.
  const redis = `redis-cli -u "$(${launcherName()} status --json${dataOption(status.data ?? '')} | node -p 'JSON.parse(fs.readFileSync(0)).redis_url')"`;
  try {
    // INFO tells the policy too, and a user with the fewest rights may ask it.
    const [memory] = await askRedis(url, [['INFO', 'memory']]);
    const name = /^maxmemory_policy:(\S+)/m.exec(String(memory))?.[1] ?? 'unknown';
    if (name === 'noeviction') add('Redis', 'fine', 'answers; maxmemory-policy is noeviction');
    else
      add(
        'Redis',
        'wrong',
        `maxmemory-policy is ${name}: it may throw jobs away`,
        `${redis} CONFIG SET maxmemory-policy noeviction`,
      );
    const field = (key: string) => Number(new RegExp(`^${key}:(\\d+)`, 'm').exec(String(memory))?.[1] ?? 0);
    const [used, limit] = [field('used_memory'), field('maxmemory')];
    if (limit > 0 && used > 0.9 * limit) {
      add(
        'Redis',
        'wrong',
        `${Math.round((100 * used) / limit)} % of its memory is used`,
        `${redis} CONFIG SET maxmemory ${2 * limit}`,
      );
    }
  } catch (error) {
    add('Redis', 'wrong', messageOf(error), `${redis} PING`);
    return;
  }
  for (const { name, waiting, in_flight, retry, dead, oldest_age_ms } of status.queues) {
    const old = oldest_age_ms !== null && oldest_age_ms > staleMs;
    if ((waiting ?? 0) + (in_flight ?? 0) + (retry ?? 0) > 0) {
      const age = oldest_age_ms === null ? '' : `, the oldest for ${Math.round(oldest_age_ms / 1000)} s`;
      add(
        name,
        old ? 'wrong' : 'note',
        `${waiting} wait${age}, ${in_flight} in flight, ${retry} to be retried`,
        old ? `${launcherName()} status: is its service ready?` : undefined,
      );
    }
    if ((dead ?? 0) > 0) await describeDead(add, url, name, dead ?? 0);
  }
}

async function describeDead(add: Add, url: string, list: string, count: number): Promise<void> {
  const letters = await askQueue(url, (inspector) => inspector.deadLetters(list, 1000));
  const codes = new Map<string, number>();
  for (const letter of letters) {
    const code = readDeadLetter(Buffer.from(letter))?.code ?? 'invalid_letter';
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const reasons = [...codes].map(([code, times]) => `${code} ${times}×`).join(', ');
  add(list, 'note', `${count} dead letters: ${reasons}`, `${launcherName()} dead list --queue ${list}`);
}
