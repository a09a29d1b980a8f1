import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
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
const cases: { name: string; options: string[] }[] = [
  { name: 'as it is', options: [] },
  { name: 'with every profile', options: profiles },
  ...globSync('deploy/env/*.env', { cwd: repositoryRoot }).map((path) => ({
    name: `with ${path}`,
    options: ['--env-file', path],
  })),
];

describe.skipIf(program === undefined)('docker-compose.yml, read by Compose itself', () => {
  it.each(cases)('is valid $name', ({ options }) => {
    expect(config(...options)).toEqual({ status: 0, problem: '' });
  });
});
