import { clipLine, type Line, paint, textOf } from './line.ts';
import { widthOf } from './text.ts';

/**
 * A whole terminal, taken over and given back.
 *
 *   open ──► shown ──(Ctrl-Z)──► given back ──(SIGCONT)──► shown
 *              └──(close, or the process ends)──► closed
 *
 * Shown: the alternate screen, no cursor, no wrapping, keys as they are typed. Given back and closed: all of
 * that undone, in one write. `close` may be called twice. Ending the process without it gives the terminal
 * back too; only SIGKILL leaves it as it was (`reset` mends it).
 */
export interface Screen {
  size(): Size;
  draw(frame: readonly Line[]): void;
  /** Calls on every change of the size and on the return from Ctrl-Z: draw again. */
  onResize(listener: () => void): void;
  close(): void;
}

export interface Size {
  columns: number;
  rows: number;
}

const esc = '\x1b';
const take = `${esc}[?1049h${esc}[?25l${esc}[?7l`;
const giveBack = `${esc}[?7h${esc}[?25h${esc}[?1049l`;
// Terminals that know it show a frame at once; the others ignore it.
const [beginFrame, endFrame] = [`${esc}[?2026h`, `${esc}[?2026l`];
const [ctrlC, ctrlZ] = ['\x03', '\x1a'];

/** Whether somebody watches: a terminal that can be drawn on, and no build server. */
export function isWatched(output: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  const isBuildServer = env.CI !== undefined && env.CI !== '' && env.CI !== 'false';
  return output.isTTY === true && env.TERM !== 'dumb' && !isBuildServer;
}

/** Erases what an earlier, taller frame left below; from the start of a line, for the reason above. */
function below(height: number, rows: number): string {
  return height < rows ? `\r\n${esc}[J` : '';
}

export function openScreen(options: {
  output?: NodeJS.WriteStream;
  input?: NodeJS.ReadStream;
  /** A key, as the terminal sends it. Ctrl-C is not among them: it is SIGINT, as everywhere. */
  onKey?: (key: string) => void;
  env?: NodeJS.ProcessEnv;
}): Screen {
  const { output = process.stdout, input = process.stdin, onKey, env = process.env } = options;
  const colour = env.NO_COLOR === undefined || env.NO_COLOR === '';
  const listeners: (() => void)[] = [];
  const changed = () => {
    for (const listener of listeners) listener();
  };
  let state: 'shown' | 'given back' | 'closed' = 'given back';

  function show(): void {
    if (state !== 'given back') return;
    state = 'shown';
    output.write(take);
    // Without it what is typed would be drawn over the screen.
    if (input.isTTY) input.setRawMode(true).resume();
  }
  function hide(next: 'given back' | 'closed'): void {
    if (state === 'shown') {
      if (input.isTTY) input.setRawMode(false).pause();
      output.write(giveBack);
    }
    state = next;
  }
  function onInput(bytes: Buffer | string): void {
    const key = String(bytes);
    if (key.includes(ctrlC)) process.kill(process.pid, 'SIGINT');
    else if (key === ctrlZ) {
      hide('given back');
      process.kill(process.pid, 'SIGTSTP');
    } else onKey?.(key);
  }
  function onContinue(): void {
    show();
    changed();
  }
  function close(): void {
    if (state === 'closed') return;
    hide('closed');
    output.off('resize', changed);
    input.off('data', onInput);
    process.off('SIGCONT', onContinue);
    process.off('exit', close);
  }

  show();
  if (input.isTTY) input.on('data', onInput);
  output.on('resize', changed);
  process.on('SIGCONT', onContinue);
  process.on('exit', close);

  const size = () => ({ columns: output.columns || 80, rows: output.rows || 24 });
  return {
    size,
    onResize: (listener) => void listeners.push(listener),
    draw(frame) {
      if (state !== 'shown') return;
      const { columns, rows } = size();
      const lines = frame.slice(0, rows).map((line) => {
        const shown = clipLine(line, columns);
        // Behind a full line the cursor still stands on its last column: erasing to the end would take that too.
        const isFull = widthOf(textOf(shown)) >= columns;
        return paint(shown, { colour }) + (isFull ? '' : `${esc}[K`);
      });
      output.write(`${beginFrame}${esc}[H${lines.join('\r\n')}${below(frame.length, rows)}${endFrame}`);
    },
    close,
  };
}
