import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { ClientOptions } from '@vortex/client';
import { dataFolder, dataOption, type InstancePaths, instancePaths, launcherName } from './folders.ts';
import { CommandProblem } from './problem.ts';
import { isAlive } from './supervisor/process-identity.ts';
import { type RunFile, readRunFile } from './supervisor/run-file.ts';

/** The run file of an instance whose supervisor lives; null when nothing runs on the folder. */
export function runningInstance(data: string): RunFile | null {
  const run = readRunFile(instancePaths(data).runFile);
  return run !== null && isAlive(run.supervisor) ? run : null;
}

/** How a command names its instance, and what it comes with. */
export interface InstanceOptions {
  data?: string;
  url?: string;
  apiKey?: string;
}

/**
 * Where a command finds its gateway, and the key it asks with: `--api-key`, else with `--data` the key that the gateway
 * keeps in that folder, else `VORTEX_API_KEY`, else that of the usual folder. Whoever may read a folder has every right
 * there, and a key of the environment that has ended is not to lock him out.
 * @throws CommandProblem
 */
export function gatewayOf(options: InstanceOptions, env: NodeJS.ProcessEnv = process.env): ClientOptions {
  const url = gatewayUrl(options);
  const keyed = (key: string | undefined) => (key === undefined || key === '' ? null : { url, key });
  const local = () => withLocalKey(url, instancePaths(dataFolder(options.data)));
  const asked = keyed(options.apiKey);
  if (asked !== null) return asked;
  if (options.data !== undefined) return 'key' in local() ? local() : (keyed(env.VORTEX_API_KEY) ?? { url });
  return keyed(env.VORTEX_API_KEY) ?? (options.url === undefined ? local() : { url });
}

/** With the authority of this machine, whatever the environment says. */
export function withLocalKey(url: string, { localKeyFile }: InstancePaths): ClientOptions {
  try {
    return { url, key: readFileSync(localKeyFile, 'utf8').trim() };
  } catch {
    // Not there, or another user's: what the gateway lets everybody do can be done.
    return { url };
  }
}

/**
 * Where a command finds its gateway: `--url`, else the instance of `--data`.
 * @throws CommandProblem when neither leads anywhere
 */
export function gatewayUrl(options: { url?: string | undefined; data?: string | undefined }): string {
  if (options.url !== undefined) {
    if (!/^https?:\/\/[^/]/.test(options.url)) {
      throw new CommandProblem(`--url ${options.url} is no address.`, {
        ways: ['It looks like http://127.0.0.1:8000'],
        exitCode: 2,
      });
    }
    return options.url;
  }
  const data = dataFolder(options.data);
  const run = runningInstance(data);
  if (run === null) throw notRunning(data);
  trustGateway(run);
  return run.gateway_admin_url ?? run.gateway_url;
}

/**
 * A certificate that somebody made for this instance is no authority's, and commands of this machine take it all the
 * same: they know the file. It must name the address they ask.
 */
export function trustGateway({ gateway_cert_file: file }: Pick<RunFile, 'gateway_cert_file'>): void {
  if (file == null) return;
  try {
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(file, 'utf8')]);
  } catch {
    // Not there, or no certificate: the connection will say what it misses.
  }
}

export function notRunning(data: string): CommandProblem {
  const start = `${launcherName()} up --detach${dataOption(data)}`;
  return new CommandProblem(`Nothing runs on the data folder ${data}.`, {
    ways: [`Start it: ${start}`, 'Or name another instance: --data DIR, or --url http://host:8000'],
  });
}
