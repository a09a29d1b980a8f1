import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessIdentity } from './process-identity.ts';
import type { ReadinessProbe } from './readiness.ts';
import type { ProcessState } from './supervised-process.ts';

/** `<data>/run/vortex.json`: what runs on this data folder, written by the supervisor at every change. */
export interface RunFile {
  version: 1;
  phase: InstancePhase;
  /** Why the instance did not come up; the last log lines of the service to blame follow in `failure_log`. */
  failure: string | null;
  failure_log: string[];
  supervisor: ProcessIdentity;
  /** Where it takes requests (control-socket.ts); null when it could not be opened. */
  control_socket: string | null;
  started_at: string;
  host: string;
  port: number;
  gateway_url: string;
  /** With HTTPS: what the gateway shows, for the commands of this machine. Absent in files of older versions. */
  gateway_cert_file?: string | null;
  /** Where commands of this machine ask, when what is for administrators has a port of its own: all else is there too. */
  gateway_admin_url?: string | null;
  redis_url: string;
  cache_url: string | null;
  llm: string;
  processes: RunProcess[];
}

/** `failed` and `stopped` are what a supervisor leaves behind; nothing of it runs then. */
export type InstancePhase = 'starting' | 'ready' | 'stopping' | 'failed' | 'stopped';

export interface RunProcess {
  service: string;
  worker_name: string | null;
  url: string | null;
  upstream_urls: string[];
  probe: ReadinessProbe;
  identity: ProcessIdentity | null;
  state: ProcessState;
  restarts: number;
  reasons: string[];
  log_file: string;
}

/** Null when there is none, or when it is not ours to read (another version, half a file after a power loss). */
export function readRunFile(path: string): RunFile | null {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
  return isRunFile(content) ? content : null;
}

/** Whole or not at all: a reader never sees half of it. Only the owner may read it; Redis URLs can hold passwords. */
export function writeRunFile(path: string, content: RunFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`);
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

function isRunFile(value: unknown): value is RunFile {
  if (typeof value !== 'object' || value === null) return false;
  const { version, supervisor, processes } = value as Partial<RunFile>;
  return (
    version === 1 &&
    isIdentity(supervisor) &&
    Array.isArray(processes) &&
    processes.every(
      (entry: Partial<RunProcess>) =>
        typeof entry.service === 'string' && (entry.identity === null || isIdentity(entry.identity)),
    )
  );
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, started } = value as Partial<ProcessIdentity>;
  return typeof pid === 'number' && typeof started === 'string';
}
