import { text } from 'node:stream/consumers';
import { FolderInUse, type InstancePlan, StartFailed, startInstance } from './instance.ts';
import { nameOf } from './process-name.ts';

/**
 * The background process of `up --detach`. The plan arrives on standard input, because it holds secrets
 * that belong neither in a file nor in the process list. How it goes is in the run file, and in
 * `<data>/logs/supervisor.log`, which is this process's output.
 */
const exitCodes = { startFailed: 1, folderInUse: 3 } as const;

// One line per event like the services', without their logger: it would double this process's memory.
function log(level: 'info' | 'error', message: string): void {
  console.log(JSON.stringify({ level, time: new Date().toISOString(), service: 'supervisor', msg: message }));
}

const plan = JSON.parse(await text(process.stdin)) as InstancePlan;

try {
  const instance = await startInstance(plan, (member, event) =>
    log('info', `${nameOf(member.plan)}: ${event}`),
  );
  const stop = (reason: string) => {
    log('info', `stopping: ${reason}`);
    void instance.stop();
  };
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop(`${name} received`));
  // The terminal that started it may go away.
  process.on('SIGHUP', () => {});
  process.on('uncaughtException', (error) => {
    log('error', `this is a bug in the supervisor: ${error.stack ?? error.message}`);
    process.exitCode = 1;
    stop('the supervisor failed');
  });
  await instance.onceReady;
  log('info', `ready at ${plan.gatewayUrl}`);
  await instance.onceStopped;
  log('info', 'stopped');
} catch (error) {
  log('error', error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof FolderInUse ? exitCodes.folderInUse : exitCodes.startFailed;
  if (!(error instanceof FolderInUse || error instanceof StartFailed)) log('error', String(error));
}
