import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Below the range the system takes outgoing connections' ports from (32768 on Linux, 49152 elsewhere):
 * a service that is down for a moment must find its port free when it comes back.
 */
const lowest = 20_000;
const highest = 32_000;

export async function isFree(port: number, host: string): Promise<boolean> {
  return (await listenProblem(port, host)) === null;
}

/** The code of the error that listening there ends in (EADDRINUSE, EACCES, EADDRNOTAVAIL …); null when it works. */
export function listenProblem(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** The code of the error when this system cannot share a port among processes; null when it can. */
export function reusePortProblem(): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port: 0, host: '127.0.0.1', reusePort: true }, () => server.close(() => resolve(null)));
  });
}

/**
 * A port per name. A name keeps the port it had (a replica's address is part of Redis keys, and people
 * bookmark) unless somebody else listens there now.
 */
export async function choosePorts(
  names: readonly string[],
  previous: Readonly<Record<string, number>>,
  free: (port: number) => Promise<boolean> = (port) => isFree(port, '127.0.0.1'),
  random: () => number = Math.random,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {};
  const taken = new Set<number>();
  const take = (name: string, port: number) => {
    chosen[name] = port;
    taken.add(port);
  };
  for (const name of names) {
    const before = previous[name];
    if (before !== undefined && !taken.has(before) && (await free(before))) take(name, before);
  }
  for (const name of names) {
    for (let tries = 0; chosen[name] === undefined; tries += 1) {
      if (tries === 1000) throw new Error(`no free port between ${lowest} and ${highest} on 127.0.0.1`);
      const port = lowest + Math.floor(random() * (highest - lowest));
      if (!taken.has(port) && (await free(port))) take(name, port);
    }
  }
  return chosen;
}

/** Who listens on a port, as far as this user may know: `pid 4711 (node server.js)`; null when unknown. */
export function portOwner(port: number): string | null {
  try {
    const pid = process.platform === 'linux' ? linuxListener(port) : lsofListener(port);
    return pid === null ? null : `pid ${pid} (${commandLine(pid)})`;
  } catch {
    return null;
  }
}

function linuxListener(port: number): number | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === '0A';
      if (listening && fields[1]?.endsWith(`:${wanted}`) && fields[9] !== undefined) inodes.add(fields[9]);
    }
  }
  if (inodes.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
        if (inode !== undefined && inodes.has(inode)) return Number(pid);
      }
    } catch {
      // Gone meanwhile, or another user's.
    }
  }
  return null;
}

function lsofListener(port: number): number | null {
  const pid = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], { encoding: 'utf8' });
  return Number.parseInt(pid, 10) || null;
}

function commandLine(pid: number): string {
  const words =
    process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
      : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
          .trim()
          .split(/\s+/);
  // Flags hide what it is; the program and its file tell.
  const line = words.filter((word) => !word.startsWith('-')).join(' ');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}
