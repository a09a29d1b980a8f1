import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * A pid is reused; a pid together with the moment its process began is not. Whoever wants to signal a
 * process that an earlier run wrote down compares both first.
 */
export interface ProcessIdentity {
  pid: number;
  /** Opaque: boot and start time of the process. */
  started: string;
}

/** Null when there is no such process any more (a zombie counts as gone: nothing of it runs). */
export function identityOf(pid: number): ProcessIdentity | null {
  const fact = process.platform === 'linux' ? linuxFact(pid) : psFact(pid);
  return fact === null ? null : { pid, started: fact };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started;
}

/** Sends the signal only to the very process that was meant. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Resident memory; null when it cannot be known. */
export function residentBytes(pid: number): number | null {
  try {
    if (process.platform === 'linux') {
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return kilobytes === undefined ? null : Number(kilobytes) * 1024;
    }
    const kilobytes = Number(ps(pid, 'rss='));
    return Number.isFinite(kilobytes) && kilobytes > 0 ? kilobytes * 1024 : null;
  } catch {
    return null;
  }
}

let bootId: string | undefined;

function linuxFact(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name may hold spaces and brackets; what follows its last bracket is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || startTicks === undefined) return null;
    bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${bootId}/${startTicks}`;
  } catch {
    return null;
  }
}

function psFact(pid: number): string | null {
  try {
    const [state, ...started] = ps(pid, 'stat=,lstart=').split(/\s+/);
    return state === undefined || state.startsWith('Z') ? null : started.join(' ');
  } catch {
    return null;
  }
}

function ps(pid: number, format: string): string {
  return execFileSync('ps', ['-o', format, '-p', String(pid)], { encoding: 'utf8' }).trim();
}
