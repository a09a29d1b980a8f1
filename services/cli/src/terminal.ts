import { createInterface } from 'node:readline/promises';
import { harmless, harmlessLines } from '@vortex/terminal';

/** A piece of work that is shown while it lasts. */
export interface Step {
  update(detail: string): void;
  done(result?: string): void;
  fail(): void;
}

/**
 * Progress for people, on standard error, so that what a command prints can be piped. A terminal gets one
 * line that is rewritten; anything else gets whole lines, and only for steps longer than a second.
 */
export interface Terminal {
  readonly interactive: boolean;
  step(title: string): Step;
  note(line: string): void;
  /** True on Enter, `y` or `yes`. Only ask when `interactive`. */
  confirm(question: string): Promise<boolean>;
}

const quietMs = 1000;
const plainUpdateMs = 5000;
const clearLine = '\r\x1b[2K';

export function createTerminal(
  output: NodeJS.WriteStream = process.stderr,
  input: NodeJS.ReadStream = process.stdin,
): Terminal {
  const rewrites = output.isTTY === true && process.env.TERM !== 'dumb';
  const interactive = rewrites && input.isTTY === true;

  return {
    interactive,
    note: (line) => void output.write(`${harmlessLines(line)}\n`),
    // File names and reasons are foreign text.
    step: (title) => (rewrites ? rewritingStep(output, harmless(title)) : plainStep(output, harmless(title))),
    async confirm(question) {
      const lines = createInterface({ input, output });
      try {
        const answer = (await lines.question(`${question} [Y/n] `)).trim().toLowerCase();
        return answer === '' || answer === 'y' || answer === 'yes';
      } finally {
        lines.close();
      }
    },
  };
}

function rewritingStep(output: NodeJS.WriteStream, title: string): Step {
  const started = performance.now();
  let detail = '';
  const draw = () => {
    const line = `  ${title}${detail === '' ? '' : `: ${detail}`} … ${seconds(started)}`;
    output.write(clearLine + line.slice(0, Math.max(20, (output.columns || 80) - 1)));
  };
  const timer = setInterval(draw, 250);
  timer.unref();
  draw();
  const close = (mark: string, text: string) => {
    clearInterval(timer);
    output.write(`${clearLine}${mark} ${text} (${seconds(started)})\n`);
  };
  return {
    update: (text) => {
      detail = harmless(text);
    },
    done: (result) => close('✓', result === undefined ? title : harmless(result)),
    fail: () => close('✗', title),
  };
}

function plainStep(output: NodeJS.WriteStream, title: string): Step {
  const started = performance.now();
  let detail = '';
  const draw = () => {
    output.write(`  ${title}${detail === '' ? '' : `: ${detail}`} … ${seconds(started)}\n`);
  };
  const first = setTimeout(draw, quietMs);
  const later = setInterval(draw, plainUpdateMs);
  first.unref();
  later.unref();
  const close = (mark: string, text: string) => {
    clearTimeout(first);
    clearInterval(later);
    output.write(`${mark} ${text} (${seconds(started)})\n`);
  };
  return {
    update: (text) => {
      detail = harmless(text);
    },
    done: (result) => close('✓', result === undefined ? title : harmless(result)),
    fail: () => close('✗', title),
  };
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
