import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why tests in a real terminal cannot run here; false when they can. */
export const terminalMissing = spawnSync('tmux', ['-V']).status !== 0 && 'there is no tmux in the PATH';

/** A terminal of so many columns and rows with a shell in it, kept by a tmux of its own. */
export interface RealTerminal {
  /** As somebody types it; a word such as `Enter` or `C-c` is a key. */
  type(...keys: string[]): Promise<void>;
  screen(): Promise<string[]>;
  /** What programs take over and must give back. */
  state(): Promise<{ alternate: boolean; cursor: boolean; wraps: boolean }>;
  resize(columns: number, rows: number): Promise<void>;
  close(): Promise<void>;
}

export async function openTerminal(columns: number, rows: number): Promise<RealTerminal> {
  const socket = `vortex-${randomUUID().slice(0, 8)}`;
  const tmux = async (...words: string[]) => (await run('tmux', ['-u', '-L', socket, ...words])).stdout;
  const size = ['-x', String(columns), '-y', String(rows)];
  // A build server's mark would have the view print lines.
  const shell = "env -u CI PS1='$ ' sh";
  await tmux('-f', '/dev/null', 'new-session', '-d', ...size, shell);
  return {
    type: async (...keys) => void (await tmux('send-keys', ...keys)),
    screen: async () => (await tmux('capture-pane', '-p')).split('\n'),
    async state() {
      const format = '#{alternate_on} #{cursor_flag} #{wrap_flag}';
      const [alternate, cursor, wraps] = (await tmux('display', '-p', format)).trim().split(' ');
      return { alternate: alternate === '1', cursor: cursor === '1', wraps: wraps === '1' };
    },
    resize: async (x, y) => void (await tmux('resize-window', '-x', String(x), '-y', String(y))),
    close: async () => void (await tmux('kill-server').catch(() => undefined)),
  };
}
