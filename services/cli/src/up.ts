import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { keepPrivate } from '@vortex/config';
import { finishStart, sayWhereItIs } from './finish-start.ts';
import { assertDoor } from './first-key.ts';
import {
  cacheDir,
  dataFolder,
  dataOption,
  type InstancePaths,
  instancePaths,
  launcherName,
  repositoryRoot,
} from './folders.ts';
import { runningInstance } from './instance-address.ts';
import { checkLanguageModel } from './language-model.ts';
import { ensureWatchPrograms } from './observe/install-programs.ts';
import { observerPortNames, planObservers } from './observe/plan-observers.ts';
import { watchFiles } from './observe/watch-files.ts';
import { choosePorts, listenProblem, portOwner, reusePortProblem } from './ports.ts';
import { prepareModel } from './prepare-model.ts';
import { CommandProblem } from './problem.ts';
import { ensureRedis } from './redis/install-redis.ts';
import { passwordsOf } from './redis/passwords.ts';
import { usersFile } from './redis/users-file.ts';
import { type LlmChoice, planInstance, portNames } from './service-plan.ts';
import { type CheckedSettings, checkSettings } from './settings.ts';
import { runInForeground, startDetached, waitUntilReady } from './start-instance.ts';
import type { InstancePlan } from './supervisor/instance.ts';
import { isAlive } from './supervisor/process-identity.ts';
import { type RunFile, readRunFile } from './supervisor/run-file.ts';
import { allGone, stopOrphans } from './supervisor/stop-orphans.ts';
import type { Terminal } from './terminal.ts';
import { warmCode } from './warm-code.ts';

export interface UpOptions {
  port: number;
  host: string;
  data?: string;
  detach: boolean;
  replicas: number;
  gateways: number;
  llm: LlmChoice;
  demo: boolean;
  yes: boolean;
  set: string[];
  observe: boolean;
  observeSpeed: number;
}

/**
 * Checks everything that can be wrong before it starts anything, then starts the instance and keeps it in
 * the foreground until Ctrl-C; with `detach`, returns once it is ready.
 * @throws CommandProblem; what was started has been stopped by then
 */
export async function up(options: UpOptions, terminal: Terminal): Promise<void> {
  const checked = checkSettings(options.set, process.env);
  const paths = instancePaths(dataFolder(options.data));

  const running = runningInstance(paths.data);
  if (running !== null && running.phase !== 'stopping') {
    await reportRunning(running, options, paths, terminal);
    return;
  }
  if (running === null) await endLeftovers(paths, terminal);
  else await waitUntilStopped(running, terminal);
  await checkPort(options, paths.data);
  await checkSharing(options);
  makeFolders(paths);
  await assertDoor(options.host, paths.data, checked.settings);
  const plan = await prepare(options, checked, paths, terminal);
  const finish = (signal?: AbortSignal) =>
    finishStart({ plan, demo: options.demo, checked, paths, terminal, ...(signal && { signal }) });

  if (!options.detach) return runInForeground(plan, paths, terminal, finish);
  const other = await startDetached(plan, paths, terminal);
  if (other === null) await finish();
  else await reportRunning(other, options, paths, terminal);
}

/** Before the port is looked at: what a killed supervisor left behind still listens there. */
async function endLeftovers(paths: InstancePaths, terminal: Terminal): Promise<void> {
  const processes = readRunFile(paths.runFile)?.processes ?? [];
  if (!processes.some(({ identity }) => identity !== null && isAlive(identity))) return;
  const step = terminal.step('Ending what a killed supervisor left behind');
  step.done(`Ended ${await stopOrphans(processes)} processes that a killed supervisor had left behind`);
}

async function reportRunning(
  running: RunFile,
  options: UpOptions,
  paths: InstancePaths,
  terminal: Terminal,
): Promise<void> {
  if (running.phase === 'starting') {
    terminal.note(
      `Another start is under way on the data folder ${paths.data} (pid ${running.supervisor.pid}).`,
    );
    await waitUntilReady(paths, terminal);
  } else {
    terminal.note(`Vortex runs already on the data folder ${paths.data} (pid ${running.supervisor.pid}).`);
  }
  if (running.port !== options.port && options.port !== defaultPort) {
    const stop = `${launcherName()} down${dataOption(paths.data)}`;
    terminal.note(`It keeps its port ${running.port}; for ${options.port}, stop it first: ${stop}`);
  }
  const watch = running.processes.find(({ service }) => service === 'prometheus');
  if (options.observe && watch === undefined) {
    const stop = `${launcherName()} down${dataOption(paths.data)}`;
    terminal.note(`It runs without --observe; to have it watched, stop it first: ${stop}`);
  }
  await sayWhereItIs({ ...running, prometheus_url: watch?.url ?? null }, paths);
}

async function waitUntilStopped(running: RunFile, terminal: Terminal): Promise<void> {
  const step = terminal.step('Waiting for the instance on this folder, which is being stopped');
  if (await allGone([running.supervisor], stopWithinMs)) step.done('The instance before has stopped');
  else {
    step.fail();
    throw new CommandProblem(`The instance before does not end (pid ${running.supervisor.pid}).`, {
      ways: [`Look at its log, then end it: kill -9 ${running.supervisor.pid}, and start again`],
    });
  }
}

const stopWithinMs = 120_000;
export const defaultPort = 8000;

