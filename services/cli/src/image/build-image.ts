import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../folders.ts';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';

/**
 * buildah, the one builder that needs no daemon. chroot isolation, because it needs no right that a container in a
 * container lacks; Docker's format, because OCI's has no HEALTHCHECK.
 */
export function buildah(words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('buildah', [...words], {
    encoding: 'utf8',
    env: buildahEnvironment(),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout.trim();
  throw new CommandProblem(
    `buildah ${words[0]} failed: ${(error?.message ?? stderr).trim().split('\n').at(-1)}`,
  );
}

export function hasImage(name: string): boolean {
  return (
    spawnSync('buildah', ['inspect', '--type', 'image', name], { env: buildahEnvironment() }).status === 0
  );
}

/**
 * Builds deploy/Dockerfile on a base that is here already: the digest of the Dockerfile names the official image,
 * and a stand-in (deploy/make-base-image.sh) cannot have it.
 */
export async function buildImage(options: {
  tag: string;
  base: string;
  revision: string;
  terminal: Terminal;
}): Promise<void> {
  const step = options.terminal.step('Building the image');
  const words = [
    ...['build', '--format', 'docker', '--pull-never', '--file', 'deploy/Dockerfile', '--tag', options.tag],
    ...['--build-arg', `NODE_IMAGE=${options.base}`, '--build-arg', `REVISION=${options.revision}`],
    '.',
  ];
  const lines: string[] = [];
  const code = await new Promise<number>((resolve) => {
    const child = spawn('buildah', words, {
      cwd: repositoryRoot,
      env: buildahEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        lines.push(...piece.split('\n').filter((line) => line.trim() !== ''));
        step.update((lines.at(-1) ?? '').slice(0, 60));
      });
    }
    child.once('error', () => resolve(127));
    child.once('close', (exitCode) => resolve(exitCode ?? 137));
  });
  if (code !== 0) {
    step.fail();
    throw new CommandProblem('The image could not be built. The last lines:', { ways: lines.slice(-12) });
  }
  step.done(`Image ${options.tag} built`);
}

/** The stand-in is Debian's and of this machine; it takes about a minute and a half, once. */
export async function makeBase(name: string, terminal: Terminal): Promise<void> {
  const step = terminal.step(`Making a stand-in for ${name}`);
  const code = await new Promise<number>((resolve) => {
    const child = spawn(join(repositoryRoot, 'deploy', 'make-base-image.sh'), [name], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', () => resolve(127));
    child.once('close', (exitCode) => resolve(exitCode ?? 137));
  });
  if (code === 0) return step.done();
  step.fail();
  throw new CommandProblem('The stand-in for the base image could not be made.');
}

function buildahEnvironment(): NodeJS.ProcessEnv {
  return { BUILDAH_ISOLATION: 'chroot', ...process.env };
}
