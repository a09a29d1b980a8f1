import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { isWatched, openScreen } from './screen.ts';

/** A terminal without one: what is written, and whether keys come raw. */
function fakeTerminal(size: { columns: number; rows: number }) {
  let written = '';
  const modes: boolean[] = [];
  const output = Object.assign(new PassThrough(), { isTTY: true, ...size });
  output.on('data', (piece: Buffer) => {
    written += piece.toString();
  });
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode(raw: boolean) {
      modes.push(raw);
      return input;
    },
  });
  return {
    output: output as unknown as NodeJS.WriteStream,
    input: input as unknown as NodeJS.ReadStream,
    modes,
    taken() {
      const text = written;
      written = '';
      return text;
    },
  };
}

const env = { NO_COLOR: '1' };

test('what was taken is given back, once', () => {
  const terminal = fakeTerminal({ columns: 10, rows: 3 });
  const listeners = process.listenerCount('exit');
  const screen = openScreen({ ...terminal, env });
  expect(terminal.taken()).toBe('\x1b[?1049h\x1b[?25l\x1b[?7l');
  screen.close();
  screen.close();
  expect(terminal.taken()).toBe('\x1b[?7h\x1b[?25h\x1b[?1049l');
  expect(terminal.modes).toEqual([true, false]);
  screen.draw([['late']]);
  expect(terminal.taken()).toBe('');
  expect(process.listenerCount('exit')).toBe(listeners);
});

test('the end of the process gives it back too', () => {
  const terminal = fakeTerminal({ columns: 10, rows: 3 });
  openScreen({ ...terminal, env });
  terminal.taken();
  // What the runtime calls; the runner's own listeners are not to hear it.
  process.listeners('exit').at(-1)?.(0);
  expect(terminal.taken()).toBe('\x1b[?7h\x1b[?25h\x1b[?1049l');
});

test('a frame stays within the terminal, and a full line keeps its last letter', () => {
  const terminal = fakeTerminal({ columns: 4, rows: 3 });
  const screen = openScreen({ ...terminal, env });
  terminal.taken();
  screen.draw([['ab'], ['abcd'], ['abcdef'], ['gone']]);
  expect(terminal.taken()).toBe('\x1b[?2026h\x1b[Hab\x1b[K\r\nabcd\r\nabc…\x1b[?2026l');
  screen.draw([['x']]);
  expect(terminal.taken()).toBe('\x1b[?2026h\x1b[Hx\x1b[K\r\n\x1b[J\x1b[?2026l');
  screen.close();
});

test('keys reach the view, a new size has it drawn again', () => {
  const terminal = fakeTerminal({ columns: 4, rows: 3 });
  const keys: string[] = [];
  let drawn = 0;
  const screen = openScreen({ ...terminal, env, onKey: (key) => keys.push(key) });
  screen.onResize(() => {
    drawn += 1;
  });
  terminal.input.emit('data', Buffer.from('q'));
  terminal.output.emit('resize');
  screen.close();
  terminal.output.emit('resize');
  expect([keys, drawn]).toEqual([['q'], 1]);
});

test('a pipe, a dumb terminal and a build server are not watched', () => {
  const { output } = fakeTerminal({ columns: 80, rows: 24 });
  expect(isWatched(output, { TERM: 'xterm' })).toBe(true);
  expect(isWatched(output, { TERM: 'dumb' })).toBe(false);
  expect(isWatched(output, { TERM: 'xterm', CI: 'true' })).toBe(false);
  expect(isWatched(new PassThrough() as unknown as NodeJS.WriteStream, {})).toBe(false);
});
