import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const output = new URL('./gathered-output.ts', import.meta.url).href;

it.each([
  ['ends', 'process.exit(3)', 3],
  ['fails', "throw new Error('of the program')", 1],
])('a process that %s has written its last lines', (_how, end, code) => {
  const program = `import { gatheredOutput } from ${JSON.stringify(output)};
    const log = gatheredOutput();
    log.write('one\\n');
    log.write('two\\n');
    ${end};`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([code, 'one\ntwo\n']);
});
