import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../folders.ts';

/** The plugin of a current Docker, or Debian's docker-compose (1.29); neither needs an engine to read a file. */
const programs = [['docker', 'compose'], ['docker-compose']];
const program = programs.find(
  ([command = '', ...words]) => spawnSync(command, [...words, 'version']).status === 0,
);

/** A user's own variables and `.env` have no say here. */
function config(...options: string[]): { status: number | null; problem: string } {
  const [command = '', ...words] = program ?? [];
  const { status, stderr } = spawnSync(command, [...words, ...options, 'config', '--quiet'], {
    cwd: repositoryRoot,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  });
  return { status, problem: stderr };
}

const profiles = ['ollama', 'postgres', 'valkey', 'load'].flatMap((name) => ['--profile', name]);
const cases = [
  { name: 'as it is', options: [] },
  // Python starts for two seconds each time; what the other files set is held by compose-policy.test.ts.
  { name: 'with every profile', options: ['--env-file', 'deploy/env/ollama.env', ...profiles] },
];

describe('docker-compose.yml, read by Compose itself', () => {
  it.for(cases)('is valid $name', ({ options }, { skip }) => {
    if (program === undefined) return skip('there is no docker compose here (Debian: docker-compose)');
    expect(config(...options)).toEqual({ status: 0, problem: '' });
  });
});
