import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { FoundFile } from './find-files.ts';

export interface FileChanges {
  /** New, or with other bytes than before. */
  changed: FoundFile[];
  gone: FoundFile[];
}

/** Every file with what its bytes are told apart by. */
export type Snapshot = ReadonlyMap<string, { file: FoundFile; mark: string }>;

/**
 * Says what changes among some files, until `signal` is aborted, by looking again and again: an editor that saves
 * by renaming, a folder that is moved in and a network disk are then all the same. The system's own notices
 * were tried: under Linux, Node's recursive watch lost every save by renaming after the first, and the
 * removal of a file that had been renamed. Looking takes at most a twentieth of the time.
 *
 *   idle ──a difference──► settling ──two equal looks, settleMs apart──► compare ──► onChange ──► idle
 *                             └── something still changes: look again ──┘
 *
 * A file that is still being written keeps it settling, for `longestSettleMs` at most.
 */
export async function watchFiles(options: {
  scan: () => FoundFile[];
  /** What is known already. */
  before: Snapshot;
  /** Resolves with the files that are to be told again although they stay as they are. */
  onChange: (changes: FileChanges) => Promise<readonly FoundFile[]>;
  signal: AbortSignal;
  settleMs?: number;
  pollMs?: number;
}): Promise<void> {
  const { scan, onChange, signal, settleMs = 400, pollMs = 1000 } = options;
  let known = options.before;
  let lookMs = 0;
  const look = () => {
    const startedAt = performance.now();
    const snapshot = takeSnapshot(scan());
    lookMs = performance.now() - startedAt;
    return snapshot;
  };
  for (;;) {
    await pause(Math.max(pollMs, 20 * lookMs), signal);
    if (signal.aborted) return;
    let now = look();
    if (isSame(compare(known, now))) continue;
    const settleUntil = performance.now() + longestSettleMs;
    for (let quiet = false; !quiet && performance.now() < settleUntil; ) {
      await pause(settleMs, signal);
      if (signal.aborted) return;
      const next = look();
      quiet = isSame(compare(now, next));
      now = next;
    }
    const changes = compare(known, now);
    known = now;
    if (isSame(changes)) continue;
    const again = new Set((await onChange(changes)).map(({ path }) => path));
    known = new Map([...now].filter(([path]) => !again.has(path)));
  }
}

const longestSettleMs = 60_000;

export function takeSnapshot(files: readonly FoundFile[]): Snapshot {
  return new Map(
    files.flatMap((file) => {
      const state = statSync(file.path, { throwIfNoEntry: false });
      if (state === undefined) return [];
      return [[file.path, { file, mark: `${state.mtimeMs} ${state.size} ${state.ino}` }] as const];
    }),
  );
}

export function compare(before: Snapshot, now: Snapshot): FileChanges {
  return {
    changed: [...now]
      .filter(([path, { mark }]) => before.get(path)?.mark !== mark)
      .map(([, { file }]) => file),
    gone: [...before].filter(([path]) => !now.has(path)).map(([, { file }]) => file),
  };
}

function isSame({ changed, gone }: FileChanges): boolean {
  return changed.length === 0 && gone.length === 0;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Aborted is what the caller looks at next.
  await delay(ms, undefined, { signal }).catch(() => {});
}