async function checkPort({ port, host }: UpOptions, data: string): Promise<void> {
  const problem = await listenProblem(port, host);
  if (problem === null) return;
  if (problem === 'EADDRINUSE') {
    const owner = portOwner(port);
    throw new CommandProblem(`Port ${port} is taken${owner === null ? '' : ` by ${owner}`}.`, {
      ways: [
        `Take another: ${launcherName()} up --port ${port + 1}${dataOption(data)}`,
        'Or stop what listens there; if it is another Vortex: vortex down --data ITS_FOLDER',
      ],
    });
  }
  throw new CommandProblem(`Cannot listen on ${host}:${port} (${problem}).`, {
    ways: [
      problem === 'EACCES'
        ? 'Ports below 1024 belong to root: take a higher one with --port'
        : 'Is --host an address of this machine? 127.0.0.1 is this machine only, 0.0.0.0 all its addresses',
    ],
  });
}

async function checkSharing({ gateways }: UpOptions): Promise<void> {
  if (gateways === 1) return;
  const problem = await reusePortProblem();
  if (problem === null) return;
  throw new CommandProblem(`Several gateways cannot share a port on this system (${problem}).`, {
    ways: ['Leave --gateways out. Linux ≥ 3.9, FreeBSD ≥ 12, Solaris 11.4 and AIX ≥ 7.2.5 can; macOS cannot'],
  });
}

function makeFolders(paths: InstancePaths): void {
  // Redis and every service inherit it.
  keepPrivate(paths.data);
  try {
    for (const folder of [paths.run, paths.logs, paths.redis]) mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new CommandProblem(
      `Cannot write to the data folder ${paths.data} (${(error as NodeJS.ErrnoException).code}).`,
      {
        ways: ['Choose a folder of yours: --data DIR'],
      },
    );
  }
}

/** Brings what is missing and decides ports; nothing runs yet when it returns. */
async function prepare(
  options: UpOptions,
  { environment, settings }: CheckedSettings,
  paths: InstancePaths,
  terminal: Terminal,
): Promise<InstancePlan> {
  const { redis, cache, llm, worker } = { ...settings.gateway, ...settings['llm-generator'] };
  const redisIsGiven =
    ['REDIS_URL', 'REDIS_ADDR', 'REDIS_HOST', 'VORTEX__REDIS__URL'].some((name) => environment[name]) ||
    redis.url !== 'redis://127.0.0.1:6379';
  const externalRedisUrl = redisIsGiven ? redis.url : null;
  const needsBinary = externalRedisUrl === null || cache.url === null;

  const watch = options.observe ? await ensureWatchPrograms(terminal, options) : null;
  const redisBinary = needsBinary ? (await ensureRedis(terminal, options)).path : null;
  await checkLanguageModel(options.llm, llm);
  const { embedding } = settings.encoder;
  await prepareModel(
    {
      model: embedding.model,
      modelsDir: embedding.models_dir ?? join(paths.data, 'models'),
      hfEndpoint: embedding.hf_endpoint,
    },
    terminal,
  );

  const compileCache = process.env.NODE_COMPILE_CACHE ?? join(cacheDir, 'compile');
  await warmCode(compileCache, terminal);

  const names = [
    ...portNames({
      replicas: options.replicas,
      gateways: options.gateways,
      llm: options.llm,
      redis: externalRedisUrl === null,
      cache: cache.url === null,
    }),
    ...(watch === null ? [] : observerPortNames(watch)),
  ];
  const ports = await choosePorts(names, readPorts(paths.portsFile));

  const redisPasswords = passwordsOf(paths.redisPasswordsFile);
  const plan = planInstance({
    data: paths.data,
    logs: paths.logs,
    runFile: paths.runFile,
    lockFile: paths.lockFile,
    portsFile: paths.portsFile,
    redisDir: paths.redis,
    redisPasswords,
    redisUsersFile: paths.redisUsersFile,
    cacheUsersFile: paths.cacheUsersFile,
    host: options.host,
    port: options.port,
    replicas: options.replicas,
    gateways: options.gateways,
    llm: options.llm,
    environment,
    ports,
    externalRedisUrl,
    externalCacheUrl: cache.url,
    redisBinary,
    drainBudgetMs: worker.drain_budget_ms,
    compileCache,
    certFile: certFileOf(settings),
    admin: adminOf(settings),
  });
  if (watch !== null) {
    const { observe: folder, logs, prometheusFile: configFile } = paths;
    // Last: what is being started is not yet missing.
    plan.groups.push(planObservers(plan, { programs: watch, folder, logs, configFile, ports, environment }));
  }
  const secret = (path: string, content: string) => ({ path, content, isSecret: true });
  plan.files = [
    secret(paths.redisPasswordsFile, `${JSON.stringify(redisPasswords, null, 2)}\n`),
    secret(paths.redisUsersFile, usersFile('queue', redisPasswords)),
    secret(paths.cacheUsersFile, usersFile('cache', redisPasswords)),
    ...watchFiles(plan, {
      prometheusFile: paths.prometheusFile,
      ruleFolder: join(paths.observe, 'rules'),
      speed: options.observeSpeed,
    }),
  ];
  return plan;
}

function readPorts(file: string): Record<string, number> {
  try {
    const ports = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(ports).filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
    );
  } catch {
    return {};
  }
}

/** As the gateway reads it, whose working directory is the checkout. */
function certFileOf(settings: CheckedSettings['settings']): string | null {
  const { tls_cert_file: file } = settings.gateway.gateway;
  return file === null ? null : resolve(repositoryRoot, file);
}

function adminOf(settings: CheckedSettings['settings']): { host: string; port: number } | null {
  const { admin_host: host, admin_port: port } = settings.gateway.gateway;
  return port === 0 ? null : { host, port };
}
